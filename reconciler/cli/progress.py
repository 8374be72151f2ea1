"""What a person sees while a pass runs: one line an object as it is done, and a summary."""

import json
import sys
from collections.abc import Mapping

from reconciler.cli.show import DONE, done
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.event import Event, EventType
from reconciler.model.health import Health
from reconciler.model.problem import Severity
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.plural import counted

_SIGNS = {EventType.APPLIED: "✓", EventType.PRUNED: "✗", EventType.HELD: "!", EventType.FAILED: "!"}


class Progress:
    """A sink that prints to standard output; as JSON it says nothing before the end."""

    def __init__(self, output: str) -> None:
        self._json = output == "json"
        self.failure = ""  # why no pass was made, where none was

    def __call__(self, event: Event) -> None:
        if event.type in (EventType.SYNC_FAILED, EventType.SOURCE_UNREACHABLE):
            self.failure = event.message
        sign = _SIGNS.get(event.type)
        if sign is None or self._json:
            return
        action, colon, reason = event.message.partition(": ")
        if colon and action in DONE:
            message = DONE[action] if action == Action.CREATE else f"{DONE[action]}: {reason.removeprefix('differs: ')}"
        else:
            message = event.message.removeprefix("held: ")
        self._line(f"{sign} {event.identity}  {message}")

    def waiting(self, late: Mapping[Identity, Health]) -> None:
        """Everything is applied, and not everything is ready."""
        if not self._json:
            first, *rest = sorted(late.items())
            more = f", and {len(rest)} more" if rest else ""
            self._line(f"  waiting for {first[0]}: {first[1].message}{more}")

    def end(self, result: SyncResult, unhealthy: Mapping[Identity, Health]) -> bool:
        """The last words on a pass. Returns whether all is well."""
        invalid = sum(problem.severity is Severity.ERROR for problem in result.problems)
        ok = result.ok and not unhealthy and not invalid
        if self._json:
            sys.stdout.write(json.dumps(_document(result, unhealthy, ok=ok), indent=2) + "\n")
            return ok
        for problem in result.problems:
            self._line("\n".join(problem.lines()))
        for hint, objects in _hints(result).items():
            self._line(f"  hint: {hint}{f'  ({len(objects)} objects)' if len(objects) > 1 else ''}")
        for identity, health in sorted(unhealthy.items()):
            self._line(f"! {identity} is {health.status}: {health.message}")
        self._line(self._summary(result, invalid, len(unhealthy)))
        return ok

    @staticmethod
    def _summary(result: SyncResult, invalid: int, unhealthy: int) -> str:
        outcomes = [each.outcome for each in result.results.values()]
        trouble = [
            f"{outcomes.count(each)} {each}"
            for each in (Outcome.HELD, Outcome.BLOCKED, Outcome.FAILED)
            if each in outcomes
        ]
        trouble += [counted(invalid, "error")] * bool(invalid) + [f"{unhealthy} not healthy"] * bool(unhealthy)
        made = done({action: result.count(Action(action)) for action in DONE})
        if made == "nothing":
            made = "nothing done" if trouble else "nothing to do"
        seconds = (result.finished - result.started).total_seconds()
        return "; ".join([made, *trouble, f"{seconds:.1f} s"])

    @staticmethod
    def _line(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _hints(result: SyncResult) -> dict[str, list[ObjectResult]]:
    """What to do about what was not done; one hint often stands for many objects."""
    found: dict[str, list[ObjectResult]] = {}
    for _, each in sorted(result.results.items()):
        if each.outcome is not Outcome.DONE and each.hint:
            found.setdefault(each.hint, []).append(each)
    return found


def _document(result: SyncResult, unhealthy: Mapping[Identity, Health], *, ok: bool) -> dict[str, object]:
    from reconciler.diff.views.json import document

    return {
        "source": result.source,
        "ok": ok,
        "results": [
            {
                "object": str(each.identity),
                "action": each.action.value,
                "outcome": each.outcome.value,
                "message": each.message,
                "hint": each.hint,
            }
            for _, each in sorted(result.results.items())
        ],
        "problems": document((), result.problems)["problems"],
        "unhealthy": {str(identity): health.message for identity, health in sorted(unhealthy.items())},
    }
