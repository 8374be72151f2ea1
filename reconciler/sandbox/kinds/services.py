"""Services: addresses and node ports, and what may not change."""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.allocators import Exhausted
from reconciler.sandbox.kinds import podspec
from reconciler.sandbox.refusals import Refusal, invalid
from reconciler.sandbox.rules import Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

SERVICE: Final = GroupKind("", "Service")
_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def _has_address(spec: Value) -> bool:
    return spec.get("type") != "ExternalName"


def _has_node_ports(spec: Value) -> bool:
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    )


def _before_create(service: Value, _core: "Core") -> None:
    """One way to state an address: `clusterIP` and the first of `clusterIPs` follow each other."""
    spec = service["spec"]
    if _has_address(spec):
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
        elif spec.get("clusterIPs"):
            spec["clusterIP"] = spec["clusterIPs"][0]


def assign(service: Value, old: Value | None, core: "Core") -> None:
    """Give a Service its address and node ports; what it stated itself is claimed. Raises Refusal (422)."""
    spec = service["spec"]
    before = old["spec"] if old else {}
    if _has_address(spec):
        if not spec.get("clusterIP"):
            spec["clusterIP"] = _take(core)
        elif spec["clusterIP"] not in ("None", before.get("clusterIP")):
            _claim_address(service, spec["clusterIP"], core)
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    elif before.get("clusterIP") not in (None, "None"):
        core.addresses.release(before["clusterIP"])
    _assign_ports(service, before, core)


def _assign_ports(service: Value, before: Value, core: "Core") -> None:
    spec = service["spec"]
    known = _node_ports(before)
    if _has_node_ports(spec):
        for index, port in enumerate(spec.get("ports") or ()):
            if not port.get("nodePort"):
                port["nodePort"] = core.ports.take()
            elif port["nodePort"] not in known and not core.ports.claim(port["nodePort"]):
                _refuse_port(service, index, port["nodePort"], core)
        if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            spec.setdefault("healthCheckNodePort", before.get("healthCheckNodePort") or core.ports.take())
    for port in known - _node_ports(spec):
        core.ports.release(port)


def _node_ports(spec: Value) -> set[int]:
    found = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return found | ({spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set())


def _take(core: "Core") -> str:
    try:
        return core.addresses.take()
    except Exhausted:
        raise Refusal(
            500, "InternalError", "Internal error occurred: failed to allocate a serviceIP: range is full"
        ) from None


def _claim_address(service: Value, address: str, core: "Core") -> None:
    if core.addresses.claim(address):
        return
    causes = Causes()
    taken = core.addresses.contains(address)
    why = (
        "provided IP is already allocated"
        if taken
        else "the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/12"
    )
    causes.invalid("spec.clusterIPs", [address], f"failed to allocate IP {address}: {why}")
    raise invalid(SERVICE, service["metadata"]["name"], causes)


def _refuse_port(service: Value, index: int, port: int, core: "Core") -> None:
    causes = Causes()
    why = (
        "provided port is already allocated"
        if core.ports.contains(port)
        else "provided port is not in the valid range. The range of valid ports is 30000-32767"
    )
    causes.invalid(f"spec.ports[{index}].nodePort", port, why)
    raise invalid(SERVICE, service["metadata"]["name"], causes)


def release(service: Value, core: "Core") -> None:
    spec = service["spec"]
    if spec.get("clusterIP") not in (None, "None"):
        core.addresses.release(spec["clusterIP"])
    for port in _node_ports(spec):
        core.ports.release(port)


def _before_update(service: Value, old: Value, _core: "Core") -> None:
    """Keep what was given out where an update does not say it; wipe what the new type has no use for."""
    spec, before = service["spec"], old["spec"]
    if _has_address(before) and _has_address(spec):
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(name) and before.get(name):
                spec[name] = before[name]
    elif _has_address(before):
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    _keep_ports(spec, before)
    for name, users in (
        ("allocateLoadBalancerNodePorts", ("LoadBalancer",)),
        ("loadBalancerClass", ("LoadBalancer",)),
        ("externalTrafficPolicy", ("LoadBalancer", "NodePort")),
        ("healthCheckNodePort", ("LoadBalancer",)),
        ("internalTrafficPolicy", ("ClusterIP", "LoadBalancer", "NodePort")),
    ):
        if spec.get("type") not in users and name in before and spec.get(name) == before.get(name):
            spec.pop(name, None)
    if spec.get("type") != "LoadBalancer":
        service["status"] = {**(service.get("status") or {}), "loadBalancer": {}}


def _keep_ports(spec: Value, before: Value) -> None:
    known = {port.get("name", ""): port["nodePort"] for port in before.get("ports") or () if port.get("nodePort")}
    used = {port.get("nodePort") for port in spec.get("ports") or ()}
    for port in spec.get("ports") or ():
        if _has_node_ports(spec) and _has_node_ports(before):
            kept = known.get(port.get("name", ""))
            if not port.get("nodePort") and kept and kept not in used:
                port["nodePort"] = kept
        elif not _has_node_ports(spec) and port.get("nodePort") in known.values():
            port.pop("nodePort")


def _validate(service: Value, causes: Causes) -> None:
    spec = service["spec"]
    kind = spec.get("type")
    headless = spec.get("clusterIP") == "None"
    ports = spec.get("ports") or []
    if not ports and not headless and kind != "ExternalName":
        causes.required("spec.ports")
    if kind not in _TYPES:
        causes.unsupported("spec.type", kind, _TYPES)
    if kind == "LoadBalancer" and headless:
        causes.invalid(
            "spec.clusterIPs", spec.get("clusterIPs") or ["None"], "may not be set to 'None' for LoadBalancer services"
        )
    if kind == "NodePort" and headless:
        causes.invalid(
            "spec.clusterIPs", spec.get("clusterIPs") or ["None"], "may not be set to 'None' for NodePort services"
        )
    if kind == "ExternalName":
        _external_name(spec, causes)
    names: set[str] = set()
    for index, port in enumerate(ports):
        _port(port, f"spec.ports[{index}]", names, several=len(ports) > 1, causes=causes)
    _unique_ports(spec, causes)
    for key, value in (spec.get("selector") or {}).items():
        causes.words("spec.selector", key, naming.qualified_name(key))
        causes.words("spec.selector", value, naming.label_value(value))
    podspec.supported(causes, "spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    for index, address in enumerate(spec.get("externalIPs") or ()):
        _address(causes, f"spec.externalIPs[{index}]", address)
    if "externalTrafficPolicy" in spec:
        if kind in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
            podspec.supported(causes, "spec.externalTrafficPolicy", spec["externalTrafficPolicy"], ("Cluster", "Local"))
        else:
            why = "may only be set for externally-accessible services"
            causes.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], why)
    if _has_address(spec) and (spec.get("clusterIPs") or [None])[0] != spec.get("clusterIP"):
        causes.invalid("spec.clusterIPs", spec.get("clusterIPs"), "first value must match `clusterIP`")


