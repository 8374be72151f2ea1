"""Where every replica is while a plan is made: one book that keeps nodes, topology, pool limits and quotas in step."""

import numpy as np

from reconciler.model.planning_policy import Policy
from reconciler.planner.grouping import PODS, Groups, amounts_of
from reconciler.planner.intake import Intake
from reconciler.planner.packing import Nodes, Slot
from reconciler.planner.states import Bools, Ints
from reconciler.planner.topology import Topology

_ENDLESS = 1 << 60


class Ledger:
    """Slots by workload and node. Every change goes through `enter` and `strike`."""

    def __init__(self, intake: Intake, groups: Groups, nodes: Nodes, topology: Topology, policy: Policy) -> None:
        self.intake, self.groups, self.nodes, self.topology = intake, groups, nodes, topology
        self.slots: list[dict[int, list[Slot]]] = [{} for _ in intake.needs]
        self._counts = [0] * len(intake.needs)
        self._pool_of = np.array(intake.of_pool, np.int64)
        self._limits = [amounts_of(pool.limits, groups.resources) if pool.limits else None for pool in intake.pools]
        self._quotas = {space: amounts_of(quota, groups.resources) for space, quota in sorted(policy.quotas.items())}
        self._in_pool = np.zeros((len(intake.pools), len(groups.resources)), np.int64)
        self._in_space = {space: np.zeros(len(groups.resources), np.int64) for space in self._quotas}
        self._pods = groups.resources.index(PODS)

    def count(self, workload: int) -> int:
        return self._counts[workload]

    def on_nodes(self, workload: int) -> Ints:
        """Replicas of the workload on each node. The caller may change it."""
        counts = np.zeros(len(self.intake.nodes), np.int64)
        for node, slots in self.slots[workload].items():
            counts[node] = len(slots)
        return counts

    def fits(self, workload: int, node: int) -> bool:
        """Whether there is room for one more replica, whatever the topology says."""
        shape = int(self.groups.shape_of[workload])
        return bool(self.nodes.states.capacity(shape, self.nodes.number[node : node + 1].astype(np.int64))[0] > 0)

    def allows(self, workload: int, node: int) -> bool:
        """Whether topology, limit and quota let one more replica in there."""
        within = self.limit_left(workload, node) > 0 and self.quota_left(workload) > 0
        return within and self.topology.admits(workload, node)

    def enter(self, workload: int, slot: Slot, *, held: bool = False) -> None:
        """One replica more. `held`: its room was taken already (`Nodes.put`)."""
        if not held:
            self.nodes.hold(int(self.groups.shape_of[workload]), slot)
        self.slots[workload].setdefault(slot.node, []).append(slot)
        self._change(workload, slot.node, 1)

    def enter_many(self, workload: int, node: int, count: int) -> None:
        """Several replicas that use no GPU."""
        self.nodes.fill(int(self.groups.shape_of[workload]), node, count)
        self.slots[workload].setdefault(node, []).extend([Slot(node, 0)] * count)
        self._change(workload, node, count)

    def strike(self, workload: int, slot: Slot) -> None:
        """One replica less."""
        self.nodes.free(int(self.groups.shape_of[workload]), slot)
        slots = self.slots[workload][slot.node]
        slots.remove(slot)
        if not slots:
            del self.slots[workload][slot.node]
        self._change(workload, slot.node, -1)

    def open_pools(self, workload: int) -> Bools | None:
        """Nodes whose pool's limit leaves room for one replica; None where no pool has a limit."""
        if not any(self._limits):
            return None
        request = self.groups.shapes.request[self.groups.shape_of[workload]]
        room = np.array(
            [self._left(limit, used, request) > 0 for limit, used in zip(self._limits, self._in_pool, strict=True)]
        )
        found: Bools = np.where(self._pool_of >= 0, np.append(room, True)[self._pool_of], True)
        return found

    def limit_left(self, workload: int, node: int) -> int:
        """How many replicas more the limit of the node's pool allows."""
        pool = int(self._pool_of[node])
        if pool < 0:
            return _ENDLESS
        request = self.groups.shapes.request[self.groups.shape_of[workload]]
        return self._left(self._limits[pool], self._in_pool[pool], request)

    def quota_left(self, workload: int) -> int:
        """How many replicas more the quota of its namespace allows."""
        space = self.intake.needs[workload].identity.namespace
        if space not in self._quotas:
            return _ENDLESS
        request = self.groups.shapes.request[self.groups.shape_of[workload]]
        return self._left(self._quotas[space], self._in_space[space], request)

    def limited(self, node: int) -> bool:
        pool = int(self._pool_of[node])
        return pool >= 0 and self._limits[pool] is not None

    def _left(self, limit: list[int] | None, used: Ints, request: Ints) -> int:
        """An amount of zero in a limit means none was stated."""
        if limit is None:
            return _ENDLESS
        return min(
            (
                max(limit[index] - int(used[index]), 0) // int(request[index])
                for index in range(len(limit))
                if limit[index] and request[index] and index != self._pods
            ),
            default=_ENDLESS,
        )

    def _change(self, workload: int, node: int, count: int) -> None:
        request = count * self.groups.shapes.request[self.groups.shape_of[workload]]
        self._counts[workload] += count
        self.topology.add(workload, node, count)
        pool, space = int(self._pool_of[node]), self.intake.needs[workload].identity.namespace
        if pool >= 0:
            self._in_pool[pool] += request
        if space in self._in_space:
            self._in_space[space] += request
