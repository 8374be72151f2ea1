"""What happened, for metrics, logs, history and (later) alerts. Events go out; nothing calls back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from reconciler.kube.names import Identity


class EventType(StrEnum):
    NOT_READY = "not-ready"  # the daemon itself: what its start waits for
    READY = "ready"
    SYNC_STARTED = "sync-started"
    SYNC_FINISHED = "sync-finished"
    SYNC_FAILED = "sync-failed"
    APPLIED = "applied"
    PRUNED = "pruned"
    HELD = "held"
    FAILED = "failed"  # one object
    DRIFTED = "drifted"
    HEALED = "healed"
    SOURCE_UNREACHABLE = "source-unreachable"
    SOURCE_RECOVERED = "source-recovered"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Event:
    """`source` is "" where the daemon speaks of itself."""

    type: EventType
    time: datetime
    source: str
    message: str
    identity: Identity | None = None
    revision: str = ""
    hint: str = ""


class Sink(Protocol):
    """Takes events. Must not block and must not raise."""

    def __call__(self, event: Event, /) -> None: ...
