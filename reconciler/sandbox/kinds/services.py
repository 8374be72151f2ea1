"""Services: addresses and node ports, and what may not change."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
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
_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_FAMILIES: Final = ("IPv4", "IPv6")
_AFFINITY_LIMIT: Final = 86_400


def _has_address(spec: Value) -> bool:
    return spec.get("type") != "ExternalName"


def _has_node_ports(spec: Value) -> bool:
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True)
    )


def assign(service: Value, old: Value | None, core: "Core") -> None:
    """Choose an address and node ports; what the Service states itself must be free. Raises Refusal (422)."""
    spec = service["spec"]
    before = old["spec"] if old else {}
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    elif spec.get("clusterIPs"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    if _has_address(spec):
        _assign_address(service, before, core)
    if _has_node_ports(spec):
        _assign_ports(service, before, core)


def _assign_address(service: Value, before: Value, core: "Core") -> None:
    spec = service["spec"]
    causes = Causes()
    _address_fields(spec, causes)
    if causes:
        raise invalid(SERVICE, service["metadata"].get("name", ""), causes)
    if not spec.get("clusterIP"):
        spec["clusterIP"] = _free_address(core)
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec["clusterIP"] not in ("None", before.get("clusterIP")) and not core.addresses.is_free(spec["clusterIP"]):
        _refuse_address(service, core)
    _default_families(spec)


def _default_families(spec: Value) -> None:
    """Who selects nothing and has no address may have endpoints of any family."""
    anything = spec["clusterIP"] == "None" and not spec.get("selector")
    policy = spec.setdefault("ipFamilyPolicy", "RequireDualStack" if anything else "SingleStack")
    families = spec.setdefault("ipFamilies", ["IPv4"])
    if anything and policy != "SingleStack":
        families.extend(family for family in _FAMILIES if family not in families)


def _address_fields(spec: Value, causes: Causes) -> None:
    """What is checked before an address is chosen. This cluster has addresses of IPv4 only."""
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    if policy is not None:
        podspec.supported(causes, "spec.ipFamilyPolicy", policy, _POLICIES)
    for index, family in enumerate(families):
        podspec.supported(causes, f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            causes.duplicate(f"spec.ipFamilies[{index}]", family)
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        field = f"spec.clusterIPs[{index}]"
        if address == "None" or not _address(causes, field, address):
            continue
        if families[index : index + 1] not in ([], [f"IPv{ip_address(address).version}"]):
            causes.invalid(field, address, f"expected another value as indicated by `ipFamilies[{index}]`")
    if causes or (spec.get("clusterIP") == "None" and not spec.get("selector")):
        return
    if len(families) > 1 and (policy or "SingleStack") == "SingleStack":
        why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"
        causes.invalid("spec.ipFamilyPolicy", "SingleStack", why)
        return
    if policy == "RequireDualStack":
        causes.invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")
    for index, family in enumerate(families):
        if family != "IPv4":
            causes.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")


def _assign_ports(service: Value, before: Value, core: "Core") -> None:
    spec = service["spec"]
    known = node_ports(before)
    given = node_ports(spec)
    for index, port in enumerate(spec.get("ports") or ()):
        if not port.get("nodePort"):
            port["nodePort"] = core.ports.free(given)
            given.add(port["nodePort"])
        elif port["nodePort"] not in known and not core.ports.is_free(port["nodePort"]):
            _refuse_port(service, index, port["nodePort"], core)
    if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
        spec.setdefault("healthCheckNodePort", before.get("healthCheckNodePort") or core.ports.free(given))


def node_ports(spec: Value) -> set[int]:
    found = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return found | ({spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set())


def _free_address(core: "Core") -> str:
    try:
        return core.addresses.free()
    except Exhausted:
        raise Refusal(
            500, "InternalError", "Internal error occurred: failed to allocate a serviceIP: range is full"
        ) from None


def _refuse_address(service: Value, core: "Core") -> None:
    address = service["spec"]["clusterIP"]
    causes = Causes()
    why = (
        "provided IP is already allocated"
        if core.addresses.contains(address)
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


def _claim(service: Value, old: Value | None, core: "Core") -> None:
    if old is not None:
        release(old, core)
    address = service["spec"].get("clusterIP")
    if address not in (None, "", "None"):
        core.addresses.claim(address)
    for port in node_ports(service["spec"]):
        core.ports.claim(port)


def release(service: Value, core: "Core") -> None:
    if service["spec"].get("clusterIP") not in (None, "", "None"):
        core.addresses.release(service["spec"]["clusterIP"])
    for port in node_ports(service["spec"]):
        core.ports.release(port)


def _before_update(service: Value, old: Value, _core: "Core") -> None:
    """Keep what was given out where an update does not say it; wipe what the new type has no use for."""
    spec, before = service["spec"], old["spec"]
    if _has_address(before) and _has_address(spec):
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP", "")
        same = spec.get("clusterIP") == before.get("clusterIP")
        if not same and spec.get("clusterIPs") == before.get("clusterIPs"):
            spec["clusterIPs"] = [spec.get("clusterIP", "")]
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy") if same else ():
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
        exposed = name == "externalTrafficPolicy" and spec.get("externalIPs")
        if spec.get("type") not in users and not exposed and name in before and spec.get(name) == before.get(name):
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
    if headless and kind in ("LoadBalancer", "NodePort"):
        causes.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
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
        if _address(causes, f"spec.externalIPs[{index}]", address) and _is_special(ip_address(address)):
            causes.invalid(f"spec.externalIPs[{index}]", address, "may not be a special address")
    if (policy := spec.get("internalTrafficPolicy")) is not None:
        podspec.supported(causes, "spec.internalTrafficPolicy", policy, ("Cluster", "Local"))
    _affinity(spec, causes)
    _balancer(spec, causes)
    if "externalTrafficPolicy" in spec:
        if kind in ("NodePort", "LoadBalancer") or spec.get("externalIPs"):
            podspec.supported(causes, "spec.externalTrafficPolicy", spec["externalTrafficPolicy"], ("Cluster", "Local"))
        else:
            why = "may only be set for externally-accessible services"
            causes.invalid("spec.externalTrafficPolicy", spec["externalTrafficPolicy"], why)
    if _has_address(spec) and (spec.get("clusterIPs") or [None])[0] != spec.get("clusterIP"):
        causes.invalid("spec.clusterIPs", spec.get("clusterIPs"), "first value must match `clusterIP`")


def _affinity(spec: Value, causes: Causes) -> None:
    config = spec.get("sessionAffinityConfig")
    if spec.get("sessionAffinity") == "None" and config is not None:
        causes.forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")
    elif spec.get("sessionAffinity") == "ClientIP" and config is not None:
        seconds = (config.get("clientIP") or {}).get("timeoutSeconds")
        if seconds is not None and not 0 < seconds <= _AFFINITY_LIMIT:
            field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
            causes.invalid(field, seconds, f"must be greater than 0 and less than {_AFFINITY_LIMIT}")


def _balancer(spec: Value, causes: Causes) -> None:
    """What only a load balancer has."""
    balanced = spec.get("type") == "LoadBalancer"
    why = "may only be used when `type` is 'LoadBalancer'"
    if not balanced and "allocateLoadBalancerNodePorts" in spec:
        causes.forbidden("spec.allocateLoadBalancerNodePorts", why)
    if (name := spec.get("loadBalancerClass")) is not None:
        if balanced:
            causes.words("spec.loadBalancerClass", name, naming.qualified_name(name))
        else:
            causes.forbidden("spec.loadBalancerClass", why)
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and not balanced:
        causes.forbidden("spec.LoadBalancerSourceRanges", why)
    for index, text in enumerate(ranges):
        try:
            ip_network(text.strip(), strict=False)
        except ValueError:
            causes.invalid(f"spec.LoadBalancerSourceRanges[{index}]", text, "must be a valid CIDR value")


def _external_name(spec: Value, causes: Causes) -> None:
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            causes.forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").rstrip(".")
    if name:
        causes.words("spec.externalName", name, naming.dns_subdomain(name))
    else:
        causes.required("spec.externalName")


def _address(causes: Causes, field: str, address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        causes.invalid(field, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        return False
    return True


def validate_balancer(new: Value, _old: Value, causes: Causes) -> None:
    """Where a load balancer can be reached, as Services and Ingresses say it in their status."""
    points = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if points and new["kind"] == "Service" and new["spec"].get("type") != "LoadBalancer":
        causes.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, point in enumerate(points):
        field = f"status.loadBalancer.ingress[{index}]"
        if point.get("ip"):
            _address(causes, f"{field}.ip", point["ip"])
        if host := point.get("hostname"):
            causes.words(f"{field}.hostname", host, naming.dns_subdomain(host))


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    return address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast


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
    if spec.get("type") == before.get("type") == "LoadBalancer":
        causes.immutable("spec.loadBalancerClass", spec.get("loadBalancerClass"), before.get("loadBalancerClass"))
    if _has_address(spec) and _has_address(before) and before.get("clusterIP"):
        if spec.get("clusterIP") != before["clusterIP"]:
            causes.invalid("spec.clusterIPs[0]", [spec.get("clusterIP")], "may not change once set")
        families, stored = spec.get("ipFamilies") or [None], before.get("ipFamilies") or [None]
        if families[0] != stored[0]:
            causes.invalid("spec.ipFamilies[0]", families, "may not change once set")


RULES: Final = {
    SERVICE: Rules(
        name=naming.dns_1035_label,
        before_update=_before_update,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=validate_balancer,
        assign=assign,
        after_write=_claim,
        after_delete=release,
        create_on_update=True,
        returns_deleted=True,
    )
}
