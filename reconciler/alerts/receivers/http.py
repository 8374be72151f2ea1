"""A server that takes CloudEvents 1.0 in structured mode, signed as the Standard Webhooks specification says.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The signature is base64(HMAC-SHA256(secret, "<webhook-id>.<webhook-timestamp>.<body>")) behind "v1,". A secret that
begins with `whsec_` is base64 after that, any other is taken as it stands.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote

import msgspec

from reconciler.alerts.batch import Item, Phase
from reconciler.alerts.message import Message
from reconciler.alerts.receivers.posting import Poster
from reconciler.alerts.receivers.secret import read_secret
from reconciler.alerts.words import name_of
from reconciler.clock import Clock
from reconciler.errors import Undelivered
from reconciler.http.transport import Connect
from reconciler.model.alerting import HttpReceiver

_PREFIX = "whsec_"


class CloudEvents:
    """One event for each message; `data.incidents` has them all, each with an id that is the same for ever."""

    refresh = None
    most = 250

    def __init__(self, config: HttpReceiver, connect: Connect, clock: Clock) -> None:
        self._clock = clock
        self._secret_file = config.secret_file
        self._post = Poster(
            connect, clock, url_file=config.url_file, token_file=config.token_file, ca_file=config.ca_file
        )

    async def deliver(self, message: Message) -> None:
        """Tell it."""
        body = msgspec.json.encode(event(message))
        headers = {"content-type": "application/cloudevents+json"}
        secret = read_secret(self._secret_file) if self._secret_file else ""
        if secret:
            headers |= signed(secret, message.id, self._clock.now(), body)
        await self._post.post("", headers, body, secret)

    async def close(self) -> None:
        await self._post.close()


def signed(secret: str, identifier: str, time: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove that `body` is ours and new. Raises Undelivered for a secret that is not base64."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise Undelivered(f"the secret begins with {_PREFIX} and is not base64 after that") from None
    timestamp = str(int(time.timestamp()))
    digest = hmac.new(key, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def event(message: Message) -> dict[str, object]:
    """The CloudEvent of one message."""
    source, topic = message.batch.group
    items = message.batch.items
    single = {"subject": name_of(items[0].incident.key)} if len(items) == 1 else {}
    return {
        "specversion": "1.0",
        "id": message.id,
        "source": "/".join(("/reconciler", quote(message.install, safe=""), quote(source, safe=""))).rstrip("/"),
        "type": f"dev.reconciler.alert.{topic}",
        "time": message.time.isoformat(),
        **single,
        "datacontenttype": "application/json",
        "data": {
            "install": message.install,
            "source": source,
            "topic": topic.value,
            "title": message.title,
            "text": message.text,
            "incidents": [_incident(item) for item in items],
            "more": message.batch.more,
        },
    }


def _incident(item: Item) -> dict[str, object]:
    incident = item.incident
    identity = incident.key.identity
    over = item.phase in (Phase.ENDED, Phase.PASSED)
    found: dict[str, object] = {
        "id": incident.id,
        "state": item.phase.value,
        "severity": incident.urgency.value,
        "object": dict(zip(("group", "kind", "namespace", "name"), identity, strict=True)) if identity else None,
        "subject": incident.key.subject,
        "since": incident.since.isoformat(),
        "ended": incident.ended.isoformat() if over and incident.ended else None,
        "outcome": incident.outcome,
        "times": item.times,
        "message": incident.ending if item.phase is Phase.ENDED else incident.message,
        "hint": incident.hint,
        "revision": incident.revision,
        "fields": [{"path": f.path, "wanted": f.wanted, "found": f.found} for f in incident.fields],
        "moreFields": incident.more_fields,
        "by": list(incident.by),
        "wanted": incident.wanted,
        "commit": incident.commit,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], 0)}
