"""The cluster as the planner sees it: only the fields of nodes and pods that decide where something fits.

Units: cpu in thousandths of a core, memory and ephemeral storage in bytes, extended resources in whole units, a shared
GPU in thousandths of one device.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector, Requirement

ZONE: Final = "topology.kubernetes.io/zone"
HOSTNAME: Final = "kubernetes.io/hostname"
# Whole devices, as their plugin calls them. Those of others are extended resources like any other: they are no device
# for a pod that asks for this one.
GPU: Final = "nvidia.com/gpu"
NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"  # the label that every namespace has


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of each resource. `extended` holds (name, units), sorted by name, GPUs left out (see `Gpu`)."""

    cpu: int = 0
    memory: int = 0
    ephemeral: int = 0
    extended: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Gpu:
    """`count` devices, `milli` thousandths of each; of one of `models`, or of any where that is empty."""

    count: int = 0
    milli: int = 1000
    models: frozenset[str] = frozenset()


NO_GPU: Final = Gpu()


class Effect(StrEnum):
    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str = ""
    effect: Effect = Effect.NO_SCHEDULE


@dataclass(frozen=True, slots=True)
class Toleration:
    """As Kubernetes has it: an empty key tolerates every key, no effect every effect, `exists` every value."""

    key: str = ""
    value: str = ""
    exists: bool = False
    effect: Effect | None = None

    def tolerates(self, taint: Taint) -> bool:
        if self.effect is not None and self.effect is not taint.effect:
            return False
        if not self.key:
            return self.exists
        return self.key == taint.key and (self.exists or self.value == taint.value)


@dataclass(frozen=True, slots=True)
class PodAffinity:
    """A term of pod affinity, or with `anti` of anti-affinity, among pods of `namespaces`; None: of its own.

    A required term decides where a replica may be; another weighs (1 … 100). `among` selects namespaces beside those:
    none is meant by it before `Circumstances.reached` has looked which these are.
    """

    topology_key: str
    selector: LabelSelector
    anti: bool = False
    required: bool = True
    weight: int = 1
    namespaces: frozenset[str] | None = None
    among: LabelSelector | None = None


@dataclass(frozen=True, slots=True)
class TopologySpread:
    """A topology spread constraint; `hard` is `whenUnsatisfiable: DoNotSchedule`. Where there are fewer domains than
    `least_domains`, the emptiest counts as having none.

    Domains are those of the nodes that the pod's selector and affinity leave, where it `honors_affinity`, and that its
    tolerations leave, where it `honors_taints`.
    """

    topology_key: str
    max_skew: int
    selector: LabelSelector
    hard: bool = False
    least_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node. `allocatable` is what its kubelet offers to pods, before any of them; `pods` how many it takes.

    `gpus` devices of one `gpu_model`. A node that is not `ready` has lost what ran there; one that is not `schedulable`
    keeps it and takes nothing new.
    """

    name: str
    allocatable: Resources
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    pods: int = 110
    gpus: int = 0
    gpu_model: str = ""
    ready: bool = True
    schedulable: bool = True


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod that is bound to a node and has not ended.

    `owner` is the workload that we plan and that it is a replica of, None for a pod that is not ours (of a DaemonSet,
    of somebody else): it takes its room where it is. `devices` are the GPUs it holds where that is known, by number.
    `daemon`: it is of a DaemonSet, which would have one on another node like this too.
    """

    namespace: str
    name: str
    node: str
    requests: Resources
    owner: Identity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    gpu: Gpu = NO_GPU
    devices: tuple[int, ...] = ()
    affinities: tuple[PodAffinity, ...] = ()
    daemon: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget: how many of the pods that match may be disturbed now."""

    namespace: str
    selector: LabelSelector
    allowed: int


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota: the most that the pods of its namespace that have not ended may request together.

    `hard` holds (resource, amount), sorted, in the units of `Resources`; "pods" and `GPU` are resources here.
    """

    namespace: str
    name: str
    hard: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What bears on a workload beside nodes and pods.

    `priorities` by the name of their PriorityClass; under "" that of pods that name none. `zones` are those of the
    volume behind a claim, by namespace and name of the claim; a claim that is in none is not among them. `namespaces`
    are the labels of each. `quotas` count all pods of a namespace, also those of others.
    """

    priorities: Mapping[str, int] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    zones: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    quotas: tuple[Quota, ...] = ()

    def reached(self, affinities: tuple[PodAffinity, ...]) -> tuple[PodAffinity, ...]:
        """The same, by the names of the namespaces that they are about."""
        if all(each.among is None for each in affinities):
            return affinities
        return tuple(
            each
            if each.among is None
            else replace(
                each,
                namespaces=(each.namespaces or frozenset()).union(
                    name for name, labels in self.namespaces.items() if each.among.matches(labels)
                ),
                among=None,
            )
            for each in affinities
        )

    def disruptions(self, namespace: str, labels: Mapping[str, str]) -> int | None:
        """How many pods with `labels` may be disturbed now; None where no budget is about them."""
        here = (budget for budget in self.budgets if budget.namespace == namespace)
        return min((budget.allowed for budget in here if budget.selector.matches(labels)), default=None)

    def volume_zones(self, namespace: str, claims: Iterable[str | None]) -> frozenset[str]:
        """Where a pod with all of `claims` can be; empty where they leave that open."""
        found = [self.zones[namespace, claim] for claim in claims if claim and (namespace, claim) in self.zones]
        return frozenset.intersection(*found) if found else frozenset()


@dataclass(frozen=True, slots=True)
class ClusterSeen:
    """The cluster as it is followed: what a plan starts from, before the needs. `notes` say what could not be read."""

    nodes: tuple[NodeView, ...]
    pods: tuple[PodView, ...]
    around: Circumstances = Circumstances()
    notes: tuple[str, ...] = ()


NodeTerm = tuple[Requirement, ...]  # all of them hold
