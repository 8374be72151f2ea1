"""The score of every node for one workload: what its state says, what its class says, and what is beside it.

Each term is in [0, 1]; the score is Σ weight · term over the families f and g (see `model.planning_policy`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from reconciler.model.cluster_view import NodeView
from reconciler.model.plan import Constraint, Decision, Option, Place, Term
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import FAMILY, TermName
from reconciler.planner.grouping import Groups
from reconciler.planner.holdings import Holdings
from reconciler.planner.intake import Intake, prices
from reconciler.planner.packing import Nodes
from reconciler.planner.shapes import Bools, Floats, Ints
from reconciler.planner.topology import Topology
from reconciler.planner.weighing import Weighing

FULLER: Final = 3.0  # what the cube of a zone's fullness counts, beside the excess of replicas in it


class Candidate(NamedTuple):
    """A node in its `state` of the moment, and those of its terms that depend on what is where."""

    node: int
    state: int
    changing: Mapping[TermName, float]


class Noted(NamedTuple):
    """A decision before it is worked out: the chosen node, and the runner-up where there is one."""

    workload: int
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> int:
        return self.candidates[0].node


class Scorer:
    """Scores and explains, each workload by its own of the `weighings`. `homes` say where replicas were that are not
    there now."""

    def __init__(
        self,
        intake: Intake,
        groups: Groups,
        nodes: Nodes,
        topology: Topology,
        holdings: Holdings,
        weighings: Sequence[Weighing],
    ) -> None:
        self._intake, self._groups, self._nodes, self._topology = intake, groups, nodes, topology
        self._holdings, self._weighings = holdings, weighings
        self._terms: dict[tuple[TermName, float, float], Term] = {}
        self._cost, self._calm = _pool_terms(intake, groups)
        self._scarcity: Floats | None = None  # by shape and class; nothing is scarce until that is said
        self._fixed: tuple[int, Weighing, Floats] | None = None
        self._preferred: dict[int, Floats | None] = {}
        names = sorted({place.zone for place in groups.places})
        self.zone_of: Ints = np.array([names.index(place.zone) for place in groups.places], np.int64)  # of each place
        self._usable: dict[int, Ints] = {}
        self._fuller: Floats = np.zeros(len(names))

    def look(self) -> None:
        """How much fuller each zone is than the emptiest, which counts the more the fuller it is. Who fills one zone
        leaves no choice to those that come last: they are not spread."""
        if len(self._fuller) < 2:
            return
        zone = self.zone_of[self._groups.place_of]
        capacity, free = self._groups.classes.capacity[self._groups.kinds], self._nodes.free
        whole, left = [[np.bincount(zone, of[:, each]) for each in range(2)] for of in (capacity, free)]
        full = (1 - (np.array(left) / np.maximum(whole, 1)).min(axis=0)) ** 3
        self._fuller = FULLER * (full - full.min())

    def weighing(self, workload: int) -> Weighing:
        return self._weighings[workload]

    def heeds(self, name: TermName) -> bool:
        """Whether the term weighs anything for some workload."""
        return any(each[name] for each in {id(each): each for each in self._weighings}.values())

    def foresee(self, scarcity: Floats) -> None:
        """What is scarce: a term for each shape and class."""
        self._scarcity, self._fixed = scarcity, None

    def scores(self, workload: int, room: Bools, homes: Mapping[int, int]) -> Floats:
        """Of one replica more on each node, minus infinity where it does not fit: where `room` says that there is none.
        What is the same for all nodes is left out."""
        shape, score = int(self._groups.shape_of[workload]), np.full(len(room), -np.inf)
        nodes, weights = np.flatnonzero(room), self._weighings[workload]
        states = self._nodes.states.score(shape, self._nodes.number[nodes], weights.states)
        score[nodes] = states + self._of_shape(shape, weights)[nodes]
        beside = self._beside(workload)
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

    def note(self, workload: int, node: int, score: Floats | None, homes: Mapping[int, int]) -> Noted:
        """The choice of a node, on which the replica must fit, beside what comes second by the `score` of each node;
        without a score beside nothing."""
        nodes = [node] if score is None else [node, *self._second(node, score)]
        affinity = self._affinity(workload, self._intake.needs[workload])
        zone = self._topology.preference(workload, Constraint.SPREAD)
        beside = self._beside(workload)
        found = []
        for each in nodes:
            changing = {
                TermName.SPREAD: 1.0 if beside is None else float(beside[each]),
                TermName.STICKINESS: float(homes.get(each, 0) > 0),
                TermName.AFFINITY: 1.0 if affinity is None else float(affinity[each]),
                TermName.ZONE: 1.0 if zone is None else float(zone[each]),
            }
            found.append(Candidate(each, int(self._nodes.number[each]), changing))
        return Noted(workload, tuple(found))

    def _second(self, node: int, score: Floats) -> list[int]:
        """The best node in another place; without one, the next best."""
        places = self._groups.place_of
        for same in (places == places[node], node):
            others = score.copy()
            others[same] = -np.inf
            if others[second := int(others.argmax())] > -np.inf:
                return [second]
        return []

    def decisions(self, noted: Sequence[Noted]) -> list[Decision]:
        """Each in full, with all of its terms: shape by shape, since that takes many states at once."""
        of_shape: dict[int, list[tuple[int, Candidate]]] = {}
        for number, each in enumerate(noted):
            rows = of_shape.setdefault(int(self._groups.shape_of[each.workload]), [])
            rows += [(number, candidate) for candidate in each.candidates]
        options: list[list[Option]] = [[] for _ in noted]
        for shape, rows in of_shape.items():
            states = np.array([candidate.state for _, candidate in rows], np.int32)
            weights = [self._weighings[noted[number].workload] for number, _ in rows]
            best = self._nodes.states.best(shape, states, [each.states for each in weights])
            for (number, candidate), weighing, terms in zip(rows, weights, best, strict=True):
                options[number].append(self._option(shape, candidate, weighing, terms))
        return [_decision(*each) for each in options]

    def _option(self, shape: int, candidate: Candidate, weights: Weighing, of_state: Sequence[float]) -> Option:
        node, changing = candidate.node, candidate.changing
        kind = int(self._groups.kinds[node])
        fit, balance, fragmentation = of_state
        values = {
            TermName.FIT: fit,
            TermName.BALANCE: balance,
            TermName.FRAGMENTATION: fragmentation,
            TermName.SCARCITY: 1.0 if self._scarcity is None else float(self._scarcity[shape, kind]),
            TermName.COST: float(self._cost[kind]),
            TermName.SPOT: float(self._calm[kind]),
            **changing,
        }
        terms = tuple([self._term(name, values[name], weights[name]) for name in weights.counted])
        return Option(self.place(node), self._intake.nodes[node].name, terms)

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

    def zones(self, workload: int, nodes: Ints, held: Ints) -> tuple[Ints, Ints]:
        """How many replicas of the workload are in each zone, and the zones that it may use. On these `nodes` so many
        are `held`, as its holdings say."""
        admission, groups = int(self._groups.admission_of[workload]), self._groups
        usable = self._usable.get(admission)
        if usable is None:
            places = np.unique(groups.place_of[groups.eligible[admission][groups.kinds]])
            usable = self._usable[admission] = np.unique(self.zone_of[places])
        counts = np.bincount(self.zone_of[groups.place_of[nodes]], held, len(self._fuller)).astype(np.int64)
        return counts, usable

    def _beside(self, workload: int) -> Floats | None:
        """1 where no replica of the workload is near and no zone better: half of it for few on the node and in its
        place, half for a zone with no more of them, and no fuller, than another. None where all are equal."""
        nodes, held = self._holdings.arrays(workload)
        groups = self._groups
        if not len(nodes) and not self._fuller.any():
            return None
        replicas = max(self._intake.needs[workload].replicas, 1)
        counts, usable = self.zones(workload, nodes, held)
        least = int(counts[usable].min()) if len(usable) else 0
        uneven = np.minimum(self._fuller + [excess(count - least) for count in counts.tolist()], 1)
        near = np.bincount(groups.place_of[nodes], held, len(groups.places)) / (2 * replicas)
        beside: Floats = (1 - (near + uneven[self.zone_of]) / 2)[groups.place_of]
        beside[nodes] = np.maximum(beside[nodes] - held / (4 * replicas), 0)
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


def excess(over: int) -> float:
    """How bad it is, from 0 to 1, that a zone has so many replicas more than the one with the fewest."""
    return over / (1 + over) if over > 0 else 0.0


def _decision(chosen: Option, runner_up: Option | None = None) -> Decision:
    """In a wave the places take turns, so that another may look better again; it is no runner-up then."""
    return Decision(chosen, runner_up if runner_up is not None and runner_up.score <= chosen.score else None)


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
