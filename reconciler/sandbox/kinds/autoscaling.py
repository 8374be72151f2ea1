"""Autoscalers: what scales, between which bounds, by which metrics and how fast."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube import quantity
from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import Causes, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

Value = dict[str, Any]

_METRICS: Final = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""By type, where its source stands; of several sources the first of these is looked at."""
_TARGETS: Final = ("AverageValue", "Utilization", "Value")


def _validate(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    metrics = spec.get("metrics") or ()
    if low == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.forbidden("spec.metrics", why)
    if low is not None and low < 1:
        causes.invalid("spec.minReplicas", low, "must be greater than or equal to 1")
    if high == 0:
        causes.required("spec.maxReplicas", "must be set and greater than 0")
    elif high < 0:
        causes.invalid("spec.maxReplicas", high, "must be greater than or equal to 1")
    if low is not None and high < low:
        causes.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    _reference(spec["scaleTargetRef"], "spec.scaleTargetRef", causes)
    for index, metric in enumerate(metrics):
        _metric(metric, f"spec.metrics[{index}]", causes)
    for side, rules in (spec.get("behavior") or {}).items():
        _scaling_rules(rules, f"spec.behavior.{side}", causes)


def _validate_create(value: Value, causes: Causes) -> None:
    reference = value["spec"]["scaleTargetRef"]
    _target_version(reference, causes)


def _validate_update(new: Value, old: Value, causes: Causes) -> None:
    """What names no group stays as it is as long as nothing else is scaled."""
    after, before = new["spec"]["scaleTargetRef"], old["spec"]["scaleTargetRef"]
    if any(after.get(name) != before.get(name) for name in ("apiVersion", "kind")):
        _target_version(after, causes)


def _target_version(reference: Value, causes: Causes) -> None:
    version = reference.get("apiVersion", "")
    grouped = "/" in version or reference.get("kind") == "ReplicationController"
    if not grouped or version.count("/") > 1:
        causes.invalid("spec.scaleTargetRef.apiVersion", version, "must specify API group")


def _reference(reference: Value, field: str, causes: Causes) -> None:
    for name in ("kind", "name"):
        _segment(reference, field, name, causes)


def _segment(value: Value, field: str, name: str, causes: Causes, why: str = "") -> None:
    """A name that may be a part of a path."""
    if not value.get(name):
        causes.required(f"{field}.{name}", why)
    else:
        causes.words(f"{field}.{name}", value[name], naming.path_segment(value[name]))


def _metric(metric: Value, field: str, causes: Causes) -> None:
    kind = metric.get("type", "")
    if not kind:
        causes.required(f"{field}.type", "must specify a metric source type")
    if kind not in _METRICS:
        causes.unsupported(f"{field}.type", kind, _METRICS)
    given = [name for name in _METRICS.values() if name in metric]
    if given:
        _SOURCES[given[0]](metric[given[0]], f"{field}.{given[0]}", causes)
    expected = _METRICS.get(kind, "")
    if expected and expected not in metric:
        causes.required(f"{field}.{expected}", "must populate information for the given metric source")
    if len(given) > 1:
        for name in given:
            if name != expected:
                causes.forbidden(f"{field}.{name}", "must populate the given metric source only")


def _object(source: Value, field: str, causes: Causes) -> None:
    described = source["describedObject"]
    _reference(described, f"{field}.describedObject", causes)
    if described.get("apiVersion", "").count("/") > 1:
        causes.invalid(f"{field}.describedObject.apiVersion", described["apiVersion"], "unexpected GroupVersion string")
    _segment(source["metric"], f"{field}.metric", "name", causes, "must specify a metric name")
    _one_of(_target(source, field, causes), f"{field}.target", causes)


def _external(source: Value, field: str, causes: Causes) -> None:
    _segment(source["metric"], f"{field}.metric", "name", causes, "must specify a metric name")
    target = _target(source, field, causes)
    _one_of(target, f"{field}.target", causes)
    if "value" in target and "averageValue" in target:
        causes.forbidden(f"{field}.target.value", "may not set both a target value for metric and a per-pod target")


def _one_of(target: Value, field: str, causes: Causes) -> None:
    if "value" not in target and "averageValue" not in target:
        causes.required(f"{field}.averageValue", "must set either a target value or averageValue")


def _pods(source: Value, field: str, causes: Causes) -> None:
    _segment(source["metric"], f"{field}.metric", "name", causes, "must specify a metric name")
    if "averageValue" not in _target(source, field, causes):
        causes.required(f"{field}.target.averageValue", "must specify a positive target averageValue")


def _container_resource(source: Value, field: str, causes: Causes) -> None:
    if name := source.get("name"):
        checks.resource_name(causes, f"{field}.name", name)
    if not source.get("container"):
        causes.required(f"{field}.container", "must specify a container")
    else:
        causes.words(f"{field}.container", source["container"], naming.dns_label(source["container"]))
    _resource(source, field, causes)


def _resource(source: Value, field: str, causes: Causes) -> None:
    if not source.get("name"):
        causes.required(f"{field}.name", "must specify a resource name")
    target = _target(source, field, causes)
    if "averageUtilization" not in target and "averageValue" not in target:
        why = "must set either a target raw value or a target utilization"
        causes.required(f"{field}.target.averageUtilization", why)
    elif "averageUtilization" in target and "averageValue" in target:
        why = "may not set both a target raw value and a target utilization"
        causes.forbidden(f"{field}.target.averageValue", why)


_SOURCES: Final[Mapping[str, "Callable[[Value, str, Causes], None]"]] = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}


def _target(source: Value, field: str, causes: Causes) -> Value:
    target: Value = source["target"]
    path = f"{field}.target"
    if not target.get("type"):
        causes.required(f"{path}.type", "must specify a metric target type")
    if target.get("type") not in _TARGETS:
        causes.invalid(f"{path}.type", target.get("type", ""), "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if name in target and quantity.parse(target[name]) <= 0:
            causes.invalid(f"{path}.{name}", target[name], "must be positive")
    if target.get("averageUtilization", 1) < 1:
        causes.invalid(f"{path}.averageUtilization", target["averageUtilization"], "must be greater than 0")
    return target


def _scaling_rules(rules: Value, field: str, causes: Causes) -> None:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        causes.invalid(f"{field}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > 3600:
        causes.invalid(f"{field}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
    checks.supported(causes, f"{field}.selectPolicy", rules.get("selectPolicy", "Max"), ("Disabled", "Max", "Min"))
    if quantity.parse(rules.get("tolerance", 0)) < 0:
        causes.invalid(f"{field}.tolerance", rules["tolerance"], checks.NOT_NEGATIVE)
    if not rules.get("policies"):
        causes.required(f"{field}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        path = f"{field}.policies[{index}]"
        checks.supported(causes, f"{path}.type", policy.get("type"), ("Percent", "Pods"))
        for name in ("value", "periodSeconds"):
            if policy.get(name, 0) <= 0:
                causes.invalid(f"{path}.{name}", policy.get(name, 0), "must be greater than zero")
        if policy.get("periodSeconds", 0) > 1800:
            causes.invalid(f"{path}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800")


def _validate_status(new: Value, _old: Value, causes: Causes) -> None:
    checks.counts(causes, new.get("status") or {}, "currentReplicas", "desiredReplicas")


RULES: Final = {
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): Rules(
        name=naming.dns_subdomain,
        validate=_validate,
        validate_create=_validate_create,
        validate_update=_validate_update,
        validate_status=_validate_status,
    ),
}
