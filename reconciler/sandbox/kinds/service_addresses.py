"""What a Service is given before it is checked: an address, families of addresses and node ports.

This cluster has addresses of IPv4 only.
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.kinds import SERVICE
from reconciler.sandbox.allocators import Exhausted
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.refusals import Refusal, invalid
from reconciler.sandbox.rules import Causes

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_FAMILIES: Final = ("IPv4", "IPv6")
_TYPES: Final = ("ClusterIP", "LoadBalancer", "NodePort")


def has_address(spec: Value) -> bool:
    return spec.get("type") != "ExternalName"


def is_headless(spec: Value) -> bool:
    return spec.get("clusterIPs") == ["None"]


def is_exposed(spec: Value) -> bool:
    """Whether it can be reached from outside the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def is_health_checked(spec: Value) -> bool:
    """Whether a load balancer asks each node if it has an endpoint."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _chooses_ports(spec: Value) -> bool:
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and bool(spec.get("allocateLoadBalancerNodePorts", True))
    )


def node_ports(spec: Value) -> set[int]:
    found = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    return found | ({spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set())


def assign(service: Value, old: Value | None, core: "Core", dry_run: bool) -> None:
    """Keep what was given out where an update does not say it, choose what is missing. Raises Refusal (422, 500)."""
    spec = service["spec"]
    before = old["spec"] if old is not None else None
    if before is None:
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    else:
        _keep(spec, before)
        _match(spec, before)
    name = service["metadata"].get("name", "")
    if has_address(spec) and not _still_prefers(spec, before):
        _families(spec, before or {}, name)
        if before is None or not has_address(before):
            _address(spec, name, core)
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        if before is None:
            _first_ports(spec, name, core, dry_run=dry_run)
        else:
            _ports(spec, before, name, core, dry_run=dry_run)
    if is_health_checked(spec) and not (before is not None and is_health_checked(before)):
        _health_port(spec, core, dry_run=dry_run)
    if before is not None:
        _wipe(service, before)


def _keep(spec: Value, before: Value) -> None:
    if has_address(before) and has_address(spec):
        for name in ("clusterIP", "clusterIPs"):
            if not spec.get(name) and before.get(name):
                spec[name] = before[name]
    if _chooses_ports(before) and _chooses_ports(spec):
        stated = {port.get("nodePort") for port in spec.get("ports") or ()}
        known = {port.get("name", ""): port.get("nodePort") for port in before.get("ports") or ()}
        for port in spec.get("ports") or ():
            kept = known.get(port.get("name", ""))
            if not port.get("nodePort") and kept and kept not in stated:
                port["nodePort"] = kept
    if is_health_checked(before) and is_health_checked(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort", 0)


def _match(spec: Value, before: Value) -> None:
    """One address and the list of all that begins with it: who changes the one means both."""
    one, stored = spec.get("clusterIP", ""), before.get("clusterIP", "")
    several = spec.get("clusterIPs") or []
    if not several and before.get("clusterIPs") and one == stored:
        spec["clusterIPs"] = before["clusterIPs"]
    elif one and one != stored and several == (before.get("clusterIPs") or []):
        spec["clusterIPs"] = [one]


def _still_prefers(spec: Value, before: Value | None) -> bool:
    """Whether a Service that would like two addresses states nothing new about them."""
    return (
        before is not None
        and spec.get("ipFamilyPolicy") == "PreferDualStack"
        and before.get("ipFamilyPolicy", "PreferDualStack") == "PreferDualStack"
        and spec.get("type") == before.get("type") in _TYPES
        and all(spec.get(name) == before.get(name) for name in ("clusterIP", "clusterIPs", "ipFamilies"))
    )


def _families(spec: Value, before: Value, name: str) -> None:
    anything = spec.get("clusterIP") == "None" and not spec.get("selector")
    if "ipFamilyPolicy" not in spec:
        default = "RequireDualStack" if anything else "SingleStack"
        spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy") or default
    causes = Causes()
    validate_addresses(spec, before, causes)
    _refuse(name, causes)
    single = spec["ipFamilyPolicy"] == "SingleStack"
    _reduced(spec, before, causes, single=single)
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address == "None":
            break
        family = f"IPv{ip_address(address).version}"
        if index >= len(spec.get("ipFamilies") or ()):
            if family == "IPv4":
                spec["ipFamilies"] = [*(spec.get("ipFamilies") or ()), family]
            else:
                causes.invalid(f"spec.clusterIPs[{index}]", address, f"{family} is not configured on this cluster")
    _refuse(name, causes)
    if anything:
        families = spec.get("ipFamilies") or ["IPv4"]
        if len(families) < 2 and not single:
            families = [*families, *(family for family in _FAMILIES if family not in families)]
        spec["ipFamilies"] = families
        return
    if spec["ipFamilyPolicy"] == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        causes.invalid("spec.ipFamilyPolicy", "RequireDualStack", why)
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            causes.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
    _refuse(name, causes)
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4"]


def _reduced(spec: Value, before: Value, causes: Causes, *, single: bool) -> None:
    """Two addresses become one where the policy says so, and only there."""
    for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        stated, stored = spec.get(name) or [], before.get(name) or []
        if single and before and stated == stored and len(stated) > 1:
            spec[name] = stated = stated[:1]
        elif not single and before and stated and len(stated) == 1 < len(stored) and stated[0] == stored[0]:
            causes.invalid(
                "spec.ipFamilyPolicy", spec["ipFamilyPolicy"], f"must be 'SingleStack' to release the {what}"
            )
        if single and len(stated) == 2:
            why = f"must be 'RequireDualStack' or 'PreferDualStack' when more than one {what} is specified"
            causes.invalid("spec.ipFamilyPolicy", "SingleStack", why)


def validate_addresses(spec: Value, before: Value, causes: Causes) -> None:
    """The fields about addresses by themselves."""
    if not has_address(spec):
        return
    one, several, families = spec.get("clusterIP", ""), spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    if one and not several:
        causes.required("spec.clusterIPs")
    elif one and several[0] != one:
        causes.invalid("spec.clusterIPs", several, "first value must match `clusterIP`")
    elif several and not one:
        causes.invalid("spec.clusterIPs", several, "must be empty when `clusterIP` is not specified")
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            causes.unsupported(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in families[:index]:
            causes.duplicate(f"spec.ipFamilies[{index}]", family)
    if "ipFamilyPolicy" in spec and spec["ipFamilyPolicy"] not in _POLICIES:
        causes.unsupported("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], _POLICIES)
    readable = True
    for index, address in enumerate(several):
        if index == 0 and address == "None":
            if len(several) > 1:
                causes.invalid("spec.clusterIPs", several, "'None' must be the first and only value")
                readable = False
            continue
        known = address in (before.get("clusterIPs") or ())
        readable = (known or checks.address(causes, f"spec.clusterIPs[{index}]", address)) and readable
    if len(several) > 2:
        causes.invalid("spec.clusterIPs", several, "may only hold up to 2 values")
    if not readable:
        return
    versions = [ip_address(address).version for address in several if address != "None"]
    if len(several) > 1 and len(set(versions)) < 2:
        causes.invalid("spec.clusterIPs", several, "may specify no more than one IP for each IP family")
    for index, (version, family) in enumerate(zip(versions, families, strict=False)):
        if family in _FAMILIES and family != f"IPv{version}":
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            causes.invalid(f"spec.clusterIPs[{index}]", several[index], why)


def _address(spec: Value, name: str, core: "Core") -> None:
    if is_headless(spec):
        return
    if not spec.get("clusterIPs"):
        try:
            spec["clusterIP"] = core.addresses.free()
        except Exhausted:
            raise _failed("failed to allocate a serviceIP: range is full") from None
        spec["clusterIPs"] = [spec["clusterIP"]]
        return
    address = spec["clusterIPs"][0]
    if not core.addresses.is_free(address):
        why = (
            "provided IP is already allocated"
            if core.addresses.contains(address)
            else "not in the range of this cluster"
        )
        causes = Causes()
        causes.invalid("spec.clusterIPs", spec["clusterIPs"], f"failed to allocate IP {address}: {why}")
        _refuse(name, causes)


def _first_ports(spec: Value, name: str, core: "Core", *, dry_run: bool) -> None:
    """Ports of one number but different protocols share a node port."""
    ports = spec.get("ports") or ()
    stated: dict[int, int] = {}
    for port in ports:
        if port.get("nodePort"):
            stated.setdefault(port.get("port", 0), port["nodePort"])
    chosen: dict[int, int] = {}
    taken = node_ports(spec)
    for index, port in enumerate(ports):
        number, wanted = port.get("port", 0), port.get("nodePort", 0)
        if not wanted and not _chooses_ports(spec):
            continue
        if number not in chosen:
            node = stated.get(number) or core.ports.free(taken)
            if number in stated:
                _free_port(index, node, name, core, dry_run=dry_run)
            chosen[number] = port["nodePort"] = node
            taken.add(node)
        elif not wanted:
            port["nodePort"] = chosen[number]
        elif wanted != chosen[number]:
            _free_port(index, wanted, name, core, dry_run=dry_run)


def _ports(spec: Value, before: Value, name: str, core: "Core", *, dry_run: bool) -> None:
    known, seen = node_ports({"ports": before.get("ports")}), set[tuple[str, int]]()
    taken = node_ports(spec) | known
    for index, port in enumerate(spec.get("ports") or ()):
        if not port.get("nodePort"):
            if not _chooses_ports(spec):
                continue
            port["nodePort"] = core.ports.free(taken)
            taken.add(port["nodePort"])
        elif port["nodePort"] not in known:
            _free_port(index, port["nodePort"], name, core, dry_run=dry_run)
        pair = (port.get("protocol", ""), port["nodePort"])
        if pair in seen:
            raise Refusal(500, "", f"duplicate nodePort: {pair}")
        seen.add(pair)


def _is_free(port: int, core: "Core", *, dry_run: bool) -> bool:
    """A dry run does not ask whether a port is one of those that are given out."""
    return core.ports.is_free(port) or (dry_run and not core.ports.contains(port))


def _free_port(index: int, port: int, name: str, core: "Core", *, dry_run: bool) -> None:
    if not _is_free(port, core, dry_run=dry_run):
        why = "already allocated" if core.ports.contains(port) else "not in the valid range: 30000-32767"
        causes = Causes()
        causes.invalid(f"spec.ports[{index}].nodePort", port, f"provided port is {why}")
        _refuse(name, causes)


def _health_port(spec: Value, core: "Core", *, dry_run: bool) -> None:
    port = spec.get("healthCheckNodePort")
    if not port:
        spec["healthCheckNodePort"] = core.ports.free(node_ports(spec))
    elif not _is_free(port, core, dry_run=dry_run):
        raise _failed(f"failed to allocate requested HealthCheck NodePort {port}")


def _wipe(service: Value, before: Value) -> None:
    """Drop what the new type has no use for, where the update did not change it as well."""
    spec = service["spec"]
    if has_address(before) and not has_address(spec):
        for names in (("clusterIP", "clusterIPs"), ("ipFamilies",), ("ipFamilyPolicy",)):
            if all(spec.get(name) == before.get(name) for name in names):
                for name in names:
                    spec.pop(name, None)
    kinds = ("LoadBalancer", "NodePort")
    if before.get("type") in kinds and spec.get("type") not in kinds:
        stored = {port.get("nodePort") for port in before.get("ports") or ()}
        if {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")} <= stored:
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
    balanced = before.get("type") == "LoadBalancer" != spec.get("type")
    for name, useless in (
        ("healthCheckNodePort", is_health_checked(before) and not is_health_checked(spec)),
        ("allocateLoadBalancerNodePorts", balanced),
        ("loadBalancerClass", balanced),
        ("internalTrafficPolicy", has_address(before) and not has_address(spec)),
        ("externalTrafficPolicy", is_exposed(before) and not is_exposed(spec)),
    ):
        if useless and name in before and spec.get(name) == before[name]:
            del spec[name]
    if spec.get("type") != "LoadBalancer":
        service["status"] = {**(service.get("status") or {}), "loadBalancer": {}}


def claim(service: Value, old: Value | None, core: "Core") -> None:
    """Take what a stored Service has; give back what it had."""
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


def _refuse(name: str, causes: Causes) -> None:
    if causes:
        raise invalid(SERVICE, name, causes)


def _failed(why: str) -> Refusal:
    return Refusal(500, "InternalError", f"Internal error occurred: {why}")
