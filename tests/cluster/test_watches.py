"""Who watches what, where some may be watched everywhere and some in single namespaces only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.errors import Forbidden
from reconciler.http.transport import Request, Response, Transport
from reconciler.kube.names import GroupKind, Identity
from reconciler.sandbox.server import Sandbox

CONFIG_MAP = GroupKind("", "ConfigMap")
EVERYWHERE = "/api/v1/configmaps"
ALL = ""


class Server:
    """A sandbox with the namespaces shop and bank; lists and watches of `forbidden` paths are refused."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.inner: Transport = Sandbox(clock=self.clock).transport()
        self.forbidden: set[str] = set()
        self.watched: list[str] = []

    async def answer(self, request: Request) -> Response | None:
        if request.path in self.forbidden:
            return refusal(403, "Forbidden")
        if ("watch", "1") in request.query:
            self.watched.append(request.path)
        return None

    async def put(self, namespace: str, name: str) -> Identity:
        body = {"metadata": {"name": name}}
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        content = {"content-type": "application/json"}
        await self.inner.send(Request("POST", path, (), content, msgspec.json.encode(body)))
        return Identity("", "ConfigMap", namespace, name)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Server, Cluster]]:
    server = Server()
    for name in ("shop", "bank"):
        body = msgspec.json.encode({"metadata": {"name": name}})
        content = {"content-type": "application/json"}
        await server.inner.send(Request("POST", "/api/v1/namespaces", (), content, body))
    cluster = Cluster(Hooked(server.inner, server.answer), clock=server.clock, random=Random(1))
    try:
        yield server, cluster
    finally:
        await cluster.close()


@virtual
async def test_who_is_granted_one_namespace_sees_it_whatever_others_ask_for() -> None:
    async with served() as (server, cluster):
        server.forbidden = {EVERYWHERE}
        assert await cluster.watch({CONFIG_MAP}, selector=ALL, namespaces=("shop",)) == {}
        refused = await cluster.watch({CONFIG_MAP}, selector=ALL)
        assert isinstance(refused[CONFIG_MAP], Forbidden)
        seen = await server.put("shop", "a")
        await asyncio.sleep(1)
        assert seen in cluster.cache
        assert cluster.failing(namespaces=("shop",)) == {}
        assert cluster.listed(CONFIG_MAP, namespaces=("shop",))
        assert CONFIG_MAP in cluster.failing()
        assert not cluster.listed(CONFIG_MAP)


@virtual
async def test_who_comes_after_the_refusal_is_served_too() -> None:
    async with served() as (server, cluster):
        server.forbidden = {EVERYWHERE}
        await cluster.watch({CONFIG_MAP}, selector=ALL)
        assert await cluster.watch({CONFIG_MAP}, selector=ALL, namespaces=("shop", "bank")) == {}
        seen = [await server.put(namespace, "a") for namespace in ("shop", "bank")]
        await asyncio.sleep(1)
        assert all(identity in cluster.cache for identity in seen)


@virtual
async def test_one_watch_of_everything_is_enough_where_it_is_granted() -> None:
    async with served() as (server, cluster):
        await cluster.watch({CONFIG_MAP}, selector=ALL, namespaces=("shop",))
        await cluster.watch({CONFIG_MAP}, selector=ALL)
        await asyncio.sleep(1)
        server.watched.clear()
        await asyncio.sleep(3600)
        assert set(server.watched) == {EVERYWHERE}
        seen = await server.put("shop", "a")
        await asyncio.sleep(1)
        assert seen in cluster.cache


@virtual
async def test_a_grant_that_is_taken_back_blinds_only_who_needs_it() -> None:
    async with served() as (server, cluster):
        await cluster.watch({CONFIG_MAP}, selector=ALL, namespaces=("shop",))
        await cluster.watch({CONFIG_MAP}, selector=ALL)
        server.forbidden = {EVERYWHERE}
        await asyncio.sleep(3600)  # the watch that was granted has ended
        assert CONFIG_MAP in cluster.failing(namespaces=("shop",))
        assert await cluster.watch({CONFIG_MAP}, selector=ALL, namespaces=("shop",)) == {}  # as each poll asks
        seen = await server.put("shop", "a")
        await asyncio.sleep(1)
        assert seen in cluster.cache
        server.forbidden = set()
        await asyncio.sleep(3600)
        assert cluster.failing() == {}
