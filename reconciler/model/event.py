"""What happened, for metrics, logs, history, alerts and the status page. Events go out; nothing calls back.

Most events are the beginning or the end of something that lasts (`BEGINS`, `ENDS`): an object that is held, a
repository that cannot be reached. What lasts is known by its topic, source, object and subject, never by its text. A
beginning may be said again, in other words, while it lasts; an end without a beginning means nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from reconciler.kube.names import Identity
from reconciler.model.drift import Drift


class EventType(StrEnum):
    NOT_READY = "not-ready"  # the daemon itself: what its start waits for
    READY = "ready"
    SYNC_STARTED = "sync-started"
    SYNC_FINISHED = "sync-finished"
    SYNC_FAILED = "sync-failed"
    APPLIED = "applied"
    PRUNED = "pruned"
    HELD = "held"
    RELEASED = "released"  # no longer held: approved, or no longer asked for
    FAILED = "failed"  # one object, or one kind that cannot be watched
    RECOVERED = "recovered"  # what failed is well again, or no longer asked for
    DRIFTED = "drifted"
    HEALED = "healed"
    RESTORED = "restored"  # a drift ended without us: undone by hand, or Git states something else now
    FOUGHT = "fought"  # somebody keeps changing an object back, or a webhook rewrites what is applied
    CALMED = "calmed"  # the fight is over
    DEGRADED = "degraded"  # an object does not do what it is for
    HEALTHY = "healthy"
    SOURCE_UNREACHABLE = "source-unreachable"
    SOURCE_RECOVERED = "source-recovered"
    INVALID = "invalid"
    VALID = "valid"
    BUILDING = "building"  # an image, for no source in particular: many may want the same
    BUILT = "built"
    IMAGE_HELD = "image-held"  # an Image, or the lock file, cannot be brought up to date; what is in use stays so
    PINNED = "pinned"  # an Image means another digest now, or is well again
    LOCKED = "locked"  # digests were committed to a lock file
    UNPLACED = "unplaced"  # replicas of a workload that the planner finds no node for
    PLACED = "placed"
    MOVED = "moved"  # a pod was evicted, for a plan has a better place for it


class Topic(StrEnum):
    """What lasts between two events, and so can be open."""

    START = "start"
    SYNC = "sync"  # of a source
    OBJECT = "object"
    HELD = "held"
    DRIFT = "drift"
    FIGHT = "fight"
    HEALTH = "health"
    REPOSITORY = "repository"
    SPEC = "spec"
    IMAGE = "image"
    PLACE = "place"  # of replicas


BEGINS: Final[Mapping[EventType, Topic]] = {
    EventType.NOT_READY: Topic.START,
    EventType.SYNC_FAILED: Topic.SYNC,
    EventType.FAILED: Topic.OBJECT,
    EventType.HELD: Topic.HELD,
    EventType.DRIFTED: Topic.DRIFT,
    EventType.FOUGHT: Topic.FIGHT,
    EventType.DEGRADED: Topic.HEALTH,
    EventType.SOURCE_UNREACHABLE: Topic.REPOSITORY,
    EventType.INVALID: Topic.SPEC,
    EventType.IMAGE_HELD: Topic.IMAGE,
    EventType.UNPLACED: Topic.PLACE,
}
ENDS: Final[Mapping[EventType, Topic]] = {
    EventType.READY: Topic.START,
    EventType.SYNC_FINISHED: Topic.SYNC,
    EventType.RECOVERED: Topic.OBJECT,
    EventType.RELEASED: Topic.HELD,
    EventType.HEALED: Topic.DRIFT,
    EventType.RESTORED: Topic.DRIFT,
    EventType.CALMED: Topic.FIGHT,
    EventType.HEALTHY: Topic.HEALTH,
    EventType.SOURCE_RECOVERED: Topic.REPOSITORY,
    EventType.VALID: Topic.SPEC,
    EventType.PINNED: Topic.IMAGE,
    EventType.PLACED: Topic.PLACE,
}


@dataclass(frozen=True, slots=True)
class Event:
    """`source` is "" where the daemon speaks of itself.

    `subject` tells apart what has no object: the file of an invalid spec, the kind that cannot be watched. `drift` is
    there for the events of a drift and of a fight.
    """

    type: EventType
    time: datetime
    source: str
    message: str
    identity: Identity | None = None
    revision: str = ""
    hint: str = ""
    subject: str = ""
    drift: Drift | None = None


class Sink(Protocol):
    """Takes events. Must not block and must not raise."""

    def __call__(self, event: Event, /) -> None: ...
