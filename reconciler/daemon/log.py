"""Events as log lines on standard error: one a line, for people or for machines. No name, value or message that comes
from Git, a cluster or a forge begins a line of its own, or drives a terminal."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from reconciler.alerts.message import Message
from reconciler.diff.views.fields import visible
from reconciler.drift.views import stated
from reconciler.model.event import Event, EventType, Sink


def log_to_stderr(form: str, stream: TextIO | None = None) -> Sink:
    """A sink that writes each event as a line of text, or as a JSON object where `form` is "json"."""
    out = stream or sys.stderr

    def text(event: Event) -> None:
        source = f" {event.source}" if event.source else ""
        revision = f" @{event.revision[:12]}" if event.revision else ""
        subject = f" {event.identity}" if event.identity else ""
        hint = f" (hint: {event.hint})" if event.hint else ""
        said = f"{source}{revision} {event.type}{subject}: {event.message}{_wanted(event)}{hint}"
        out.write(f"{event.time:%Y-%m-%dT%H:%M:%SZ}{visible(said)}\n")
        out.flush()

    def structured(event: Event) -> None:
        line = {
            "time": event.time.isoformat(),
            "source": event.source,
            "revision": event.revision,
            "type": event.type.value,
            "object": str(event.identity) if event.identity else None,
            "message": event.message,
            "hint": event.hint,
            "wanted": [stated(place) for place in event.drift.wanted] if event.drift else None,
        }
        out.write(json.dumps({key: value for key, value in line.items() if value}) + "\n")
        out.flush()

    return structured if form == "json" else text


class LogLine(logging.Formatter):
    """A line for what is no event of a source, in the same form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        time, said = datetime.fromtimestamp(record.created, UTC), super().format(record)
        if self._form == "json":
            return json.dumps({"time": time.isoformat(), "type": "log", "message": said})
        shown = "\n".join(map(visible, said.split("\n")))  # a traceback has lines of its own
        return f"{time:%Y-%m-%dT%H:%M:%SZ} {shown}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        said = super().formatMessage(record)
        return visible(said) if self._form != "json" else said


def _wanted(event: Event) -> str:
    """Who wanted a drifted object otherwise: the most important place."""
    if event.drift is None or not event.drift.wanted or event.type is not EventType.DRIFTED:
        return ""
    place = event.drift.wanted[0]
    wrote = f" by {place.revision.author.partition(' <')[0]} in {place.revision.short}" if place.revision else ""
    return f"; wanted in {place.path}:{place.line}{wrote}"


def messages_to_stderr(form: str, stream: TextIO | None = None) -> Callable[[Message], None]:
    """The same for messages of alerts, whose lines are joined in text."""
    out = stream or sys.stderr

    def text(message: Message) -> None:
        said = "; ".join([message.title, *filter(None, message.text.split("\n"))])
        out.write(f"{message.time:%Y-%m-%dT%H:%M:%SZ} alert: {visible(said)}\n")
        out.flush()

    def structured(message: Message) -> None:
        line = {
            "time": message.time.isoformat(),
            "source": message.batch.group.source,
            "type": "alert",
            "topic": message.batch.group.topic.value,
            "message": message.title,
            "text": message.text,
        }
        out.write(json.dumps({key: value for key, value in line.items() if value}) + "\n")
        out.flush()

    return structured if form == "json" else text
