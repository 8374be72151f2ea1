"""By which weights each workload is placed: those of the policy, with what its spec says over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import WorkloadNeed
from reconciler.model.planning_policy import FAMILY, Family, Policy, TermName
from reconciler.planner.shapes import Bools
from reconciler.planner.states import Weights

_PLACING = tuple(name for name in TermName if FAMILY[name] is not Family.ALLOCATION)


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """The weights of f and g. `counted` are the terms that weigh anything, `states` the weights that states need."""

    weights: Mapping[TermName, float]
    counted: tuple[TermName, ...]
    states: Weights

    def __getitem__(self, name: TermName) -> float:
        return self.weights[name]


def weighing(policy: Policy) -> Weighing:
    """By the policy alone."""
    weights = {name: policy.weight(name) for name in _PLACING}
    states = Weights(weights[TermName.FIT], weights[TermName.BALANCE], weights[TermName.FRAGMENTATION])
    return Weighing(weights, tuple([name for name in _PLACING if weights[name]]), states)


def weighings(needs: Sequence[WorkloadNeed], policy: Policy) -> list[Weighing]:
    """For each workload; those that weigh alike have the same object."""
    usual = weighing(policy)
    known = {tuple(usual.weights.values()): usual}
    found = []
    for need in needs:
        if need.weighs is None:
            found.append(usual)
            continue
        own = weighing(policy.of(need.weighs))
        found.append(known.setdefault(tuple(own.weights.values()), own))
    return found


def reweighed(
    needs: Sequence[WorkloadNeed],
    before: Mapping[Identity, PlannerSettings],
    now: Mapping[Identity, PlannerSettings],
) -> Bools:
    """By workload, whether its spec says otherwise how to weigh than it did `before`."""
    other = {name for name in {**before, **now} if before.get(name) != now.get(name)}
    return np.array([bool(other) and need.identity in other for need in needs], np.bool_)
