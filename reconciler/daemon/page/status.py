"""How things stand, as one value: what the page, its JSON and the metrics show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.drift import Author, Drift
from reconciler.model.event import Event
from reconciler.model.health import Health, Status
from reconciler.model.image import Pinned
from reconciler.model.planned import PlannedCluster
from reconciler.model.problem import Problem
from reconciler.model.snapshot import Revision, Skipped
from reconciler.model.spec import Origin
from reconciler.model.state import Held, Mark, Pass
from reconciler.planner.loads import NodeLoad

if TYPE_CHECKING:
    from reconciler.planner.curves import Curve


class Standing(StrEnum):
    """How a source stands, in one word."""

    STARTING = "starting"  # no pass has ended since the daemon started
    SYNCED = "synced"  # the newest revision is applied
    SYNCING = "syncing"
    BEHIND = "behind"  # a newer revision waits for its pass
    FAILING = "failing"  # the last pass failed; it is tried again
    SUSPENDED = "suspended"


class Row(NamedTuple):
    """An object. `origin` is None where Git does not state it any more."""

    source: str
    identity: Identity
    health: Health
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source. `url` is without credentials; `unreachable` and `trouble` say what is wrong, "" where nothing is."""

    name: str
    url: str
    ref: str
    paths: tuple[str, ...]
    standing: Standing
    revision: Revision | None = None  # the newest that Git told of
    applied: Mark | None = None
    unreachable: str = ""
    trouble: str = ""
    counts: Mapping[Status, int] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    held_more: int = 0
    problems: tuple[Problem, ...] = ()
    passes: tuple[Pass, ...] = ()  # newest first
    missing: tuple[str, ...] = ()  # configured paths that the revision does not have
    skipped: tuple[Skipped, ...] = ()  # left out, and not because somebody ignores them
    images: Pinned = field(default_factory=dict)  # what the last pass took each Image for

    @property
    def objects(self) -> int:
        return sum(self.counts.values())


class Newest(NamedTuple):
    """A plan; when it was last made, as it is; the nodes, and what is known of demand, where it is our own."""

    plan: PlannedCluster
    at: datetime
    nodes: tuple[NodeLoad, ...] = ()
    curve: Callable[[str], "Curve | None"] = lambda _document: None


class PlannerStatus(NamedTuple):
    """The planner of the cluster, us (`ours`) or another daemon. `lacking` says what we may not see."""

    newest: Newest | None = None
    holder: str = ""
    ours: bool = False
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overall:
    """Everything. `rows` are in the order of concern, most first, then by namespace, kind and name."""

    now: datetime
    version: str
    install: str = ""
    waiting: tuple[str, ...] = ()  # what keeps the daemon from being ready
    sources: tuple[SourceStatus, ...] = ()
    rows: tuple[Row, ...] = ()
    drifts: tuple[Drift, ...] = ()  # newest first
    ended: tuple[Drift, ...] = ()  # what drifted lately and no longer does, newest first
    wrong: tuple[Event, ...] = ()  # what failed and still does, newest first
    events: tuple[Event, ...] = ()  # newest first
    planner: PlannerStatus | None = None  # None where none is configured

    def drift_of(self, source: str, identity: Identity) -> Drift | None:
        return next((d for d in self.drifts if d.identity == identity and d.source == source), None)


class Manager(NamedTuple):
    """A field manager of a live object, and how many fields it owns."""

    author: Author
    fields: int


class Condition(NamedTuple):
    type: str
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One object in full. A Secret's values are in none of it."""

    row: Row
    drift: Drift | None = None
    ended: tuple[Drift, ...] = ()
    held: Held | None = None
    wrong: tuple[Event, ...] = ()
    events: tuple[Event, ...] = ()
    spec: str = ""  # the document that made it
    needs: tuple[Identity, ...] = ()  # what must be there first
    stated: Mapping[str, Any] | None = None  # what Git states
    created: str = ""
    uid: str = ""
    managers: tuple[Manager, ...] = ()
    conditions: tuple[Condition, ...] = ()
