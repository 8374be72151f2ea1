"""Where the built-in kinds keep their pods."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.names import GroupKind

# From an object to the value that has the pod's `metadata` and `spec`.
TEMPLATES: Final[Mapping[GroupKind, tuple[str, ...]]] = {
    GroupKind("", "Pod"): (),
    GroupKind("", "PodTemplate"): ("template",),
    GroupKind("", "ReplicationController"): ("spec", "template"),
    GroupKind("apps", "DaemonSet"): ("spec", "template"),
    GroupKind("apps", "Deployment"): ("spec", "template"),
    GroupKind("apps", "ReplicaSet"): ("spec", "template"),
    GroupKind("apps", "StatefulSet"): ("spec", "template"),
    GroupKind("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    GroupKind("batch", "Job"): ("spec", "template"),
}


def pod_spec(group_kind: GroupKind, obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod spec inside `obj`, None where its kind has no pods or the object does not state them."""
    return _inside(group_kind, obj, "spec")


def pod_labels(group_kind: GroupKind, obj: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The labels of the pods of `obj`, None where its kind has no pods or the object does not state any. What is no
    text is none: no server takes it."""
    found = _inside(group_kind, obj, "metadata", "labels")
    return {key: value for key, value in found.items() if isinstance(value, str)} if found is not None else None


def _inside(group_kind: GroupKind, obj: Mapping[str, Any], *names: str) -> Mapping[str, Any] | None:
    path = TEMPLATES.get(group_kind)
    if path is None:
        return None
    value: Any = obj
    for name in (*path, *names):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else None
