"""What the planner decided, and why. An empty Plan is the identity: it changes no object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import fsum

from reconciler.kube.names import Identity
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning_policy import Family, TermName


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a score: `value` in [0, 1] times `weight`."""

    name: TermName
    family: Family
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        return self.value * self.weight


def total(terms: Iterable[Term]) -> float:
    """The score that terms make: their exact sum."""
    return fsum(term.contribution for term in terms)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A pool ("" for nodes of none) in a zone ("" where nodes have none)."""

    pool: str
    zone: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.pool or "no pool", self.zone) if part)


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate with its terms; the score is their exact sum."""

    place: Place
    node: str
    terms: tuple[Term, ...]

    @property
    def score(self) -> float:
        return total(self.terms)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to reckon how much, with its terms; `what` says in words which, `amount` what comes of it ("460m")."""

    what: str
    amount: str
    terms: tuple[Term, ...]

    @property
    def score(self) -> float:
        return total(self.terms)


@dataclass(frozen=True, slots=True)
class Choice:
    """How "cpu", "memory" or "replicas" (`subject`) are reckoned: what scored best, and what came next."""

    subject: str
    chosen: Candidate
    runner_up: Candidate | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Why the first replica of a share is where it is: the best candidate, and the best one in another place."""

    chosen: Option
    runner_up: Option | None


@dataclass(frozen=True, slots=True)
class Share:
    """`count` replicas in one place."""

    place: Place
    count: int


@dataclass(frozen=True, slots=True)
class Move:
    """A running replica that the plan would rather have on another node; `target` "" where it gives way."""

    identity: Identity
    origin: str
    target: str


class Constraint(StrEnum):
    """What stands in a replica's way. A closed set."""

    NO_NODES = "no nodes"
    POOL = "pool"
    ZONE = "zone"
    SELECTOR = "node selector or affinity"
    TAINT = "taint"
    MODEL = "GPU model"
    READY = "readiness"
    SIZE = "size"  # larger than any node that it may be on, even an empty one
    CAPACITY = "capacity"  # nodes are large enough, and full
    ANTI_AFFINITY = "anti-affinity"
    AFFINITY = "affinity"
    SPREAD = "topology spread"
    LIMIT = "pool limit"
    QUOTA = "quota"
    INPUT = "input"


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Replicas without a place: the binding constraint, in words, and the smallest change that would fix it."""

    count: int
    constraint: Constraint
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the replicas of each workload are to be. An empty Plan changes nothing: what was never stated stays
    Kubernetes' default. How many and how large they are was decided before (`reconciler.planner.advice`).

    `assignment` says which nodes the planner had in mind, node → replicas; it is what the next plan starts from and
    never becomes a required node of a pod. `value` is the sum of priority weight × replicas placed, `bound` what no
    plan can exceed (a linear relaxation), `gap` = 1 − value / bound. `notes` say what of the input was doubtful and
    what was done about it. `weighs` is what needs said of their own weights, so that the next plan sees what changed.
    `book` is the planner's own: it makes the next plan quicker and never other.
    """

    placements: Mapping[Identity, tuple[Share, ...]] = field(default_factory=dict)
    assignment: Mapping[Identity, Mapping[str, int]] = field(default_factory=dict)
    decisions: Mapping[Identity, tuple[Decision, ...]] = field(default_factory=dict)
    unplaced: Mapping[Identity, Unplaced] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()
    value: float = 0.0
    bound: float = 0.0
    notes: tuple[str, ...] = ()
    weighs: Mapping[Identity, PlannerSettings] = field(default_factory=dict)
    book: object = field(default=None, repr=False, compare=False)

    @property
    def gap(self) -> float:
        return 1 - self.value / self.bound if self.bound > 0 else 0.0


IDENTITY = Plan()
