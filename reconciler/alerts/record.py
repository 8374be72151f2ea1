"""What must be known after a restart: what is open, who was told of it, and who is still to be told of an end.

One text of JSON, short and bounded: the key and the beginning of each incident, and the receivers by number. From these
its id is computed again. What somebody still has to be told keeps a line of its words. Values of secrets never come
here, because they never come into an event.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from reconciler.alerts.incident import Incident, Key, incident_id
from reconciler.kube.names import Identity
from reconciler.model.alerting import Urgency
from reconciler.model.event import Topic

LIMIT: Final = 480 * 1024  # bytes of the text: no ConfigMap of ours exceeds 512 KiB
WORDS: Final = 200  # characters that are kept of what is still to be told
_FORMAT: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident. `told` are receivers that know that it began, `owed` those that are to be told that it is over."""

    incident: Incident
    told: frozenset[str] = frozenset()
    owed: frozenset[str] = frozenset()

    def of(self, name: str, *, told: bool = False, owed: bool = False) -> "Entry":
        """With what receiver `name` was told, or is owed."""
        return Entry(
            self.incident, self.told | {name} if told else self.told, self.owed | {name} if owed else self.owed
        )


@dataclass(frozen=True, slots=True)
class Record:
    """`left_out` are incidents for which there was no room: they may be told again after a restart."""

    entries: tuple[Entry, ...] = ()
    left_out: int = 0


# Written down as a list, in this order; [] for no object.
_Row = tuple[str, str, list[str], str, str, int, int | None, str, list[int], list[int], str]


class _Stored(msgspec.Struct):
    format: int = _FORMAT
    receivers: list[str] = []
    left_out: int = 0
    incidents: list[msgspec.Raw] = []


def encode(entries: Iterable[Entry], receivers: Sequence[str], *, limit: int = LIMIT) -> str:
    """The record as text of at most `limit` bytes. Where that is too little, the newest that nobody was told of, and
    then the newest, are left out."""
    number = {name: at for at, name in enumerate(receivers)}
    stored = _Stored(receivers=list(receivers))
    room = limit - len(msgspec.json.encode(stored)) - 20
    for entry in sorted(entries, key=lambda each: (not each.told, each.incident.since, each.incident.id)):
        row = msgspec.json.encode(_row(entry, number))
        if len(row) + 1 > room:
            stored.left_out += 1
            continue
        room -= len(row) + 1
        stored.incidents.append(msgspec.Raw(row))
    return msgspec.json.encode(stored).decode()


def decode(text: str, install: str) -> Record:
    """Raises ValueError for what is no record, or one of another release."""
    try:
        stored = msgspec.json.decode(text, type=_Stored)
        if stored.format != _FORMAT:
            raise ValueError(f"its format is {stored.format}, not {_FORMAT}")
        entries = tuple(_entry(row, stored.receivers, install) for row in stored.incidents)
    except (msgspec.DecodeError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return Record(entries, stored.left_out)


def _row(entry: Entry, number: dict[str, int]) -> _Row:
    incident = entry.incident
    return (
        incident.key.topic.value,
        incident.key.source,
        list(incident.key.identity or ()),
        incident.key.subject,
        incident.urgency.value,
        _milliseconds(incident.since),
        None if incident.ended is None else _milliseconds(incident.ended),
        incident.outcome,
        sorted(number[name] for name in entry.told if name in number),
        sorted(number[name] for name in entry.owed if name in number),
        _words(incident)[:WORDS] if not entry.told or entry.owed else "",
    )


def _entry(raw: msgspec.Raw, receivers: Sequence[str], install: str) -> Entry:
    row: Any = msgspec.json.decode(raw, type=_Row)
    topic, source, identity, subject, urgency, since, ended, outcome, told, owed, words = row
    key = Key(Topic(topic), source, Identity(*identity) if identity else None, subject)
    start = _EPOCH + since * _MILLISECOND
    incident = Incident(
        incident_id(install, key, start),
        key,
        Urgency(urgency),
        start,
        message=words,
        ended=None if ended is None else _EPOCH + ended * _MILLISECOND,
        outcome=outcome,
    )
    return Entry(incident, frozenset(receivers[at] for at in told), frozenset(receivers[at] for at in owed))


def _words(incident: Incident) -> str:
    drifted = "; ".join(f"{each.path}: {each.wanted} → {each.found}" for each in incident.fields)
    return drifted or incident.message


def _milliseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MILLISECOND
