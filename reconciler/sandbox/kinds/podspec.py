"""What a pod's specification may say, wherever it stands: in a Pod or in a workload's template."""

from typing import Any, Final

from reconciler.kube import quantity
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.kinds.containers import Shared, validate_amounts, validate_containers
from reconciler.sandbox.kinds.placement import validate_placement
from reconciler.sandbox.kinds.pod_volumes import validate_volumes
from reconciler.sandbox.kinds.security import validate_pod_security
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_RESTARTS: Final = ("Always", "Never", "OnFailure")
_DNS: Final = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")


def validate_template(template: Value, field: str, causes: Causes) -> None:
    about = template.get("metadata") or {}
    metadata.labels(about.get("labels") or {}, f"{field}.labels", causes)
    for key in about.get("annotations") or ():
        causes.words(f"{field}.annotations", key, naming.qualified_name(key.lower()))
    validate(template.get("spec") or {}, f"{field}.spec", causes)


def validate(spec: Value, field: str, causes: Causes, *, pod: bool = False) -> None:
    """`pod`: of a Pod itself, not of a template that leaves some of it to others."""
    volumes = validate_volumes(spec.get("volumes") or (), f"{field}.volumes", causes, pod=pod)
    shared = Shared.of(spec, volumes)
    validate_containers(spec, field, shared, causes)
    if spec.get("hostNetwork"):
        _host_ports(spec, field, causes, pod=pod)
    checks.supported(causes, f"{field}.restartPolicy", spec.get("restartPolicy"), _RESTARTS)
    checks.supported(causes, f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS)
    metadata.labels(spec.get("nodeSelector") or {}, f"{field}.nodeSelector", causes)
    validate_pod_security(spec, field, causes)
    validate_placement(spec, field, causes)
    _dns(spec, f"{field}.dnsConfig", causes)
    _gates(spec, field, causes)
    _names(spec, field, causes)
    if "activeDeadlineSeconds" in spec and not 1 <= spec["activeDeadlineSeconds"] < 2**31:
        why = "must be between 1 and 2147483647, inclusive"
        causes.invalid(f"{field}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], why)
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        path = f"{field}.hostAliases[{index}]"
        checks.address(causes, f"{path}.ip", alias.get("ip", ""))
        for position, host in enumerate(alias.get("hostnames") or ()):
            causes.words(f"{path}.hostnames[{position}]", host, naming.dns_subdomain(host))
    if (policy := spec.get("preemptionPolicy")) is not None:
        if policy:
            checks.supported(causes, f"{field}.preemptionPolicy", policy, ("Never", "PreemptLowerPriority"))
        else:
            causes.required(f"{field}.preemptionPolicy")
    validate_amounts({"limits": spec.get("overhead")}, f"{field}.overhead", causes)
    if (system := spec.get("os")) is not None:
        if not system.get("name"):
            causes.required(f"{field}.os.name")
        else:
            checks.supported(causes, f"{field}.os", system["name"], ("linux", "windows"))


def _host_ports(spec: Value, field: str, causes: Causes, *, pod: bool) -> None:
    for index, container in enumerate(spec.get("containers") or ()):
        for position, port in enumerate(container.get("ports") or ()):
            host = port.get("hostPort", 0)
            if (pod or host) and host != port.get("containerPort", 0):
                why = "must match `containerPort` when `hostNetwork` is true"
                causes.invalid(f"{field}.containers[{index}].ports[{position}].hostPort", host, why)


def _dns(spec: Value, field: str, causes: Causes) -> None:
    config = spec.get("dnsConfig")
    if spec.get("dnsPolicy") == "None":
        if config is None:
            causes.required(field, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not config.get("nameservers"):
            causes.required(f"{field}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
            return
    if config is None:
        return
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > 3:
        causes.invalid(f"{field}.nameservers", servers, "must not have more than 3 nameservers")
    for index, server in enumerate(servers):
        checks.address(causes, f"{field}.nameservers[{index}]", server)
    if len(searches) > 32 or len(" ".join(searches)) > 2048:
        causes.invalid(f"{field}.searches", searches, "must not have more than 32 search paths or 2048 characters")
    for index, search in enumerate(searches):
        if search != ".":
            problems = naming.relaxed_subdomain(search.removesuffix("."))
            causes.words(f"{field}.searches[{index}]", search, problems)
    for index, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.required(f"{field}.options[{index}]", "must not be empty")


def _gates(spec: Value, field: str, causes: Causes) -> None:
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        kind = gate.get("conditionType", "")
        causes.words(f"{field}.readinessGates[{index}].conditionType", kind, naming.qualified_name(kind))
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        name, path = gate.get("name", ""), f"{field}.schedulingGates[{index}]"
        causes.words(path, name, naming.qualified_name(name))
        if name in seen:
            causes.duplicate(path, name)
        seen.add(name)


def _names(spec: Value, field: str, causes: Causes) -> None:
    for name in ("serviceAccountName", "nodeName", "priorityClassName"):
        if spec.get(name):
            causes.words(f"{field}.{name}", spec[name], naming.dns_subdomain(spec[name]))
    if "runtimeClassName" in spec:
        name = spec["runtimeClassName"]
        causes.words(f"{field}.runtimeClassName", name, naming.dns_subdomain(name))
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            causes.words(f"{field}.{name}", spec[name], naming.dns_label(spec[name]))
    if (override := spec.get("hostnameOverride")) is None:
        return
    path = f"{field}.hostnameOverride"
    for other in ("setHostnameAsFQDN", "hostNetwork"):
        if spec.get(other):
            causes.forbidden(path, f"may not be specified when {other} is true")
    if len(override) > 64:
        causes.too_long(path, 64)
    causes.words(path, override, naming.dns_subdomain(override))


def quality(spec: Value) -> str:
    """A pod's QoS class."""
    guaranteed, anything = True, False
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        needs = container.get("resources") or {}
        limits, requests = needs.get("limits") or {}, needs.get("requests") or {}
        for name in ("cpu", "memory"):
            limit = quantity.parse(limits.get(name, 0))
            request = quantity.parse(requests.get(name, 0))
            anything = anything or bool(limit or request)
            guaranteed = guaranteed and bool(limit) and limit == request
    return "BestEffort" if not anything else "Guaranteed" if guaranteed else "Burstable"
