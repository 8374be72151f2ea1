"""What is remembered between two lives of the daemon, and its place in the cluster.

It is bounded, lies in ConfigMaps and never holds a secret's value. Everything else is made again from Git and the
cluster.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from reconciler.kube.names import GroupKind, Identity
from reconciler.model.config import PruneGuard
from reconciler.model.deed import Deed
from reconciler.model.deed import done as deeds
from reconciler.model.result import Outcome, SyncResult
from reconciler.model.snapshot import Revision

INSTALL_NAME: Final = "reconciler-install"  # the ConfigMap that holds the install uid
STATE_PREFIX: Final = "reconciler-state-"  # of the ConfigMap of a source; its pieces are named <that>.<digest>
LABEL_STATE: Final = "reconciler.dev/state"  # the source, on its ConfigMap
LABEL_PIECE: Final = "reconciler.dev/state-piece"  # the source, on the pieces of a large state

HISTORY: Final = 50  # passes that are remembered
HELD: Final = 500  # held actions that are remembered
JOBS: Final = 500  # Jobs that are remembered beside those that are stated
OBJECTS: Final = 500  # that a pass remembers, and twice as many that all passes remember
MESSAGES: Final = 5  # failures that a pass remembers, each cut to MESSAGE characters
MESSAGE: Final = 300


def state_name(source: str) -> str:
    """The ConfigMap of a source."""
    return f"{STATE_PREFIX}{source}"


@dataclass(frozen=True, slots=True)
class Mark:
    """A commit, and when something was done with it."""

    commit: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """One action that waits for a person. `uid` is the live object's: approving a `deletion` names it."""

    identity: Identity
    uid: str
    reason: str
    hint: str = ""
    deletion: bool = False

    def document(self) -> dict[str, str]:
        """As JSON has it for people and scripts."""
        return {"object": str(self.identity), "reason": self.reason, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Left:
    """Objects of one kind in a namespace that the source is no longer bound to; "" for what is in no namespace.

    `count` is None where they may not be listed any more.
    """

    kind: GroupKind
    namespace: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass in short. `done` counts by action what was done, `failed` what was not; `messages` say why.

    `objects` says it object by object; `unlisted` counts those of which it does not.
    """

    revision: Revision
    started: datetime
    finished: datetime
    ok: bool
    superseded: bool = False
    done: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    messages: tuple[str, ...] = ()
    objects: tuple[Deed, ...] = ()
    unlisted: int = 0

    @classmethod
    def of(cls, result: SyncResult) -> "Pass":
        done: dict[str, int] = {}
        messages: list[str] = []
        failed = 0
        objects = deeds(result)
        for identity, each in sorted(result.results.items()):
            if each.outcome is Outcome.DONE:
                done[str(each.action)] = done.get(str(each.action), 0) + 1
            elif each.outcome in (Outcome.FAILED, Outcome.BLOCKED):
                failed += 1
                messages.append(f"{identity}: {each.message}"[:MESSAGE])
        return cls(
            result.revision,
            result.started,
            result.finished,
            result.ok,
            result.superseded,
            done,
            failed,
            tuple(messages[:MESSAGES]),
            objects[:OBJECTS],
            len(objects[OBJECTS:]),
        )

    @property
    def brief(self) -> "Pass":
        """Without its objects."""
        return replace(self, objects=(), unlisted=len(self.objects) + self.unlisted)

    def document(self) -> dict[str, Any]:
        """How it ended, as JSON has it for people and scripts; they name the revision each in their own way."""
        return {
            "finished": self.finished.isoformat(),
            "ok": self.ok,
            "done": dict(self.done),
            "failed": self.failed,
            "messages": list(self.messages),
        }


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source.

    `kinds` and `namespaces` are all that the source has used and not yet been found to have left (rule 3). `seen` is
    the last commit that a pass began with, `applied` the last one that a pass brought to its end; `spent` is one
    up to which trailers approve nothing any more ("" where that is `applied`). `guard` is the prune
    guard in force then. `approved` are uids whose deletion was approved by hand. `made` are the Jobs of Tasks that were
    made, `ran` those of them that ran to their end (rule 16). `left` is what lies outside of the namespaces that the
    source is bound to now. `history` is oldest first.
    """

    source: str
    kinds: frozenset[GroupKind] = frozenset()
    namespaces: frozenset[str] = frozenset()
    seen: Mark | None = None
    applied: Mark | None = None
    spent: str = ""
    suspended: bool = False
    guard: PruneGuard | None = None
    held: tuple[Held, ...] = ()
    held_more: int = 0  # held actions beyond HELD
    approved: frozenset[str] = frozenset()
    made: frozenset[Identity] = frozenset()
    ran: frozenset[Identity] = frozenset()
    left: tuple[Left, ...] = ()
    history: tuple[Pass, ...] = ()

    @property
    def approvals_since(self) -> str:
        """The commit after which trailers may approve deletions; "" where there was no pass yet."""
        return self.spent or (self.applied.commit if self.applied else "")

    def using(self, kinds: Iterable[GroupKind], namespaces: Iterable[str]) -> "SourceState":
        """With `kinds` and `namespaces` recorded too."""
        return replace(self, kinds=self.kinds | frozenset(kinds), namespaces=self.namespaces | frozenset(namespaces))

    def holding(self, held: Iterable[Held]) -> "SourceState":
        """With exactly these actions held."""
        every = sorted(held, key=lambda each: each.identity)
        return replace(self, held=tuple(every[:HELD]), held_more=max(0, len(every) - HELD))

    def running_again(self, jobs: Iterable[Identity]) -> "SourceState":
        """As if `jobs` had never been made: the next pass makes those of them that are stated and not there."""
        jobs = frozenset(jobs)
        return replace(self, made=self.made - jobs, ran=self.ran - jobs)

    def keeping_jobs(self, stated: Collection[Identity]) -> "SourceState":
        """With no more Jobs on record than JOBS; those that are `stated` stay in any case."""
        if len(self.made) <= JOBS:
            return self
        return replace(self, made=self.made & frozenset(stated), ran=self.ran & frozenset(stated))

    def having_passed(self, done: Pass) -> "SourceState":
        """With one more pass in the history. Saying it twice changes nothing."""
        if any(each.started == done.started for each in self.history):
            return self
        kept: list[Pass] = []
        room = 2 * OBJECTS
        for each in reversed((*self.history, done)[-HISTORY:]):  # the oldest give way
            kept.append(each if len(each.objects) <= room else each.brief)
            room -= len(kept[-1].objects)
        return replace(self, history=tuple(reversed(kept)))
