"""The daemon in this process and in virtual time, in front of any Transport and any repository."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from reconciler.clock import Clock, LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.daemon.serve import keep
from reconciler.engine.surroundings import Repository
from reconciler.http.transport import Transport
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.source.repository import GitSource


class ClockTriggers:
    """Triggers by the clock that is passed in: the real ones ask the machine what time it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wishes: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Nothing runs until there is a wish."""

    def after(self, seconds: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        async def later() -> None:
            await self._clock.sleep(seconds)
            await call()

        if earlier := self._wishes.get(name):
            earlier.cancel()
        self._wishes[name] = asyncio.ensure_future(later())

    def hold(self) -> None:
        """What is called back here takes no time."""

    def stop(self) -> None:
        for wish in self._wishes.values():
            wish.cancel()


class VirtualDaemon:
    """What a test sees of it. `url` is where it serves its endpoints."""

    def __init__(self, cluster: Cluster, clock: LoopClock) -> None:
        self.cluster = cluster
        self.clock = clock
        self.events: list[Event] = []
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def heard(self, *kinds: EventType, source: str = "shop") -> list[str]:
        """Messages of the events of some kinds so far."""
        return [event.message for event in self.events if event.type in kinds and event.source == source]

    def synced(self, commit: str) -> bool:
        """Whether a pass over `commit` has ended well."""
        return any(e.type is EventType.SYNC_FINISHED and e.revision == commit for e in self.events)

    async def until(self, condition: Callable[[], object], *, seconds: float = 600) -> None:
        """Let virtual time pass until `condition` holds."""
        end = self.clock.monotonic() + seconds
        while not condition():
            said = "\n".join(f"{e.time:%H:%M:%S} {e.source} {e.type} {e.message}" for e in self.events[-20:])
            assert self.clock.monotonic() < end, f"not within {seconds} s; the last events:\n{said}"
            assert self.task is None or not self.task.done(), self.task
            await self.clock.sleep(0.2)

    def requests(self) -> Counter[tuple[str, str]]:
        """Requests so far, by verb and resource."""
        counted: Counter[tuple[str, str]] = Counter()
        for key, count in self.cluster.requests.items():
            counted[key.verb, key.resource] += count
        return counted


@asynccontextmanager
async def daemon(
    transport: Transport,
    repositories: Mapping[str, Repository] | None = None,
    *,
    sources: Sequence[SourceConfig] | None = None,
    cache: Path = Path("/nonexistent"),
    seed: int = 7,
    clock: LoopClock | None = None,
    **config: Any,
) -> AsyncIterator[VirtualDaemon]:
    """Run it until the context ends. Sources without one of `repositories` are real ones, mirrored in `cache`."""
    clock, random = clock or LoopClock(), Random(seed)
    cluster = Cluster(transport, clock=clock, random=random)
    made = VirtualDaemon(cluster, clock)
    known = repositories or {}

    def open_repository(source: SourceConfig, config: DaemonConfig, clock: Clock, random: Random) -> Repository:
        return known.get(source.name) or GitSource(source, Path(config.cache_dir), clock=clock, random=random)

    settings = DaemonConfig(
        sources=tuple(sources or (SourceConfig(name=name, url=f"/srv/{name}", namespace="shop") for name in known)),
        cache_dir=str(cache),
        listen="127.0.0.1:0",
        **{"state_namespace": "default", **config},
    )
    made.task = asyncio.ensure_future(
        keep(
            settings,
            cluster,
            made.events.append,
            made.stop,
            clock=clock,
            random=random,
            open_repository=open_repository,
            triggers=ClockTriggers(clock),
        )
    )
    faults = _Faults()
    logging.getLogger("reconciler").addHandler(faults)
    try:
        yield made
    finally:
        made.stop.set()
        try:
            await made.task
        finally:
            await cluster.close()
            logging.getLogger("reconciler").removeHandler(faults)
    assert not faults.said, "nobody foresaw this"


class _Faults(logging.Handler):
    """Keeps what is logged as an exception: the daemon survives a fault of ours, a test must not."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
