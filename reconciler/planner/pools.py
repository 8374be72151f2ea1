"""Which pools there are, where nobody says: the labels that clouds and autoscalers put on the nodes of one group."""

from collections.abc import Iterable, Sequence
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


def pools_of(nodes: Sequence[NodeView], pools: Sequence[Pool]) -> tuple[int, ...]:
    """The number of the pool of each node, whose labels it carries, -1 where there is none.

    The most particular one: a pool for "the rest", without labels, may be named anything.
    """
    keys = sorted({key for pool in pools for key in pool.node_selector})
    order = sorted(range(len(pools)), key=lambda index: (-len(pools[index].node_selector), index))
    labels = [node.labels for node in nodes]
    rows = list(zip(*([each.get(key) for each in labels] for key in keys), strict=True)) if keys else [()] * len(nodes)
    answers = {}
    for row in set(rows):
        carried = dict(zip(keys, row, strict=True))
        fitting = (n for n in order if all(carried[key] == value for key, value in pools[n].node_selector.items()))
        answers[row] = next(fitting, -1)
    return tuple(map(answers.__getitem__, rows))
