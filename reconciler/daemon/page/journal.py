"""What happened lately and what goes on still, kept from the events: in bounds, in memory, of this life only."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.event import BEGINS, ENDS, Event, Topic

KEPT: Final = 300  # events
_LONGEST: Final = 4_000  # characters of a message


class Entry(NamedTuple):
    """`number` counts from 1."""

    number: int
    event: Event


class _Key(NamedTuple):
    topic: Topic
    source: str
    identity: Identity | None
    subject: str


class Journal:
    """A sink. `boot` tells this life's numbers from another's."""

    def __init__(self, boot: str, *, kept: int = KEPT) -> None:
        self.boot = boot
        self.last = 0
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._open: dict[_Key, Event] = {}

    def __call__(self, event: Event) -> None:
        self.last += 1
        # A drift may hold whole ConfigMaps, one for each time that somebody edits one.
        event = replace(event, drift=None, message=event.message[:_LONGEST], hint=event.hint[:_LONGEST])
        self._entries.append(Entry(self.last, event))
        if topic := BEGINS.get(event.type):
            self._open[_Key(topic, event.source, event.identity, event.subject)] = event
        elif topic := ENDS.get(event.type):
            self._open.pop(_Key(topic, event.source, event.identity, event.subject), None)

    def since(self, number: int) -> list[Entry] | None:
        """What came after the entry `number`, oldest first; None where some of it is forgotten."""
        missed = self.last - number
        if missed < 0 or missed > len(self._entries):
            return None
        return [entry for entry in self._entries if entry.number > number]

    def recent(self, count: int = KEPT) -> tuple[Event, ...]:
        """The last events, newest first."""
        newest = reversed(self._entries)
        return tuple(entry.event for entry, _ in zip(newest, range(count), strict=False))

    def about(self, source: str, identity: Identity) -> tuple[Event, ...]:
        """The last events of one object, newest first."""
        return tuple(e for e in self.recent() if e.identity == identity and e.source == source)

    def open(self, topics: Iterable[Topic]) -> tuple[Event, ...]:
        """What goes on of `topics`, by the event that began it, newest first."""
        wanted = frozenset(topics)
        found = [event for key, event in self._open.items() if key.topic in wanted]
        return tuple(sorted(found, key=lambda event: event.time, reverse=True))
