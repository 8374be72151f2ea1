"""POST /webhooks/<name>: what forges say has happened, told to whoever acts on it.

Nothing is done for a request before its signature was found right: its body is read, up to a limit and a deadline, and
hashed. What is then to be done is a key for a queue that holds each key once, so a flood of the same costs one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import hdrs, web

from reconciler.clock import Clock
from reconciler.daemon.buckets import Buckets
from reconciler.errors import SecretUnreadable, WebhookRefused
from reconciler.forge.deliveries import Deliveries, Freshness
from reconciler.forge.webhooks import LARGEST, Delivery, Event, read, verify
from reconciler.model.forging import WebhookConfig
from reconciler.secret_file import read_secret

RATE: Final = 10.0  # requests a second from one address
BURST: Final = 50
_AT_ONCE: Final = 8  # bodies that are being read: with LARGEST the most memory that strangers can take
_PATIENCE: Final = 10.0  # seconds for a body to come

RESULTS: Final = ("taken", "ignored", "repeated", "old", "forged", "malformed", "large", "slow", "limited", "broken")

Take = Callable[[Event], bool]
"""Acts on an event, at once and without waiting; whether there was anything to do."""

Count = Callable[[str, str], None]
"""Told of each delivery to a webhook: its name and one of RESULTS."""

logger = logging.getLogger(__name__)


class Webhooks:
    """Adds the webhooks to an application."""

    def __init__(self, configs: Sequence[WebhookConfig], clock: Clock, take: Take, count: Count) -> None:
        self._hooks = {config.name: (config, Deliveries(clock)) for config in configs}
        self._take = take
        self._count = count
        self._buckets = Buckets(clock, RATE, BURST)
        self._reading = 0
        self._unreadable: set[str] = set()  # files that were complained of

    def add_to(self, app: web.Application) -> None:
        app.add_routes([web.post("/webhooks/{name}", self._post)])

    async def _post(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._hooks:
            raise web.HTTPNotFound
        result, status, said = await self._answer(request, *self._hooks[name])
        self._count(name, result)
        headers = {"Retry-After": "1"} if status == 429 else {}
        return web.Response(status=status, text=f"{said}\n", headers=headers)

    async def _answer(
        self, request: web.Request, config: WebhookConfig, deliveries: Deliveries
    ) -> tuple[str, int, str]:
        """What came of it, the status, and a word for whoever looks at the forge's list of deliveries."""
        if not self._buckets.take(request.remote or "") or self._reading >= _AT_ONCE:
            return "limited", 429, "too many at once"
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
            return "malformed", 415, "send the body as it is"
        if (request.content_length or 0) > LARGEST:
            return "large", 413, f"more than {LARGEST} bytes"
        self._reading += 1
        try:
            body = await _body(request)
        except TimeoutError:
            return "slow", 408, "the body took too long"
        finally:
            self._reading -= 1
        if body is None:
            return "large", 413, f"more than {LARGEST} bytes"
        headers = {key.lower(): value for key, value in request.headers.items()}
        try:
            verify(config.kind, headers, body, self._secret(config))
        except SecretUnreadable:
            return "broken", 503, "the secret cannot be read"
        except WebhookRefused as error:
            return "forged", 401, error.what
        try:
            delivery = read(config.kind, headers, body)
        except WebhookRefused as error:
            return "malformed", 400, str(error)
        return self._act(delivery, deliveries.take(delivery, body))

    def _act(self, delivery: Delivery, fresh: Freshness) -> tuple[str, int, str]:
        if fresh is Freshness.SEEN:
            return "repeated", 200, "this was said before"
        if fresh is Freshness.OLD:
            return "old", 200, "this happened too long ago; polling has seen it"
        if delivery.event is None or not self._take(delivery.event):
            return "ignored", 200, "nothing to do"
        return "taken", 202, "taken"

    def _secret(self, config: WebhookConfig) -> str:
        try:
            secret = read_secret(config.secret_file)
        except SecretUnreadable as error:
            if config.secret_file not in self._unreadable:
                self._unreadable.add(config.secret_file)
                logger.warning("webhook %s refuses everything: %s", config.name, error)
            raise
        self._unreadable.discard(config.secret_file)
        return secret


async def _body(request: web.Request) -> bytes | None:
    """The bytes as they came; None where there are too many. Raises TimeoutError."""
    parts: list[bytes] = []
    size = 0
    async with asyncio.timeout(_PATIENCE):
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > LARGEST:
                return None
            parts.append(chunk)
    return b"".join(parts)
