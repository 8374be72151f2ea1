"""What would be if: the same cluster without a zone, with more load, with more nodes. Each is a cluster again."""

import math
from collections.abc import Sequence
from dataclasses import replace

from reconciler.model.cluster_view import HOSTNAME, ZONE, NodeView
from reconciler.model.planning import Pool
from reconciler.planner.snapshot import ClusterView


def without_zone(view: ClusterView, zone: str) -> ClusterView:
    """As if the nodes of `zone` had gone, and what ran there had to go elsewhere. KeyError where there are none."""
    zones = {node.labels.get(ZONE, "") for node in view.nodes}
    if zone not in zones:
        raise KeyError(zone)
    nodes = tuple(node for node in view.nodes if node.labels.get(ZONE, "") != zone)
    names = {node.name for node in nodes}
    return replace(view, nodes=nodes, pods=tuple(pod for pod in view.pods if pod.node in names))


def loaded(view: ClusterView, factor: float) -> ClusterView:
    """As if each workload needed `factor` times as many replicas, rounded up. ValueError for a factor that is none."""
    if not (math.isfinite(factor) and 0 <= factor <= 1000):
        raise ValueError(f"not a load: {factor!r}")
    more = tuple(replace(need, replicas=math.ceil(need.replicas * factor - 1e-9)) for need in view.needs)
    return replace(view, needs=more)


def with_nodes(view: ClusterView, pools: Sequence[Pool], pool: str, count: int) -> ClusterView:
    """As if `count` more nodes like those of `pool` were there, one zone of the pool after the other, with nothing but
    the pods of DaemonSets on them.

    They are like its template where it has no node. KeyError where there is no such pool, or neither.
    """
    meant = next((each for each in pools if each.name == pool), None)
    if meant is None:
        raise KeyError(pool)
    models: dict[str, NodeView] = {}
    for node in sorted(view.nodes, key=lambda node: node.name):
        if all(node.labels.get(key) == value for key, value in meant.node_selector.items()):
            models.setdefault(node.labels.get(ZONE, ""), node)
    if not models and meant.template is not None:
        models[""] = meant.template
    if not models:
        raise KeyError(pool)
    zones = sorted(models)
    like = [(models[zones[number % len(zones)]], f"{pool}-added-{number + 1}") for number in range(count)]
    daemons = [
        replace(pod, name=f"{pod.name}-on-{name}", node=name)
        for model, name in like
        for pod in view.pods
        if pod.daemon and pod.node == model.name
    ]
    added = [_empty(model, name) for model, name in like]
    return replace(view, nodes=(*view.nodes, *added), pods=(*view.pods, *daemons))


def _empty(model: NodeView, name: str) -> NodeView:
    return replace(model, name=name, labels={**model.labels, HOSTNAME: name}, ready=True, schedulable=True)
