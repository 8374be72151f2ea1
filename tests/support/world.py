"""A whole world for the engine: a cluster, a repository in memory, one or more sources."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from memory_repository import MemoryRepository
from texts import NAMESPACE

from reconciler.clock import Clock, LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore, Update
from reconciler.drift.drifts import Drifts
from reconciler.drift.warden import Warden
from reconciler.engine.claims import Claims
from reconciler.engine.filling import Planning
from reconciler.engine.images import Images
from reconciler.engine.reconciler import Reconciler
from reconciler.engine.surroundings import Surroundings
from reconciler.http.transport import Request, Transport
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.manifest import Owner
from reconciler.model.result import SyncResult
from reconciler.model.state import SourceState
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation


class World:
    """What a test holds in its hands.

    Other worlds may live in the same cluster, where `tag` tells them apart: `name` makes a name this world's own.
    `states` is the namespace of what is remembered.
    """

    def __init__(
        self, connect: Callable[[], Transport], clock: Clock, tag: str = "", *, states: str = "default"
    ) -> None:
        self.tag = tag
        self.states = states
        self.connect = connect
        self.transport = connect()  # for other clients than ours
        self.clock = clock
        self.events: list[Event] = []
        self.repositories: dict[str, MemoryRepository] = {}
        self.sources: dict[str, Reconciler] = {}
        self.random = Random(7)
        self.cluster = self.new_cluster()
        self.store = StateStore(self.cluster, self.states, clock=clock, pace=0.05)
        self.claims = Claims()
        self.full_check = 3600.0  # seconds
        self.images: Callable[[SourceConfig, MemoryRepository], Images | None] = lambda _config, _repository: None
        self.drifts = Drifts(self.events.append, clock)
        self.planning: Planning | None = None

    def name(self, word: str) -> str:
        """A name of a namespace or a source that is nobody else's in this cluster."""
        return f"{word}-{self.tag}" if self.tag else word

    @property
    def space(self) -> str:
        """The namespace that the sources write to."""
        return self.name("shop")

    def namespace(self, word: str = "shop") -> str:
        """The spec of a namespace."""
        return NAMESPACE.replace("shop", self.name(word))

    def path(self, rest: str, api: str = "api/v1") -> str:
        """A request's path: `rest` is resource/name in the namespace of the sources."""
        return f"/{api}/namespaces/{self.space}/{rest}"

    def new_cluster(self) -> Cluster:
        return Cluster(self.connect(), clock=self.clock, random=self.random)

    def source(self, name: str = "shop", *, install: str = "test", **config: Any) -> MemoryRepository:
        """Add a source; its repository has no commit yet."""
        paths = tuple(config.pop("paths", (".",)))
        unique = self.name(name)
        repository = self.repositories.get(name) or MemoryRepository(unique, paths)
        self.repositories[name] = repository
        settings = SourceConfig(name=unique, url=f"/srv/{name}", paths=paths, namespace=self.space, **config)
        around = Surroundings(
            cluster=self.cluster,
            store=self.store,
            install=install,
            claims=self.claims,
            clock=self.clock,
            random=self.random,
            emit=self.events.append,
            wait_timeout=60,
            planning=self.planning,
        )
        warden = Warden(
            settings,
            Owner(install, unique),
            self.cluster,
            self.drifts,
            clock=self.clock,
            random=self.random,
            full_check=self.full_check,
        )
        self.sources[name] = Reconciler(settings, repository, around, warden, self.images(settings, repository))
        return repository

    async def started(self, files: Mapping[str, str], name: str = "shop", **config: Any) -> MemoryRepository:
        """A source with `files` and the namespace, synced once without a failure."""
        repository = self.source(name, **config)
        repository.commit({"namespace.yaml": self.namespace(), **files}, "Start")
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

    async def restart(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        """The daemon dies and a new one starts: only Git and the cluster remember. `meanwhile` is what it misses."""
        for reconciler in self.sources.values():
            await reconciler.close()
        await self.store.close()
        await self.cluster.close()
        if meanwhile is not None:
            await meanwhile()
        self.cluster = self.new_cluster()
        self.store = StateStore(self.cluster, self.states, clock=self.clock, pace=0.05)
        self.claims = Claims()
        self.drifts = Drifts(self.events.append, self.clock)
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

    async def get(
        self, kind: str, name: str, *, group: str = "", namespace: str | None = None
    ) -> Mapping[str, Any] | None:
        """An object as the server has it now, by default in the namespace of the sources."""
        live = await self.cluster.get(Identity(group, kind, self.space if namespace is None else namespace, name))
        return live.object if live else None

    async def state(self, source: str = "shop") -> SourceState:
        """What is remembered of a source."""
        return await self.store.load(self.name(source))

    def remember(self, change: Update, source: str = "shop") -> None:
        """Change what is remembered of a source."""
        self.store.update(self.name(source), change)

    async def written(self, source: str = "shop") -> None:
        """Wait until what is to be remembered is in the cluster."""
        await self.store.flush(self.name(source))

    async def settled(self, source: str = "shop") -> None:
        """Let what others did arrive, and have the engine look at it."""
        await self.until(lambda: self._current(source))
        await self.sources[source].work()

    async def until(
        self, condition: Callable[[], Awaitable[bool]], seconds: float = 60.0, *, pause: float = 0.02
    ) -> None:
        """Wait until `condition` holds, asked every `pause`. Raises TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not await condition():
                await self.clock.sleep(pause)

    async def works_until(self, condition: Callable[[], Awaitable[bool]], source: str = "shop") -> None:
        """Have the engine look again and again, as a daemon would, until `condition` holds."""

        async def after_work() -> bool:
            await self.settled(source)
            return await condition()

        await self.until(after_work)

    async def _current(self, source: str) -> bool:
        """Whether the cache has each of a source's objects as the server has it; asked beside our own client."""
        for identity in self.cluster.cache.marked(self.name(source)):
            path = self.cluster.discovery.resources[identity.group_kind].path(identity.namespace, identity.name)
            response = await self.transport.send(Request("GET", path, (), {"accept": "application/json"}))
            stored = msgspec.json.decode(response.body)["metadata"].get("resourceVersion", "")
            if stored != self.cluster.cache.version(identity):
                return False
        return True

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
    async with opened(World(sandbox.transport, clock)) as made:
        if controllers:
            async with Simulation(sandbox.transport(), clock=clock, random=Random(3)):
                yield made
        else:
            yield made


@asynccontextmanager
async def opened(made: World) -> AsyncIterator[World]:
    """Close what a world has opened, whatever happens."""
    try:
        yield made
    finally:
        for reconciler in made.sources.values():
            await reconciler.close()
        await made.store.close()
        await made.cluster.close()
        await made.transport.close()
