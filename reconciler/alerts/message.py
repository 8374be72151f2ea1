"""A batch as people read it: the first line says where and what, then what differs, who did it, when, and who wanted it
otherwise."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from reconciler.alerts.batch import Batch, Group, Item, Phase
from reconciler.alerts.incident import Incident
from reconciler.alerts.words import Saying, name_of, saying_of, state_of, states_of
from reconciler.model.alerting import MessageConfig, Urgency
from reconciler.model.drift import DriftKind
from reconciler.model.event import Topic
from reconciler.model.template import Template

TITLE: Final = "$where: $what"
DETAILS: Final = "$fields\n$message\nby $by\nGit: $git\n$when\nhint: $hint"
INCIDENT: Final = f"$what\n{DETAILS}"
LINE: Final = "$what: $brief"

FEW: Final = 3  # incidents that are told in full
LINES: Final = 10  # incidents that are told in a line; the others are counted
LENGTH: Final = 4_000  # characters of a message
_BRIEF: Final = 160
_LEAST: Final = list(Urgency)


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the same for the same content, so that whoever got it twice can tell. `install` is who we
    are, `text` what follows `title`."""

    id: str
    install: str
    time: datetime
    batch: Batch
    title: str
    text: str

    @property
    def urgency(self) -> Urgency:
        """That of the most urgent incident that is not over, INFO where all are."""
        open_ones = [item.incident.urgency for item in self.batch.items if item.phase in (Phase.BEGAN, Phase.LASTS)]
        return max(open_ones, key=_LEAST.index, default=Urgency.INFO)

    @property
    def open(self) -> bool:
        """Whether something of it is not over."""
        return bool(self.batch.more) or any(item.phase in (Phase.BEGAN, Phase.LASTS) for item in self.batch.items)


class Composer:
    """Makes messages for one receiver. `name` is the installation's where it has one that people know, else ""."""

    def __init__(self, config: MessageConfig | None = None, *, name: str = "") -> None:
        config = config or MessageConfig()
        self._title = Template(TITLE if config.title is None else config.title)
        self._only = Template(DETAILS if config.incident is None else config.incident)
        self._incident = Template(INCIDENT if config.incident is None else config.incident)
        self._line = Template(LINE if config.line is None else config.line)
        self._name = name

    def compose(self, batch: Batch, install: str, now: datetime) -> Message:
        """The message that says `batch`."""
        spoken = _spoken(batch)
        draft = Message(_id(batch, now), install, now, batch, "", "")
        title = self._title.filled(
            {
                **self._place(batch),
                "what": _what(batch, spoken),
                "install": install,
                "severity": draft.urgency.value,
                "count": str(len(spoken) + batch.more),
            }
        )
        return Message(draft.id, install, now, batch, title, self._text(batch, spoken, install, now))

    def _text(self, batch: Batch, spoken: list[Item], install: str, now: datetime) -> str:
        if len(spoken) + bool(batch.more) <= FEW:
            template = self._only if len(spoken) == 1 and not batch.more else self._incident
            parts = [template.filled(self._values(item, install, now)) for item in spoken]
            more = batch.more
            text = "\n\n".join(part for part in parts if part)
        else:
            text = "\n".join(self._line.filled(self._values(item, install, now)) for item in spoken[:LINES])
            more = batch.more + max(0, len(spoken) - LINES)
        if len(text) > LENGTH:
            text = f"{text[: LENGTH - 1]}…"
        return f"{text}\nand {more:,} more" if more and spoken else text

    def _place(self, batch: Batch) -> dict[str, str]:
        where = "/".join(part for part in (self._name, batch.group.source) if part) or "reconciler"
        return {"where": where, "source": batch.group.source, "topic": batch.group.topic.value}

    def _values(self, item: Item, install: str, now: datetime) -> dict[str, str]:
        incident, phase = item.incident, item.phase
        identity = incident.key.identity
        over = phase in (Phase.ENDED, Phase.PASSED)
        name, state = name_of(incident.key), state_of(incident, phase)
        fields = "\n".join(_fields(item))
        message = _message(item)
        lasted = _length((incident.ended or now) - incident.since)
        return {
            **self._place(Batch(_group(item), ())),
            "install": install,
            "severity": incident.urgency.value,
            "id": incident.id,
            "object": name,
            "kind": identity.kind if identity else "",
            "namespace": identity.namespace if identity else "",
            "name": identity.name if identity else "",
            "what": f"{name} {state}",
            "state": state,
            "message": message,
            "fields": fields,
            "brief": _brief(item, lasted),
            "by": "" if phase is Phase.ENDED or incident.key.topic is Topic.FIGHT else ", ".join(incident.by),
            "wanted": "" if over else incident.wanted,
            "commit": "" if over else incident.commit,
            "git": "" if over else _git(incident),
            "since": _time(incident.since, now),
            "lasted": lasted,
            "times": str(item.times),
            "when": _when(item, now, lasted),
            "hint": "" if over else incident.hint,
        }


