"""The cache behind every controller, against a server that fails in every way it may."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from virtual import virtual

from reconciler.clock import LoopClock, run_virtual
from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response
from reconciler.sandbox.client import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, Client, Key
from reconciler.sandbox.controllers.queue import Timers, WorkQueue
from reconciler.sandbox.informer import PAGE, Informer
from reconciler.sandbox.informers import Informers
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation


class Failing:
    """A transport that fails as often as it is told to."""

    def __init__(self, inner: Any, clock: LoopClock) -> None:
        self.inner = inner
        self.clock = clock
        self.lists: list[float] = []
        self.watches: list[float] = []
        self.refuse_lists: list[Response | Exception] = []
        self.refuse_watches: list[Response] = []
        self.lost = Random(3)
        self.loss = 0.0
        self.cut: asyncio.Event = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if request.method == "GET":
            self.lists.append(self.clock.monotonic())
            if self.refuse_lists:
                answer = self.refuse_lists.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer
        draw = self.lost.random()
        if draw < self.loss / 2:
            raise TransportError("lost on the way there")
        answer = await self.inner.send(request)
        if draw < self.loss:
            raise TransportError("lost on the way back")
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Any]:
        self.watches.append(self.clock.monotonic())
        async with self.inner.stream(request) as stream:
            yield Cut(stream, self)

    async def close(self) -> None:
        await self.inner.close()


class Cut:
    """A stream that ends when the transport says so."""

    def __init__(self, stream: Any, transport: Failing) -> None:
        self._stream = stream
        self._transport = transport
        self.refusal = transport.refuse_watches.pop(0) if transport.refuse_watches else None
        self.status = self.refusal.status if self.refusal else stream.status
        self.headers = stream.headers

    async def lines(self) -> AsyncIterator[bytes]:
        if self.refusal is not None:
            yield self.refusal.body
            return
        lines = self._stream.lines()
        cut = asyncio.ensure_future(self._transport.cut.wait())
        try:
            while True:
                line = asyncio.ensure_future(anext(lines, None))
                await asyncio.wait((line, cut), return_when=asyncio.FIRST_COMPLETED)
                if cut.done():
                    line.cancel()
                    await asyncio.gather(line, return_exceptions=True)
                    raise TransportError("the connection was cut")
                if line.result() is None:
                    return
                yield line.result()
        finally:
            cut.cancel()


class Room:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.sandbox = Sandbox(clock=self.clock)
        self.transport = Failing(self.sandbox.transport(), self.clock)
        self.client = Client(self.sandbox.transport(), "test")
        self.informer = Informer(CONFIG_MAPS, self.transport, clock=self.clock, random=Random(1))
        self.changes: list[tuple[str, str]] = []
        self.informer.subscribe(self._changed)

    def _changed(self, old: Any, new: Any) -> None:
        verb = "add" if old is None else "delete" if new is None else "change"
        self.changes.append((verb, (new or old)["metadata"]["name"]))

    @property
    def names(self) -> list[str]:
        return sorted(obj["metadata"]["name"] for obj in self.informer.all())

    async def put(self, name: str) -> Any:
        return await self.client.create(CONFIG_MAPS, config_map(name))


def config_map(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}}


def informed(scenario: Any) -> None:
    async def main() -> None:
        room = Room()
        task = asyncio.create_task(room.informer.run())
        try:
            await scenario(room)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())


def test_it_lists_in_pages_and_then_watches() -> None:
    async def scenario(room: Room) -> None:
        for number in range(PAGE + 1):
            await room.put(f"c{number}")
        await room.informer.synced.wait()
        assert len(room.informer) == PAGE + 1
        assert len(room.transport.lists) == 2
        await room.put("late")
        await room.clock.sleep(0.1)
        assert "late" in room.names
        assert len(room.transport.watches) == 1

    informed(scenario)


def test_changes_are_told_once_each() -> None:
    async def scenario(room: Room) -> None:
        await room.informer.synced.wait()
        stored = await room.put("a")
        room.informer.observe(stored)
        await room.client.patch(CONFIG_MAPS, Key("default", "a"), {"data": {"x": "1"}})
        await room.clock.sleep(0.1)
        await room.client.delete(CONFIG_MAPS, stored)
        await room.clock.sleep(0.1)
        assert room.changes == [("add", "a"), ("change", "a"), ("delete", "a")]

    informed(scenario)


def test_an_older_version_never_replaces_a_newer_one() -> None:
    async def scenario(room: Room) -> None:
        await room.informer.synced.wait()
        old = await room.put("a")
        new = await room.client.patch(CONFIG_MAPS, Key("default", "a"), {"data": {"x": "1"}})
        room.informer.observe(new)
        room.informer.observe(old)
        assert room.informer.get(Key("default", "a"))["data"] == {"x": "1"}

    informed(scenario)


def test_what_a_delete_removed_does_not_come_back_with_late_events() -> None:
    async def scenario(room: Room) -> None:
        await room.informer.synced.wait()
        stored = await room.put("a")
        room.informer.observe(stored)
        await room.client.delete(CONFIG_MAPS, stored)
        room.informer.forget(Key("default", "a"), stored["metadata"]["uid"])
        await room.put("a")
        await room.clock.sleep(0.1)
        assert room.changes == [("add", "a"), ("delete", "a"), ("add", "a")]
        assert room.names == ["a"]

    informed(scenario)


def test_a_cut_connection_is_taken_up_again_without_a_gap() -> None:
    async def scenario(room: Room) -> None:
        first = await room.put("first")
        await room.informer.synced.wait()
        await room.clock.sleep(0.1)
        room.transport.cut.set()
        await room.put("meanwhile")
        await room.client.delete(CONFIG_MAPS, first)
        await room.clock.sleep(0)
        room.transport.cut.clear()
        await room.clock.sleep(5)
        assert room.names == ["meanwhile"]
        assert room.changes == [("add", "first"), ("delete", "first"), ("add", "meanwhile")]

    informed(scenario)


GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'


@pytest.mark.parametrize("refusal", [Response(410, {}, b"{}"), Response(200, {}, GONE)])
def test_a_forgotten_version_leads_to_a_new_list_at_once(refusal: Response) -> None:
    async def scenario(room: Room) -> None:
        room.transport.refuse_watches.append(refusal)
        await room.put("a")
        await room.informer.synced.wait()
        await room.clock.sleep(0.1)
        assert len(room.transport.lists) == 2
        await room.put("b")
        await room.clock.sleep(0.1)
        assert room.names == ["a", "b"]

    informed(scenario)


@pytest.mark.parametrize(
    "failure",
    [Response(500, {}, b"oops"), Response(403, {}, b"{}"), Response(200, {}, b"<html>"), TransportError("reset")],
)
def test_failures_are_followed_by_growing_pauses(failure: Any) -> None:
    async def scenario(room: Room) -> None:
        room.transport.refuse_lists = [failure] * 6
        await room.put("a")
        await room.informer.synced.wait()
        assert room.names == ["a"]
        times = room.transport.lists
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert len(pauses) == 6
        assert pauses[0] >= 0.5
        assert pauses[-1] > 5
        assert max(pauses) <= 45

    informed(scenario)


def test_a_server_that_ends_every_watch_at_once_is_not_stormed() -> None:
    async def scenario(room: Room) -> None:
        room.transport.refuse_watches = [Response(200, {}, b"")] * 1000
        await room.clock.sleep(60)
        assert len(room.transport.watches) <= 121

    informed(scenario)


def test_a_kind_that_the_server_does_not_have_is_empty() -> None:
    async def scenario(room: Room) -> None:
        room.transport.refuse_lists = [Response(404, {}, b"{}")]
        await room.informer.synced.wait()
        assert room.names == []
        await room.put("a")
        await room.clock.sleep(5)
        assert room.names == ["a"]

    informed(scenario)


@pytest.mark.parametrize("seed", range(3))
@virtual
async def test_a_cluster_converges_over_a_transport_that_loses_a_fifth(seed: int) -> None:
    room = Room()
    room.transport.loss = 0.2
    room.transport.lost = Random(seed)
    labels = {"app": "web"}
    body = {
        "metadata": {"namespace": "shop", "name": "web"},
        "spec": {
            "replicas": 6,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "x:1"}]}},
        },
    }
    async with Simulation(room.transport, clock=room.clock, random=Random(seed)):
        await room.client.create(NAMESPACES, {"metadata": {"name": "shop"}})
        await room.client.create(DEPLOYMENTS, body)
        for _ in range(600):
            await room.clock.sleep(1)
            stored = await room.client.get(DEPLOYMENTS, Key("shop", "web"))
            if (stored.get("status") or {}).get("availableReplicas") == 6:
                break
        else:
            pytest.fail(f"never available: {stored['status']}")
        pods = (await room.client.read(PODS.path("shop")))["items"]
        assert len([pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]) == 6
        await room.client.delete(NAMESPACES, await room.client.get(NAMESPACES, Key("", "shop")))
        await room.clock.sleep(120)
        names = [entry["metadata"]["name"] for entry in (await room.client.read("/api/v1/namespaces"))["items"]]
        assert "shop" not in names


def test_an_index_follows_every_change() -> None:
    async def scenario(room: Room) -> None:
        room.informer.add_index("team", lambda obj: [(obj["metadata"].get("labels") or {}).get("team", "")])
        await room.informer.synced.wait()
        await room.put("a")
        await room.client.patch(CONFIG_MAPS, Key("default", "a"), {"metadata": {"labels": {"team": "x"}}})
        await room.clock.sleep(0.1)
        assert [obj["metadata"]["name"] for obj in room.informer.by("team", "x")] == ["a"]
        assert room.informer.by("team", "") == []

    informed(scenario)


@virtual
async def test_closing_a_kind_ends_its_objects() -> None:
    room = Room()
    informers = Informers(room.sandbox.transport(), clock=room.clock, random=Random(1))
    seen: list[Any] = []
    informers.of(CONFIG_MAPS).subscribe(lambda _old, new: seen.append(new))
    await room.put("a")
    await informers.start()
    informers.close(CONFIG_MAPS)
    await informers.stop()
    assert [entry is None for entry in seen] == [False, True]


@virtual
async def test_a_key_waits_once_and_is_never_handed_out_twice_at_a_time() -> None:
    clock = LoopClock()
    timers = Timers(clock)
    task = asyncio.create_task(timers.run())
    queue: WorkQueue[str] = WorkQueue(timers, Random(1), clock)
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    other = asyncio.create_task(queue.get())
    await clock.sleep(1)
    assert not other.done()
    queue.done("a")
    assert await other == "a"
    queue.failed("a")
    started = clock.monotonic()
    assert await queue.get() == "a"
    assert 0 < clock.monotonic() - started < 0.1
    queue.done("a")
    queue.add_after("b", 10)
    queue.add_after("b", 3)
    queue.add_after("b", 20)
    started = clock.monotonic()
    assert await queue.get() == "b"
    assert clock.monotonic() - started == pytest.approx(3)
    task.cancel()
