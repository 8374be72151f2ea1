"""Prometheus' Alertmanager by its API of version 2.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml

What is open is sent again before it would count as resolved, so that what a daemon that died said does not stand for
ever. Its labels stay the same for as long as it lasts: by them Alertmanager knows it again.
"""

from datetime import timedelta
from typing import Final

import msgspec

from reconciler.alerts.batch import Item, Phase
from reconciler.alerts.message import Message
from reconciler.alerts.receivers.posting import Poster
from reconciler.alerts.words import name_of, state_of
from reconciler.clock import Clock
from reconciler.http.transport import Connect
from reconciler.model.alerting import AlertmanagerReceiver

REFRESH: Final = 60.0  # seconds
LASTS: Final = timedelta(minutes=5)  # without word from us it is resolved then: more than a restart takes


class Alertmanager:
    """One POST for each message. Which messages people get is Alertmanager's business."""

    refresh = REFRESH
    most = 500

    def __init__(self, config: AlertmanagerReceiver, connect: Connect, clock: Clock) -> None:
        self._post = Poster(connect, clock, url=config.url, token_file=config.token_file, ca_file=config.ca_file)

    async def deliver(self, message: Message) -> None:
        """Tell it."""
        if message.batch.items:
            body = msgspec.json.encode([alert(message, item) for item in message.batch.items])
            await self._post.post("/api/v2/alerts", {"content-type": "application/json"}, body)

    async def close(self) -> None:
        await self._post.close()


def alert(message: Message, item: Item) -> dict[str, object]:
    """One alert. An empty label is none."""
    incident = item.incident
    topic, source, identity, subject = incident.key
    labels = {
        "alertname": f"Reconciler{topic.value.capitalize()}",
        "severity": incident.urgency.value,
        "install": message.install,
        "source": source,
        "group": identity.group if identity else "",
        "kind": identity.kind if identity else "",
        "namespace": identity.namespace if identity else "",
        "name": identity.name if identity else "",
        "subject": subject,
    }
    lines = [f"{field.path}: {field.wanted} → {field.found}" for field in incident.fields]
    annotations = {
        "summary": f"{name_of(incident.key)} {state_of(incident, Phase.BEGAN)}",
        "description": "\n".join(lines) or incident.message,
        "by": ", ".join(incident.by),
        "wanted": incident.wanted,
        "commit": incident.commit,
        "hint": incident.hint,
        "revision": incident.revision,
        "incident": incident.id,
    }
    over = item.phase in (Phase.ENDED, Phase.PASSED)
    ends = (incident.ended or message.time) if over else message.time + LASTS
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": incident.since.isoformat(timespec="milliseconds"),
        "endsAt": max(ends, incident.since).isoformat(timespec="milliseconds"),
    }
