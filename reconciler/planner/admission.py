"""What a node's labels, taints and state say about a workload, before any question of room."""

from collections.abc import Mapping
from typing import Final

from reconciler.model.cluster_view import ZONE, Effect, NodeView
from reconciler.model.plan import Constraint
from reconciler.model.planning import WorkloadNeed

HARD: Final = (Effect.NO_SCHEDULE, Effect.NO_EXECUTE)


def zone(node: NodeView) -> str:
    return node.labels.get(ZONE, "")


def selected(need: WorkloadNeed, labels: Mapping[str, str]) -> bool:
    """Whether node selector and required node affinity match these labels."""
    if any(labels.get(key) != value for key, value in need.node_selector.items()):
        return False
    return not need.node_affinity or any(
        all(requirement.matches(labels) for requirement in term) for term in need.node_affinity
    )


def refusal(need: WorkloadNeed, node: NodeView, pool: str) -> Constraint | None:
    """Why replicas of the workload may not be on this node, however empty; None where they may."""
    if need.pool is not None and need.pool != pool:
        return Constraint.POOL
    where = zone(node)
    if (need.zones and where not in need.zones) or (need.volume_zones and where not in need.volume_zones):
        return Constraint.ZONE
    if not selected(need, node.labels):
        return Constraint.SELECTOR
    if intolerable(need, node):
        return Constraint.TAINT
    if need.gpu.count and need.gpu.models and node.gpu_model not in need.gpu.models:
        return Constraint.MODEL
    if not (node.ready and node.schedulable):
        return Constraint.READY
    return None


def intolerable(need: WorkloadNeed, node: NodeView) -> str:
    """The first taint that the workload does not tolerate, as `key=value:effect`; "" where there is none."""
    for taint in node.taints:
        if taint.effect in HARD and not any(toleration.tolerates(taint) for toleration in need.tolerations):
            return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
    return ""
