"""What stays: running replicas and those that the plan before had found a place for.

Where a node still has room for all that was there, all of it stays at once. Only what lies on other nodes, or comes
under a limit, or holds a GPU, is looked at one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from reconciler.model.cluster_view import PodView
from reconciler.model.plan import Constraint
from reconciler.planner.grouping import Groups
from reconciler.planner.holdings import Standing, standing
from reconciler.planner.intake import Intake
from reconciler.planner.ledger import Ledger
from reconciler.planner.packing import Slot
from reconciler.planner.shapes import Bools, Ints

_NONE: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class Own:
    """Pods of the workloads that are planned: how many of each `key`, workload × nodes + node, in order; the devices
    that they are known to hold, by workload and node."""

    keys: Ints
    counts: Ints
    devices: Mapping[tuple[int, int], list[tuple[int, ...]]]


@dataclass
class Kept:
    """`homes` are rows of replicas that ran or were planned, `running` of which so many run. By workload and node,
    `homeless` are those of them that could not stay."""

    homes: Standing
    running: Ints
    homeless: dict[int, dict[int, int]] = field(default_factory=dict)

    @cached_property
    def anything_runs(self) -> bool:
        return bool(self.running.any())

    def running_of(self, workload: int) -> Mapping[int, int]:
        if not self.anything_runs:
            return _NONE
        rows = slice(int(self.homes.starts[workload]), int(self.homes.starts[workload + 1]))
        pairs = zip(self.homes.nodes[rows].tolist(), self.running[rows].tolist(), strict=True)
        return {node: count for node, count in pairs if count}

    def homes_of(self, workload: int) -> Mapping[int, int]:
        nodes, counts = self.homes.of(workload)
        return dict(zip(nodes.tolist(), counts.tolist(), strict=True))

    def homeless_of(self, workload: int) -> Mapping[int, int]:
        return self.homeless.get(workload, _NONE)


def own_pods(intake: Intake) -> tuple[Own, list[tuple[PodView, int]]]:
    """Pods of the workloads that are planned, and all others with their nodes.

    What ran on a node that is not ready is lost with it: its room comes back with the node, not before.
    """
    told, on, workloads = intake.running, intake.on, intake.of
    ready = np.array([*(node.ready for node in intake.nodes), False], np.bool_)[on]
    own = ready & (workloads >= 0)
    keys, counts = np.unique(workloads[own] * max(len(intake.nodes), 1) + on[own], return_counts=True)
    devices: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for row in told.in_order(np.flatnonzero(own & told.gpu)):
        devices.setdefault((int(workloads[row]), int(on[row])), []).append(told.pods[row].devices)
    others = told.in_order(np.flatnonzero(ready & ~own))
    return Own(keys, counts, devices), [(told.pods[row], int(on[row])) for row in others]


def homes(own: Own, planned: Standing, nodes: int) -> Kept:
    """What ran or was planned, sorted by workload and node; nothing of it is kept yet."""
    total, width = len(planned.starts) - 1, max(nodes, 1)
    keys, plans = planned.workloads() * width + planned.nodes, planned.counts
    rows = keys if np.array_equal(keys, own.keys) else _united(keys, own.keys)
    counts, runs = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    runs[np.searchsorted(rows, own.keys)] = own.counts
    counts[np.searchsorted(rows, keys)] = plans
    return Kept(standing(rows // width, rows % width, np.maximum(runs, counts), total), runs)


def _united(one: Ints, other: Ints) -> Ints:
    """Of two rows of numbers that rise, all of them, once. For long rows `np.union1d` takes ten times as long."""
    both = np.sort(np.concatenate([one, other]), kind="stable")
    united: Ints = both[np.append(True, both[1:] != both[:-1])] if len(both) else both
    return united


@dataclass(frozen=True, slots=True)
class Limits:
    """Workloads of which not all may stay by their quotas, and nodes under a limit: there one replica matters to
    another."""

    workloads: Bools
    nodes: Bools


def at_once(intake: Intake, groups: Groups, kept: Kept, free: Ints, limits: Limits) -> Bools:
    """The rows of `kept.homes` that may stay without a closer look, `free` (nodes × resources) being what is left."""
    rows, total = kept.homes, len(intake.needs)
    if not len(rows.nodes):
        return np.zeros(0, np.bool_)
    workloads, shapes = rows.workloads(), groups.shapes
    asked = np.array([need.replicas for need in intake.needs], np.int64)
    refused = np.array([need.identity in intake.refused for need in intake.needs], np.bool_)
    homes_of = np.bincount(workloads, weights=rows.counts, minlength=total)
    plain = (homes_of <= asked) & ~refused & (shapes.count[groups.shape_of] == 0) & ~limits.workloads
    kinds = groups.kinds[rows.nodes]
    admitted = groups.stays[groups.admission_of[workloads], kinds] & ~refused[workloads]
    open_ = groups.shapes.allowed[kinds, groups.shape_of[workloads]] | (rows.counts == kept.running)
    used = np.zeros(free.shape)
    request = shapes.request[groups.shape_of[workloads]].astype(np.float64) * (rows.counts * admitted)[:, None]
    for resource in range(free.shape[1]):
        # Sums of whole numbers below 2^53: their order does not matter.
        used[:, resource] = np.bincount(rows.nodes, weights=request[:, resource], minlength=len(free))
    roomy = (used <= free).all(axis=1) & ~limits.nodes
    found: Bools = plain[workloads] & admitted & open_ & roomy[rows.nodes]
    return found


def settle(ledger: Ledger, own: Own, kept: Kept, stayed: Bools) -> None:
    """Looks closer at the rows that have not `stayed` at once, which are in the ledger already; then at the rules.

    What runs goes first, then what was planned; never more stay than are asked for.
    """
    rows, workloads = kept.homes, kept.homes.workloads()
    left: dict[int, dict[int, tuple[int, int]]] = {}
    for row in np.flatnonzero(~stayed).tolist():
        workload, node = int(workloads[row]), int(rows.nodes[row])
        left.setdefault(workload, {})[node] = int(kept.running[row]), int(rows.counts[row])
    needs = ledger.intake.needs
    for first in (True, False):
        for workload in sorted(left, key=lambda w: (-needs[w].priority, w)):
            wanted = {node: runs if first else home for node, (runs, home) in left[workload].items()}
            _stay(ledger, own, workload, wanted, runs=first)
    planned_only = np.flatnonzero(stayed & (rows.counts > kept.running))
    again: list[int] = []
    if len(planned_only):
        sound = ledger.topology.sound(ledger.holdings.standing())
        ruled = [ledger.topology.ruled(workload) and workload not in sound for workload in range(len(needs))]
        again = _broken(ledger, kept, planned_only[np.array(ruled, np.bool_)[workloads[planned_only]]])
    for workload in {*left, *again}:
        now = ledger.held(workload)
        homeless = {node: count - now.get(node, 0) for node, count in kept.homes_of(workload).items()}
        if any(homeless.values()):
            kept.homeless[workload] = {node: count for node, count in homeless.items() if count > 0}


def _broken(ledger: Ledger, kept: Kept, rows: Ints) -> list[int]:
    """Workloads that were planned where a rule among replicas no longer lets them be: they come in again one by one.

    Rules decide where one may start, not whether it stays (`IgnoredDuringExecution`): what runs is not concerned.
    """
    workloads = kept.homes.workloads()[rows]
    needs, found = ledger.intake.needs, []
    open_ = {w: rows[workloads == w] for w in sorted(set(workloads.tolist()), key=lambda w: (-needs[w].priority, w))}
    changed = True
    while changed:  # who goes may have been what another must be with
        changed = False
        for workload, of_workload in list(open_.items()):
            nodes = kept.homes.nodes[of_workload]
            if not ledger.topology.broken(workload, nodes):
                continue
            del open_[workload]
            found.append(workload)
            surplus = kept.homes.counts[of_workload] - kept.running[of_workload]
            ledger.enter_many(workload, nodes, -surplus)
            wanted = dict(zip(nodes.tolist(), kept.homes.counts[of_workload].tolist(), strict=True))
            _stay(ledger, _NO_PODS, workload, wanted, runs=False)
            changed = True
    return found


_NO_PODS = Own(np.zeros(0, np.int64), np.zeros(0, np.int64), {})


def _stay(ledger: Ledger, own: Own, workload: int, wanted: Mapping[int, int], *, runs: bool) -> None:
    """Enters what may stay of the replicas that are `wanted` on each node and not there yet."""
    names = ledger.intake.nodes
    left: dict[int, int] = {}
    for node in sorted(wanted, key=lambda n: (wanted[n], names[n].name)):
        missing = wanted[node] - ledger.held(workload).get(node, 0)
        if missing <= 0:
            continue
        if _plain(ledger, workload):
            _all_stay(ledger, workload, node, missing, runs=runs)
        else:
            left[node] = missing
    # Turn by turn over the nodes: a spread lets nobody in while its domains fill one after another.
    while left:
        waiting = sum(left.values())
        for node in list(left):
            number = ledger.held(workload).get(node, 0)
            known = own.devices.get((workload, node), [])
            devices = known[number] if number < len(known) else ()
            if _stays(ledger, workload, node, devices, runs=runs):
                left[node] -= 1
        left = {node: count for node, count in left.items() if count}
        if sum(left.values()) == waiting:
            break


def _plain(ledger: Ledger, workload: int) -> bool:
    """Whether nothing but room decides about its replicas, so that those of one node stay or go at once."""
    shape = int(ledger.groups.shape_of[workload])
    limited = (
        ledger.open_pools(workload) is not None or ledger.quota_left(workload) < ledger.intake.needs[workload].replicas
    )
    return not (limited or ledger.groups.shapes.count[shape] or ledger.topology.constrained(workload))


def _admitted(ledger: Ledger, workload: int, node: int, *, runs: bool) -> bool:
    """Whether it may be there: what was only planned may not come to a node that takes nothing new."""
    groups = ledger.groups
    if ledger.intake.needs[workload].identity in ledger.intake.refused:
        return False
    refusal = groups.refusal(workload, int(groups.kinds[node]))
    return refusal is None or (runs and refusal is Constraint.READY)


def _all_stay(ledger: Ledger, workload: int, node: int, count: int, *, runs: bool) -> None:
    """Enters as many of them as fit and are wanted."""
    groups, need = ledger.groups, ledger.intake.needs[workload]
    shape = int(groups.shape_of[workload])
    if not _admitted(ledger, workload, node, runs=runs):
        return
    free, request = ledger.nodes.states.free[ledger.nodes.number[node]], groups.shapes.request[shape]
    room = min(int(left) // int(asked) for left, asked in zip(free, request, strict=True) if asked)
    staying = max(min(count, room, need.replicas - ledger.count(workload)), 0)
    if staying:
        ledger.enter_many(workload, np.array([node]), np.array([staying]))


def _stays(ledger: Ledger, workload: int, node: int, devices: tuple[int, ...], *, runs: bool) -> bool:
    """Enters one replica where it is, if it is still wanted, may be there and fits."""
    groups, need = ledger.groups, ledger.intake.needs[workload]
    if ledger.count(workload) >= need.replicas or not _admitted(ledger, workload, node, runs=runs):
        return False
    if not (runs or ledger.allows(workload, node)):
        return False
    slot = _slot(ledger, int(groups.shape_of[workload]), node, devices)
    if slot is None:
        return False
    ledger.enter(workload, slot)
    return True


def _slot(ledger: Ledger, shape: int, node: int, wanted: Sequence[int]) -> Slot | None:
    """Room on the node, on the devices that it is known to hold if they are free; None where there is none.

    A cordoned node is not `allowed`, so room is looked at here and not by score.
    """
    nodes, shapes = ledger.nodes, ledger.groups.shapes
    if (nodes.states.free[nodes.number[node]] < shapes.request[shape]).any():
        return None
    count, milli, free = int(shapes.count[shape]), int(shapes.milli[shape]), nodes.devices[node]
    if not count:
        return Slot(node, 0)
    enough = [device for device, left in enumerate(free) if left >= milli]
    if len(enough) < count:
        return None
    if len(set(wanted)) == count and set(wanted) <= set(enough):
        chosen = list(wanted)
    else:
        chosen = sorted(enough, key=lambda device: (free[device], device))[:count]
    return Slot(node, sum(1 << device for device in chosen))
