"""What a pod's specification may say, wherever it stands: in a Pod or in a workload's template."""

from collections.abc import Iterable
from typing import Any, Final

from reconciler.kube import quantity
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_PROBE_NUMBERS: Final = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_REFERENCES: Final = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")
_PORT_RANGE: Final = "must be between 1 and 65535, inclusive"
NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def supported(causes: Causes, field: str, value: Any, words: Iterable[str]) -> None:
    if value not in words:
        causes.unsupported(field, value, words)


def counts(causes: Causes, status: Value, *names: str, within: tuple[tuple[str, str], ...] = ()) -> None:
    """Numbers of a status: none is negative, none of a pair's first greater than its second."""
    for name in names:
        not_negative(causes, f"status.{name}", status.get(name))
    for name, limit in within:
        if status.get(name, 0) > status.get(limit, 0):
            causes.invalid(f"status.{name}", status.get(name, 0), f"cannot be greater than {limit}")


def not_negative(causes: Causes, field: str, value: Any) -> None:
    if value is not None and value < 0:
        causes.invalid(field, value, NOT_NEGATIVE)


def port(causes: Causes, field: str, value: Any) -> None:
    """A number, or the name of a container's port."""
    if isinstance(value, str):
        causes.words(field, value, naming.port_name(value))
    elif not 1 <= value <= 65535:
        causes.invalid(field, value, _PORT_RANGE)


def validate_template(template: Value, field: str, causes: Causes) -> None:
    about = template.get("metadata") or {}
    metadata.labels(about.get("labels") or {}, f"{field}.metadata.labels", causes)
    for key in about.get("annotations") or ():
        causes.words(f"{field}.metadata.annotations", key, naming.qualified_name(key.lower()))
    validate(template.get("spec") or {}, f"{field}.spec", causes)


def validate(spec: Value, field: str, causes: Causes) -> None:
    volumes = _volumes(spec.get("volumes") or (), f"{field}.volumes", causes)
    names: set[str] = set()
    if not spec.get("containers"):
        causes.required(f"{field}.containers")
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or ()):
            path = f"{field}.{group}[{index}]"
            _container(container, path, volumes, causes)
            name = container.get("name")
            if name and name in names:
                causes.duplicate(f"{path}.name", name)
            names.add(name)
    supported(causes, f"{field}.restartPolicy", spec.get("restartPolicy"), ("Always", "OnFailure", "Never"))
    supported(
        causes,
        f"{field}.dnsPolicy",
        spec.get("dnsPolicy"),
        ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    )
    metadata.labels(spec.get("nodeSelector") or {}, f"{field}.nodeSelector", causes)
    for name in ("serviceAccountName", "nodeName", "priorityClassName"):
        if spec.get(name):
            causes.words(f"{field}.{name}", spec[name], naming.dns_subdomain(spec[name]))
    if "activeDeadlineSeconds" in spec and not 1 <= spec["activeDeadlineSeconds"] < 2**31:
        causes.invalid(
            f"{field}.activeDeadlineSeconds",
            spec["activeDeadlineSeconds"],
            "must be between 1 and 2147483647, inclusive",
        )
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        _toleration(toleration, f"{field}.tolerations[{index}]", causes)
    _identities(spec.get("securityContext") or {}, f"{field}.securityContext", causes)
    _affinity(spec.get("affinity") or {}, f"{field}.affinity", causes)
    for index, spread in enumerate(spec.get("topologySpreadConstraints") or ()):
        _spread(spread, f"{field}.topologySpreadConstraints[{index}]", causes)


def _volumes(volumes: Iterable[Value], field: str, causes: Causes) -> set[str]:
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        path = f"{field}[{index}]"
        name = volume.get("name", "")
        before = len(causes)
        sources = [key for key in volume if key != "name"]
        for extra in sources[1:]:
            causes.forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and not claim.get("claimName"):
            causes.required(f"{path}.persistentVolumeClaim.claimName")
        if (secret := volume.get("secret")) is not None and not secret.get("secretName"):
            causes.required(f"{path}.secret.secretName")
        if (config := volume.get("configMap")) is not None and not config.get("name"):
            causes.required(f"{path}.configMap.name")
        if (host := volume.get("hostPath")) is not None and not host.get("path"):
            causes.required(f"{path}.hostPath.path")
        if not name:
            causes.required(f"{path}.name")
        else:
            causes.words(f"{path}.name", name, naming.dns_label(name))
        if name in names:
            causes.duplicate(f"{path}.name", name)
        if len(causes) == before:
            names.add(name)
    return names


