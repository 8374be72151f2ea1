"""Pods, nodes and what runs beside them."""

from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.kinds import PRIORITY_CLASS
from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import podspec
from reconciler.sandbox.rules import Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_TOLERATED: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_SYSTEM_PRIORITIES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_CHANGEABLE: Final = (
    "containers' images, activeDeadlineSeconds, tolerations (only additions) and schedulingGates (only removals)"
)


def _before_create(pod: Value, core: "Core") -> None:
    spec = pod["spec"]
    pod["status"] = {"phase": "Pending", "qosClass": podspec.quality(spec)}
    if not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"
    tolerations = spec.setdefault("tolerations", [])
    for key in _TOLERATED:
        if not any(t.get("key", key) == key and t.get("effect", "NoExecute") == "NoExecute" for t in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    name = spec.get("priorityClassName", "")
    found = core.get(PRIORITY_CLASS, "", name) if name else None
    spec["priority"] = found["value"] if found else _SYSTEM_PRIORITIES.get(name, 0)
    spec.setdefault("preemptionPolicy", (found or {}).get("preemptionPolicy", "PreemptLowerPriority"))
    if spec.get("schedulingGates"):
        waiting = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
        waiting["message"] = "Scheduling is blocked due to non-empty scheduling gates"
        pod["status"]["conditions"] = [waiting]


def _before_status(pod: Value, old: Value) -> None:
    owners = old["metadata"].get("ownerReferences")
    if owners:
        pod["metadata"]["ownerReferences"] = owners
    else:
        pod["metadata"].pop("ownerReferences", None)
    status = pod.setdefault("status", {})
    if not status.get("qosClass"):
        status["qosClass"] = (old.get("status") or {}).get("qosClass") or podspec.quality(pod["spec"])


def _validate(pod: Value, causes: Causes) -> None:
    podspec.validate(pod["spec"], "spec", causes, pod=True)


def _validate_update(new: Value, old: Value, causes: Causes) -> None:
    after, before = dict(new["spec"]), dict(old["spec"])
    for group in ("containers", "initContainers"):
        now, then = after.get(group) or [], before.get(group) or []
        if len(now) != len(then):
            causes.forbidden(f"spec.{group}", "pod updates may not add or remove containers")
            return
        after[group] = [{**one, "image": other.get("image", "")} for one, other in zip(now, then, strict=True)]
        before[group] = then
    kept = old["spec"].get("tolerations") or []
    if any(item not in (after.get("tolerations") or []) for item in kept):
        causes.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        after.pop(name, None)
        before.pop(name, None)
    if before.get("terminationGracePeriodSeconds", 0) < 0 and after.get("terminationGracePeriodSeconds") == 1:
        after["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    if {k: v for k, v in after.items() if v} != {k: v for k, v in before.items() if v}:
        causes.forbidden("spec", f"pod updates may not change fields other than {_CHANGEABLE}")


def _validate_template(value: Value, causes: Causes) -> None:
    podspec.validate_template(value.get("template") or {}, "template", causes)


RULES: Final = {
    GroupKind("", "Pod"): Rules(
        generation=True,
        before_create=_before_create,
        before_status=_before_status,
        validate=_validate,
        validate_update=_validate_update,
        returns_deleted=True,
    ),
    GroupKind("", "PodTemplate"): Rules(generation=True, validate=_validate_template, returns_deleted=True),
    GroupKind("", "Node"): Rules(keeps_status=True),
    GroupKind("", "Event"): Rules(create_on_update=True, name=naming.dns_subdomain, collected=False),
    GroupKind("events.k8s.io", "Event"): Rules(create_on_update=True, collected=False),
}
