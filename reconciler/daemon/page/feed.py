"""/events: server-sent events for browsers that follow the page.

`event: happened` carries one event as JSON, with an id: a browser that lost the connection gets what it missed.
`event: change` says that something else is to be seen, `event: reset` that more was missed than is remembered. What
cannot be written to a browser in time is not kept for it: it is let go, and asks again.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Final

from aiohttp import web

from reconciler.clock import Clock
from reconciler.daemon.page.journal import Entry, Journal
from reconciler.daemon.page.view import View

MOST: Final = 50  # browsers at a time
KEEPALIVE: Final = 15.0  # seconds
_LOOK: Final = 0.15  # seconds between two looks whether there is news
_PATIENCE: Final = 10.0  # seconds that one write may take
_AGAIN: Final = 2000  # milliseconds after which a browser connects again
_DIGITS: Final = 15  # of a number that we may have given
_MANY: Final = 50  # events told one by one; more at a time are told as a reset


class Feed:
    """Follows `view` for any number of browsers, `most` at a time; says something every `keepalive` seconds."""

    def __init__(self, view: View, clock: Clock, *, most: int = MOST, keepalive: float = KEEPALIVE) -> None:
        self._view = view
        self._clock = clock
        self._most = most
        self._keepalive = keepalive
        self._ending = False
        self.clients = 0

    def end(self) -> None:
        """Let all go: the daemon stops."""
        self._ending = True

    async def handle(self, request: web.Request, may: Callable[[], bool] = lambda: True) -> web.StreamResponse:
        """Answer with the stream, for as long as `may` says so."""
        if self.clients >= self._most:
            text = "too many browsers follow this page\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "30"})
        self.clients += 1
        try:
            return await self._follow(request, may)
        finally:
            self.clients -= 1

    async def _follow(self, request: web.Request, may: Callable[[], bool]) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        journal, stamp = self._view.journal, self._view.stamp()
        said = journal.last
        opening = f"retry: {_AGAIN}\n\n"
        if last := request.headers.get("Last-Event-ID"):
            said, missed = _resume(journal, last)
            opening += missed
        try:
            await _write(response, opening)
            quiet = looked = self._clock.monotonic()
            while not self._ending and request.transport is not None and not request.transport.is_closing():
                await self._clock.sleep(_LOOK)
                if self._clock.monotonic() - looked >= self._keepalive:
                    looked = self._clock.monotonic()
                    if not may():
                        break
                text = ""
                if (now := self._view.stamp()) != stamp:
                    stamp = now
                    text = _news(journal, said) or "event: change\ndata: {}\n\n"
                    said = journal.last
                elif self._clock.monotonic() - quiet >= self._keepalive:
                    text = ": still here\n\n"
                if text:
                    await _write(response, text)
                    quiet = self._clock.monotonic()
        except (ConnectionError, TimeoutError):
            pass  # it went, or does not read
        return response


async def _write(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(_PATIENCE):
        await response.write(text.encode())


def _resume(journal: Journal, last: str) -> tuple[int, str]:
    """Up to where a browser whose last id was `last` knows, and what to tell it first."""
    boot, _, number = last.rpartition("-")
    if boot != journal.boot or not number.isdecimal() or len(number) > _DIGITS:  # it knew another life of the daemon
        return journal.last, _reset(journal)
    return journal.last, _news(journal, int(number))


def _news(journal: Journal, said: int) -> str:
    """What happened after the entry `said`; "" where nothing did."""
    entries = journal.since(said)
    if entries is None or len(entries) > _MANY:
        return _reset(journal)
    return "".join(_event(journal, entry) for entry in entries)


def _reset(journal: Journal) -> str:
    return f"id: {journal.boot}-{journal.last}\nevent: reset\ndata: {{}}\n\n"


def _event(journal: Journal, entry: Entry) -> str:
    event = entry.event
    body = {
        "type": event.type.value,
        "time": event.time.isoformat(),
        "source": event.source,
        "object": str(event.identity) if event.identity else "",
        "message": event.message,
    }
    return f"id: {journal.boot}-{entry.number}\nevent: happened\ndata: {json.dumps(body)}\n\n"
