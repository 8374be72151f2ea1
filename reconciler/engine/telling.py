"""What the engine says while it works: events in words, a repeated failure only once."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from reconciler.clock import Clock
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import QUIET, Action
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.problem import Severity
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Snapshot

_ENDED: Final = {EventType.HELD: EventType.RELEASED, EventType.FAILED: EventType.RECOVERED}


class _Wrong(NamedTuple):
    begun: EventType
    message: str


class _Document(NamedTuple):
    identity: Identity | None
    path: str


class Teller:
    """Turns what happens to one source into events."""

    def __init__(self, source: str, clock: Clock, emit: Sink) -> None:
        self._source = source
        self._clock = clock
        self._emit = emit
        self._revision = ""
        self._unreachable = False
        self._wrong: dict[Identity, _Wrong] = {}  # what was last said to be wrong with an object
        self._invalid: dict[_Document, frozenset[str]] = {}  # the errors of the last pass
        self._blind: dict[GroupKind, str] = {}  # the kinds that are not watched, and why

    def _say(
        self, kind: EventType, message: str, identity: Identity | None = None, hint: str = "", subject: str = ""
    ) -> None:
        self._emit(Event(kind, self._clock.now(), self._source, message, identity, self._revision, hint, subject))

    def polled(self, error: ReconcilerError | None) -> None:
        """Git answered, or did not: said when it begins and when it ends."""
        if error is not None and not self._unreachable:
            self._say(EventType.SOURCE_UNREACHABLE, str(error))
        elif error is None and self._unreachable:
            self._say(EventType.SOURCE_RECOVERED, "the repository answers again")
        self._unreachable = error is not None

    def watched(self, failing: Mapping[GroupKind, ReconcilerError]) -> None:
        """Which kinds the server does not let us follow, so that they drift unseen: said when it begins and ends."""
        blind = {kind: f"{kind} is not watched: {e}" for kind, e in failing.items() if isinstance(e, ApiError)}
        for kind, text in sorted(blind.items()):
            if self._blind.get(kind) != text:
                self._say(EventType.FAILED, text, subject=str(kind))
        for kind in sorted(self._blind.keys() - blind.keys()):
            self._say(EventType.RECOVERED, f"{kind} is watched again", subject=str(kind))
        self._blind = blind

    def started(self, snapshot: Snapshot) -> None:
        self._revision = snapshot.revision.commit
        self._say(EventType.SYNC_STARTED, snapshot.revision.subject)

    def finished(self, result: ObjectResult, *, healing: bool = False) -> None:
        """One object's change ended. That something was healed is said by others."""
        if result.outcome is Outcome.DONE:
            self._well(result.identity, f"{result.action}: {result.message}")
            if result.action is Action.PRUNE:
                self._say(EventType.PRUNED, result.message, result.identity)
            elif result.action not in QUIET and not healing:
                self._say(EventType.APPLIED, f"{result.action}: {result.message}", result.identity)
        elif result.outcome is not Outcome.SUPERSEDED:
            wrong = _Wrong(EventType.HELD if result.outcome is Outcome.HELD else EventType.FAILED, result.message)
            before = self._wrong.get(result.identity)
            if before is not None and before.begun is not wrong.begun:
                self._well(result.identity, result.message)
            if before != wrong:
                self._wrong[result.identity] = wrong
                self._say(wrong.begun, result.message, result.identity, result.hint)

    def _well(self, identity: Identity, message: str) -> None:
        """What was said to be wrong with an object is so no longer."""
        if (before := self._wrong.pop(identity, None)) is not None:
            self._say(_ENDED[before.begun], message, identity)

    def ended(self, result: SyncResult) -> None:
        """A pass ended."""
        invalid: dict[_Document, dict[str, str]] = {}
        for problem in result.problems:
            if problem.severity is Severity.ERROR:
                # Without its line: a document that moves within its file is the same one.
                invalid.setdefault(_Document(problem.identity, problem.location.path), {})[str(problem)] = problem.hint
        for document, errors in invalid.items():
            for text in sorted(errors.keys() - self._invalid.get(document, frozenset())):
                self._say(EventType.INVALID, text, document.identity, errors[text], document.path)
        for document in self._invalid.keys() - invalid.keys():  # in any order: each is a matter of its own
            self._say(EventType.VALID, "right again, or gone", document.identity, subject=document.path)
        self._invalid = {document: frozenset(errors) for document, errors in invalid.items()}
        if not result.superseded:
            wrong = {i for i, each in result.results.items() if each.outcome is not Outcome.DONE}
            for identity in sorted(self._wrong.keys() - wrong):
                self._well(identity, "no longer asked for")
            self._say(EventType.SYNC_FINISHED if result.ok else EventType.SYNC_FAILED, summary(result))

    def failed(self, snapshot: Snapshot | None, error: ReconcilerError) -> None:
        """A pass could not be made."""
        if snapshot is not None:
            self._revision = snapshot.revision.commit
        self._say(EventType.SYNC_FAILED, error.advised)


def summary(result: SyncResult) -> str:
    """A pass in one line: "3 create, 1 update, 2 prune; 1 held; 1 failed"."""
    done = {action: result.count(action) for action in Action if action not in QUIET}
    parts = [", ".join(f"{count} {action}" for action, count in done.items() if count) or "nothing to do"]
    outcomes = Counter(each.outcome for each in result.results.values())
    parts += [f"{outcomes[o]} {o}" for o in (Outcome.HELD, Outcome.BLOCKED, Outcome.FAILED) if outcomes[o]]
    return "; ".join(parts)
