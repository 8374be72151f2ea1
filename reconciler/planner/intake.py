"""What is asked, put in order: sorted, so that the order of the input changes nothing, and made safe to reckon with.

A doubtful number is never guessed: the workload is left where it is or without a place, and a note says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, isnan
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar, cast

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import HOSTNAME, Gpu, NodeView, PodView, Resources
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.pools import pools_of
from reconciler.planner.running import NOTHING_RUNS, Running
from reconciler.planner.running import running as told_running
from reconciler.planner.shapes import Ints

MOST: Final = 1 << 50  # a petabyte, a trillion cores: what is more is not meant
MOST_REPLICAS: Final = 1_000_000
MOST_DEVICES: Final = 62  # a set of devices is the bits of one number
DEVICE: Final = 1000

_Item = TypeVar("_Item")


class Checked(NamedTuple, Generic[_Item]):
    """An input as it `came` and made `safe`, what is `wrong` with it, and a `note` on that."""

    came: _Item
    safe: _Item
    wrong: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What was worked out for single inputs, by the `id` of each, which it holds so that no other gets that id.

    Handed from plan to plan, so that what did not change is not looked at again. Without it the same comes out.
    """

    nodes: Mapping[int, Checked[NodeView]]
    needs: Mapping[int, Checked[WorkloadNeed]]
    running: Running


NOTHING_KNOWN: Final = Known({}, {}, NOTHING_RUNS)


@dataclass(frozen=True, slots=True)
class Intake:
    """`refused` says why a workload cannot be planned as it is stated. `of_pool` is each node's pool, by index."""

    nodes: tuple[NodeView, ...]
    at: Mapping[str, int]  # name → index
    of_pool: tuple[int, ...]  # -1 where no pool matches
    grown: frozenset[str]  # nodes that do not exist yet
    pools: tuple[Pool, ...]
    running: Running
    on: Ints  # the node of each of them, -1 where it is not there
    of: Ints  # the workload of each of them, -1 where it is of none that is planned
    needs: tuple[WorkloadNeed, ...]
    refused: Mapping[Identity, str]
    notes: tuple[str, ...]
    known: Known


def take_in(
    nodes: Iterable[NodeView],
    running: Iterable[PodView],
    workloads: Iterable[WorkloadNeed],
    pools: Iterable[Pool],
    known: Known = NOTHING_KNOWN,
) -> Intake:
    """Sorted by name, duplicates and impossible amounts dealt with."""
    notes: list[str] = []
    sorted_pools = _distinct(sorted(pools, key=attrgetter("name")), attrgetter("name"), "pool", notes)
    checked_nodes = _checked(sorted(nodes, key=attrgetter("name")), known.nodes, attrgetter("name"), _node)
    notes += filter(None, map(attrgetter("note"), checked_nodes))
    existing = _distinct([each.safe for each in checked_nodes], attrgetter("name"), "node", notes)
    grown = [node for pool in sorted_pools for node in _growth(pool, notes)]
    every = tuple(sorted([*existing, *grown], key=attrgetter("name")) if grown else existing)
    identity = attrgetter("identity")
    checked_needs = _checked(sorted(workloads, key=identity), known.needs, identity, _need)
    needs = _distinct(checked_needs, lambda each: each.safe.identity, "workload", notes)
    refused = {each.safe.identity: each.wrong for each in needs if each.wrong}
    notes += [each.note for each in needs if each.note]
    priced = any(pool.price is not None for pool in sorted_pools)
    for pool in sorted_pools:
        if pool.price is not None and not (isfinite(pool.price) and pool.price >= 0):
            notes.append(f"pool {pool.name}: the price {pool.price} is no price: taken as unknown")
        elif pool.price is None and priced:
            notes.append(f"pool {pool.name} has no price: taken as the middle of the others")
    at = dict(zip(map(attrgetter("name"), every), range(len(every)), strict=True))
    told = told_running(running, known.running)
    on = told.on(at)
    if lost := int((on < 0).sum()):
        notes.append(f"{lost} pods are on nodes that are not there: taken as gone")
    of = told.of({each.safe.identity: number for number, each in enumerate(needs)})
    return Intake(
        every, at, pools_of(every, sorted_pools), frozenset(node.name for node in grown), tuple(sorted_pools),
        told, on, of, tuple([each.safe for each in needs]), refused, tuple(notes),
        Known(_by_id(checked_nodes), _by_id(checked_needs), told),
    )  # fmt: skip


