"""How the planner weighs: three weighted sums, each term in [0, 1], so that an explanation adds up to its score."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from reconciler.model.cluster_view import Resources
from reconciler.model.planner_config import PlannerSettings


class Family(StrEnum):
    SCHEDULING = "f"  # where it fits best
    POLICY = "g"  # what people prefer
    ALLOCATION = "h"  # how much, and how many


class TermName(StrEnum):
    """A closed set. Each term is 1 for the best that could be and 0 for the worst."""

    FIT = "fit"  # little room is left over on the node
    BALANCE = "balance"  # cpu, memory and GPUs of the node are used evenly
    FRAGMENTATION = "fragmentation"  # free GPU that the others cannot use does not grow
    SCARCITY = "scarcity"  # it does not fill what others must have
    COST = "cost"  # the pool is cheap
    SPREAD = "spread"  # few replicas of the same workload are beside it; zones are used evenly
    STICKINESS = "stickiness"  # it is there already
    AFFINITY = "affinity"  # what its preferred affinities ask for
    ZONE = "zone"  # no soft spread constraint is stretched
    SPOT = "spot"  # the pool is not interrupted
    DEMAND = "demand"  # the share of the past that would have been met
    HEADROOM = "headroom"  # room for what the past did not show
    SLACK = "slack"  # little is asked for that nobody uses
    KILLS = "kills"  # memory rarely runs out


_POLICY: Final = frozenset((TermName.AFFINITY, TermName.ZONE, TermName.SPOT))
_ALLOCATION: Final = frozenset((TermName.DEMAND, TermName.HEADROOM, TermName.SLACK, TermName.KILLS))

FAMILY: Final[Mapping[TermName, Family]] = MappingProxyType(
    {
        name: Family.POLICY if name in _POLICY else Family.ALLOCATION if name in _ALLOCATION else Family.SCHEDULING
        for name in TermName
    }
)

_BALANCED: Final = {
    TermName.FIT: 0.035,
    TermName.BALANCE: 0.02,
    TermName.FRAGMENTATION: 4.0,
    TermName.SCARCITY: 0.5,
    TermName.COST: 0.1,
    TermName.SPREAD: 0.15,
    TermName.STICKINESS: 0.3,
    TermName.AFFINITY: 0.2,
    TermName.ZONE: 0.2,
    TermName.SPOT: 0.02,
    # With these, the ninetieth percentile and the configured headroom score highest, whatever is measured.
    TermName.DEMAND: 0.4,
    TermName.HEADROOM: 1.0,
    TermName.SLACK: 1.0,
    TermName.KILLS: 0.5,
}
_LEAN: Final = {TermName.DEMAND: 0.2, TermName.HEADROOM: 0.1}
_ROOMY: Final = {TermName.DEMAND: 4.0, TermName.SLACK: 0.5, TermName.KILLS: 8.0}

PROFILES: Final[Mapping[str, Mapping[TermName, float]]] = MappingProxyType(
    {
        "balanced": MappingProxyType(_BALANCED),
        "cost": MappingProxyType({**_BALANCED, **_LEAN, TermName.COST: 0.5, TermName.SPREAD: 0.03, TermName.SPOT: 0.0}),
        "resilient": MappingProxyType(
            {**_BALANCED, **_ROOMY, TermName.COST: 0.03, TermName.SPREAD: 0.6, TermName.SPOT: 0.2}
        ),
    }
)


SPARES: Final[Mapping[str, int]] = MappingProxyType({"balanced": 2, "cost": 1, "resilient": 3})
"""By profile: replicas where nothing says how many are needed, as far as there are as many zones or nodes."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What replicas and requests are reckoned with.

    `requests` are by resource, for a workload of which too little was measured; `headroom` comes on top of what was, as
    a part of it; no workload is given more than `max_replicas`. A pod that is asked for is there `start` seconds later.
    """

    requests: Mapping[str, str] = field(default_factory=dict)
    headroom: float = 0.15
    max_replicas: int = 100
    start: float = 60.0


class WrongPolicy(ValueError):
    """A profile or term that does not exist, or a weight not from 0 to 1000; says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A profile, weights over it, and what the search may spend. WrongPolicy where it makes no sense.

    `move_price` is what moving one running replica costs, in replicas of the lowest priority; `move_budget` how many
    may move in one plan. `iterations` bounds the search: a number, never seconds, so that the same input gives the
    same plan. `quotas` caps the requests of a namespace's planned workloads.
    """

    profile: str = "balanced"
    weights: Mapping[str, float] = field(default_factory=dict)
    move_price: float = 0.05
    move_budget: int = 100
    iterations: int = 2000
    seed: int = 1
    quotas: Mapping[str, Resources] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise WrongPolicy(f"there is no profile {self.profile!r}; hint: one of {', '.join(PROFILES)}")
        names = {name.value for name in TermName}
        for name, weight in self.weights.items():
            if name not in names:
                raise WrongPolicy(f"there is no term {name!r}; hint: one of {', '.join(sorted(names))}")
            if not 0 <= weight <= 1000:  # not so for NaN either
                raise WrongPolicy(f"the weight of {name} is {weight!r}; hint: a number from 0 to 1000")
        if not 0 <= self.move_price <= 1000 or self.move_budget < 0 or self.iterations < 0:
            raise WrongPolicy("move_price, move_budget and iterations are not negative; move_price is at most 1000")

    def weight(self, name: TermName) -> float:
        """What the term weighs: stated, or the profile's."""
        return float(self.weights.get(name.value, PROFILES[self.profile][name]))

    def of(self, stated: PlannerSettings | None) -> "Policy":
        """The policy for a workload whose spec has `stated` this over it; raises WrongPolicy."""
        if stated is None:
            return self
        return replace(self, profile=stated.profile or self.profile, weights={**self.weights, **stated.weights})
