"""Which part of each node is requested: now, and as planned."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.model.cluster_view import ZONE, Gpu, NodeView, Resources
from reconciler.model.plan import Plan
from reconciler.model.planned import Share
from reconciler.model.planning import Pool
from reconciler.planner.pools import pools_of
from reconciler.planner.snapshot import ClusterView

RESOURCES: Final = ("cpu", "memory", "gpu")


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """One node. `parts` are in [0, 1] and more where too much is asked for, by resource, for those that the node has.

    A node that is not `there` is one that its pool may yet get, or that is not ready.
    """

    name: str
    pool: str
    zone: str
    parts: Mapping[str, Share]
    there: bool = True


def loads(plan: Plan, view: ClusterView, pools: Sequence[Pool]) -> tuple[NodeLoad, ...]:
    """Every node, by pool, zone and name; those that pools may yet get only where something is planned there."""
    now, then = _requested(plan, view)
    known = {node.name: node for node in view.nodes}
    nodes = [*view.nodes, *(node for name in sorted(set(then) - set(known)) for node in _grown(name, pools))]
    found = [
        NodeLoad(
            node.name,
            pools[number].name if number >= 0 else "",
            node.labels.get(ZONE, ""),
            _parts(node, now.get(node.name, Counter()), then.get(node.name, Counter())),
            node.ready and node.name in known,
        )
        for node, number in zip(nodes, pools_of(nodes, pools), strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (each.pool, each.zone, each.name)))


def requested(plan: Plan, view: ClusterView) -> dict[str, Share]:
    """CPU and memory of all nodes that are ready, and GPUs where there are some."""
    now, then = _requested(plan, view)
    up = {node.name for node in view.nodes if node.ready}
    grown = set(then) - {node.name for node in view.nodes}  # what is planned there counts, what they have does not
    total, before, after = Counter[str](), Counter[str](), Counter[str]()
    for node in view.nodes:
        if node.ready:
            total.update(_offered(node))
            before.update(now.get(node.name, {}))
    for name in up | grown:
        after.update(then.get(name, {}))
    return {
        name: Share(before[name] / total[name], after[name] / total[name]) if total[name] else Share(0.0, 0.0)
        for name in RESOURCES
        if name != "gpu" or total[name]
    }


def _requested(plan: Plan, view: ClusterView) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
    """By node: what its pods ask for now, and what they would."""
    now: dict[str, Counter[str]] = {}
    then: dict[str, Counter[str]] = {}
    planned = {need.identity: need for need in view.needs}
    for pod in view.pods:
        amounts = _amounts(pod.requests, pod.gpu)
        now.setdefault(pod.node, Counter()).update(amounts)
        if pod.owner not in planned:
            then.setdefault(pod.node, Counter()).update(amounts)
    for identity, need in planned.items():
        amounts = _amounts(need.requests, need.gpu)
        for node, count in plan.assignment.get(identity, {}).items():
            then.setdefault(node, Counter()).update({name: amount * count for name, amount in amounts.items()})
    return now, then


def _parts(node: NodeView, now: Mapping[str, int], then: Mapping[str, int]) -> dict[str, Share]:
    offered = _offered(node)
    return {
        name: Share(now.get(name, 0) / offered[name], then.get(name, 0) / offered[name])
        for name in RESOURCES
        if offered[name]
    }


def _offered(node: NodeView) -> dict[str, int]:
    return {"cpu": node.allocatable.cpu, "memory": node.allocatable.memory, "gpu": 1000 * node.gpus}


def _amounts(resources: Resources, gpu: Gpu) -> dict[str, int]:
    return {"cpu": resources.cpu, "memory": resources.memory, "gpu": gpu.count * gpu.milli}


def _grown(name: str, pools: Iterable[Pool]) -> list[NodeView]:
    """A node that a pool may yet get, by the name that a plan gives it."""
    for pool in pools:
        if pool.template is not None and name.startswith(f"{pool.name}+"):
            return [replace(pool.template, name=name, labels={**pool.template.labels, **pool.node_selector})]
    return []
