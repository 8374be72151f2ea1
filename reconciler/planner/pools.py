"""Which pools there are, where nobody says: the labels that clouds and autoscalers put on the nodes of one group."""

from collections.abc import Iterable
from typing import Final

from reconciler.model.cluster_view import NodeView
from reconciler.model.planning import LABEL_POOL, Pool

LABELS: Final = (
    LABEL_POOL,
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "node.kubernetes.io/instance-group",
)
_SPOT: Final = (
    ("karpenter.sh/capacity-type", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)


def found(nodes: Iterable[NodeView]) -> tuple[Pool, ...]:
    """A pool for each value of the first of `LABELS` that a node carries, without a price. Other nodes are in none."""
    pools: dict[str, Pool] = {}
    spot: dict[str, bool] = {}
    for node in nodes:
        label = next((name for name in LABELS if node.labels.get(name)), None)
        if label is None:
            continue
        name = node.labels[label]
        pools.setdefault(name, Pool(name, {label: name}))
        spot[name] = spot.get(name, True) and any(node.labels.get(key) == value for key, value in _SPOT)
    return tuple(Pool(pool.name, pool.node_selector, spot=spot[name]) for name, pool in sorted(pools.items()))
