"""Autoscalers, disruption budgets, leases, priorities, RBAC and admission."""

from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import podspec
from reconciler.sandbox.kinds.workloads import int_or_percent
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

Value = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_METRICS: Final = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_TARGETS: Final = {"AverageValue": "averageValue", "Utilization": "averageUtilization", "Value": "value"}


def _autoscaler(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    low, high = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    floor = 0 if any(m.get("type") in ("Object", "External") for m in spec.get("metrics") or ()) else 1
    if low == 0 and floor == 1:
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.forbidden("spec.metrics", why)
    if low is not None and low < floor:
        causes.invalid("spec.minReplicas", low, f"must be greater than or equal to {floor}")
    if high == 0:
        causes.required("spec.maxReplicas", "must be set and greater than 0")
    elif high < 1:
        causes.invalid("spec.maxReplicas", high, "must be greater than or equal to 1")
    if low is not None and high < low:
        causes.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    reference = spec["scaleTargetRef"]
    for name in ("kind", "name"):
        if not reference.get(name):
            causes.required(f"spec.scaleTargetRef.{name}")
        else:
            causes.words(f"spec.scaleTargetRef.{name}", reference[name], naming.path_segment(reference[name]))
    if not reference.get("apiVersion", "").partition("/")[2] and reference.get("kind") != "ReplicationController":
        causes.invalid("spec.scaleTargetRef.apiVersion", reference.get("apiVersion", ""), "must specify API group")
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(metric, f"spec.metrics[{index}]", causes)
    for side, rules in (spec.get("behavior") or {}).items():
        _scaling_rules(rules, f"spec.behavior.{side}", causes)


def _metric(metric: Value, field: str, causes: Causes) -> None:
    kind = metric.get("type", "")
    if not kind:
        causes.required(f"{field}.type", "must specify a metric source type")
        return
    if kind not in _METRICS:
        causes.unsupported(f"{field}.type", kind, _METRICS)
        return
    name = _METRICS[kind]
    source = metric.get(name)
    if source is None:
        causes.required(f"{field}.{name}", "must populate information for the given metric source")
        return
    for other in _METRICS.values():
        if other != name and other in metric:
            causes.forbidden(f"{field}.{other}", "must populate the given metric source only")
    if "metric" in source and not source["metric"].get("name"):
        causes.required(f"{field}.{name}.metric.name", "must specify a metric name")
    target, path = source["target"], f"{field}.{name}.target"
    if not target.get("type"):
        causes.required(f"{path}.type", "must specify a metric target type")
    elif target["type"] not in _TARGETS:
        causes.invalid(f"{path}.type", target["type"], "must be either Utilization, Value, or AverageValue")
    share, amount = target.get("averageUtilization"), target.get("averageValue")
    if share is not None and share < 1:
        causes.invalid(f"{path}.averageUtilization", share, "must be greater than 0")
    if kind in ("Resource", "ContainerResource"):
        if not source.get("name"):
            causes.required(f"{field}.{name}.name", "must specify a resource name")
        if share is None and amount is None:
            causes.required(f"{path}.averageUtilization", "must set either a target raw value or a target utilization")
        elif share is not None and amount is not None:
            causes.forbidden(f"{path}.averageValue", "may not set both a target raw value and a target utilization")
    elif kind == "Pods" and amount is None:
        causes.required(f"{path}.averageValue", "must specify a positive target averageValue")
    elif amount is None and "value" not in target:
        causes.required(f"{path}.averageValue", "must set either a target value or averageValue")


def _scaling_rules(rules: Value, field: str, causes: Causes) -> None:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        causes.invalid(f"{field}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > 3600:
        causes.invalid(f"{field}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
    podspec.supported(causes, f"{field}.selectPolicy", rules.get("selectPolicy", "Max"), ("Disabled", "Max", "Min"))
    for index, policy in enumerate(rules.get("policies") or ()):
        path = f"{field}.policies[{index}]"
        podspec.supported(causes, f"{path}.type", policy.get("type"), ("Percent", "Pods"))
        for name in ("value", "periodSeconds"):
            if policy.get(name, 0) <= 0:
                causes.invalid(f"{path}.{name}", policy.get(name, 0), "must be greater than zero")
        if policy.get("periodSeconds", 0) > 1800:
            causes.invalid(f"{path}.periodSeconds", policy["periodSeconds"], "must be less than or equal to 1800")


def _autoscaler_status(new: Value, _old: Value, causes: Causes) -> None:
    podspec.counts(causes, new.get("status") or {}, "currentReplicas", "desiredReplicas")


def _budget_status(new: Value, _old: Value, causes: Causes) -> None:
    names = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    podspec.counts(causes, new.get("status") or {}, *names)
    metadata.conditions((new.get("status") or {}).get("conditions"), "status.conditions", causes)


def _budget(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if "minAvailable" in spec and "maxUnavailable" in spec:
        causes.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        amount = int_or_percent(f"spec.{name}", spec.get(name), causes)
        if isinstance(spec.get(name), str) and amount > 100:
            causes.invalid(f"spec.{name}", spec[name], "must not be greater than 100%")
    metadata.selector(spec.get("selector") or {}, "spec.selector", causes)
    if (policy := spec.get("unhealthyPodEvictionPolicy")) is not None:
        podspec.supported(causes, "spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def _role(value: Value, causes: Causes, *, namespaced: bool) -> None:
    for index, rule in enumerate(value.get("rules") or ()):
        field = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.required(f"{field}.verbs", "verbs must contain at least one value")
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                causes.invalid(f"{field}.nonResourceURLs", urls, "namespaced rules cannot apply to non-resource URLs")
            if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                causes.invalid(f"{field}.nonResourceURLs", urls, why)
            continue
        if not rule.get("apiGroups"):
            causes.required(f"{field}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            causes.required(f"{field}.resources", "resource rules must supply at least one resource")


def _local_role(value: Value, causes: Causes) -> None:
    _role(value, causes, namespaced=True)


def _cluster_role(value: Value, causes: Causes) -> None:
    if (rule := value.get("aggregationRule")) is not None and not rule.get("clusterRoleSelectors"):
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        causes.required("aggregationRule.clusterRoleSelectors", why)
    _role(value, causes, namespaced=False)


def _binding(value: Value, causes: Causes) -> None:
    reference = value["roleRef"]
    kinds = ("ClusterRole",) if value["kind"] == "ClusterRoleBinding" else ("ClusterRole", "Role")
    podspec.supported(causes, "roleRef.apiGroup", reference.get("apiGroup"), (_RBAC,))
    podspec.supported(causes, "roleRef.kind", reference.get("kind"), kinds)
    if not reference.get("name"):
        causes.required("roleRef.name")
    else:
        causes.words("roleRef.name", reference["name"], naming.path_segment(reference["name"]))
    for index, subject in enumerate(value.get("subjects") or ()):
        _subject(subject, f"subjects[{index}]", causes, namespaced=value["kind"] == "RoleBinding")


def _subject(subject: Value, field: str, causes: Causes, *, namespaced: bool) -> None:
    kind, name, group = subject.get("kind"), subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        causes.required(f"{field}.name")
    if kind == "ServiceAccount":
        if name:
            causes.words(f"{field}.name", name, naming.dns_subdomain(name))
        podspec.supported(causes, f"{field}.apiGroup", group, ("",))
        if not subject.get("namespace") and not namespaced:
            causes.required(f"{field}.namespace")
    elif kind in ("User", "Group"):
        podspec.supported(causes, f"{field}.apiGroup", group, (_RBAC,))
    else:
        causes.unsupported(f"{field}.kind", kind, ("Group", "ServiceAccount", "User"))


def _binding_update(new: Value, old: Value, causes: Causes) -> None:
    if new["roleRef"] != old["roleRef"]:
        causes.invalid("roleRef", new["roleRef"], "cannot change roleRef")


def _lease(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if "leaseDurationSeconds" in spec and spec["leaseDurationSeconds"] <= 0:
        causes.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if "leaseTransitions" in spec and spec["leaseTransitions"] < 0:
        causes.invalid("spec.leaseTransitions", spec["leaseTransitions"], podspec.NOT_NEGATIVE)


def _priority(value: Value, causes: Causes) -> None:
    if value.get("value", 0) > 1_000_000_000 and not value["metadata"]["name"].startswith("system-"):
        causes.forbidden("value", "maximum allowed value of a user defined priority is 1000000000")


def _priority_update(new: Value, old: Value, causes: Causes) -> None:
    if new.get("value") != old.get("value"):
        causes.forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.invalid("preemptionPolicy", new.get("preemptionPolicy"), IMMUTABLE)


RULES: Final = {
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): Rules(
        name=naming.dns_subdomain, validate=_autoscaler, validate_status=_autoscaler_status
    ),
    GroupKind("policy", "PodDisruptionBudget"): Rules(
        name=naming.path_segment,
        plain_finalizers=True,
        generation=True,
        unconditional_update=False,
        validate=_budget,
        validate_status=_budget_status,
    ),
    GroupKind("coordination.k8s.io", "Lease"): Rules(
        create_on_update=True, unconditional_update=False, validate=_lease
    ),
    GroupKind("scheduling.k8s.io", "PriorityClass"): Rules(
        generation=True, validate=_priority, validate_update=_priority_update
    ),
    GroupKind("node.k8s.io", "RuntimeClass"): Rules(create_on_update=True, unconditional_update=False),
    GroupKind(_RBAC, "Role"): Rules(name=naming.path_segment, create_on_update=True, validate=_local_role),
    GroupKind(_RBAC, "ClusterRole"): Rules(name=naming.path_segment, create_on_update=True, validate=_cluster_role),
    **{
        GroupKind(_RBAC, kind): Rules(
            name=naming.path_segment,
            create_on_update=True,
            validate=_binding,
            validate_update=_binding_update,
        )
        for kind in ("RoleBinding", "ClusterRoleBinding")
    },
    **{
        GroupKind(_ADMISSION, kind): Rules(generation=True, unconditional_update=False)
        for kind in (
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        )
    },
    GroupKind("flowcontrol.apiserver.k8s.io", "FlowSchema"): Rules(generation=True),
    GroupKind("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Rules(generation=True),
    GroupKind("resource.k8s.io", "ResourceSlice"): Rules(generation=True, returns_deleted=True),
    GroupKind("resource.k8s.io", "DeviceClass"): Rules(generation=True, returns_deleted=True),
    GroupKind("resource.k8s.io", "ResourceClaim"): Rules(returns_deleted=True),
    GroupKind("resource.k8s.io", "ResourceClaimTemplate"): Rules(returns_deleted=True),
}
