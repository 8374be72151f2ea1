"""A world whose sources have Images: registries and a builder in memory, and a branch for what is written back."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

from memory_builder import MemoryBuilder
from memory_registry import MemoryRegistries
from memory_repository import MemoryRepository
from world import World, world

from reconciler.engine.building import Announced
from reconciler.engine.pinning import SourceImages
from reconciler.engine.running import running_images
from reconciler.errors import SourceRefused
from reconciler.images.builds import Builds
from reconciler.images.pins import Pinner
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.trust import Trust
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType
from reconciler.model.image import Edit, Registries
from reconciler.model.imaging import ImagesConfig, WriteBack, WriteBackConfig

FILES = {"web/Containerfile": "FROM scratch\n"}


def image(name: str = "web", **stated: Any) -> str:
    """An Image document; without a statement it is built from the folder of its name."""
    fields = {"repository": f"r.example.com/{name}", **(stated or {"build": f"{{context: {name}}}"})}
    spec = "".join(f"  {field}: {value}\n" for field, value in fields.items())
    return f"apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {{name: {name}}}\nspec:\n{spec}"


class Counts:
    """What the metrics would be told."""

    def __init__(self) -> None:
        self.states: dict[str, Mapping[str, int]] = {}
        self.looks: list[bool] = []
        self.builds: list[str] = []
        self.running = 0

    def images(self, source: str, counts: Mapping[str, int]) -> None:
        self.states[source] = counts

    def looked(self, source: str, *, ok: bool) -> None:
        self.looks.append(ok)

    def building(self, change: int) -> None:
        self.running += change

    def built(self, result: str, _seconds: float) -> None:
        self.builds.append(result)


class Branch:
    """The repository's branch, written to as a BranchWriter does; others are only remembered."""

    def __init__(self, repository: MemoryRepository) -> None:
        self._repository = repository
        self.commits: list[str] = []
        self.reviews: dict[str, dict[str, bytes]] = {}
        self.declines = False

    async def commit(self, branch: str, paths: Sequence[str], edit: Edit, *, onto: str = "") -> str:
        if self.declines:
            raise SourceRefused("the Git server declines a push to main", why="protected")
        base = {path: self._repository.content(path) for path in paths}
        made = edit({**base, **self.reviews.get(branch, {})} if onto else base)
        if made is None:
            return ""
        self.commits.append(made.message)
        if onto:
            self.reviews.setdefault(branch, {}).update(made.files)
            return f"{len(self.commits):040x}"
        return self._repository.commit({path: text.decode() for path, text in made.files.items()}, made.message)


class Imaged:
    """What a test holds in its hands beside the world."""

    def __init__(self, made: World, config: ImagesConfig, trust: Sequence[Trust], seconds: float) -> None:
        self.world = made
        self.config = config
        self.registries = MemoryRegistries()
        self.shop = self.registries.at("r.example.com")
        self.builder = MemoryBuilder(self.shop, seconds)
        self.counts = Counts()
        self.branches: dict[str, Branch] = {}
        self._trust = trust
        self._sources: dict[str, SourceImages] = {}
        self._session = Session(Registries(), made.clock, Random(7), connect=self.registries.connect)
        self.pinner = self._new_pinner()
        made.images = self._of

    def _new_pinner(self) -> Pinner:
        registry, clock = Registry(self._session), self.world.clock
        builder = Announced(self.builder, clock, self.world.events.append, self.counts)
        builds = Builds(registry, builder, clock)
        return Pinner(registry, clock, builds, self._trust, lambda source: self._sources[source].wake())

    def _of(self, config: SourceConfig, repository: MemoryRepository) -> SourceImages:
        branch = self.branches[config.name] = self.branches.get(config.name) or Branch(repository)
        self._sources[config.name] = SourceImages(
            config,
            self.config,
            repository,
            self.pinner,
            clock=self.world.clock,
            random=self.world.random,
            emit=self.world.events.append,
            observer=self.counts,
            running=partial(running_images, self.world.cluster, self.world.store, config),
            branches=branch if self.config.write_back.mode is not WriteBack.OFF else None,
        )
        return self._sources[config.name]

    async def restart(self) -> None:
        """The daemon dies and a new one starts."""
        await self.pinner.close()
        self.pinner = self._new_pinner()
        await self.world.restart()

    async def works(self, seconds: float, source: str = "shop") -> None:
        """Let time pass, and make passes that are asked for meanwhile, as the daemon does."""
        end = self.world.clock.monotonic() + seconds
        while self.world.clock.monotonic() < end:
            await self.world.clock.sleep(1.0)
            await self.world.sources[source].poll()
            if self.world.sources[source].due:
                await self.world.sources[source].work()

    async def runs(self, name: str = "web") -> str:
        """The image that a Deployment states in the cluster; "" where there is no such Deployment."""
        live = await self.world.get("Deployment", name, group="apps")
        return str(live["spec"]["template"]["spec"]["containers"][0]["image"]) if live else ""

    def heard(self, kind: EventType) -> list[str]:
        return [event.message for event in self.world.heard(kind)]

    async def close(self) -> None:
        await self.pinner.close()
        await self._session.close()


@asynccontextmanager
async def imaged(
    mode: WriteBack = WriteBack.OFF, *, seconds: float = 0.0, trust: Sequence[Trust] = (), **config: Any
) -> AsyncIterator[Imaged]:
    """A sandbox in virtual time. Builds take `seconds`; `config` is more of ImagesConfig."""
    async with world() as made:
        stated = ImagesConfig(write_back=WriteBackConfig(mode=mode), **config)
        there = Imaged(made, stated, trust, seconds)
        try:
            yield there
        finally:
            await there.close()