def _external_name(spec: Value, causes: Causes) -> None:
    if spec.get("clusterIP"):
        causes.forbidden("spec.clusterIP", "may not be set when `type` is 'ExternalName'")
    name = spec.get("externalName", "").rstrip(".")
    if name:
        causes.words("spec.externalName", name, naming.dns_subdomain(name))
    else:
        causes.required("spec.externalName")


def _address(causes: Causes, field: str, address: str) -> None:
    try:
        ip_address(address)
    except ValueError:
        causes.invalid(field, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")


def _port(port: Value, field: str, names: set[str], *, several: bool, causes: Causes) -> None:
    name = port.get("name", "")
    if not name and several:
        causes.required(f"{field}.name")
    elif name:
        causes.words(f"{field}.name", name, naming.dns_label(name))
        if name in names:
            causes.duplicate(f"{field}.name", name)
        names.add(name)
    podspec.port(causes, f"{field}.port", port.get("port", 0))
    podspec.supported(causes, f"{field}.protocol", port.get("protocol"), podspec.PROTOCOLS)
    podspec.port(causes, f"{field}.targetPort", port.get("targetPort", 0))
    if port.get("appProtocol"):
        causes.words(f"{field}.appProtocol", port["appProtocol"], naming.qualified_name(port["appProtocol"]))


def _unique_ports(spec: Value, causes: Causes) -> None:
    seen: set[tuple[Any, Any]] = set()
    nodes: set[tuple[Any, Any]] = set()
    for index, port in enumerate(spec.get("ports") or ()):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            causes.duplicate(f"spec.ports[{index}]", {"port": key[1], "protocol": key[0]})
        seen.add(key)
        if port.get("nodePort"):
            if spec.get("type") == "ClusterIP":
                causes.forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
            node = (port.get("protocol"), port["nodePort"])
            if node in nodes:
                causes.duplicate(f"spec.ports[{index}].nodePort", port["nodePort"])
            nodes.add(node)


def _validate_update(service: Value, old: Value, causes: Causes) -> None:
    spec, before = service["spec"], old["spec"]
    if _has_address(spec) and _has_address(before) and before.get("clusterIP"):
        if spec.get("clusterIP") != before["clusterIP"]:
            causes.invalid("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set")
        families, stored = spec.get("ipFamilies") or [None], before.get("ipFamilies") or [None]
        if families[0] != stored[0]:
            causes.invalid("spec.ipFamilies[0]", families, "may not change once set")


RULES: Final = {
    SERVICE: Rules(
        name=naming.dns_1035_label,
        before_create=_before_create,
        before_update=_before_update,
        validate=_validate,
        validate_update=_validate_update,
        assign=assign,
        after_delete=release,
        create_on_update=True,
        returns_deleted=True,
    )
}
