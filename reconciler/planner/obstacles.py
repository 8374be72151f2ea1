"""What stands in the way of one replica more, node by node, and what would take it away."""

from typing import NamedTuple

import numpy as np

from reconciler.model.cluster_view import HOSTNAME, ZONE
from reconciler.model.plan import Constraint
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.ledger import Ledger
from reconciler.planner.rules import Rule
from reconciler.planner.shapes import Bools, Ints


class Obstacle(NamedTuple):
    """`closed` are the nodes that it closes. A rule among replicas has a `key`, and a `rule` where it is the
    workload's own."""

    constraint: Constraint
    closed: Bools
    key: str = ""
    rule: Rule | None = None


class Obstacles:
    """Of one workload; those of `usable` nodes that have least in the way are `nearest`."""

    def __init__(self, ledger: Ledger, workload: int, usable: Bools, room: Bools) -> None:
        self._ledger, self._workload = ledger, workload
        self._all = [
            Obstacle(part.constraint, ~part.nodes, part.key, part.rule) for part in ledger.topology.parts(workload)
        ]
        if (pools := ledger.open_pools(workload)) is not None:
            self._all.insert(0, Obstacle(Constraint.LIMIT, ~pools))
        if ledger.quota_left(workload) <= 0:
            self._all.insert(0, Obstacle(Constraint.QUOTA, np.ones(len(usable), np.bool_)))
        self._all.append(Obstacle(Constraint.CAPACITY, ~room))
        self.count: Ints = np.sum([each.closed for each in self._all], axis=0, dtype=np.int64)
        self._full = usable & (self.count == 1) & ~room
        fewest = int(self.count[usable].min())
        self.nearest: Bools = usable & (self.count == fewest)

    def first(self) -> Obstacle:
        """The first that closes any of the nearest nodes: a quota, a limit, a rule, a lack of room."""
        return next((each for each in self._all if (each.closed & self.nearest).any()), self._all[-1])

    def at(self, node: int) -> list[Obstacle]:
        return [each for each in self._all if each.closed[node]]

    def said(self, room: Bools) -> str:
        """How many of the nodes that have room each closes."""
        closing = [(each.constraint.value, int((each.closed & room).sum())) for each in self._all]
        return " and ".join(f"{what} rules out {count}" for what, count in closing if count)

    def ways(self, obstacle: Obstacle, node: int) -> list[str]:
        """Changes each of which makes the node, or another, take the replica if nothing else is in the way there; the
        surest last."""
        ledger, name = self._ledger, self._ledger.intake.nodes[node].name
        match obstacle.constraint:
            case Constraint.QUOTA:
                return [" and ".join(each.way for each in ledger.closing(self._workload))]
            case Constraint.LIMIT:
                return [f"raise the limit of pool {ledger.intake.pools[ledger.intake.of_pool[node]].name}"]
            case Constraint.SPREAD if obstacle.rule is not None:
                skew = ledger.topology.skew(obstacle.rule, node)
                soft = f"use whenUnsatisfiable: ScheduleAnyway over {obstacle.key}"
                wider = [] if skew is None else [f"raise its maxSkew over {obstacle.key} to {skew}"]
                return [*self._another(obstacle, name), *wider, soft]
            case Constraint.AFFINITY:
                return [*self._another(obstacle, name), f"make its affinity over {obstacle.key} preferred"]
        whose = "its" if obstacle.rule is not None else "the others'"
        return [*self._another(obstacle, name), f"make {whose} anti-affinity over {obstacle.key} preferred"]

    def _another(self, obstacle: Obstacle, name: str) -> list[str]:
        """One that only lacks room, once more; or one like this, where that is no longer closed."""
        if not another_would_do(self._ledger, self._workload):
            return []
        full = np.flatnonzero(self._full)
        if len(full):
            return [f"add a node like {self._ledger.intake.nodes[int(full[0])].name}"]
        if obstacle.constraint is Constraint.AFFINITY:
            return []
        if obstacle.key == HOSTNAME:
            return [f"add a node like {name}"]
        need = self._ledger.intake.needs[self._workload]
        pinned = _selects(need, obstacle.key) or (obstacle.key == ZONE and (need.zones or need.volume_zones))
        others = (Constraint.AFFINITY, Constraint.SPREAD)  # these would close it again
        if pinned or any(each.constraint in others and each.key == obstacle.key for each in self._all):
            return []
        return [f"add a node like {name}, but with another {obstacle.key}"]


def another_would_do(ledger: Ledger, workload: int) -> bool:
    """Whether a node of another name, and empty, could take what one does that there is."""
    need = ledger.intake.needs[workload]
    beside = (rule for rule in need.affinities if rule.required and not rule.anti)
    return not _selects(need, HOSTNAME) and all(rule.topology_key != HOSTNAME for rule in beside)


def _selects(need: WorkloadNeed, label: str) -> bool:
    """Whether it asks for the label in a node."""
    return label in need.node_selector or any(each.key == label for term in need.node_affinity for each in term)


def either(ways: list[str]) -> str:
    """ "a, b, or c"."""
    return ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])}, or {ways[-1]}"
