"""Watches: what comes, in what order, and how they end."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from sandbox_api import CONFIG_MAPS, Api, Object, config_map
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.sandbox.server import Sandbox


class Watcher:
    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def next(self) -> tuple[str, Object]:
        event = json.loads(await anext(self._lines))
        return event["type"], event["object"]

    async def take(self, count: int) -> list[tuple[str, str]]:
        found = []
        for _ in range(count):
            kind, obj = await self.next()
            found.append((kind, obj["metadata"].get("name", "")))
        return found

    async def rest(self) -> list[tuple[str, Object]]:
        return [(event["type"], event["object"]) async for line in self._lines for event in (json.loads(line),)]


def running(history: int = 100) -> Api:
    """An Api whose time is the loop's."""
    api = Api()
    api.sandbox = Sandbox(clock=LoopClock(), random=Random(1), history=history)
    return api


@asynccontextmanager
async def watching(api: Api, path: str = CONFIG_MAPS, accept: str = "", **query: str) -> AsyncIterator[Watcher]:
    headers = {"accept": accept} if accept else {}
    async with api.sandbox.stream(Request("GET", path, (("watch", "true"), *query.items()), headers)) as answer:
        assert answer.status == 200
        yield Watcher(answer.lines())


@virtual
async def test_a_watch_shows_what_is_there_and_what_happens() -> None:
    api = running()
    api.post(CONFIG_MAPS, config_map("old"))
    async with watching(api) as watch:
        api.post(CONFIG_MAPS, config_map("new"))
        api.patch(f"{CONFIG_MAPS}/new", {"data": {"a": "1"}})
        deleted = api.get(f"{CONFIG_MAPS}/new").body["metadata"]["resourceVersion"]
        api.delete(f"{CONFIG_MAPS}/new")
        assert await watch.take(3) == [("ADDED", "old"), ("ADDED", "new"), ("MODIFIED", "new")]
        kind, obj = await watch.next()
        assert (kind, obj["data"]) == ("DELETED", {"a": "1"})
        assert int(obj["metadata"]["resourceVersion"]) > int(deleted)


@virtual
async def test_a_watch_from_a_revision_replays_what_came_after() -> None:
    api = running()
    api.post(CONFIG_MAPS, config_map("one"))
    revision = api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    api.post(CONFIG_MAPS, config_map("two"))
    api.delete(f"{CONFIG_MAPS}/one")
    async with watching(api, resourceVersion=revision) as watch:
        assert await watch.take(2) == [("ADDED", "two"), ("DELETED", "one")]


@virtual
async def test_a_revision_that_is_no_longer_kept_is_an_error_410() -> None:
    api = running(history=2)
    for name in ("a", "b", "c", "d"):
        api.post(CONFIG_MAPS, config_map(name))
    async with watching(api, resourceVersion="5") as watch:
        ((kind, status),) = await watch.rest()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


@virtual
async def test_an_object_enters_and_leaves_a_selection() -> None:
    api = running()
    api.post(CONFIG_MAPS, config_map("a", labels={"team": "x"}))
    async with watching(api, labelSelector="team=y") as watch:
        api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"team": "y"}}})
        api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"team": "x"}}})
        assert (await watch.next())[0] == "ADDED"
        kind, obj = await watch.next()
        assert (kind, obj["metadata"]["labels"]) == ("DELETED", {"team": "y"})


@virtual
async def test_a_watch_of_one_name_or_namespace_sees_nothing_else() -> None:
    api = running()
    async with watching(api, f"{CONFIG_MAPS}/b") as one, watching(api, fieldSelector="metadata.name=b") as selected:
        for name in ("a", "b", "c"):
            api.post(CONFIG_MAPS, config_map(name))
        api.post("/api/v1/namespaces/kube-system/configmaps", config_map("b"))
        api.delete(f"{CONFIG_MAPS}/b")
        for watch in (one, selected):
            assert await watch.take(2) == [("ADDED", "b"), ("DELETED", "b")]


@virtual
async def test_initial_events_end_with_a_bookmark() -> None:
    api = running()
    api.post(CONFIG_MAPS, config_map())
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(api, **query) as watch:
        assert (await watch.next())[0] == "ADDED"
        kind, obj = await watch.next()
        assert kind == "BOOKMARK"
        assert obj["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert obj["metadata"]["resourceVersion"] == api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]


@virtual
async def test_bookmarks_come_by_the_minute_and_the_timeout_ends_all() -> None:
    api = running()
    async with watching(api, allowWatchBookmarks="true", timeoutSeconds="150") as watch:
        kinds = [kind for kind, _ in await watch.rest()]
    assert kinds == ["BOOKMARK"] * 3
    async with watching(api, timeoutSeconds="150") as watch:
        assert await watch.rest() == []


@virtual
async def test_what_cannot_be_watched_is_refused() -> None:
    api = running()
    for path, query, status in (
        (CONFIG_MAPS, {"resourceVersion": "99999"}, 504),
        (CONFIG_MAPS, {"sendInitialEvents": "true"}, 422),
        (CONFIG_MAPS, {"fieldSelector": "data.a=b"}, 400),
        ("/api/v1/nothing", {}, 404),
    ):
        request = Request("GET", path, (("watch", "1"), *query.items()))
        async with api.sandbox.stream(request) as answer:
            assert answer.status == status
            assert [json.loads(line)["code"] async for line in answer.lines()] == [status]


@virtual
async def test_events_can_be_rows_or_metadata() -> None:
    api = running()
    api.post(CONFIG_MAPS, config_map())
    async with watching(api, accept="application/json;as=Table;v=v1;g=meta.k8s.io") as watch:
        _, table = await watch.next()
        assert table["rows"][0]["cells"][:2] == ["settings", "0"]
    async with watching(api, accept="application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io") as watch:
        assert (await watch.next())[1]["kind"] == "PartialObjectMetadata"


@virtual
async def test_closing_the_server_ends_its_watches() -> None:
    api = running()
    async with watching(api) as watch:
        api.sandbox.close()
        assert await watch.rest() == []


def test_nothing_listens_when_a_watch_has_ended(api: Api) -> None:
    @virtual
    async def once() -> None:
        live = running()
        async with watching(live):
            pass
        core: Any = live.sandbox._core
        assert all(not shelf.listeners for shelf in core.store._shelves.values())

    once()
