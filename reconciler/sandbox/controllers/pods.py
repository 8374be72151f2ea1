"""What a pod's state means to the controllers that made it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from reconciler.kube.times import parse, seconds_since
from reconciler.sandbox.client import Object
from reconciler.sandbox.controllers.conditions import condition
from reconciler.sandbox.controllers.owners import is_deleting


def phase(pod: Mapping[str, Any]) -> str:
    return (pod.get("status") or {}).get("phase") or "Pending"


def is_finished(pod: Mapping[str, Any]) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Mapping[str, Any]) -> bool:
    """Neither finished nor on its way out."""
    return not is_finished(pod) and not is_deleting(pod)


def is_ready(pod: Mapping[str, Any]) -> bool:
    entry = condition(pod, "Ready")
    return entry is not None and entry.get("status") == "True"


def available_in(pod: Mapping[str, Any], min_ready: int, now: datetime) -> float | None:
    """Seconds until `pod` counts as available: 0 when it does now, None when it is not even ready."""
    if not is_ready(pod):
        return None
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    return max(0.0, min_ready - seconds_since(since, now)) if min_ready else 0.0


def is_available(pod: Mapping[str, Any], min_ready: int, now: datetime) -> bool:
    return available_in(pod, min_ready, now) == 0.0


def next_available(pods: Iterable[Mapping[str, Any]], min_ready: int, now: datetime) -> float | None:
    """Seconds until the next of `pods` becomes available; None when there is nothing to wait for."""
    waits = (available_in(pod, min_ready, now) for pod in pods)
    return min((wait for wait in waits if wait), default=None)


def restarts(pod: Mapping[str, Any]) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((entry.get("restartCount", 0) for entry in statuses), default=0)


def deletion_order(pods: Iterable[Object]) -> Callable[[Object], tuple[Any, ...]]:
    """A sort key over `pods` that puts first the pod to delete first.

    The order of the ReplicaSet controller: not assigned, pending, not ready, lower deletion cost, more siblings on
    the node, ready for less time, more restarts, younger.
    """
    siblings: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName", "")
        siblings[node] = siblings.get(node, 0) + 1

    def rank(pod: Object) -> tuple[Any, ...]:
        metadata, node = pod["metadata"], pod["spec"].get("nodeName", "")
        ready_since = (condition(pod, "Ready") or {}).get("lastTransitionTime") if is_ready(pod) else None
        cost = (metadata.get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
        return (
            bool(node),
            {"Pending": 0, "Unknown": 1}.get(phase(pod), 2),
            is_ready(pod),
            int(cost) if cost.lstrip("-").isdigit() else 0,
            -siblings[node],
            -parse(ready_since).timestamp() if ready_since else 0.0,
            -restarts(pod),
            -parse(metadata["creationTimestamp"]).timestamp(),
            metadata["name"],
        )

    return rank


def pod_from_template(
    template: Mapping[str, Any],
    namespace: str,
    owner: Object,
    *,
    name: str = "",
    prefix: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Object:
    """A pod made of a workload's pod template; `labels`, `annotations` and `spec` add to what the template says.

    It gets `name`, or a generated one with `prefix`.
    """
    stated = template.get("metadata") or {}
    metadata: Object = {
        "namespace": namespace,
        "labels": {**(stated.get("labels") or {}), **(labels or {})},
        "ownerReferences": [owner],
    }
    if together := {**(stated.get("annotations") or {}), **(annotations or {})}:
        metadata["annotations"] = together
    if stated.get("finalizers"):
        metadata["finalizers"] = stated["finalizers"]
    metadata.update({"name": name} if name else {"generateName": prefix})
    return {"metadata": metadata, "spec": {**template["spec"], **(spec or {})}}
