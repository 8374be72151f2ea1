"""Something that is wrong from one moment to another, known by what it is about and never by its text."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.alerting import Urgency
from reconciler.model.change import ABSENT
from reconciler.model.drift import Author, Drift, DriftKind
from reconciler.model.event import Event, Topic
from reconciler.model.manifest import DriftMode

MESSAGE: Final = 500  # characters of an event's words that are kept
FIELDS: Final = 5  # of a drifted object that are kept
VALUE: Final = 100  # characters of a value that are kept
PATH: Final = 200

_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

_URGENCY: Final = {
    Topic.START: Urgency.CRITICAL,
    Topic.HEALTH: Urgency.CRITICAL,
}


class Key(NamedTuple):
    """What an incident is about. `subject` tells apart what has no object; `identity` is None there."""

    topic: Topic
    source: str
    identity: Identity | None
    subject: str


@dataclass(frozen=True, slots=True)
class DriftedField:
    """One field in words: values are cut, a secret's are redacted, what is not there reads "nothing"."""

    path: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as it is now, cut to a size that can be kept for thousands.

    `id` is the same for ever: a hash of the installation, the key and `since`. `ended` is None while it lasts; then
    `outcome` is the type of the event that ended it ("healed"), "" where nobody saw the end. `by` are those who changed
    the object, `wanted` the place in Git that states it otherwise, `commit` who committed that.
    """

    id: str
    key: Key
    urgency: Urgency
    since: datetime
    message: str = ""
    hint: str = ""
    revision: str = ""
    kind: str = ""  # of a drift: "edited", "deleted", …
    reason: str = ""  # of a drift: why it is not healed
    fields: tuple[DriftedField, ...] = ()
    more_fields: int = 0
    by: tuple[str, ...] = ()
    wanted: str = ""
    commit: str = ""
    ended: datetime | None = None
    outcome: str = ""
    ending: str = ""  # what was said at its end

    @property
    def open(self) -> bool:
        return self.ended is None


def key_of(topic: Topic, event: Event) -> Key:
    return Key(topic, event.source, event.identity, event.subject)


def moment(time: datetime) -> datetime:
    """`time` in UTC and whole milliseconds: what is written down and read again must be the same moment."""
    time = time.astimezone(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def incident_id(install: str, key: Key, since: datetime) -> str:
    """16 hexadecimal digits."""
    about = [install, key.topic, key.source, *(key.identity or ("", "", "", "")), key.subject, since.isoformat()]
    return hashlib.sha256("\0".join(about).encode()).hexdigest()[:16]


def urgency_of(event: Event, topic: Topic) -> Urgency:
    """What is healed by itself is for those who want to know, what keeps people from their work is critical."""
    if topic is Topic.DRIFT and event.drift is not None and event.drift.mode is DriftMode.HEAL:
        return Urgency.INFO
    return _URGENCY.get(topic, Urgency.WARNING)


def begun(install: str, event: Event, topic: Topic, since: datetime | None = None) -> Incident:
    """The incident that `event` begins."""
    key = key_of(topic, event)
    since = moment(since or event.time)
    return described(Incident(incident_id(install, key, since), key, urgency_of(event, topic), since), event)


def described(incident: Incident, event: Event) -> Incident:
    """`incident` in the words of a later `event` about it."""
    drift = event.drift
    wanted = drift.wanted[0] if drift and drift.wanted else None
    revision = wanted.revision if wanted else None
    return Incident(
        id=incident.id,
        key=incident.key,
        urgency=incident.urgency,
        since=incident.since,
        message=cut(event.message, MESSAGE),
        hint=cut(event.hint, MESSAGE),
        revision=event.revision,
        kind=drift.kind.value if drift else "",
        reason=cut(drift.reason, MESSAGE) if drift else "",
        fields=_fields(drift) if drift else (),
        more_fields=max(0, len(drift.fields) - FIELDS) if drift else 0,
        # Who wrote the fields of an object has not therefore deleted it.
        by=_authors(drift) if drift and drift.kind is not DriftKind.DELETED else (),
        wanted=f"{cut(wanted.path, PATH)}:{wanted.line}" if wanted else "",
        commit=cut(f"{revision.short} {_name(revision.author)}: {revision.subject}", PATH) if revision else "",
    )


def _fields(drift: Drift) -> tuple[DriftedField, ...]:
    return tuple(
        DriftedField(cut(field.path, PATH), _value(field.wanted), _value(field.found))
        for field in drift.fields[:FIELDS]
    )


def _authors(drift: Drift) -> tuple[str, ...]:
    """Who owns the drifted fields now: "kubectl-edit at 10:03:05"."""
    found: dict[str, Author] = {}
    for field in drift.fields:
        for author in field.by:
            before = found.get(author.manager)
            if before is None or (author.time and (before.time is None or before.time < author.time)):
                found[author.manager] = author
    return tuple(
        cut(each.manager, VALUE) + (f" at {each.time:%H:%M:%S}" if each.time else "")
        for each in list(found.values())[:FIELDS]
    )


def _value(value: Any) -> str:
    if value is ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return cut(text, VALUE) if text else '""'


def _name(author: str) -> str:
    """Without the address, which is nobody's business in a chat."""
    return author.partition(" <")[0]


def cut(text: str, length: int) -> str:
    """At most `length` characters in one line, without what would hide or turn the text around it."""
    text = _UNFIT.sub(" ", text[: 2 * length])
    return text if len(text) <= length else f"{text[: length - 1]}…"