def _spoken(batch: Batch) -> list[Item]:
    """What is not over comes first. What ended and began again in the same message is one line to people."""
    again = {item.incident.key for item in batch.items if item.phase is Phase.BEGAN}
    spoken = [item for item in batch.items if item.phase is not Phase.ENDED or item.incident.key not in again]
    return sorted(spoken, key=lambda item: (*_kind(item), item.incident.since))


def _what(batch: Batch, spoken: list[Item]) -> str:
    """Everything in one line: "Deployment/shop/web drifted", "3 objects drifted; 1 object was healed"."""
    if not spoken:
        return f"{batch.more:,} more ({batch.group.topic})"
    more = f"and {batch.more:,} more" if batch.more else ""
    parts = []
    for _, group in groupby(spoken, key=_kind):
        items = list(group)
        first = items[0]
        if len(items) == 1:
            parts.append(f"{name_of(first.incident.key)} {state_of(first.incident, first.phase)}")
        else:
            parts.append(states_of(saying_of(first.incident, first.phase), len(items)))
    return ", ".join(filter(None, ("; ".join(parts), more)))


def _kind(item: Item) -> tuple[int, Saying]:
    return list(Phase).index(item.phase), saying_of(item.incident, item.phase)


def _fields(item: Item) -> list[str]:
    """What differs, a field a line. Of a fight the message says it, and what is over is as it should be."""
    incident = item.incident
    if item.phase is Phase.ENDED or incident.key.topic is not Topic.DRIFT or incident.kind == DriftKind.DELETED:
        return []
    if incident.kind == DriftKind.TAKEN:
        lines = [f"{field.path}: {field.found}, but no longer ours" for field in incident.fields]
    else:
        lines = [f"{field.path}: {field.wanted} → {field.found}" for field in incident.fields]
    return [*lines, f"and {incident.more_fields} more"] if incident.more_fields else lines


def _message(item: Item) -> str:
    """What was said, where title and fields do not say it."""
    incident = item.incident
    if incident.key.topic is Topic.DRIFT and (item.phase is Phase.ENDED or incident.kind):
        return "" if item.phase in (Phase.ENDED, Phase.PASSED) else incident.reason
    return incident.ending if item.phase is Phase.ENDED else incident.message


def _brief(item: Item, lasted: str) -> str:
    """One clause."""
    if item.phase is Phase.ENDED:
        return f"after {lasted}"
    fields, by = _fields(item), item.incident.by[:1] if item.incident.kind else ()
    first = fields[0] if fields else _message(item).partition("\n")[0]
    more = f"and {len(fields) + item.incident.more_fields - bool(item.incident.more_fields) - 1} more"
    parts = [first, more if len(fields) > 1 else "", *(f"by {each}" for each in by)]
    said = ", ".join(filter(None, parts)) or f"since {item.incident.since:%H:%M:%S}"
    return said if len(said) <= _BRIEF else f"{said[: _BRIEF - 1]}…"


def _git(incident: Incident) -> str:
    return f"{incident.wanted} ({incident.commit})" if incident.wanted and incident.commit else incident.wanted


def _when(item: Item, now: datetime, lasted: str) -> str:
    since = _time(item.incident.since, now)
    times = f", {item.times:,} times" if item.times > 1 else ""
    match item.phase:
        case Phase.BEGAN:
            return f"since {since}{times}"
        case Phase.LASTS:
            return f"since {since}, for {lasted}"
        case Phase.ENDED | Phase.PASSED:
            return f"from {since}, for {lasted}{times}"


def _group(item: Item) -> Group:
    return Group(item.incident.key.source, item.incident.key.topic)


def _id(batch: Batch, now: datetime) -> str:
    """Attempts to tell the same have the same id; a reminder is another thing than the one before."""
    hour = now.astimezone(UTC).strftime(" %Y-%m-%dT%H")
    said = [f"{item.phase} {item.incident.id}{hour if item.phase is Phase.LASTS else ''}" for item in batch.items]
    about = "\n".join([batch.group.source, batch.group.topic, str(batch.more), *said])
    return hashlib.sha256(about.encode()).hexdigest()[:32]


def _time(time: datetime, now: datetime) -> str:
    time = time.astimezone(UTC)
    return f"{time:%H:%M:%S} UTC" if time.date() == now.astimezone(UTC).date() else f"{time:%Y-%m-%d %H:%M} UTC"


def _length(delta: timedelta) -> str:
    """ "4m 10s": the two largest units."""
    seconds = max(0, int(delta.total_seconds()))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts[:2]) or "under 1s"
