"""Images as the daemon has them: one look-up and one builder for all sources, as its configuration says."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Protocol

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine import building, pinning
from reconciler.engine.building import Announced
from reconciler.engine.images import Trees
from reconciler.engine.pinning import SourceImages
from reconciler.engine.running import running_images
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.http.transport import Transport
from reconciler.images import buildah, jobs
from reconciler.images.buildah import Buildah
from reconciler.images.builder import Builder
from reconciler.images.builds import Builds
from reconciler.images.jobs import JobBuilder
from reconciler.images.pins import Pinner
from reconciler.images.push import Pusher
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.signatures import Key
from reconciler.images.trust import Trust
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Sink
from reconciler.model.imaging import BuilderKind, ImagesConfig, SignatureRule, WriteBack
from reconciler.source.branch import Author, BranchWriter

_END: Final = 1.0  # seconds that builds have to end in, when the daemon does

logger = logging.getLogger(__name__)


class Observer(pinning.Observer, building.Observer, Protocol):
    """Counts."""


class Imaging:
    """`of` gives each source its Images. Raises ConfigError where a key for signatures cannot be used."""

    def __init__(
        self,
        config: DaemonConfig,
        cluster: Cluster,
        store: StateStore,
        *,
        clock: Clock,
        random: Random,
        emit: Sink,
        observer: Observer,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._random = random
        self._emit = emit
        self._observer = observer
        self._session = Session(config.images.registries, clock, random)
        self._sources: dict[str, SourceImages] = {}
        self.folder = Path(config.cache_dir) / "builds"
        registry = Registry(self._session)
        builder = builder_of(config.images, self._session, self.folder, cluster.transport)
        builds = None
        if builder is not None:
            stated = config.images.build
            announced = Announced(builder, clock, emit, observer)
            builds = Builds(
                registry,
                announced,
                clock,
                parallel=stated.parallel,
                timeout=stated.timeout,
                quota=stated.disk_bytes,
            )
        trust = [trust_of(rule) for rule in config.images.signatures]
        self._pinner = Pinner(registry, clock, builds, trust, self._news)
        self._sweeping = asyncio.create_task(self._sweep(cluster.transport))

    def of(self, source: SourceConfig, repository: Trees) -> SourceImages:
        """The Images of one source."""
        stated = self._config.images.write_back
        branches = None
        if stated.mode is not WriteBack.OFF:
            author = Author(stated.name, stated.email, stated.signing_key_file)
            cache = Path(self._config.cache_dir)
            branches = BranchWriter(source, cache, clock=self._clock, random=self._random, author=author)
        self._sources[source.name] = SourceImages(
            source,
            self._config.images,
            repository,
            self._pinner,
            clock=self._clock,
            random=self._random,
            emit=self._emit,
            observer=self._observer,
            running=partial(running_images, self._cluster, self._store, source),
            branches=branches,
        )
        return self._sources[source.name]

    async def close(self) -> None:
        """End builds, or leave them to the next life."""
        self._sweeping.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END):
                await self._pinner.close()
        await self._session.close()

    def _news(self, source: str) -> None:
        self._sources[source].wake()

    async def _sweep(self, cluster: Transport) -> None:
        """Clear away what builds of an earlier life left."""
        stated = self._config.images.build
        try:
            if stated.builder is BuilderKind.BUILDAH:
                await asyncio.to_thread(buildah.sweep, self.folder)
            elif stated.job is not None:
                await jobs.sweep(cluster, stated.job, self._clock)
        except ReconcilerError as error:
            logger.warning("old builds are not cleared away: %s", error)


def builder_of(images: ImagesConfig, session: Session, folder: Path, cluster: Transport | None) -> Builder | None:
    """What builds; None where nothing does."""
    stated = images.build
    pusher = Pusher(session)
    if stated.builder is BuilderKind.BUILDAH:
        return Buildah(session, pusher, folder)
    if stated.builder is BuilderKind.JOB and stated.job is not None and cluster is not None:
        return JobBuilder(session, pusher, cluster, stated.job)
    return None


def trust_of(rule: SignatureRule) -> Trust:
    """A rule with its keys. Raises ConfigError, ImageRefused."""
    try:
        keys = tuple(Key.load(Path(file).read_bytes(), file) for file in rule.key_files)
    except OSError as error:
        raise ConfigError(
            "a key for signatures cannot be read", where=str(error.filename), why=error.strerror or ""
        ) from None
    return Trust(rule.prefix, keys)
