"""Disruption budgets, leases, priorities and admission."""

from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox import metadata, naming
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.kinds.workloads import int_or_percent
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

Value = dict[str, Any]

_ADMISSION: Final = "admissionregistration.k8s.io"


def _budget_status(new: Value, _old: Value, causes: Causes) -> None:
    names = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    checks.counts(causes, new.get("status") or {}, *names)
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
        checks.supported(causes, "spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def _lease(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if "leaseDurationSeconds" in spec and spec["leaseDurationSeconds"] <= 0:
        causes.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if "leaseTransitions" in spec and spec["leaseTransitions"] < 0:
        causes.invalid("spec.leaseTransitions", spec["leaseTransitions"], checks.NOT_NEGATIVE)


def _priority(value: Value, causes: Causes) -> None:
    if value.get("value", 0) > 1_000_000_000 and not value["metadata"]["name"].startswith("system-"):
        causes.forbidden("value", "maximum allowed value of a user defined priority is 1000000000")


def _priority_update(new: Value, old: Value, causes: Causes) -> None:
    if new.get("value") != old.get("value"):
        causes.forbidden("value", "may not be changed in an update.")
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.invalid("preemptionPolicy", new.get("preemptionPolicy"), IMMUTABLE)


def _policy_binding(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    if not spec.get("policyName"):
        causes.required("spec.policyName")
    else:
        causes.words("spec.policyName", spec["policyName"], naming.dns_subdomain(spec["policyName"]))
    field, actions = "spec.validationActions", spec.get("validationActions") or []
    if not actions:
        causes.required(field, "at least one validation action is required")
    for index, action in enumerate(actions):
        checks.supported(causes, f"{field}[{index}]", action, ("Audit", "Deny", "Warn"))
        if action in actions[:index]:
            causes.duplicate(f"{field}[{index}]", action)
    if {"Deny", "Warn"} <= set(actions):
        causes.invalid(field, actions, "must not contain both Deny and Warn")


RULES: Final = {
    GroupKind("policy", "PodDisruptionBudget"): Rules(
        name=naming.path_segment,
        plain_finalizers=True,
        metadata_last=True,
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
    **{
        GroupKind(_ADMISSION, kind): Rules(generation=True, unconditional_update=False)
        for kind in (
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingWebhookConfiguration",
        )
    },
    GroupKind(_ADMISSION, "ValidatingAdmissionPolicyBinding"): Rules(
        generation=True, unconditional_update=False, validate=_policy_binding
    ),
    GroupKind("flowcontrol.apiserver.k8s.io", "FlowSchema"): Rules(generation=True),
    GroupKind("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): Rules(generation=True),
    GroupKind("resource.k8s.io", "ResourceSlice"): Rules(generation=True, returns_deleted=True),
    GroupKind("resource.k8s.io", "DeviceClass"): Rules(generation=True, returns_deleted=True),
    GroupKind("resource.k8s.io", "ResourceClaim"): Rules(returns_deleted=True),
    GroupKind("resource.k8s.io", "ResourceClaimTemplate"): Rules(returns_deleted=True),
}
