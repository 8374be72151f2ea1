"""Nodes and pods, followed: the view is what the server has, and only what matters to a plan is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.roster import Roster
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen, NodeView, PodView, Resources
from reconciler.sandbox.server import Sandbox

GI = 2**30
WEB = Identity("apps", "Deployment", "shop", "web")
SPEC = Identity("reconciler.dev", "Deployment", "shop", "web")
NODES = "/api/v1/nodes"
PODS = "/api/v1/namespaces/shop/pods"


def node(name: str = "a", cpu: str = "4") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "eu-1a"}},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name: str = "web-5d4-x", on: str = "a", memory: str = "1Gi") -> dict[str, Any]:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4", "uid": "u", "controller": True}
    resources = {"requests": {"cpu": "250m", "memory": memory}}
    return {
        "metadata": {"name": name, "labels": {"app": "web", "pod-template-hash": "5d4"}, "ownerReferences": [owner]},
        "spec": {"nodeName": on, "containers": [{"name": "web", "image": "example.com/web:1", "resources": resources}]},
    }


class Server:
    """A sandbox with the namespace shop. Lists and watches of `forbidden` paths are refused."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.inner = Sandbox(clock=self.clock).transport()
        self.forbidden: set[str] = set()
        self.asked = 0

    async def answer(self, request: Request) -> Response | None:
        self.asked += 1
        return refusal(403, "Forbidden") if request.path in self.forbidden else None

    async def call(self, method: str, path: str, body: Any = None, content: str = "json") -> Any:
        headers = {"content-type": f"application/{content}"}
        answer = await self.inner.send(Request(method, path, (), headers, msgspec.json.encode(body) if body else b""))
        assert answer.status < 300, answer.body
        return msgspec.json.decode(answer.body)

    async def create(self, path: str, body: dict[str, Any]) -> None:
        await self.call("POST", path, body)
        if "status" in body:
            await self.status(f"{path}/{body['metadata']['name']}", body["status"])

    async def patch(self, path: str, body: dict[str, Any]) -> None:
        await self.call("PATCH", path, body, "merge-patch+json")

    async def status(self, path: str, status: dict[str, Any]) -> None:
        await self.patch(f"{path}/status", {"status": status})


class Followed:
    """A roster on a server, and how often it told of a change since it was last asked."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.told = 0
        self.cluster = Cluster(Hooked(server.inner, server.answer), clock=server.clock, random=Random(1))
        self.roster = Roster(self.cluster, clock=server.clock, random=Random(2), on_change=self._tell)

    def _tell(self) -> None:
        self.told += 1

    async def news(self) -> int:
        """How often it told, once what was done has arrived."""
        await asyncio.sleep(1)
        told, self.told = self.told, 0
        return told

    def view(self) -> ClusterSeen:
        return self.roster.view({WEB: SPEC})


@asynccontextmanager
async def followed(*forbidden: str, objects: Callable[[Server], Any] | None = None) -> AsyncIterator[Followed]:
    server = Server()
    await server.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    await server.create("/api/v1/namespaces/shop/serviceaccounts", {"metadata": {"name": "default"}})
    if objects is not None:
        await objects(server)
    server.forbidden = set(forbidden)
    made = Followed(server)
    running = asyncio.create_task(made.roster.run())
    try:
        await made.roster.settled.wait()
        await made.news()
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.cluster.close()


async def one_of_each(server: Server) -> None:
    await server.create(NODES, node())
    await server.create(PODS, pod())


@virtual
async def test_the_view_is_what_the_server_has() -> None:
    async with followed(objects=one_of_each) as it:
        assert it.roster.able
        view = it.view()
        labels = {"app": "web", "pod-template-hash": "5d4"}
        resources = Resources(250, GI)
        assert view.pods == (PodView("shop", "web-5d4-x", "a", resources, SPEC, labels),)
        zone = {"topology.kubernetes.io/zone": "eu-1a"}
        assert view.nodes == (NodeView("a", Resources(4000, 16 * GI), zone),)
        assert not view.notes
        assert it.roster.view({}).pods[0].owner is None
        assert it.roster.workload(Identity("", "Pod", "shop", "web-5d4-x")) == WEB
