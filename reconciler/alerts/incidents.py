"""The register of incidents: events come in, what began, changed or ended goes out. Pure, and bounded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from reconciler.alerts.incident import MESSAGE, Incident, Key, begun, cut, described, key_of, moment
from reconciler.model.event import BEGINS, ENDS, Event, EventType, Topic

MOST: Final = 5_000  # incidents that are open at a time; what begins beyond is counted

_SEPARATOR: Final = "\n"


class Turn(Enum):
    BEGAN = "began"
    SAID_AGAIN = "said again"  # the same incident in other words
    ENDED = "ended"
    SETTLED = "settled"  # it ended, and only whoever was told that it began needs to know
    ABSORBED = "absorbed"  # another incident says all of it: whoever was not told of it yet need not be
    UNCOUNTED = "uncounted"  # there are too many: it is not followed, only counted


class News(NamedTuple):
    """Of an incident that is absorbed only the key means anything."""

    turn: Turn
    incident: Incident


class Incidents:
    """What is open, by key. `install` may be set once it is known."""

    def __init__(self, install: str = "", *, most: int = MOST) -> None:
        self.install = install
        self._most = most
        self._open: dict[Key, Incident] = {}
        self._unsure: set[Key] = set()  # from the record of an earlier life, and not said again in this one
        self._fights: set[Key] = set()
        self._muted: set[Key] = set()  # drifts of which a fight says all

    @property
    def open(self) -> Mapping[Key, Incident]:
        return self._open

    def take(self, event: Event) -> tuple[News, ...]:
        """What `event` means. Most events mean nothing here."""
        if (topic := BEGINS.get(event.type)) is not None:
            return self._begin(key_of(topic, event), event)
        if (topic := ENDS.get(event.type)) is not None:
            return self._end(key_of(topic, event), event)
        return ()

    def restore(self, incident: Incident) -> None:
        """Take in one that is open by the record of an earlier life."""
        key = incident.key
        self._open[key] = incident
        self._unsure.add(key)
        if key.topic is Topic.FIGHT:
            self._fights.add(key)
        if key.topic in (Topic.FIGHT, Topic.DRIFT) and key._replace(topic=Topic.FIGHT) in self._fights:
            drift = key._replace(topic=Topic.DRIFT)
            if drift in self._open:
                self._muted.add(drift)

    def unsure(self, about: Callable[[Key], bool]) -> tuple[Key, ...]:
        """Those restored ones that nobody spoke of in this life."""
        return tuple(key for key in sorted(self._unsure, key=_order) if about(key))

    def forget(self, keys: Iterable[Key], now: datetime) -> tuple[News, ...]:
        """Those of `keys` that nobody spoke of have ended, at some time that nobody saw."""
        news: list[News] = []
        for key in keys:
            if key in self._unsure:
                ended = replace(self._open[key], ended=moment(now), ending="it is no longer so")
                news.extend(self._close(key, ended))
        return tuple(news)

    def _begin(self, key: Key, event: Event) -> tuple[News, ...]:
        before = self._open.get(key)
        if before is not None:
            self._unsure.discard(key)
            incident = _added(before, described(before, event))
            self._open[key] = incident
            return () if key in self._muted else (News(Turn.SAID_AGAIN, incident),)
        incident = begun(self.install, event, key.topic)
        if len(self._open) >= self._most:
            return (News(Turn.UNCOUNTED, incident),)
        self._open[key] = incident
        if key.topic is Topic.DRIFT and key._replace(topic=Topic.FIGHT) in self._fights:
            self._muted.add(key)
            return ()
        if key.topic is not Topic.FIGHT:
            return (News(Turn.BEGAN, incident),)
        self._fights.add(key)
        drift = key._replace(topic=Topic.DRIFT)
        if drift in self._open:
            self._muted.add(drift)
        # The drift that lasts, or the many that were healed just before and made it a fight.
        return News(Turn.ABSORBED, replace(incident, key=drift)), News(Turn.BEGAN, incident)

    def _end(self, key: Key, event: Event) -> tuple[News, ...]:
        if (incident := self._open.get(key)) is None:
            if event.type is EventType.HEALED and key._replace(topic=Topic.FIGHT) not in self._fights:
                return (News(Turn.ENDED, _notice(self.install, key, event)),)
            return ()
        if event.drift is not None and not incident.fields:
            incident = described(incident, replace(event, message=incident.message, hint=incident.hint))
        ended = replace(
            incident,
            ended=max(incident.since, moment(event.time)),
            outcome=event.type.value,
            ending=cut(event.message, MESSAGE),
        )
        return self._close(key, ended)

    def _close(self, key: Key, ended: Incident) -> tuple[News, ...]:
        del self._open[key]
        self._unsure.discard(key)
        if key in self._muted:
            self._muted.discard(key)
            return (News(Turn.SETTLED, ended),)
        if key.topic is not Topic.FIGHT:
            return (News(Turn.ENDED, ended),)
        self._fights.discard(key)
        drift = key._replace(topic=Topic.DRIFT)
        if drift not in self._muted:
            return (News(Turn.ENDED, ended),)
        self._muted.discard(drift)  # nobody fights any more, and still it is not as Git states it
        return News(Turn.ENDED, ended), News(Turn.BEGAN, self._open[drift])


def _notice(install: str, key: Key, event: Event) -> Incident:
    """Something that was over before anybody spoke of it."""
    since = event.drift.noticed if event.drift else event.time
    incident = begun(install, event, key.topic, min(since, event.time))
    return replace(incident, ended=moment(event.time), outcome=event.type.value, ending=cut(event.message, MESSAGE))


def _added(before: Incident, after: Incident) -> Incident:
    """A spec may be wrong in several ways, which are said one after the other; anything else is as it was last said."""
    if before.key.topic is not Topic.SPEC or before.revision != after.revision:
        return after
    said = before.message.split(_SEPARATOR)
    if after.message in said:
        return replace(after, message=before.message)
    return replace(after, message=_SEPARATOR.join((*said, after.message))[: 2 * MESSAGE])


def _order(key: Key) -> tuple[str, ...]:
    return (key.source, key.topic, *(key.identity or ()), key.subject)
