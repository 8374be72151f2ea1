"""Replicas without a place, as events: told once, again when something else stands in the way, and when all is well."""

from collections.abc import Iterable

from reconciler.clock import Clock
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.planned import PlannedWorkload
from reconciler.plural import counted

_Key = tuple[str, Identity]


class Unplaced:
    """What was told of the workloads of one planner."""

    def __init__(self, emit: Sink, clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        self._told: dict[_Key, str] = {}  # the constraint

    def take(self, workloads: Iterable[PlannedWorkload]) -> None:
        """The newest plan's."""
        there: set[_Key] = set()
        for each in workloads:
            key = (each.source, each.identity)
            there.add(key)
            if (lack := each.unplaced) is None:
                self._end(key, "every replica has a place")
            elif self._told.get(key) != lack.constraint:
                self._told[key] = lack.constraint
                number = f"{lack.replicas} of {counted(each.replicas, 'replica')}"
                verb = "has" if lack.replicas == 1 else "have"
                self._say(EventType.UNPLACED, key, f"{number} {verb} no place, because {lack.reason}", lack.fix)
        for key in sorted(self._told.keys() - there):
            self._end(key, "it is not planned any more")

    def leave(self) -> None:
        """Another daemon plans now, and tells."""
        for key in sorted(self._told):
            self._end(key, "another daemon plans it now")

    def _end(self, key: _Key, message: str) -> None:
        if self._told.pop(key, None) is not None:
            self._say(EventType.PLACED, key, message)

    def _say(self, type_: EventType, key: _Key, message: str, hint: str = "") -> None:
        source, identity = key
        self._emit(Event(type_, self._clock.now(), source, message, identity=identity, hint=hint))
