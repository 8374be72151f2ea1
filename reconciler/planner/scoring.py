"""The score of every node for one workload: what its state says, what its class says, and what is beside it.

Each term is in [0, 1]; the score is Σ weight · term over the families f and g (see `model.planning_policy`).
"""

from collections.abc import Sequence

import numpy as np

from reconciler.model.cluster_view import NodeView
from reconciler.model.plan import Constraint, Option, Place, Term
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import FAMILY, Family, Policy, TermName
from reconciler.planner.grouping import Groups
from reconciler.planner.intake import Intake, prices
from reconciler.planner.packing import Nodes
from reconciler.planner.states import Floats, Ints, Weights
from reconciler.planner.topology import Topology

ORDER = tuple(name for name in TermName if FAMILY[name] is not Family.ALLOCATION)


def state_weights(policy: Policy) -> Weights:
    names = (TermName.FIT, TermName.BALANCE, TermName.FRAGMENTATION)
    return Weights(*(policy.weight(name) for name in names))


class Scorer:
    """Scores and explains. `homes` (workloads × nodes, sparse) are the replicas that are there already."""

    def __init__(self, intake: Intake, groups: Groups, nodes: Nodes, topology: Topology, policy: Policy) -> None:
        self._intake, self._groups, self._nodes, self._topology = intake, groups, nodes, topology
        self._weight = {name: policy.weight(name) for name in ORDER}
        count = len(intake.nodes)
        self._cost, self._calm = _pool_terms(intake)
        self.scarcity = np.ones((len(groups.shapes.request), len(groups.classes.gpus)))
        self._fixed = self._weight[TermName.COST] * self._cost
        self._preferred: dict[int, Floats | None] = {}
        self._ones = np.ones(count)

    def scores(self, workload: int, here: Ints, homes: Ints) -> Floats:
        """Of one replica more on each node, minus infinity where it does not fit; `here` are the replicas beside it on
        each node, `homes` those which each node had and has not got back."""
        shape = int(self._groups.shape_of[workload])
        score = self._nodes.states.score(shape, self._nodes.number) + self._fixed
        for name, values in self._by_node(workload, here, homes, slice(None)):
            if name is not TermName.COST:
                score = score + self._weight[name] * values
        return score

    def option(self, workload: int, node: int, here: Ints, homes: Ints) -> Option:
        """The candidate in full, with each of its terms."""
        shape, states = int(self._groups.shape_of[workload]), self._nodes.states
        number = self._nodes.number[node : node + 1]
        scored = states.terms(shape, number.astype(np.int64))
        best = int(states.total(scored).argmax())
        values = {
            TermName.FIT: float(scored.fit[best]),
            TermName.BALANCE: float(scored.balance[best]),
            TermName.FRAGMENTATION: float(scored.fragmentation[best]),
        }
        for name, of_node in self._by_node(workload, here, homes, slice(node, node + 1)):
            values[name] = float(of_node[0])
        terms = tuple(
            Term(name, FAMILY[name], values[name], self._weight[name]) for name in ORDER if self._weight[name]
        )
        return Option(self.place(node), self._intake.nodes[node].name, terms)

    def spread_weight(self) -> float:
        return self._weight[TermName.SPREAD]

    def place(self, node: int) -> Place:
        return self._groups.places[int(self._groups.place_of[node])]

    def _by_node(self, workload: int, here: Ints, homes: Ints, at: slice) -> list[tuple[TermName, Floats]]:
        """The terms that a state does not decide, of the nodes `at`."""
        groups = self._groups
        shape = int(groups.shape_of[workload])
        need = self._intake.needs[workload]
        replicas = max(need.replicas, 1)
        where = groups.place_of[at]
        beside = here[at].astype(np.float64)
        if here.any():
            beside += np.bincount(groups.place_of, weights=here, minlength=len(groups.places))[where]
        affinity = self._affinity(workload, need)
        zone = self._topology.preference(workload, Constraint.SPREAD)
        return [
            (TermName.SCARCITY, self.scarcity[shape][groups.kinds[at]]),
            (TermName.COST, self._cost[at]),
            (TermName.SPREAD, np.clip(1 - beside / (2 * replicas), 0, 1)),
            (TermName.STICKINESS, (homes[at] > 0).astype(np.float64)),
            (TermName.AFFINITY, (affinity if affinity is not None else self._ones)[at]),
            (TermName.ZONE, (zone if zone is not None else self._ones)[at]),
            (TermName.SPOT, self._calm[at]),
        ]

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


def _pool_terms(intake: Intake) -> tuple[Floats, Floats]:
    """Cost and calm of each node's pool. Room that would have to be bought first is the dearest."""
    known = prices(intake.pools)
    units = [  # of one core and hour: a large node is dearer, but no worse
        known[pool] / max(node.allocatable.cpu, 1) if pool >= 0 else -1.0
        for node, pool in zip(intake.nodes, intake.of_pool, strict=True)
    ]
    most = max(units, default=0.0)
    cost, calm = [], []
    for node, pool, unit in zip(intake.nodes, intake.of_pool, units, strict=True):
        of: Pool | None = intake.pools[pool] if pool >= 0 else None
        cost.append(0.0 if node.name in intake.grown else 1 - max(unit, 0.0) / most / 2 if most > 0 else 1.0)
        calm.append(0.0 if of is not None and of.spot else 1.0)
    return np.array(cost, np.float64), np.array(calm, np.float64)