def _container(container: Value, field: str, volumes: set[str], causes: Causes) -> None:
    if not container.get("name"):
        causes.required(f"{field}.name")
    else:
        causes.words(f"{field}.name", container["name"], naming.dns_label(container["name"]))
    image = container.get("image")
    if not image:
        causes.required(f"{field}.image")
    elif image.strip() != image:
        causes.invalid(f"{field}.image", image, "must not have leading or trailing whitespace")
    policy = container.get("terminationMessagePolicy")
    supported(causes, f"{field}.terminationMessagePolicy", policy, ("FallbackToLogsOnError", "File"))
    supported(causes, f"{field}.imagePullPolicy", container.get("imagePullPolicy"), ("Always", "IfNotPresent", "Never"))
    _ports(container.get("ports") or (), f"{field}.ports", causes)
    _environment(container, field, causes)
    _mounts(container.get("volumeMounts") or (), f"{field}.volumeMounts", volumes, causes)
    _identities(container.get("securityContext") or {}, f"{field}.securityContext", causes)
    _resources(container.get("resources") or {}, f"{field}.resources", causes)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            _probe(probe, f"{field}.{name}", only_once=name != "readinessProbe", causes=causes)
    for name, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            _handler(handler, f"{field}.lifecycle.{name}", causes)


def _ports(ports: Iterable[Value], field: str, causes: Causes) -> None:
    names: set[str] = set()
    for index, item in enumerate(ports):
        path = f"{field}[{index}]"
        if name := item.get("name"):
            problems = naming.port_name(name)
            causes.words(f"{path}.name", name, problems)
            if not problems and name in names:
                causes.duplicate(f"{path}.name", name)
            names.add(name)
        if not item.get("containerPort"):
            causes.required(f"{path}.containerPort")
        else:
            port(causes, f"{path}.containerPort", item["containerPort"])
        if item.get("hostPort"):
            port(causes, f"{path}.hostPort", item["hostPort"])
        supported(causes, f"{path}.protocol", item.get("protocol"), PROTOCOLS)


def _environment(container: Value, field: str, causes: Causes) -> None:
    for index, variable in enumerate(container.get("env") or ()):
        path = f"{field}.env[{index}]"
        if not variable.get("name"):
            causes.required(f"{path}.name")
        else:
            causes.words(f"{path}.name", variable["name"], naming.environment_name(variable["name"]))
        if (source := variable.get("valueFrom")) is None:
            continue
        given = [name for name in _REFERENCES if name in source]
        if not given:
            causes.invalid(
                f"{path}.valueFrom",
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
            )
        elif variable.get("value"):
            causes.invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
        elif len(given) > 1:
            causes.invalid(f"{path}.valueFrom", "", "may not have more than one field specified at a time")
        for name in ("configMapKeyRef", "secretKeyRef"):
            if (reference := source.get(name)) is not None and not reference.get("key"):
                causes.required(f"{path}.valueFrom.{name}.key")
    for index, source in enumerate(container.get("envFrom") or ()):
        path = f"{field}.envFrom[{index}]"
        given = [name for name in ("configMapRef", "secretRef") if name in source]
        if len(given) > 1:
            causes.invalid(path, "", "may not have more than one field specified at a time")
        elif not given:
            causes.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        for name in given:
            if not source[name].get("name"):
                causes.required(f"{path}.{name}.name")


def _mounts(mounts: Iterable[Value], field: str, volumes: set[str], causes: Causes) -> None:
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        path = f"{field}[{index}]"
        name, where = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.required(f"{path}.name")
        if name not in volumes:
            causes.not_found(f"{path}.name", name)
        if not where:
            causes.required(f"{path}.mountPath")
        if where in seen:
            causes.invalid(f"{path}.mountPath", where, "must be unique")
        seen.add(where)