def prices(pools: Sequence[Pool]) -> list[float]:
    """Of one node and hour; what is not known is the middle of what is."""
    known = sorted(pool.price for pool in pools if pool.price is not None and isfinite(pool.price) and pool.price >= 0)
    middle = known[len(known) // 2] if known else 0.0
    return [
        pool.price if pool.price is not None and isfinite(pool.price) and pool.price >= 0 else middle for pool in pools
    ]


def _distinct(items: list[_Item], key: Callable[[_Item], object], what: str, notes: list[str]) -> list[_Item]:
    """The first of each; the others are noted."""
    if len(set(map(key, items))) == len(items):
        return items
    found: dict[object, _Item] = {}
    for item in items:
        if key(item) in found:
            notes.append(f"{what} {key(item)} is stated twice: the first counts")
        else:
            found[key(item)] = item
    return list(found.values())


def _growth(pool: Pool, notes: list[str]) -> list[NodeView]:
    if pool.growth > 0 and pool.template is None:
        notes.append(f"pool {pool.name} may grow, but nothing says what its nodes are like: it does not")
    if pool.template is None:
        return []
    found = []
    for number in range(_safe(pool.growth, 10_000)):
        name = f"{pool.name}+{number:04}"
        labels = {**pool.template.labels, **pool.node_selector, HOSTNAME: name}
        checked = _node(replace(pool.template, name=name, labels=labels, ready=True, schedulable=True))
        notes += [checked.note] if checked.note else []
        found.append(checked.safe)
    return found


def _checked(
    items: Sequence[_Item],
    known: Mapping[int, Checked[_Item]],
    name: Callable[[_Item], object],
    check: Callable[[_Item], Checked[_Item]],
) -> list[Checked[_Item]]:
    """Each checked; what is the very object that it was, or equal to it, is not checked again."""
    before = list(map(known.get, map(id, items)))
    if None not in before:
        return cast("list[Checked[_Item]]", before)
    by_name = {name(each.came): each for each in known.values()}
    found = []
    for item, checked in zip(items, before, strict=True):
        if checked is None:
            checked = by_name.get(name(item))
            checked = checked._replace(came=item) if checked is not None and checked.came == item else check(item)
        found.append(checked)
    return found


def _by_id(checked: Sequence[Checked[_Item]]) -> Mapping[int, Checked[_Item]]:
    return dict(zip(map(id, map(attrgetter("came"), checked)), checked, strict=True))


def _node(node: NodeView) -> Checked[NodeView]:
    allocatable = safe_amounts(node.allocatable)
    odd = allocatable != node.allocatable
    gpus, pods = _safe(node.gpus, MOST_DEVICES), _safe(node.pods)
    labels = node.labels if HOSTNAME in node.labels else {**node.labels, HOSTNAME: node.name}
    if not odd and gpus == node.gpus and pods == node.pods and labels is node.labels:
        return Checked(node, node)
    safe = NodeView(
        node.name, allocatable, labels, node.taints, pods, gpus, node.gpu_model, node.ready, node.schedulable
    )
    note = f"node {node.name}: an amount that cannot be is taken as none, or the most there is" if odd else ""
    return Checked(node, safe, note=note)


def _need(need: WorkloadNeed) -> Checked[WorkloadNeed]:
    wrong = _wrong(need)
    if wrong:
        replicas = _safe(need.replicas, MOST_REPLICAS)
        return Checked(need, replace(need, replicas=replicas, requests=Resources(), gpu=Gpu()), wrong)
    if need.replicas > MOST_REPLICAS:
        note = f"{need.identity}: {need.replicas} replicas are taken as {MOST_REPLICAS}"
        return Checked(need, replace(need, replicas=MOST_REPLICAS), note=note)
    return Checked(need, need)


def _wrong(need: WorkloadNeed) -> str:
    """What cannot be meant, in words; "" where all is well."""
    amounts = [("cpu", need.requests.cpu), ("memory", need.requests.memory), ("ephemeral", need.requests.ephemeral)]
    for name, amount in [*amounts, *need.requests.extended, ("replicas", need.replicas), ("GPUs", need.gpu.count)]:
        if amount % 1:  # a caller may hold a NaN
            return f"{name} is {amount!r}, which is no whole number"
        if amount < 0:
            return f"{name} is {amount}, less than nothing"
        if amount > MOST:
            return f"{name} is {amount}, more than any cluster has"
    if need.gpu.count and not 0 < need.gpu.milli <= DEVICE:
        return f"{need.gpu.milli} thousandths of a GPU, which is not from 1 to {DEVICE}"
    return ""


def safe_amounts(resources: Resources) -> Resources:
    """Each from nothing to `MOST`; what is no number is none."""
    extended = tuple(sorted((name, _safe(amount)) for name, amount in resources.extended))
    return Resources(_safe(resources.cpu), _safe(resources.memory), _safe(resources.ephemeral), extended)


def safe_gpu(gpu: Gpu) -> Gpu:
    """As many devices as a node may have, and as much of each as there is; what is no number is none."""
    return Gpu(_safe(gpu.count, MOST_DEVICES), _safe(gpu.milli, DEVICE), gpu.models)


def _safe(amount: float, most: int = MOST) -> int:
    return 0 if isnan(amount % 1) else int(min(max(amount, 0), most))  # nor is infinity a number
