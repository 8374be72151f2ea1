"""What the planner is asked: the needs of each workload and the pools there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import (
    NO_GPU,
    Gpu,
    NodeTerm,
    NodeView,
    PodAffinity,
    Resources,
    Toleration,
    TopologySpread,
)
from reconciler.model.planner_config import PlannerSettings

LABEL_POOL: Final = "reconciler.dev/pool"  # of the nodes of a pool that no configuration describes


@dataclass(frozen=True, slots=True)
class WorkloadNeed:
    """One workload as its spec states it, what it leaves open filled in by the steps before placement.

    What is stated is required: `pool`, `zones`, `node_selector`, `node_affinity` (any of the terms), `volume_zones`
    (where its volumes already are). `preferred` are (weight 1 … 100, term) of node affinity. `disruptions` is how many
    replicas its PodDisruptionBudgets let us move now; None where there is none. `movable` says that running replicas
    may be moved at all.

    `weighs` is what the spec itself says of how to weigh, over the policy. `renewed`: all its pods are about to be made
    anew, so what runs does not hold its place; to come back there is worth its stickiness.
    """

    identity: Identity
    replicas: int
    requests: Resources
    gpu: Gpu = NO_GPU
    labels: Mapping[str, str] = field(default_factory=dict)
    pool: str | None = None
    zones: frozenset[str] = frozenset()
    volume_zones: frozenset[str] = frozenset()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_affinity: tuple[NodeTerm, ...] = ()
    preferred: tuple[tuple[int, NodeTerm], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    affinities: tuple[PodAffinity, ...] = ()
    spreads: tuple[TopologySpread, ...] = ()
    priority: int = 0
    disruptions: int | None = None
    movable: bool = False
    weighs: PlannerSettings | None = None
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes that share a price: those that carry every label of `node_selector`; of several pools the
    one with the most labels, then the first by name.

    `price` of one node and hour, in any one currency; None where it is not known. `limits` caps the requests of the
    workloads that we plan into it. A pool may have no nodes yet: `template` says what one would be like and `growth`
    how many may be added; a plan may count on them.
    """

    name: str
    node_selector: Mapping[str, str] = field(default_factory=dict)
    price: float | None = None
    spot: bool = False
    limits: Resources | None = None
    template: NodeView | None = None
    growth: int = 0
