"""Incoming webhooks of Slack, and of Mattermost and Rocket.Chat, which take the same.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from typing import Final

import msgspec

from reconciler.alerts.message import Message
from reconciler.alerts.receivers.posting import Poster
from reconciler.alerts.receivers.receiver import UNLIMITED
from reconciler.clock import Clock
from reconciler.http.transport import Connect
from reconciler.model.alerting import SlackReceiver, Urgency

_COLORS: Final = {Urgency.INFO: "#439fe0", Urgency.WARNING: "warning", Urgency.CRITICAL: "danger"}
_OVER: Final = "good"
_CALLS: Final = re.compile(r"@(?=channel|here|all|everyone)", re.IGNORECASE)


class Slack:
    """The title as the text, which phones show; the rest beside a bar whose color says how urgent it is."""

    refresh = None
    most = UNLIMITED

    def __init__(self, config: SlackReceiver, connect: Connect, clock: Clock) -> None:
        self._post = Poster(connect, clock, url_file=config.url_file, ca_file=config.ca_file)

    async def deliver(self, message: Message) -> None:
        """Tell it."""
        body = msgspec.json.encode(payload(message))
        await self._post.post("", {"content-type": "application/json"}, body)

    async def close(self) -> None:
        await self._post.close()


def payload(message: Message) -> dict[str, object]:
    """The JSON of one message."""
    title, text = escaped(message.title), escaped(message.text)
    if not text:
        return {"text": title}
    color = _COLORS[message.urgency] if message.open else _OVER
    return {"text": title, "attachments": [{"color": color, "fallback": title, "text": text}]}


def escaped(text: str) -> str:
    """What somebody wrote into an object must not become a link, or call everybody."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\u200b", text)
