"""What the engine says while it works: events in words, a repeated failure only once."""

from collections import Counter
from collections.abc import Mapping

from reconciler.clock import Clock
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import ABSENT, Action, Change
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.problem import Severity
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Snapshot

_FIELDS = 3  # of a drifted object that one event names
_VALUE = 100  # characters of a value that an event shows
_QUIET = frozenset({Action.NONE, Action.KEEP})


class Teller:
    """Turns what happens to one source into events."""

    def __init__(self, source: str, clock: Clock, emit: Sink) -> None:
        self._source = source
        self._clock = clock
        self._emit = emit
        self._revision = ""
        self._unreachable = False
        self._said: dict[Identity, str] = {}  # what was last said to be wrong with an object
        self._invalid: frozenset[str] = frozenset()  # the problems of the last pass
        self._blind: frozenset[str] = frozenset()  # the kinds that are not watched

    def _say(self, kind: EventType, message: str, identity: Identity | None = None, hint: str = "") -> None:
        self._emit(Event(kind, self._clock.now(), self._source, message, identity, self._revision, hint))

    def polled(self, error: ReconcilerError | None) -> None:
        """Git answered, or did not: said when it begins and when it ends."""
        if error is not None and not self._unreachable:
            self._say(EventType.SOURCE_UNREACHABLE, str(error))
        elif error is None and self._unreachable:
            self._say(EventType.SOURCE_RECOVERED, "the repository answers again")
        self._unreachable = error is not None

    def watched(self, failing: Mapping[GroupKind, ReconcilerError]) -> None:
        """Which kinds the server does not let us follow, so that they drift unseen: said when it begins."""
        said = frozenset(f"{kind} is not watched: {e}" for kind, e in failing.items() if isinstance(e, ApiError))
        for text in sorted(said - self._blind):
            self._say(EventType.FAILED, text)
        self._blind = said

    def started(self, snapshot: Snapshot) -> None:
        self._revision = snapshot.revision.commit
        self._say(EventType.SYNC_STARTED, snapshot.revision.subject)

    def finished(self, result: ObjectResult) -> None:
        """One object's change ended."""
        if result.outcome is Outcome.DONE:
            self._said.pop(result.identity, None)
            if result.action is Action.PRUNE:
                self._say(EventType.PRUNED, result.message, result.identity)
            elif result.action not in _QUIET:
                self._say(EventType.APPLIED, f"{result.action}: {result.message}", result.identity)
        elif result.outcome is not Outcome.SUPERSEDED and self._said.get(result.identity) != result.message:
            self._said[result.identity] = result.message
            kind = EventType.HELD if result.outcome is Outcome.HELD else EventType.FAILED
            self._say(kind, result.message, result.identity, result.hint)

    def ended(self, result: SyncResult) -> None:
        """A pass ended."""
        errors = {str(problem): problem for problem in result.problems if problem.severity is Severity.ERROR}
        for text, problem in errors.items():
            if text not in self._invalid:
                self._say(EventType.INVALID, text, problem.identity)
        self._invalid = frozenset(errors)
        if not result.superseded:
            wrong = {i for i, each in result.results.items() if each.outcome is not Outcome.DONE}
            self._said = {identity: said for identity, said in self._said.items() if identity in wrong}
            self._say(EventType.SYNC_FINISHED if result.ok else EventType.SYNC_FAILED, summary(result))

    def failed(self, snapshot: Snapshot | None, error: ReconcilerError) -> None:
        """A pass could not be made."""
        if snapshot is not None:
            self._revision = snapshot.revision.commit
        self._say(EventType.SYNC_FAILED, f"{error}; {error.hint}" if error.hint else str(error))

    def drifted(self, change: Change) -> None:
        """An object is not as Git states it, and is left so."""
        self._say(EventType.DRIFTED, _found(change), change.identity)

    def healed(self, change: Change) -> None:
        """An object was made again what Git states."""
        self._say(EventType.DRIFTED, _found(change), change.identity)
        self._say(EventType.HEALED, "as Git states it again", change.identity)

    def fought(self, change: Change) -> None:
        """Somebody keeps changing an object back: it is left alone for a while."""
        who = [] if any(field.note for field in change.fields) else ["no other manager owns it: an admission webhook?"]
        text = "; ".join(("changed back again and again, healed with growing pauses from now on", _found(change), *who))
        self._say(EventType.DRIFTED, text, change.identity)


def _found(change: Change) -> str:
    """Which fields differ, and who set them: "spec.replicas is 5, Git states 3 (set by kubectl)"."""
    clauses = []
    for field in change.fields[:_FIELDS]:
        found = "gone" if field.before is ABSENT else _cut(field.before)
        stated = "nothing" if field.after is ABSENT else _cut(field.after)
        note = f" ({field.note})" if field.note else ""
        clauses.append(f"{field.path} is {found}, Git states {stated}{note}")
    if len(change.fields) > _FIELDS:
        clauses.append(f"and {len(change.fields) - _FIELDS} more")
    return "; ".join(clauses) or change.reason


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def summary(result: SyncResult) -> str:
    """A pass in one line: "3 create, 1 update, 2 prune; 1 held; 1 failed"."""
    done = {action: result.count(action) for action in Action if action not in _QUIET}
    parts = [", ".join(f"{count} {action}" for action, count in done.items() if count) or "nothing to do"]
    outcomes = Counter(each.outcome for each in result.results.values())
    parts += [f"{outcomes[o]} {o}" for o in (Outcome.HELD, Outcome.BLOCKED, Outcome.FAILED) if outcomes[o]]
    return "; ".join(parts)
