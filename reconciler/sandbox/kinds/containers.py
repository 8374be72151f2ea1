"""What a pod's containers may say."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from reconciler.kube import quantity
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import checks, references
from reconciler.sandbox.kinds.probes import validate_lifecycle, validate_probe
from reconciler.sandbox.kinds.security import validate_container_security
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_PULLS: Final = ("Always", "IfNotPresent", "Never")
_SOURCES: Final = ("configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef")
_ONLY_LONG: Final = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


class Shared(NamedTuple):
    """What containers have from their pod."""

    volumes: Mapping[str, Value]
    grace: int
    restart: str
    host_users: bool
    system: bool  # whether it says on which it runs

    @classmethod
    def of(cls, spec: Value, volumes: Mapping[str, Value]) -> "Shared":
        users = spec.get("hostUsers", True)
        grace, restart = spec.get("terminationGracePeriodSeconds", 30), spec.get("restartPolicy", "")
        return cls(volumes, grace, restart, users, spec.get("os") is not None)


def validate_containers(spec: Value, field: str, shared: Shared, causes: Causes) -> None:
    names: set[str] = set()
    if not spec.get("containers"):
        causes.required(f"{field}.containers")
    host_ports: set[tuple[Any, ...]] = set()
    for index, container in enumerate(spec.get("containers") or ()):
        path = f"{field}.containers[{index}]"
        _common(container, path, shared, causes)
        _unique(container, path, names, causes)
        names.add(container.get("name", ""))
        _long(container, path, shared, causes)
        if "restartPolicy" in container or container.get("restartPolicyRules"):
            _restart(container, path, causes)
        _host_ports(container, path, host_ports, causes)
    for index, container in enumerate(spec.get("initContainers") or ()):
        path = f"{field}.initContainers[{index}]"
        _common(container, path, shared, causes)
        _unique(container, path, names, causes)
        names |= {container["name"]} if container.get("name") else set()
        _host_ports(container, f"{field}.initContainers[0]", set(), causes)  # each by itself, and named for the first
        _init(container, path, shared, causes)


def _unique(container: Value, field: str, names: set[str], causes: Causes) -> None:
    if container.get("name", "") in names:
        causes.duplicate(f"{field}.name", container.get("name", ""))


def _init(container: Value, field: str, shared: Shared, causes: Causes) -> None:
    if "restartPolicy" in container:
        _restart(container, field, causes)
    elif container.get("restartPolicyRules"):
        causes.required(f"{field}.restartPolicy", "must specify restartPolicy when restart rules are used")
    sidecar = container.get("restartPolicy") == "Always"
    if sidecar:
        _long(container, field, shared, causes)
        return
    for name in _ONLY_LONG:
        if name in container:
            causes.forbidden(f"{field}.{name}", "may not be set for init containers without restartPolicy=Always")
    for index, policy in enumerate(container.get("resizePolicy") or ()):
        if policy.get("restartPolicy") == "RestartContainer":
            why = "must not be set to 'RestartContainer' for non-sidecar initContainers"
            causes.invalid(f"{field}.resizePolicy[{index}].restartPolicy", "RestartContainer", why)


def _long(container: Value, field: str, shared: Shared, causes: Causes) -> None:
    """What only containers have that go on."""
    if (lifecycle := container.get("lifecycle")) is not None:
        validate_lifecycle(lifecycle, f"{field}.lifecycle", shared.grace, causes, system=shared.system)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := container.get(name)) is not None:
            validate_probe(probe, f"{field}.{name}", causes, only_once=name != "readinessProbe")


def _restart(container: Value, field: str, causes: Causes) -> None:
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or ()
    if policy is None:
        causes.required(f"{field}.restartPolicy", "must specify restartPolicy when restart rules are used")
    else:
        checks.supported(causes, f"{field}.restartPolicy", policy, ("Always", "Never", "OnFailure"))
    if len(rules) > 20:
        causes.too_many(f"{field}.restartPolicyRules", 20)
    for index, rule in enumerate(rules):
        path, codes = f"{field}.restartPolicyRules[{index}]", rule.get("exitCodes")
        checks.supported(causes, f"{path}.action", rule.get("action", ""), ("Restart", "RestartAllContainers"))
        if codes is None:
            causes.required(f"{path}.exitCodes", "must be specified")
        else:
            checks.supported(causes, f"{path}.exitCodes.operator", codes.get("operator", ""), ("In", "NotIn"))
            if len(codes.get("values") or ()) > 255:
                causes.too_many(f"{path}.exitCodes.values", 255)


def _host_ports(container: Value, field: str, taken: set[tuple[Any, ...]], causes: Causes) -> None:
    for index, port in enumerate(container.get("ports") or ()):
        if not port.get("hostPort"):
            continue
        key = (port.get("protocol"), port.get("hostIP", ""), port["hostPort"])
        if key in taken:
            causes.duplicate(f"{field}.ports[{index}].hostPort", "/".join(map(str, key)))
        taken.add(key)


def _common(container: Value, field: str, shared: Shared, causes: Causes) -> None:
    if not container.get("name"):
        causes.required(f"{field}.name")
    else:
        causes.words(f"{field}.name", container["name"], naming.dns_label(container["name"]))
    if not container.get("image"):
        causes.required(f"{field}.image")
    policy = container.get("terminationMessagePolicy")
    checks.supported(causes, f"{field}.terminationMessagePolicy", policy, ("FallbackToLogsOnError", "File"))
    checks.supported(causes, f"{field}.imagePullPolicy", container.get("imagePullPolicy"), _PULLS)
    _ports(container.get("ports") or (), f"{field}.ports", causes)
    _environment(container, field, causes)
    _mounts(container, field, shared.volumes, causes)
    _devices(container, field, shared.volumes, causes)
    validate_amounts(container.get("resources") or {}, f"{field}.resources", causes)
    _resize(container.get("resizePolicy") or (), f"{field}.resizePolicy", shared.restart, causes)
    context = container.get("securityContext") or {}
    validate_container_security(context, f"{field}.securityContext", causes, host_users=shared.host_users)


def _ports(ports: Iterable[Value], field: str, causes: Causes) -> None:
    names: set[str] = set()
    for index, item in enumerate(ports):
        path = f"{field}[{index}]"
        if name := item.get("name"):
            problems = naming.port_name(name)
            causes.words(f"{path}.name", name, problems)
            if not problems and name in names:
                causes.duplicate(f"{path}.name", name)
            names |= set() if problems else {name}
        if not item.get("containerPort"):
            causes.required(f"{path}.containerPort")
        else:
            checks.port(causes, f"{path}.containerPort", item["containerPort"])
        if item.get("hostPort"):
            checks.port(causes, f"{path}.hostPort", item["hostPort"])
        checks.supported(causes, f"{path}.protocol", item.get("protocol"), checks.PROTOCOLS)


def _environment(container: Value, field: str, causes: Causes) -> None:
    for index, variable in enumerate(container.get("env") or ()):
        path = f"{field}.env[{index}]"
        if not variable.get("name"):
            causes.required(f"{path}.name")
        else:
            causes.words(f"{path}.name", variable["name"], naming.environment_name(variable["name"]))
        if (source := variable.get("valueFrom")) is not None:
            _value_from(source, f"{path}.valueFrom", causes, stated=bool(variable.get("value")))
    for index, source in enumerate(container.get("envFrom") or ()):
        path = f"{field}.envFrom[{index}]"
        if prefix := source.get("prefix"):
            causes.words(f"{path}.prefix", prefix, naming.environment_name(prefix))
        given = [name for name in ("configMapRef", "secretRef") if name in source]
        if len(given) != 1:
            causes.invalid(f"{field}.envFrom", "", "must specify one of: `configMapRef` or `secretRef`")
        for name in given:
            if not source[name].get("name"):
                causes.required(f"{path}.{name}.name")
            else:
                problems = naming.dns_subdomain(source[name]["name"].removesuffix("-"))
                causes.words(f"{path}.{name}.name", source[name]["name"], problems)


def _value_from(source: Value, field: str, causes: Causes, *, stated: bool) -> None:
    given = [name for name in _SOURCES if name in source]
    if not given:
        causes.invalid(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, …")
    elif stated:
        causes.invalid(field, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        causes.invalid(field, "", "may not have more than one field specified at a time")
    if "fieldRef" in source:
        references.validate_field(source["fieldRef"], f"{field}.fieldRef", references.IN_ENVIRONMENT, causes)
    if "resourceFieldRef" in source:
        references.validate_resource(source["resourceFieldRef"], f"{field}.resourceFieldRef", causes, in_file=False)
    for name in ("configMapKeyRef", "secretKeyRef"):
        if (reference := source.get(name)) is None:
            continue
        named, key = reference.get("name", ""), reference.get("key", "")
        causes.words(f"{field}.{name}.name", named, naming.dns_subdomain(named))
        if not key:
            causes.required(f"{field}.{name}.key")
        else:
            causes.words(f"{field}.{name}.key", key, naming.data_key(key))


def _mounts(container: Value, field: str, volumes: Mapping[str, Value], causes: Causes) -> None:
    devices = {item.get("name", ""): item.get("devicePath", "") for item in container.get("volumeDevices") or ()}
    privileged = bool((container.get("securityContext") or {}).get("privileged"))
    seen: set[str] = set()
    field = f"{field}.volumeMounts"
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        path, name, where = f"{field}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            causes.required(f"{path}.name")
        if name not in volumes:
            causes.not_found(f"{path}.name", name)
        if not where:
            causes.required(f"{path}.mountPath")
        if where in seen:
            causes.invalid(f"{path}.mountPath", where, "must be unique")
        seen.add(where)
        if name in devices:
            causes.invalid(f"{path}.name", name, "must not already exist in volumeDevices")
        if where in devices.values():
            causes.invalid(f"{path}.mountPath", where, "must not already exist as a path in volumeDevices")
        for part in ("subPath", "subPathExpr"):
            if mount.get(part):
                checks.descends(causes, f"{field}.{part}", mount[part])
        if mount.get("subPath") and mount.get("subPathExpr"):
            causes.invalid(
                f"{path}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
            )
        _propagation(mount, field, causes, privileged=privileged)


def _propagation(mount: Value, field: str, causes: Causes, *, privileged: bool) -> None:
    spread, deep = mount.get("mountPropagation"), mount.get("recursiveReadOnly")
    if spread is not None:
        words = ("Bidirectional", "HostToContainer", "None")
        checks.supported(causes, f"{field}.mountPropagation", spread, words)
        if spread == "Bidirectional" and not privileged:
            why = "Bidirectional mount propagation is available only to privileged containers"
            causes.forbidden(f"{field}.mountPropagation", why)
    if deep is None:
        return
    checks.supported(causes, f"{field}.recursiveReadOnly", deep, ("Disabled", "Enabled", "IfPossible"))
    if deep in ("Enabled", "IfPossible") and (not mount.get("readOnly") or spread not in (None, "None")):
        why = "may only be specified when readOnly is true and mountPropagation None or not specified"
        causes.forbidden(f"{field}.recursiveReadOnly", why)


def _devices(container: Value, field: str, volumes: Mapping[str, Value], causes: Causes) -> None:
    mounts = {item.get("name", ""): item.get("mountPath", "") for item in container.get("volumeMounts") or ()}
    names, paths = set[str](), set[str]()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        path, name, where = f"{field}.volumeDevices[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            causes.required(f"{path}.name")
        if name in names:
            causes.invalid(f"{path}.name", name, "must be unique")
        if name not in volumes:
            causes.not_found(f"{path}.name", name)
        elif not volumes[name].keys() & {"persistentVolumeClaim", "ephemeral"}:
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            causes.invalid(f"{path}.name", name, why)
        if not where:
            causes.required(f"{path}.devicePath")
        if where in paths:
            causes.invalid(f"{path}.devicePath", where, "must be unique")
        if ".." in where.split("/"):
            causes.invalid(f"{path}.devicePath", where, "can not contain backsteps ('..')")
        else:
            paths.add(where)
        if name in mounts:
            causes.invalid(f"{path}.name", name, "must not already exist in volumeMounts")
        if where in mounts.values():
            causes.invalid(f"{path}.devicePath", where, "must not already exist as a path in volumeMounts")
        names |= {name} if name else set()


def validate_amounts(resources: Value, field: str, causes: Causes) -> None:
    """What a container asks for and may use."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for group, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            path = f"{field}.{group}[{name}]"
            checks.resource_name(causes, path, name)
            exact = quantity.parse(amount)
            if exact < 0:
                causes.invalid(path, amount, checks.NOT_NEGATIVE)
            if not checks.is_native(name) and exact != exact // 1:
                causes.invalid(path, amount, "must be an integer")
    for name, amount in requests.items():
        if name in limits:
            less = quantity.parse(amount) < quantity.parse(limits[name])
            if amount != limits[name] and not (less and checks.is_overcommitted(name)):
                why = f"must be {'at most' if checks.is_overcommitted(name) else 'equal to'} the limit"
                if quantity.parse(amount) != quantity.parse(limits[name]):
                    causes.invalid(f"{field}.requests", amount, why)
        elif not checks.is_overcommitted(name):
            causes.required(f"{field}.limits", "Limit must be set for non overcommitable resources")
    names = limits.keys() | requests.keys()
    if any(name.startswith("hugepages-") for name in names) and not names & {"cpu", "memory"}:
        causes.forbidden(field, "HugePages require cpu or memory")


def _resize(policies: Iterable[Value], field: str, restart: str, causes: Causes) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(policies):
        name, action = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        if name in seen:
            causes.duplicate(f"{field}[{index}]", name)
        seen.add(name)
        for word, words in ((name, ("cpu", "memory")), (action, ("NotRequired", "RestartContainer"))):
            if not word:
                causes.required(field)
            else:
                checks.supported(causes, field, word, words)
        if restart == "Never" and action != "NotRequired":
            causes.invalid(field, action, "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
