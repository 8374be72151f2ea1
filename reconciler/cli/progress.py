"""What a person sees while a pass runs: one line an object as it is done, and a summary."""

import json
import sys
from collections.abc import Mapping

from reconciler.engine.telling import summary
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType
from reconciler.model.health import Health
from reconciler.model.result import Outcome, SyncResult

_SIGNS = {
    EventType.APPLIED: "✓",
    EventType.PRUNED: "✗",
    EventType.HELD: "!",
    EventType.FAILED: "!",
    EventType.INVALID: "!",
    EventType.SYNC_FAILED: "!",
}


class Progress:
    """A sink that prints to standard output; as JSON it says nothing before the end."""

    def __init__(self, output: str) -> None:
        self._json = output == "json"

    def __call__(self, event: Event) -> None:
        sign = _SIGNS.get(event.type)
        if sign is None or self._json:
            if event.type is EventType.SYNC_FAILED:
                sys.stderr.write(f"{event.message}\n")
            return
        subject = f"{event.identity}  " if event.identity else ""
        sys.stdout.write(f"{sign} {subject}{event.message}\n")
        sys.stdout.flush()

    def waiting(self, late: Mapping[Identity, Health]) -> None:
        """Everything is applied, and not everything is ready."""
        if not self._json:
            first, *rest = sorted(late.items())
            more = f", and {len(rest)} more" if rest else ""
            sys.stdout.write(f"  waiting for {first[0]}: {first[1].message}{more}\n")
            sys.stdout.flush()

    def end(self, result: SyncResult, unhealthy: Mapping[Identity, Health]) -> None:
        """The last words on a pass."""
        if self._json:
            body = {
                "source": result.source,
                "ok": result.ok and not unhealthy,
                "results": [
                    {
                        "object": str(each.identity),
                        "action": each.action.value,
                        "outcome": each.outcome.value,
                        "message": each.message,
                    }
                    for _, each in sorted(result.results.items())
                ],
                "unhealthy": {str(i): h.message for i, h in sorted(unhealthy.items())},
            }
            sys.stdout.write(json.dumps(body, indent=2) + "\n")
            return
        for _, each in sorted(result.results.items()):
            if each.outcome is not Outcome.DONE and each.hint:
                sys.stdout.write(f"  {each.identity}: hint: {each.hint}\n")
        for identity, health in sorted(unhealthy.items()):
            sys.stdout.write(f"! {identity} is {health.status}: {health.message}\n")
        seconds = (result.finished - result.started).total_seconds()
        sys.stdout.write(f"{summary(result)} in {seconds:.1f} s\n")
