"""What a plan decided, as it is shown: by the command line, on the status page, and in the cluster as JSON.

docs/planner.md has the format. Unknown fields are passed over, so that an older release reads what a newer one wrote.
"""

from datetime import datetime
from typing import Final

import msgspec

from reconciler.kube.names import Identity

VERSION: Final = 1
LARGEST: Final = 2_000_000  # characters of what is published; beyond that explanations are left out, then workloads


class _Shown(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    pass


class WeighedTerm(msgspec.Struct, frozen=True, array_like=True):
    """One term of a score: `value` in [0, 1] times `weight`. `family` is f, g or h."""

    family: str
    name: str
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        return self.value * self.weight


class ShownCandidate(_Shown, frozen=True):
    """One way to decide, with the terms that add up to its `score`: a zone of a pool, or `what` is said of it and the
    `amount` that comes of it."""

    score: float
    terms: tuple[WeighedTerm, ...] = ()
    what: str = ""
    amount: str = ""
    pool: str = ""
    zone: str = ""

    def __str__(self) -> str:
        return f"{self.amount} by {self.what}" if self.what else place(self.pool, self.zone)


class ShownChoice(_Shown, frozen=True):
    """What was chosen, and the best of what was not: a place, or how `subject` ("cpu", "replicas") is reckoned."""

    chosen: ShownCandidate
    runner_up: ShownCandidate | None = None
    subject: str = ""


class PlacedShare(_Shown, frozen=True):
    """`replicas` in a zone of a pool; each is "" where nodes have none."""

    replicas: int
    pool: str = ""
    zone: str = ""

    def __str__(self) -> str:
        return place(self.pool, self.zone)


def place(pool: str, zone: str) -> str:
    """ "general/a"."""
    return "/".join(part for part in (pool or "no pool", zone) if part)


class Amount(_Shown, frozen=True):
    """A number of replicas or a quantity, and where it comes from."""

    amount: str
    why: str = ""


class Template(_Shown, frozen=True):
    """What a plan puts into a pod template. `prefer` says in words which nodes, with a weight from 1 to 100."""

    requests: dict[str, str] = {}
    spread: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()


class Waiting(_Shown, frozen=True):
    """`replicas` without a place: the binding constraint, in words, and the smallest change that would help."""

    replicas: int
    constraint: str
    reason: str
    fix: str


class PartOf(_Shown, frozen=True):
    """What share of its document's pods a workload has, in percent, and in which pool, where it has to be."""

    pool: str
    percent: int

    def __str__(self) -> str:
        return f"{self.pool} {self.percent} %"


class PlannedWorkload(_Shown, frozen=True):
    """One workload. `group`, `kind`, `namespace` and `name` are the object's that has the pods, `document` says which
    document of `source` states it; with `part` it states others too.

    `replicas` were asked for; `amounts` has what the plan chose, by "replicas" and resource. `profile` ("": none) and
    `weights` are what its spec says of how to weigh. `template` is what lies in the object, None where nothing is on
    record; `pending` what another roll-out would put there.
    """

    document: str
    group: str
    kind: str
    namespace: str
    name: str
    source: str = ""
    replicas: int = 0
    profile: str = ""
    weights: dict[str, float] = {}
    amounts: dict[str, Amount] = {}
    places: tuple[PlacedShare, ...] = ()
    choices: tuple[ShownChoice, ...] = ()
    unplaced: Waiting | None = None
    template: Template | None = None
    pending: Template | None = None
    part: PartOf | None = None

    @property
    def title(self) -> str:
        """For people: no other workload is called so."""
        return f"{self.document} in {self.part.pool}" if self.part is not None else self.document

    @property
    def identity(self) -> Identity:
        """The object's."""
        return Identity(self.group, self.kind, self.namespace, self.name)


class Share(_Shown, frozen=True):
    """Which part of what the nodes have is requested: now, and as planned."""

    now: float
    planned: float


class PlannedCluster(_Shown, frozen=True):
    """A plan for a cluster. `made` is when it became as it is, `seconds` what it took to make.

    `value` is what is placed, `bound` what no plan can exceed, `gap` = 1 - value / bound. `moves` counts running
    replicas that would be better elsewhere. `left_out` counts workloads for which there was no room; `shortened` says
    that choices were left out.
    """

    version: int
    made: datetime
    holder: str = ""
    profile: str = ""
    seconds: float = 0.0
    nodes: int = 0
    zones: int = 0
    pools: int = 0
    requested: dict[str, Share] = {}
    value: float = 0.0
    bound: float = 0.0
    gap: float = 0.0
    workloads: tuple[PlannedWorkload, ...] = ()
    moves: int = 0
    notes: tuple[str, ...] = ()
    shortened: bool = False
    left_out: int = 0

    @property
    def unplaced(self) -> int:
        """Replicas without a place."""
        return sum(each.unplaced.replicas for each in self.workloads if each.unplaced is not None)

    @property
    def pending(self) -> int:
        """Workloads whose advice waits for a roll-out."""
        return sum(each.pending is not None for each in self.workloads)

    def of(self, identity: Identity) -> PlannedWorkload | None:
        """What is planned for an object."""
        return next((each for each in self.workloads if each.identity == identity), None)

    def stated(self, document: str) -> PlannedWorkload | None:
        """What is planned for a document."""
        return next((each for each in self.workloads if each.document == document), None)

    def same(self, other: "PlannedCluster") -> bool:
        """Whether both decide the same, whenever they were made."""
        return self == msgspec.structs.replace(other, made=self.made, seconds=self.seconds, holder=self.holder)


def text_of(plan: PlannedCluster, largest: int = LARGEST) -> str:
    """As JSON of at most `largest` characters, notes aside: all it says, or what matters most."""
    text = _encoded(plan)
    if len(text) > largest:
        plan = msgspec.structs.replace(plan, workloads=tuple(map(_short, plan.workloads)), shortened=True)
        text = _encoded(plan)
    kept = len(plan.workloads)
    while len(text) > largest and kept:
        kept = min(kept - 1, kept * largest // len(text))
        first = sorted(plan.workloads, key=lambda each: each.unplaced is None)[:kept]
        fewer = tuple(sorted(first, key=lambda each: each.identity))
        text = _encoded(msgspec.structs.replace(plan, workloads=fewer, left_out=len(plan.workloads) - kept))
    return text


def read(text: str) -> PlannedCluster:
    """What `text_of` wrote. Raises ValueError for anything else, and for another version's."""
    try:
        found = msgspec.json.decode(text, type=PlannedCluster)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if found.version != VERSION:
        raise ValueError(f"version {found.version} of a plan")
    return found


def _encoded(plan: PlannedCluster) -> str:
    return msgspec.json.encode(plan, order="sorted").decode()


def _short(workload: PlannedWorkload) -> PlannedWorkload:
    return msgspec.structs.replace(workload, choices=())
