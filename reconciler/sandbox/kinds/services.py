"""Services: what may be stated, and what may not change."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from reconciler.kube.kinds import SERVICE
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.kinds.service_addresses import (
    assign,
    claim,
    has_address,
    is_exposed,
    is_headless,
    is_health_checked,
    release,
    validate_addresses,
)
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

Value = dict[str, Any]

_TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITY_LIMIT: Final = 86_400
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameNode", "PreferSameZone")


def _validate(service: Value, causes: Causes) -> None:
    spec = service["spec"]
    kind, ports = spec.get("type"), spec.get("ports") or []
    headless = is_headless(spec)
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
    metadata.labels(spec.get("selector") or {}, "spec.selector", causes)
    checks.supported(causes, "spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    _affinity(spec, causes)
    validate_addresses(spec, {}, causes)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        if checks.address(causes, f"spec.externalIPs[{index}]", address) and _is_special(ip_address(address)):
            causes.invalid(f"spec.externalIPs[{index}]", address, "may not be a special address")
    _balancer(spec, causes)
    _traffic(spec, causes)


def _traffic(spec: Value, causes: Causes) -> None:
    """Where traffic from outside and inside may go."""
    outside, inside = spec.get("externalTrafficPolicy", ""), spec.get("internalTrafficPolicy")
    if is_exposed(spec):
        checks.supported(causes, "spec.externalTrafficPolicy", outside, ("Cluster", "Local"))
    elif outside:
        why = "may only be set for externally-accessible services"
        causes.invalid("spec.externalTrafficPolicy", outside, why)
    if inside is None:
        if spec.get("type") in ("ClusterIP", "LoadBalancer", "NodePort"):
            causes.required("spec.internalTrafficPolicy")
    else:
        checks.supported(causes, "spec.internalTrafficPolicy", inside, ("Cluster", "Local"))
    if "trafficDistribution" in spec:
        checks.supported(causes, "spec.trafficDistribution", spec["trafficDistribution"], _DISTRIBUTIONS)
    checked, field = spec.get("healthCheckNodePort", 0), "spec.healthCheckNodePort"
    if is_health_checked(spec):
        checks.port(causes, field, checked)
    elif checked:
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        causes.invalid(field, checked, why)


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
        if spec.get(field) or (field == "ipFamilyPolicy" and field in spec):
            causes.forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = spec.get("externalName", "").rstrip(".")
    if name:
        causes.words("spec.externalName", name, naming.dns_subdomain(name))
    else:
        causes.required("spec.externalName")


def validate_balancer(new: Value, _old: Value, causes: Causes) -> None:
    """Where a load balancer can be reached, as Services and Ingresses say it in their status."""
    points = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if points and new["kind"] == "Service" and new["spec"].get("type") != "LoadBalancer":
        causes.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, point in enumerate(points):
        field = f"status.loadBalancer.ingress[{index}]"
        if point.get("ip"):
            checks.address(causes, f"{field}.ip", point["ip"])
        if new["kind"] == "Service":
            _mode(point, f"{field}.ipMode", causes)
        if host := point.get("hostname"):
            causes.words(f"{field}.hostname", host, naming.dns_subdomain(host))
            if checks.address(Causes(), field, host):
                causes.invalid(f"{field}.hostname", host, "must be a DNS name, not an IP address")


def _mode(point: Value, field: str, causes: Causes) -> None:
    """How a load balancer's address is reached."""
    if "ipMode" not in point:
        if point.get("ip"):
            causes.required(field, "must be specified when `ip` is set")
    elif not point.get("ip"):
        causes.forbidden(field, "may not be specified when `ip` is not set")
    else:
        checks.supported(causes, field, point["ipMode"], ("Proxy", "VIP"))


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
    checks.port(causes, f"{field}.port", port.get("port", 0))
    checks.supported(causes, f"{field}.protocol", port.get("protocol"), checks.PROTOCOLS)
    checks.port(causes, f"{field}.targetPort", port.get("targetPort", 0))
    if "appProtocol" in port:
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
    checked = is_health_checked(spec) and is_health_checked(before)
    if checked and spec.get("healthCheckNodePort") != before.get("healthCheckNodePort"):
        causes.forbidden("spec.healthCheckNodePort", IMMUTABLE)
    if not has_address(spec) or not has_address(before):
        return
    if not (is_headless(spec) and is_headless(before)):
        _same_first("clusterIPs", "{}", spec, before, causes)
    if not is_headless(spec) and not is_headless(before):
        _same_first("ipFamilies", "0", spec, before, causes)


def _same_first(name: str, place: str, spec: Value, before: Value, causes: Causes) -> None:
    """The first address and its family stay as they are; a second one may come and go."""
    stated, stored = spec.get(name) or [], before.get(name) or []
    if len(stated) == len(stored):
        changed = [index for index, pair in enumerate(zip(stated, stored, strict=True)) if pair[0] != pair[1]]
    else:
        changed = [0] if stored and stated[:1] != stored[:1] else []
    for index in changed:
        causes.invalid(f"spec.{name}[{place.format(index)}]", stated, "may not change once set")
    if len(stored) > len(stated) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary one"
        causes.invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why)


RULES: Final = {
    SERVICE: Rules(
        name=naming.dns_1035_label,
        validate=_validate,
        validate_update=_validate_update,
        validate_status=validate_balancer,
        assign=assign,
        after_write=claim,
        after_delete=release,
        create_on_update=True,
        returns_deleted=True,
    )
}
