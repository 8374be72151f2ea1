"""The planner's part of the daemon's configuration, and what a repository may say to it in its `reconciler.yaml`.

schemas/config.json and schemas/repository.json rule. Amounts are written as Kubernetes writes them: `cpu: 500m`.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

Amounts = dict[str, str | int | float]  # by resource: cpu, memory, nvidia.com/gpu, …

LARGEST_HEADROOM: Final = 10.0


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class TaintConfig(_Config, frozen=True):
    key: str
    effect: str
    value: str = ""


class NodeTemplate(_Config, frozen=True):
    """What a node would be like that a pool does not have yet. `allocatable` is without what daemons' pods take."""

    allocatable: Amounts
    labels: dict[str, str] = {}  # beside those of the pool's nodeSelector
    taints: tuple[TaintConfig, ...] = ()


class PoolConfig(_Config, frozen=True):
    """Nodes that share a price. The first pool that a node matches is its pool."""

    name: str
    node_selector: dict[str, str]
    price: float | None = None  # of a node and hour, in any one currency
    spot: bool = False
    limits: Amounts = {}  # of the requests of all planned workloads in it
    template: NodeTemplate | None = None
    growth: int = 0  # nodes like the template that may yet be added


class WeightRange(_Config, frozen=True):
    min: float = 0.0
    max: float = 1000.0


class RepositoryLimits(_Config, frozen=True):
    """What a `reconciler.yaml`, or a spec for itself, may choose; what is not named here is not for them to say."""

    profiles: tuple[str, ...] = ()
    weights: dict[str, WeightRange] = {}  # by term


class KubernetesUsage(_Config, frozen=True):
    """metrics-server, or whatever serves metrics.k8s.io."""


class PrometheusUsage(_Config, frozen=True):
    """A server that answers PromQL. Files are read at each question."""

    url: str
    token_file: str | None = None
    ca_file: str | None = None


class UsageConfig(_Config, frozen=True):
    """Exactly one of `kubernetes` and `prometheus` is stated."""

    kubernetes: KubernetesUsage | None = None
    prometheus: PrometheusUsage | None = None
    interval: float = 60.0  # seconds between two measurements


class DefaultsConfig(_Config, frozen=True):
    """Of a workload whose spec states none, while too little was measured to tell better."""

    requests: Amounts = {}


class EvictionsConfig(_Config, frozen=True):
    """Running replicas are moved only where `per_cycle` is above 0, and within disruption budgets."""

    per_cycle: int = 0


class PlannerSettings(_Config, frozen=True):
    """What a repository would like, or a spec for itself; it counts as far as `RepositoryLimits` let it."""

    profile: str | None = None
    weights: dict[str, float] = {}


class Beyond(NamedTuple):
    """What the configuration does not let: where in the settings, why, and for a weight beyond its range what it
    `counts` as."""

    path: tuple[str, ...]
    why: str
    counts: float | None = None

    def __str__(self) -> str:
        """For a repository, whose wish counts as far as may be."""
        return self.why if self.counts is None else f"{self.why}; it counts as {self.counts:g}"


class PlannerConfig(_Config, frozen=True):
    """Without pools they are told from the nodes' labels. Without `usage` nothing is measured."""

    profile: str = "balanced"
    weights: dict[str, float] = {}  # by term, over the profile
    repositories: RepositoryLimits = RepositoryLimits()
    pools: tuple[PoolConfig, ...] = ()
    quotas: dict[str, Amounts] = {}  # by namespace: of the requests of its planned workloads
    usage: UsageConfig | None = None
    headroom: float = 0.15  # on top of what was measured, as a part of it
    defaults: DefaultsConfig = DefaultsConfig()
    evictions: EvictionsConfig = EvictionsConfig()
    max_replicas: int = 100  # that are ever planned for one workload
    pod_start: float = 60.0  # seconds from asking for a pod until it serves: how far ahead demand is looked at

    def beyond(self, stated: PlannerSettings) -> Iterator[Beyond]:
        """All of `stated` that a repository or a spec is not let; the daemon's own profile needs no leave."""
        if stated.profile not in (None, self.profile, *self.repositories.profiles):
            yield Beyond(("profile",), _unnamed(f"profile {stated.profile}", "profiles"))
        for term, weight in sorted(stated.weights.items()):
            what = f"the weight of {term}"
            if (limits := self.repositories.weights.get(term)) is None:
                yield Beyond(("weights", term), _unnamed(what, "weights"))
            elif not limits.min <= weight <= limits.max:
                range_ = f"from {limits.min:g} to {limits.max:g}"
                why = f"{what} is {weight:g}, and the daemon's configuration lets it be {range_}"
                yield Beyond(("weights", term), why, min(max(weight, limits.min), limits.max))


def _unnamed(what: str, field: str) -> str:
    return f"{what} is not among planner.repositories.{field} of the daemon's configuration"
