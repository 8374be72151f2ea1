"""Where every replica is while a plan is made: one book that keeps nodes, topology, pool limits and quotas in step."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from reconciler.planner.allowances import ENDLESS, Allowance
from reconciler.planner.grouping import Groups
from reconciler.planner.holdings import Holdings
from reconciler.planner.intake import Intake
from reconciler.planner.packing import Nodes, Slot
from reconciler.planner.quotas import Closing, NamespaceQuota, counted, most_of, requests
from reconciler.planner.shapes import Bools, Floats, Ints
from reconciler.planner.topology import Topology


class _Room(NamedTuple):
    """As it was when so many changes were `seen`."""

    seen: int
    nodes: Bools
    any: bool


class Ledger:
    """Every change goes through `enter`, `enter_many` and `strike`."""

    def __init__(
        self,
        intake: Intake,
        groups: Groups,
        nodes: Nodes,
        topology: Topology,
        holdings: Holdings,
        quotas: Mapping[str, NamespaceQuota],
    ) -> None:
        self.intake, self.groups, self.nodes, self.topology = intake, groups, nodes, topology
        self.holdings = holdings
        begin = holdings.standing()
        workloads = begin.workloads()
        self.counts: Ints = np.zeros(len(intake.needs), np.int64)
        np.add.at(self.counts, workloads, begin.counts)
        self.placed: Ints = np.zeros(groups.shapes.allowed.shape, np.int64)  # by class and shape
        np.add.at(self.placed, (groups.kinds[begin.nodes], groups.shape_of[workloads]), begin.counts)
        self.asked: Ints = np.array([need.replicas for need in intake.needs], np.int64)
        self.demand: Floats = np.zeros(len(groups.shapes.request))  # replicas of each shape that are asked for
        np.add.at(self.demand, groups.shape_of, self.asked)
        self.asks = _asks(groups)
        self._changes: list[Ints] = []  # nodes, as they changed
        self._rooms: dict[int, _Room] = {}  # by what is asked for
        self._devices: dict[tuple[int, int], list[int]] = {}
        self._pool_of = np.array(intake.of_pool, np.int64)
        self._limits = [Allowance.of(most_of(pool.limits, groups)) if pool.limits else None for pool in intake.pools]
        self._quotas = quotas
        self._requests = requests(groups)
        for workload, count in enumerate(self.counts.tolist()) if quotas else ():
            if count and (quota := self.quota(workload)) is not None:
                quota.add(self.request(workload), count)

    def lacking(self) -> list[int]:
        """Workloads of which replicas have no place."""
        found: list[int] = np.flatnonzero(self.counts < self.asked).tolist()
        return found

    def wanting(self) -> list[int]:
        """Those of them that their quotas let have one more."""
        return [workload for workload in self.lacking() if self.quota_left(workload) > 0]

    def missing(self, workload: int) -> int:
        return int(self.asked[workload] - self.counts[workload])

    def count(self, workload: int) -> int:
        return int(self.counts[workload])

    def held(self, workload: int) -> Mapping[int, int]:
        """Replicas of the workload by node."""
        return self.holdings.of(workload)

    def slots(self, workload: int, node: int) -> list[Slot]:
        """What its replicas on the node hold, the first that came first."""
        devices = self._devices.get((workload, node))
        return [Slot(node, each) for each in devices or [0] * self.holdings.of(workload).get(node, 0)]

    def fits(self, workload: int, node: int) -> bool:
        """Whether there is room for one more replica, whatever the topology says."""
        shape = int(self.groups.shape_of[workload])
        return bool(self.nodes.states.capacity(shape, self.nodes.number[node : node + 1])[0] > 0)

    def room(self, shape: int) -> Bools:
        """Nodes with room for one more replica, whatever the topology says. The caller must not change it."""
        return self._room(shape).nodes

    def has_room(self, shape: int) -> bool:
        """Whether there is any such node."""
        return self._room(shape).any

    def _room(self, shape: int) -> "_Room":
        ask, states = int(self.asks[shape]), self.nodes.states
        known = self._rooms.get(ask)
        if known is None:
            room: Bools = states.fits(shape, np.arange(states.size, dtype=np.int32))[self.nodes.number]
        elif known.seen == len(self._changes):
            return known
        else:
            room, changed = known.nodes, np.concatenate(self._changes[known.seen :])
            room[changed] = states.fits(shape, self.nodes.number[changed])
        known = self._rooms[ask] = _Room(len(self._changes), room, bool(room.any()))
        return known

    def allows(self, workload: int, node: int) -> bool:
        """Whether topology, limit and quota let one more replica in there."""
        within = self.limit_left(workload, node) > 0 and self.quota_left(workload) > 0
        return within and self.topology.admits(workload, node)

    def enter(self, workload: int, slot: Slot, *, held: bool = False) -> None:
        """One replica more. `held`: its room was taken already (`Nodes.put`)."""
        if not held:
            self.nodes.hold(int(self.groups.shape_of[workload]), slot)
        if slot.devices:
            self._devices.setdefault((workload, slot.node), []).append(slot.devices)
        self._change(workload, np.array([slot.node]), np.ones(1, np.int64))

    def enter_many(self, workload: int, nodes: Ints, counts: Ints) -> None:
        """Several replicas that use no GPU onto each of these nodes; fewer where a count is negative."""
        self.nodes.fill(int(self.groups.shape_of[workload]), nodes, counts)
        self._change(workload, nodes, counts)

    def strike(self, workload: int, slot: Slot) -> None:
        """One replica less."""
        self.nodes.free_again(int(self.groups.shape_of[workload]), slot)
        if slot.devices:
            devices = self._devices[workload, slot.node]
            devices.remove(slot.devices)
            if not devices:
                del self._devices[workload, slot.node]
        self._change(workload, np.array([slot.node]), -np.ones(1, np.int64))

    def open_pools(self, workload: int) -> Bools | None:
        """Nodes whose pool's limit leaves room for one replica; None where no pool has a limit."""
        if not any(self._limits):
            return None
        request = self.request(workload)
        room = np.array([allowance is None or allowance.left(request) > 0 for allowance in self._limits])
        found: Bools = np.where(self._pool_of >= 0, np.append(room, True)[self._pool_of], True)
        return found

    def limits_left(self, workload: int) -> list[int]:
        """How many replicas more the limit of each pool that has one allows."""
        request = self.request(workload)
        return [allowance.left(request) for allowance in self._limits if allowance is not None]

    def limit_left(self, workload: int, node: int) -> int:
        """How many replicas more the limit of the node's pool allows."""
        allowance = self.limit(node)
        return ENDLESS if allowance is None else allowance.left(self.request(workload))

    def quota_left(self, workload: int) -> int:
        """How many replicas more the quota of its namespace allows."""
        allowance = self.quota(workload)
        return ENDLESS if allowance is None else allowance.left(self.request(workload))

    def limit(self, node: int) -> Allowance | None:
        """Of the node's pool. The caller must not change it."""
        pool = int(self._pool_of[node])
        return None if pool < 0 else self._limits[pool]

    def quota(self, workload: int) -> Allowance | None:
        """Of its namespace; None where it has none that can bind. The caller must not change it."""
        found = self._quota(workload)
        return None if found is None else found.allowance

    def closing(self, workload: int) -> list[Closing]:
        """The quotas of its namespace that let no replica more in."""
        found = self._quota(workload)
        return [] if found is None else found.closing(self.request(workload), counted(self.groups))

    def _quota(self, workload: int) -> NamespaceQuota | None:
        return self._quotas.get(self.intake.needs[workload].identity.namespace) if self._quotas else None

    def request(self, workload: int) -> list[int]:
        """What one replica asks for, by resource and of GPUs. The caller must not change it."""
        return self._requests[self.groups.shape_of[workload]]

    def _change(self, workload: int, nodes: Ints, counts: Ints) -> None:
        shape = int(self.groups.shape_of[workload])
        self._changes.append(nodes)
        total = int(counts.sum())
        self.counts[workload] += total
        np.add.at(self.placed[:, shape], self.groups.kinds[nodes], counts)
        for node, count in zip(nodes.tolist(), counts.tolist(), strict=True):
            self.holdings.add(workload, node, count)
        self.topology.add(workload, nodes, counts)
        request, quota = self._requests[shape], self.quota(workload)
        if any(self._limits):
            pools = self._pool_of[nodes]
            for pool in np.unique(pools[pools >= 0]).tolist():
                if (limit := self._limits[pool]) is not None:
                    limit.add(request, int(counts[pools == pool].sum()))
        if quota is not None:
            quota.add(request, total)


def _asks(groups: Groups) -> Ints:
    """A number for each shape: the same for those that differ in their priority alone."""
    shapes = groups.shapes
    table = np.column_stack([shapes.request, shapes.count, shapes.milli, shapes.allowed.T])
    found: Ints = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)
    return found
