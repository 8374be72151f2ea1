"""Objects by resource, namespace and name, one revision counter for all, and the events that led here.

Objects are kept as encoded bytes. Whoever needs the object decodes a copy of its own, so nothing that is stored can be
changed by accident, and reading or watching sends the bytes as they are.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from reconciler.kube.names import GroupKind

HISTORY: Final = 5_000  # events kept for each resource; a watch from before them is answered 410


class Expired(Exception):
    """A revision that lies before the events kept."""


class EventType(Enum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One object in one revision. `body` is its JSON in the storage version, beginning with kind and apiVersion."""

    namespace: str
    name: str
    uid: str
    revision: int
    labels: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return key_of(self.namespace, self.name)


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One write. For DELETED `entry` is the object's last state, stamped with the deletion's revision."""

    type: EventType
    revision: int
    entry: Entry
    before: Entry | None


def key_of(namespace: str, name: str) -> str:
    """The key that orders objects as the real server's storage does."""
    return f"{namespace}/{name}" if namespace else name


@dataclass(slots=True)
class Shelf:
    """All objects of one resource."""

    events: deque[Event]
    entries: dict[str, Entry] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)  # sorted
    forgotten: int = 0  # the newest revision of which the event is no longer kept
    listeners: dict[int, Callable[[Event], None]] = field(default_factory=dict)


class Store:
    """See the module. Not thread-safe: one event loop owns it."""

    def __init__(self, *, history: int = HISTORY) -> None:
        self._history = history
        self._shelves: dict[GroupKind, Shelf] = {}
        self._listener = 0
        self.revision = 1

    def __len__(self) -> int:
        return sum(len(shelf.entries) for shelf in self._shelves.values())

    def _shelf(self, kind: GroupKind) -> Shelf:
        if (shelf := self._shelves.get(kind)) is None:
            shelf = self._shelves[kind] = Shelf(deque(maxlen=self._history))
        return shelf

    def get(self, kind: GroupKind, namespace: str, name: str) -> Entry | None:
        shelf = self._shelves.get(kind)
        return shelf.entries.get(key_of(namespace, name)) if shelf else None

    def count(self, kind: GroupKind) -> int:
        return len(self._shelf(kind).entries)

    def kinds(self) -> list[GroupKind]:
        """Those with at least one object, sorted."""
        return sorted(kind for kind, shelf in self._shelves.items() if shelf.entries)

    def range(
        self, kind: GroupKind, namespace: str = "", *, after: str = "", revision: int | None = None
    ) -> Iterator[Entry]:
        """Objects in key order, of one namespace or of all; after a key; as they were at `revision`.

        Raises Expired where the events since `revision` are no longer kept.
        """
        shelf = self._shelf(kind)
        entries, keys = shelf.entries, shelf.keys
        if revision is not None and revision < self.revision:
            entries = self._rewound(shelf, revision)
            if entries is not shelf.entries:
                keys = sorted(entries)
        prefix = f"{namespace}/" if namespace else ""
        start = bisect_left(keys, prefix) if prefix else 0
        if after:
            start = max(start, bisect_left(keys, after + "\0"))
        stop = bisect_left(keys, f"{namespace}0") if prefix else len(keys)  # "0" follows "/"
        for key in keys[start:stop]:
            yield entries[key]

    def _rewound(self, shelf: Shelf, revision: int) -> dict[str, Entry]:
        """The entries as they were at an earlier revision."""
        if revision < shelf.forgotten:
            raise Expired
        entries = shelf.entries
        for event in reversed(shelf.events):
            if event.revision <= revision:
                break
            if entries is shelf.entries:
                entries = dict(entries)
            if event.before is None:
                entries.pop(event.entry.key, None)
            else:
                entries[event.entry.key] = event.before
        return entries

    def next_revision(self) -> int:
        """The revision that the next write will have. A write that follows must use it."""
        return self.revision + 1

    def put(self, kind: GroupKind, entry: Entry) -> None:
        """Create or replace an object; `entry.revision` must be `next_revision()`."""
        shelf = self._shelf(kind)
        key = entry.key
        before = shelf.entries.get(key)
        shelf.entries[key] = entry
        if before is None:
            insort(shelf.keys, key)
        event_type = EventType.MODIFIED if before else EventType.ADDED
        self._publish(shelf, Event(event_type, entry.revision, entry, before))

    def remove(self, kind: GroupKind, entry: Entry) -> None:
        """Delete an object; `entry` is its last state with `revision` = `next_revision()`."""
        shelf = self._shelf(kind)
        key = entry.key
        before = shelf.entries.pop(key)
        del shelf.keys[bisect_left(shelf.keys, key)]
        self._publish(shelf, Event(EventType.DELETED, entry.revision, entry, before))

    def _publish(self, shelf: Shelf, event: Event) -> None:
        self.revision = event.revision
        if len(shelf.events) == self._history:
            shelf.forgotten = shelf.events[0].revision
        shelf.events.append(event)
        for listener in list(shelf.listeners.values()):
            listener(event)

    def since(self, kind: GroupKind, revision: int) -> list[Event]:
        """Events after a revision, oldest first. Raises Expired where some are no longer kept."""
        shelf = self._shelf(kind)
        if revision < shelf.forgotten:
            raise Expired
        found: list[Event] = []
        for event in reversed(shelf.events):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def listen(self, kind: GroupKind, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each further event; returns what ends that."""
        shelf = self._shelf(kind)
        self._listener += 1
        number = self._listener
        shelf.listeners[number] = listener

        def stop() -> None:
            shelf.listeners.pop(number, None)

        return stop
