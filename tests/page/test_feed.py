"""Server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from loopback import served
from processes import until
from staged import StagedView, overall

from reconciler.clock import SystemClock
from reconciler.daemon.page.feed import Feed
from reconciler.daemon.page.journal import Journal
from reconciler.kube.names import Identity
from reconciler.model.event import Event, EventType

WEB = Identity("apps", "Deployment", "shop", "web")
PATIENCE = 20


def event(message: str) -> Event:
    return Event(EventType.APPLIED, datetime(2026, 3, 1, tzinfo=UTC), "shop", message, WEB)


class Stream:
    """What a browser reads."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next(self) -> dict[str, str]:
        """The next block, by field; {"": …} for a comment, {} at the end."""
        found: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            async for line in self._answer.content:
                if line == b"\n":
                    return found
                name, _, value = line.decode().rstrip("\n").partition(":")
                found[name] = value.strip()
        return found


@asynccontextmanager
async def following(
    feed: Feed, may: Callable[[], bool] = lambda: True, **headers: str
) -> AsyncIterator[tuple[aiohttp.ClientResponse, Stream]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await feed.handle(request, may)

    app = web.Application()
    app.add_routes([web.get("/events", handle, allow_head=False)])
    async with served(app) as url:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{url}/events", headers=headers) as answer:
                yield answer, Stream(answer)
        finally:
            feed.end()


@pytest.fixture
def view() -> StagedView:
    return StagedView(overall())


async def test_an_event_is_told_with_its_number(view: StagedView) -> None:
    async with following(Feed(view, SystemClock())) as (answer, stream):
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert await stream.next() == {"retry": "2000"}
        view.journal(event("one\nline"))
        told = await stream.next()
        assert (told["id"], told["event"]) == ("boot-1", "happened")
        assert json.loads(told["data"]) == {
            "type": "applied",
            "time": "2026-03-01T00:00:00+00:00",
            "source": "shop",
            "object": "Deployment/shop/web",
            "message": "one\nline",
        }


async def test_what_is_no_event_is_a_change(view: StagedView) -> None:
    async with following(Feed(view, SystemClock())) as (_, stream):
        await stream.next()
        view.change(replace(view.shown, install="other"))
        assert await stream.next() == {"event": "change", "data": "{}"}


async def test_who_comes_back_gets_what_was_missed(view: StagedView) -> None:
    for number in range(1, 4):
        view.journal(event(f"said {number}"))
    async with following(Feed(view, SystemClock()), **{"Last-Event-ID": "boot-1"}) as (_, stream):
        await stream.next()
        assert [(await stream.next())["id"] for _ in range(2)] == ["boot-2", "boot-3"]


@pytest.mark.parametrize(
    "last", ["otherlife-1", "boot-99", "boot-", "boot--1", "nonsense", "boot-x", f"boot-{'9' * 5000}"]
)
async def test_who_knows_another_life_is_told_to_look_anew(view: StagedView, last: str) -> None:
    view.journal(event("said"))
    async with following(Feed(view, SystemClock()), **{"Last-Event-ID": last}) as (_, stream):
        await stream.next()
        assert await stream.next() == {"id": "boot-1", "event": "reset", "data": "{}"}


async def test_more_than_is_remembered_is_a_reset(view: StagedView) -> None:
    view.journal = Journal("boot", kept=5)
    for number in range(9):
        view.journal(event(f"said {number}"))
    async with following(Feed(view, SystemClock()), **{"Last-Event-ID": "boot-2"}) as (_, stream):
        await stream.next()
        assert (await stream.next())["event"] == "reset"


async def test_a_flood_is_one_reset(view: StagedView) -> None:
    async with following(Feed(view, SystemClock())) as (_, stream):
        await stream.next()
        for number in range(1000):
            view.journal(event(f"said {number}"))
        assert await stream.next() == {"id": "boot-1000", "event": "reset", "data": "{}"}


async def test_a_quiet_stream_is_kept_alive(view: StagedView) -> None:
    async with following(Feed(view, SystemClock(), keepalive=0.2)) as (_, stream):
        await stream.next()
        assert await stream.next() == {"": "still here"}
        assert await stream.next() == {"": "still here"}


async def test_there_is_room_for_so_many_and_room_again(view: StagedView) -> None:
    feed = Feed(view, SystemClock(), most=1)
    async with following(feed) as (answer, stream):
        await stream.next()
        async with aiohttp.ClientSession() as http:
            async with http.get(answer.url) as second:
                assert (second.status, second.headers["Retry-After"]) == (503, "30")
            answer.close()
            await asyncio.to_thread(until, lambda: not feed.clients, "it went")
            async with http.get(answer.url) as third:
                assert third.status == 200


async def test_who_may_no_longer_is_let_go(view: StagedView) -> None:
    may = True
    feed = Feed(view, SystemClock(), keepalive=0.1)
    async with following(feed, may=lambda: may) as (_, stream):
        await stream.next()
        assert await stream.next() == {"": "still here"}
        may = False
        while told := await stream.next():
            assert told == {"": "still here"}


async def test_all_are_let_go_when_the_daemon_stops(view: StagedView) -> None:
    feed = Feed(view, SystemClock())
    async with following(feed) as (_, stream):
        await stream.next()
        feed.end()
        assert await stream.next() == {}
