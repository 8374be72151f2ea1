"""A whole world for the engine: a sandbox in this process, a repository in memory, one or more sources."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from memory_repository import MemoryRepository
from texts import NAMESPACE

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine.claims import Claims
from reconciler.engine.reconciler import Reconciler, Surroundings
from reconciler.http.transport import Request, Transport
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.result import SyncResult
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation


class World:
    """What a test holds in its hands."""

    def __init__(self, connect: Callable[[], Transport], clock: LoopClock) -> None:
        self.connect = connect
        self.transport = connect()  # for other clients than ours
        self.clock = clock
        self.events: list[Event] = []
        self.repositories: dict[str, MemoryRepository] = {}
        self.sources: dict[str, Reconciler] = {}
        self.random = Random(7)
        self.cluster = self.new_cluster()
        self.store = StateStore(self.cluster, "default", clock=clock)
        self.claims = Claims()

    def new_cluster(self) -> Cluster:
        return Cluster(self.connect(), clock=self.clock, random=self.random)

    def source(self, name: str = "shop", *, install: str = "test", **config: Any) -> MemoryRepository:
        """Add a source; its repository has no commit yet."""
        paths = tuple(config.pop("paths", (".",)))
        repository = self.repositories.get(name) or MemoryRepository(name, paths)
        self.repositories[name] = repository
        settings = SourceConfig(name=name, url=f"/srv/{name}", paths=paths, namespace="shop", **config)
        around = Surroundings(
            cluster=self.cluster,
            store=self.store,
            install=install,
            claims=self.claims,
            clock=self.clock,
            random=self.random,
            emit=self.events.append,
            wait_timeout=60,
        )
        self.sources[name] = Reconciler(settings, repository, around)
        return repository

    async def started(self, files: Mapping[str, str], name: str = "shop", **config: Any) -> MemoryRepository:
        """A source with `files` and the namespace, synced once without a failure."""
        repository = self.source(name, **config)
        repository.commit({"namespace.yaml": NAMESPACE, **files}, "Start")
        result = await self.sync(name)
        assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome != "done"}
        return repository

    async def sync(self, name: str = "shop") -> SyncResult:
        """Poll and make the pass that is due."""
        reconciler = self.sources[name]
        await reconciler.poll()
        result = await reconciler.work()
        assert result is not None, self.events[-1:]
        return result

    async def restart(self) -> None:
        """The daemon dies and a new one starts: only Git and the cluster remember."""
        for reconciler in self.sources.values():
            await reconciler.close()
        await self.store.close()
        await self.cluster.close()
        self.cluster = self.new_cluster()
        self.store = StateStore(self.cluster, "default", clock=self.clock)
        self.claims = Claims()
        configs = {name: reconciler.config for name, reconciler in self.sources.items()}
        for name, config in configs.items():
            kept = {k: v for k, v in msgspec.structs.asdict(config).items() if k not in ("name", "url", "namespace")}
            self.source(name, **kept)

    async def call(self, method: str, path: str, body: Any = None, *, kind: str = "json", **query: str) -> Any:
        """Another client's request; returns the decoded answer. Raises AssertionError on a refusal."""
        content = f"application/{kind}"
        request = Request(
            method,
            path,
            tuple(query.items()),
            {"content-type": content, "accept": "application/json"},
            msgspec.json.encode(body) if body is not None else b"",
        )
        response = await self.transport.send(request)
        assert response.status < 300, (response.status, response.body)
        return msgspec.json.decode(response.body)

    async def create(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self.call("POST", path, body, fieldManager="somebody")

    async def patch(self, path: str, body: Mapping[str, Any], *, by: str = "kubectl-edit") -> Any:
        return await self.call("PATCH", path, body, kind="merge-patch+json", fieldManager=by)

    async def get(self, kind: str, name: str, *, group: str = "", namespace: str = "shop") -> Mapping[str, Any] | None:
        """An object as the server has it now."""
        live = await self.cluster.get(Identity(group, kind, namespace, name))
        return live.object if live else None

    def heard(self, kind: EventType) -> list[Event]:
        return [event for event in self.events if event.type is kind]

    def requests(self) -> Counter[tuple[str, str]]:
        """Requests of our client so far, by verb and resource."""
        counted: Counter[tuple[str, str]] = Counter()
        for key, count in self.cluster.requests.items():
            counted[key.verb, key.resource] += count
        return counted


@asynccontextmanager
async def world(*, controllers: bool = False) -> AsyncIterator[World]:
    """A sandbox with the namespace `default`; with `controllers` also simulated controllers and nodes."""
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    made = World(sandbox.transport, clock)
    try:
        if controllers:
            async with Simulation(sandbox.transport(), clock=clock, random=Random(3)):
                yield made
        else:
            yield made
    finally:
        for reconciler in made.sources.values():
            await reconciler.close()
        await made.store.close()
        await made.cluster.close()