def _resources(resources: Value, field: str, causes: Causes) -> None:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            path = f"{field}.{group}[{name}]" if "/" in name else f"{field}.{group}.{name}"
            resource_name(causes, f"{field}.{group}", name)
            if quantity.parse(amount) < 0:
                causes.invalid(path, amount, NOT_NEGATIVE)
    for name, amount in requests.items():
        if name in limits and quantity.parse(amount) > quantity.parse(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.invalid(f"{field}.requests", amount, why)


def resource_name(causes: Causes, field: str, name: str) -> None:
    """What a container can ask for."""
    problems = naming.qualified_name(name)
    causes.words(field, name, problems)
    standard = name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")
    if not problems and "/" not in name and not standard:
        causes.invalid(field, name, "must be a standard resource type or fully qualified")
        causes.invalid(field, name, "must be a standard resource for containers")


def _probe(probe: Value, field: str, *, only_once: bool, causes: Causes) -> None:
    _handler(probe, field, causes)
    for name in _PROBE_NUMBERS:
        not_negative(causes, f"{field}.{name}", probe.get(name))
    if only_once and probe.get("successThreshold", 1) != 1:
        causes.invalid(f"{field}.successThreshold", probe["successThreshold"], "must be 1")


def _handler(handler: Value, field: str, causes: Causes) -> None:
    given = [name for name in _HANDLERS if handler.get(name) is not None]
    if not given and "sleep" not in handler:
        causes.required(field, "must specify a handler type")
    for extra in given[1:]:
        causes.forbidden(f"{field}.{extra}", "may not specify more than 1 handler type")
    for name in given:
        action = handler[name]
        if name == "exec" and not action.get("command"):
            causes.required(f"{field}.exec.command")
        if name in ("httpGet", "tcpSocket", "grpc"):
            port(causes, f"{field}.{name}.port", action.get("port", 0))
        if name == "httpGet":
            supported(causes, f"{field}.httpGet.scheme", action.get("scheme"), ("HTTP", "HTTPS"))


def _toleration(toleration: Value, field: str, causes: Causes) -> None:
    key, operator = toleration.get("key", ""), toleration.get("operator", "")
    if key:
        causes.words(f"{field}.key", key, naming.qualified_name(key))
    elif operator != "Exists":
        causes.invalid(
            f"{field}.operator",
            operator,
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        )
    if operator == "Exists" and toleration.get("value"):
        causes.invalid(f"{field}.operator", operator, "value must be empty when `operator` is 'Exists'")
    if operator not in ("", "Equal", "Exists", "Lt", "Gt"):
        causes.unsupported(f"{field}.operator", operator, ("Equal", "Exists"))
    effect = toleration.get("effect", "")
    if effect not in ("", "NoSchedule", "PreferNoSchedule", "NoExecute"):
        causes.unsupported(f"{field}.effect", effect, ("NoExecute", "NoSchedule", "PreferNoSchedule"))
    if "tolerationSeconds" in toleration and effect != "NoExecute":
        causes.invalid(f"{field}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")


def _identities(context: Value, field: str, causes: Causes) -> None:
    """User and group numbers."""
    for name in ("fsGroup", "runAsGroup", "runAsUser"):
        if not 0 <= context.get(name, 0) < 2**31:
            causes.invalid(f"{field}.{name}", context[name], "must be between 0 and 2147483647, inclusive")


def _affinity(affinity: Value, field: str, causes: Causes) -> None:
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    nodes = affinity.get("nodeAffinity") or {}
    if required in nodes and not nodes[required].get("nodeSelectorTerms"):
        path = f"{field}.nodeAffinity.{required}.nodeSelectorTerms"
        causes.required(path, "must have at least one node selector term")
    for group in ("nodeAffinity", "podAffinity", "podAntiAffinity"):
        for index, term in enumerate((affinity.get(group) or {}).get(preferred) or ()):
            if not 1 <= term.get("weight", 0) <= 100:
                path = f"{field}.{group}.{preferred}[{index}].weight"
                causes.invalid(path, term.get("weight", 0), "must be in the range 1-100")
    for group in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(group) or {}
        terms = [(f"{required}[{i}]", term) for i, term in enumerate(rules.get(required) or ())]
        for index, weighted in enumerate(rules.get(preferred) or ()):
            terms.append((f"{preferred}[{index}].podAffinityTerm", weighted.get("podAffinityTerm") or {}))
        for path, term in terms:
            if not term.get("topologyKey"):
                causes.required(f"{field}.{group}.{path}.topologyKey", "can not be empty")


def _spread(spread: Value, field: str, causes: Causes) -> None:
    if spread.get("maxSkew", 0) <= 0:
        causes.invalid(f"{field}.maxSkew", spread.get("maxSkew", 0), "must be greater than 0")
    if not spread.get("topologyKey"):
        causes.required(f"{field}.topologyKey", "can not be empty")
    supported(
        causes, f"{field}.whenUnsatisfiable", spread.get("whenUnsatisfiable"), ("DoNotSchedule", "ScheduleAnyway")
    )


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
