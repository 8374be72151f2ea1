"""What is asked, put in order: sorted, so that the order of the input changes nothing, and made safe to reckon with.

A doubtful number is never guessed: the workload is left where it is or without a place, and a note says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, TypeVar

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import HOSTNAME, Gpu, NodeView, PodView, Resources
from reconciler.model.planning import Pool, WorkloadNeed

MOST: Final = 1 << 50  # a petabyte, a trillion cores: what is more is not meant
MOST_REPLICAS: Final = 1_000_000
MOST_DEVICES: Final = 62  # a set of devices is the bits of one number
DEVICE: Final = 1000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Intake:
    """`refused` says why a workload cannot be planned as it is stated. `of_pool` is each node's pool, by index."""

    nodes: tuple[NodeView, ...]
    of_pool: tuple[int, ...]  # -1 where no pool matches
    grown: frozenset[str]  # nodes that do not exist yet
    pools: tuple[Pool, ...]
    running: tuple[PodView, ...]
    needs: tuple[WorkloadNeed, ...]
    refused: Mapping[Identity, str]
    notes: tuple[str, ...]


def take_in(
    nodes: Iterable[NodeView], running: Iterable[PodView], workloads: Iterable[WorkloadNeed], pools: Iterable[Pool]
) -> Intake:
    """Sorted by name, duplicates and impossible amounts dealt with."""
    notes: list[str] = []
    known = _distinct(sorted(pools, key=lambda pool: pool.name), lambda pool: pool.name, "pool", notes)
    clean = [_node(node, notes) for node in sorted(nodes, key=lambda node: node.name)]
    existing = _distinct(clean, lambda node: node.name, "node", notes)
    grown = [node for pool in known for node in _growth(pool, notes)]
    every = tuple(sorted([*existing, *grown], key=lambda node: node.name))
    refused: dict[Identity, str] = {}
    needs = []
    for need in _distinct(
        sorted(workloads, key=lambda need: need.identity), lambda need: str(need.identity), "workload", notes
    ):
        wrong = _wrong(need)
        if wrong:
            refused[need.identity] = wrong
            need = replace(need, replicas=max(_whole(need.replicas), 0), requests=Resources(), gpu=Gpu())
        elif need.replicas > MOST_REPLICAS:
            notes.append(f"{need.identity}: {need.replicas} replicas are taken as {MOST_REPLICAS}")
            need = replace(need, replicas=MOST_REPLICAS)
        needs.append(need)
    priced = any(pool.price is not None for pool in known)
    for pool in known:
        if pool.price is not None and not (isfinite(pool.price) and pool.price >= 0):
            notes.append(f"pool {pool.name}: the price {pool.price} is no price: taken as unknown")
        elif pool.price is None and priced:
            notes.append(f"pool {pool.name} has no price: taken as the middle of the others")
    names = {node.name for node in every}
    pods = sorted(running, key=lambda pod: (pod.namespace, pod.name))
    lost = sum(pod.node not in names for pod in pods)
    if lost:
        notes.append(f"{lost} pods are on nodes that are not there: taken as gone")
    return Intake(
        every,
        tuple(_pool(node, known) for node in every),
        frozenset(node.name for node in grown),
        tuple(known),
        tuple(replace(pod, requests=_amounts(pod.requests)) for pod in pods if pod.node in names),
        tuple(needs),
        refused,
        tuple(notes),
    )


def prices(pools: Sequence[Pool]) -> list[float]:
    """Of one node and hour; what is not known is the middle of what is."""
    known = sorted(pool.price for pool in pools if pool.price is not None and isfinite(pool.price) and pool.price >= 0)
    middle = known[len(known) // 2] if known else 0.0
    return [
        pool.price if pool.price is not None and isfinite(pool.price) and pool.price >= 0 else middle for pool in pools
    ]


def _distinct(items: Iterable[_Item], key: Callable[[_Item], str], what: str, notes: list[str]) -> list[_Item]:
    """The first of each; the others are noted."""
    found: dict[str, _Item] = {}
    notes.extend(
        f"{what} {key(item)} is stated twice: the first counts"
        for item in items
        if found.setdefault(key(item), item) is not item
    )
    return list(found.values())


def _pool(node: NodeView, pools: Sequence[Pool]) -> int:
    """The first pool whose labels the node carries; a pool without labels takes every node that is left."""
    matching = [
        index
        for index, pool in enumerate(pools)
        if all(node.labels.get(key) == value for key, value in pool.node_selector.items())
    ]
    # The most particular one, so that a pool for "the rest" may be named anything.
    return min(matching, key=lambda index: (-len(pools[index].node_selector), index)) if matching else -1


def _growth(pool: Pool, notes: list[str]) -> list[NodeView]:
    if pool.growth > 0 and pool.template is None:
        notes.append(f"pool {pool.name} may grow, but nothing says what its nodes are like: it does not")
    if pool.template is None:
        return []
    found = []
    for number in range(min(max(pool.growth, 0), 10_000)):
        name = f"{pool.name}+{number:04}"
        labels = {**pool.template.labels, **pool.node_selector, HOSTNAME: name}
        found.append(_node(replace(pool.template, name=name, labels=labels, ready=True, schedulable=True), notes))
    return found


def _node(node: NodeView, notes: list[str]) -> NodeView:
    allocatable = _amounts(node.allocatable)
    if allocatable != node.allocatable:
        notes.append(f"node {node.name}: an amount that cannot be is taken as none")
    gpus = min(max(node.gpus, 0), MOST_DEVICES)
    labels = node.labels if HOSTNAME in node.labels else {**node.labels, HOSTNAME: node.name}
    return replace(node, allocatable=allocatable, gpus=gpus, pods=max(node.pods, 0), labels=labels)


def _wrong(need: WorkloadNeed) -> str:
    """What cannot be meant, in words; "" where all is well."""
    amounts = [("cpu", need.requests.cpu), ("memory", need.requests.memory), ("ephemeral", need.requests.ephemeral)]
    for name, amount in [*amounts, *need.requests.extended, ("replicas", need.replicas), ("GPUs", need.gpu.count)]:
        if not float(amount).is_integer():  # a caller may hold a NaN
            return f"{name} is {amount!r}, which is no whole number"
        if amount < 0:
            return f"{name} is {amount}, less than nothing"
        if amount > MOST:
            return f"{name} is {amount}, more than any cluster has"
    if need.gpu.count and not 0 < need.gpu.milli <= DEVICE:
        return f"{need.gpu.milli} thousandths of a GPU, which is not from 1 to {DEVICE}"
    return ""


def _whole(amount: float) -> int:
    return int(amount) if isfinite(amount) and abs(amount) <= MOST_REPLICAS else 0


def _amounts(resources: Resources) -> Resources:
    """Each from nothing to `MOST`; what is no number is none."""

    def safe(amount: float) -> int:
        return min(max(int(amount), 0), MOST) if isfinite(amount) else 0

    extended = tuple(sorted((name, safe(amount)) for name, amount in resources.extended))
    return Resources(safe(resources.cpu), safe(resources.memory), safe(resources.ephemeral), extended)
