"""What one pass did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.health import Health
from reconciler.model.problem import Problem
from reconciler.model.snapshot import Revision


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"  # the server refused, or did not answer within the retries
    BLOCKED = "blocked"  # something it depends on failed or is not ready
    SUPERSEDED = "superseded"  # a newer commit came first
    HELD = "held"


@dataclass(frozen=True, slots=True)
class ObjectResult:
    identity: Identity
    action: Action
    outcome: Outcome
    message: str = ""
    health: Health | None = None
    change: Change | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class SyncResult:
    """One pass over one source. `parsed` and `rendered` count the blobs and documents that were not known before."""

    source: str
    revision: Revision
    started: datetime
    finished: datetime
    results: Mapping[Identity, ObjectResult] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    superseded: bool = False
    parsed: int = 0
    rendered: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be tried again. What is held waits for a person, not for another try."""
        return not self.superseded and all(r.outcome in (Outcome.DONE, Outcome.HELD) for r in self.results.values())

    def count(self, action: Action) -> int:
        """How many objects had `action` done."""
        return sum(1 for r in self.results.values() if r.action is action and r.outcome is Outcome.DONE)
