"""The score of every node for one workload: what its state says, what its class says, and what is beside it.

Each term is in [0, 1]; the score is Σ weight · term over the families f and g (see `model.planning_policy`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from reconciler.model.cluster_view import NodeView
from reconciler.model.plan import Constraint, Option, Place, Term
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import FAMILY, TermName
from reconciler.planner.grouping import Groups
from reconciler.planner.intake import Intake, prices
from reconciler.planner.packing import Nodes
from reconciler.planner.states import Bools, Floats, Ints
from reconciler.planner.topology import Topology
from reconciler.planner.weighing import Weighing


class Scorer:
    """Scores and explains, each workload by its own of the `weighings`. `homes` say where replicas were that are not
    there now, `here` (one number a node) where replicas of the workload are."""

    def __init__(
        self, intake: Intake, groups: Groups, nodes: Nodes, topology: Topology, weighings: Sequence[Weighing]
    ) -> None:
        self._intake, self._groups, self._nodes, self._topology = intake, groups, nodes, topology
        self._weighings = weighings
        self._terms: dict[tuple[TermName, float, float], Term] = {}
        self._cost, self._calm = _pool_terms(intake, groups)
        self._scarcity: Floats | None = None  # by shape and class; nothing is scarce until that is said
        self._fixed: tuple[int, Weighing, Floats] | None = None
        self._preferred: dict[int, Floats | None] = {}

    def weighing(self, workload: int) -> Weighing:
        return self._weighings[workload]

    def heeds(self, name: TermName) -> bool:
        """Whether the term weighs anything for some workload."""
        return any(each[name] for each in {id(each): each for each in self._weighings}.values())

    def foresee(self, scarcity: Floats) -> None:
        """What is scarce: a term for each shape and class."""
        self._scarcity, self._fixed = scarcity, None

    def scores(self, workload: int, room: Bools, here: Ints, homes: Mapping[int, int]) -> Floats:
        """Of one replica more on each node, minus infinity where it does not fit: where `room` says that there is none.
        What is the same for all nodes is left out."""
        shape, score = int(self._groups.shape_of[workload]), np.full(len(room), -np.inf)
        nodes, weights = np.flatnonzero(room), self._weighings[workload]
        states = self._nodes.states.score(shape, self._nodes.number[nodes], weights.states)
        score[nodes] = states + self._of_shape(shape, weights)[nodes]
        beside = self._beside(workload, here)
        if beside is not None:
            score += weights[TermName.SPREAD] * beside
        for node, count in homes.items():
            score[node] += weights[TermName.STICKINESS] if count > 0 else 0.0
        affinity = self._affinity(workload, self._intake.needs[workload])
        if affinity is not None:
            score += weights[TermName.AFFINITY] * affinity
        zone = self._topology.preference(workload, Constraint.SPREAD)
        if zone is not None:
            score += weights[TermName.ZONE] * zone
        return score

    def options(self, workload: int, nodes: Sequence[int], here: Ints, homes: Mapping[int, int]) -> list[Option]:
        """Candidates in full, with each of their terms; on each node the replica must fit."""
        shape, states = int(self._groups.shape_of[workload]), self._nodes.states
        at, weights = np.array(nodes, np.int64), self._weighings[workload]
        scored = states.terms(shape, self._nodes.number[at].astype(np.int64))
        total = states.total(scored, weights.states)
        affinity = self._affinity(workload, self._intake.needs[workload])
        zone = self._topology.preference(workload, Constraint.SPREAD)
        beside = self._beside(workload, here)
        found = []
        for index, node in enumerate(nodes):
            own = np.flatnonzero(scored.owner == index)
            best = int(own[total[own].argmax()])
            kind = int(self._groups.kinds[node])
            scarcity = 1.0 if self._scarcity is None else float(self._scarcity[shape, kind])
            values = {
                TermName.FIT: float(scored.fit[best]),
                TermName.BALANCE: float(scored.balance[best]),
                TermName.FRAGMENTATION: float(scored.fragmentation[best]),
                TermName.SCARCITY: scarcity,
                TermName.COST: float(self._cost[kind]),
                TermName.SPREAD: 1.0 if beside is None else float(beside[node]),
                TermName.STICKINESS: float(homes.get(node, 0) > 0),
                TermName.AFFINITY: 1.0 if affinity is None else float(affinity[node]),
                TermName.ZONE: 1.0 if zone is None else float(zone[node]),
                TermName.SPOT: float(self._calm[kind]),
            }
            terms = tuple([self._term(name, values[name], weights[name]) for name in weights.counted])
            found.append(Option(self.place(node), self._intake.nodes[node].name, terms))
        return found

    def _term(self, name: TermName, value: float, weight: float) -> Term:
        """One object for equal terms: most are 0 or 1, and a plan has tens of thousands."""
        term = self._terms.get((name, value, weight))
        if term is None:
            term = self._terms[name, value, weight] = Term(name, FAMILY[name], value, weight)
        return term

    def place(self, node: int) -> Place:
        return self._groups.places[int(self._groups.place_of[node])]

    def _of_shape(self, shape: int, weights: Weighing) -> Floats:
        """What the class and the pool of each node are worth to the shape. Shapes come one after another."""
        if self._fixed is None or self._fixed[0] != shape or self._fixed[1] is not weights:
            of_class = weights[TermName.COST] * self._cost + weights[TermName.SPOT] * self._calm
            if self._scarcity is not None:
                of_class += weights[TermName.SCARCITY] * self._scarcity[shape]
            self._fixed = shape, weights, of_class[self._groups.kinds]
        return self._fixed[2]

    def _beside(self, workload: int, here: Ints) -> Floats | None:
        """1 where no replica of the workload is near, less for each on the node and in its place; None where there are
        none anywhere."""
        held = np.flatnonzero(here)
        if not len(held):
            return None
        replicas, groups = max(self._intake.needs[workload].replicas, 1), self._groups
        near = np.bincount(groups.place_of[held], weights=here[held], minlength=len(groups.places))[groups.place_of]
        near += here
        beside: Floats = np.clip(1 - near / (2 * replicas), 0, 1)
        return beside

    def _affinity(self, workload: int, need: WorkloadNeed) -> Floats | None:
        """Preferred node affinity by weight, preferred pod affinity beside it."""
        if workload not in self._preferred:
            self._preferred[workload] = _preferred(need, self._groups.members, self._groups.kinds)
        nodes = self._preferred[workload]
        pods = self._topology.preference(workload, Constraint.AFFINITY)
        if nodes is None or pods is None:
            return pods if nodes is None else nodes
        both: Floats = (nodes + pods) / 2
        return both


def _preferred(need: WorkloadNeed, members: Sequence[NodeView], kinds: Ints) -> Floats | None:
    total = sum(max(weight, 1) for weight, _ in need.preferred)
    if not total:
        return None
    met = [
        sum(max(weight, 1) for weight, term in need.preferred if all(each.matches(member.labels) for each in term))
        for member in members
    ]
    share: Floats = np.array(met, np.float64)[kinds] / total
    return share


def _pool_terms(intake: Intake, groups: Groups) -> tuple[Floats, Floats]:
    """Cost and calm of each class's pool. Room that would have to be bought first is the dearest."""
    known = prices(intake.pools)
    pools = [intake.of_pool[intake.at[member.name]] for member in groups.members]
    units = [  # of one core and hour: a large node is dearer, but no worse
        known[pool] / max(member.allocatable.cpu, 1) if pool >= 0 else -1.0
        for member, pool in zip(groups.members, pools, strict=True)
    ]
    most = max(units, default=0.0)
    cost, calm = [], []
    for member, pool, unit in zip(groups.members, pools, units, strict=True):
        of: Pool | None = intake.pools[pool] if pool >= 0 else None
        cost.append(0.0 if member.name in intake.grown else 1 - max(unit, 0.0) / most / 2 if most > 0 else 1.0)
        calm.append(0.0 if of is not None and of.spot else 1.0)
    return np.array(cost, np.float64), np.array(calm, np.float64)
