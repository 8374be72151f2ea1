"""Ingresses, network policies and endpoint slices."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.kinds.services import validate_balancer
from reconciler.sandbox.rules import Causes, Rules

Value = dict[str, Any]

_GROUP: Final = "networking.k8s.io"
_CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_PARTS: Final = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDS: Final = ("/..", "/.")


def _ingress(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if not spec.get("rules") and "defaultBackend" not in spec:
        causes.invalid("spec", spec.get("rules") or [], "either `defaultBackend` or `rules` must be specified")
    if "defaultBackend" in spec:
        _backend(spec["defaultBackend"], "spec.defaultBackend", causes)
    for index, item in enumerate(spec.get("tls") or ()):
        if name := item.get("secretName"):
            causes.words(f"spec.tls[{index}].secretName", name, naming.dns_subdomain(name))
        for position, host in enumerate(item.get("hosts") or ()):
            causes.words(f"spec.tls[{index}].hosts[{position}]", host, _host_problems(host))
    for index, rule in enumerate(spec.get("rules") or ()):
        _rule(rule, f"spec.rules[{index}]", causes)
    if "ingressClassName" in spec:
        causes.words("spec.ingressClassName", spec["ingressClassName"], naming.dns_subdomain(spec["ingressClassName"]))


def _ingress_create(value: Value, causes: Causes) -> None:
    """Two ways to say the class agree, in a new object."""
    stated = (value["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    name = value["spec"].get("ingressClassName")
    if stated is not None and name is not None and stated != name:
        field = f"annotations.{_CLASS_ANNOTATION}"
        causes.invalid(field, stated, "must match `ingressClassName` when both are specified")


def _host_problems(host: str) -> list[str]:
    return naming.dns_subdomain(host.removeprefix("*."))


def _rule(rule: Value, field: str, causes: Causes) -> None:
    if host := rule.get("host"):
        try:
            ip_address(host)
        except ValueError:
            causes.words(f"{field}.host", host, _host_problems(host))
        else:
            causes.invalid(f"{field}.host", host, "must be a DNS name, not an IP address")
    if (http := rule.get("http")) is None:
        return
    if not http.get("paths"):
        causes.required(f"{field}.http.paths")
    for index, path in enumerate(http.get("paths") or ()):
        _path(path, f"{field}.http.paths[{index}]", causes)


def _path(path: Value, field: str, causes: Causes) -> None:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        causes.required(f"{field}.pathType", "pathType must be specified")
        return
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            causes.invalid(f"{field}.path", text, "must be an absolute path")
        for bad in _BAD_PARTS:
            if bad in text:
                causes.invalid(f"{field}.path", text, f"must not contain '{bad}'")
        for bad in _BAD_ENDS:
            if text.endswith(bad):
                causes.invalid(f"{field}.path", text, f"cannot end with '{bad}'")
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            causes.invalid(f"{field}.path", text, "must be an absolute path")
    else:
        causes.unsupported(f"{field}.pathType", kind, _PATH_TYPES)
    _backend(path.get("backend") or {}, f"{field}.backend", causes)


def _backend(backend: Value, field: str, causes: Causes) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        causes.invalid(field, "", "cannot set both resource and service backends")
    elif resource is not None:
        if resource.get("apiGroup") is not None:
            causes.words(f"{field}.resource.apiGroup", resource["apiGroup"], naming.dns_subdomain(resource["apiGroup"]))
        for name in ("kind", "name"):
            if not resource.get(name):
                causes.required(f"{field}.resource.{name}")
            else:
                causes.words(f"{field}.resource.{name}", resource[name], naming.path_segment(resource[name]))
    elif service is not None:
        if not service.get("name"):
            causes.required(f"{field}.service.name")
        else:
            causes.words(f"{field}.service.name", service["name"], naming.dns_1035_label(service["name"]))
        name, number = service["port"].get("name"), service["port"].get("number")
        if name and number:
            causes.invalid(field, "", "cannot set both port name & port number")
        elif name:
            causes.words(f"{field}.service.port.name", name, naming.port_name(name))
        elif number:
            checks.port(causes, f"{field}.service.port.number", number)
        else:
            causes.required(field, "port name or number is required")
    else:
        causes.invalid(field, "", "resource or service backend is required")


def _network_policy(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            field = f"spec.{direction}[{index}]"
            _policy_ports(rule.get("ports") or (), f"{field}.ports", causes)
            for position, peer in enumerate(rule.get(side) or ()):
                if not peer:
                    causes.required(f"{field}.{side}[{position}]", "must specify a peer")
                elif "ipBlock" in peer and len(peer) > 1:
                    causes.forbidden(f"{field}.{side}[{position}]", "may not specify both ipBlock and another peer")
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        checks.supported(causes, f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress"))


def _policy_ports(ports: Iterable[Value], field: str, causes: Causes) -> None:
    for index, item in enumerate(ports):
        checks.supported(causes, f"{field}[{index}].protocol", item.get("protocol"), checks.PROTOCOLS)
        if "port" in item:
            checks.port(causes, f"{field}[{index}].port", item["port"])


RULES: Final = {
    GroupKind(_GROUP, "Ingress"): Rules(
        generation=True, validate=_ingress, validate_create=_ingress_create, validate_status=validate_balancer
    ),
    GroupKind(_GROUP, "NetworkPolicy"): Rules(generation=True, validate=_network_policy),
    GroupKind(_GROUP, "IngressClass"): Rules(generation=True),
    GroupKind("discovery.k8s.io", "EndpointSlice"): Rules(generation=True),
}
