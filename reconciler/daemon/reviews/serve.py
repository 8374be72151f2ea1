"""From a configuration to a process that reviews pull requests, and down again on SIGTERM. The cluster is only read."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final

from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect as connect_cluster
from reconciler.cluster.install import find_install
from reconciler.cluster.state import StateStore
from reconciler.daemon.alerting import connect as connect_forge
from reconciler.daemon.endpoints import endpoints
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.reviews.desk import Desk
from reconciler.daemon.reviews.live import OpenImages, ReadStore, SourceReviewer, as_stated
from reconciler.daemon.reviews.reviewer import Reviewer
from reconciler.daemon.reviews.runner import Runner
from reconciler.daemon.signals import stopping
from reconciler.daemon.start import unless
from reconciler.daemon.webhooks import Webhooks
from reconciler.engine.trial import Trials
from reconciler.errors import ConfigError, ReconcilerError
from reconciler.forge.forge import Forge
from reconciler.forge.open import open_forge
from reconciler.forge.webhooks import Event
from reconciler.http.transport import Connect
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.forging import ForgeConfig
from reconciler.source.address import is_commit
from reconciler.source.place import place_of
from reconciler.source.refs import SEMVER
from reconciler.source.repository import GitSource

_PAUSE: Final = 15.0  # seconds until who did not answer at the start is asked again

logger = logging.getLogger(__name__)


async def serve_reviews(config: DaemonConfig, *, open_images: OpenImages = as_stated) -> None:
    """Connect, review, and on SIGTERM or SIGINT stop within seconds. Raises ConfigError."""
    clock = SystemClock()
    random = Random()  # noqa: S311 - jitter
    with stopping() as stop:
        cluster = await connect_cluster(config.kubeconfig, config.context, clock=clock, random=random)
        try:
            await keep_reviewing(config, cluster, stop, clock=clock, random=random, open_images=open_images)
        finally:
            await cluster.close()


async def keep_reviewing(
    config: DaemonConfig,
    cluster: Cluster,
    stop: asyncio.Event,
    *,
    clock: Clock,
    random: Random,
    connect: Connect = connect_forge,
    open_images: OpenImages = as_stated,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Review what `config` names until `stop` is set. Raises ConfigError where it names nothing."""
    if not config.forges:
        hint = "docs/review.md has an example"
        raise ConfigError("the configuration names no forge, so there is nothing to review", hint=hint)
    metrics = Metrics(lambda: cluster.requests)
    store = ReadStore(cluster, config.state_namespace, clock=clock)
    runner: Runner | None = None

    def take(event: Event) -> bool:
        return runner is not None and runner.take(event)

    def waiting_for() -> list[str]:
        return ["the cluster or a forge has not answered yet"] if runner is None else runner.waiting_for()

    webhooks = Webhooks(config.webhooks, clock, take, metrics.hooked)
    forges = [(each, open_forge(each, connect, clock, random)) for each in config.forges]
    reviewers: dict[str, Reviewer] = {}
    try:
        async with endpoints(config.listen, metrics, waiting_for, (webhooks,)) as url:
            ready(url)
            install = await unless(stop, _install(config, cluster, store, clock))
            if install is None:
                return
            found = await unless(stop, _repositories(config, forges, clock))
            if found is None:
                return

            def reviewer(source: SourceConfig) -> Reviewer:
                if source.name not in reviewers:
                    git = GitSource(source, Path(config.cache_dir), clock=clock, random=random)
                    trials = None
                    if config.planner is not None:
                        trials = Trials(config.planner, cluster, config.state_namespace, clock=clock)
                    reviewers[source.name] = SourceReviewer(
                        source, git, cluster, store, install, open_images=open_images, trials=trials
                    )
                return reviewers[source.name]

            desks: list[Desk] = []
            places: dict[int, frozenset[str]] = {}
            for forge, repository, where, sources in found:
                for base, watching in _by_base(sources).items():
                    places[len(desks)] = where
                    who = [reviewer(source) for source in watching]
                    desks.append(Desk(forge, repository, base, who, name=install, count=metrics.reviewed))
            runner = Runner(desks, places, clock)
            waiting = runner
            metrics.waiting(lambda: len(waiting))
            await runner.run(stop)
    finally:
        for _, forge in forges:
            await forge.close()
        for each in reviewers.values():
            await each.close()


async def _install(config: DaemonConfig, cluster: Cluster, store: StateStore, clock: Clock) -> str:
    """Whose objects are ours; nothing is written to find out."""
    said = ""
    while True:
        try:
            if config.install:
                return config.install
            return await store.installed() or await find_install(cluster.server) or "new"
        except ReconcilerError as error:
            if str(error) != said:
                said = str(error)
                logger.warning("the cluster does not answer: %s", said)
        await clock.sleep(_PAUSE)


_Found = tuple[Forge, str, frozenset[str], list[SourceConfig]]


async def _repositories(
    config: DaemonConfig, forges: Sequence[tuple[ForgeConfig, Forge]], clock: Clock
) -> list[_Found]:
    """The repositories to review, with the places by which they are known and the sources that watch them."""
    found: list[_Found] = []
    for stated, forge in forges:
        for repository in stated.repositories:
            places = {place_of(f"{stated.url.rstrip('/')}/{repository}")}
            if not _watching(config, places):  # by ssh, or by another name of the host
                places |= {place_of(address) for address in await _addresses(forge, repository, clock)}
            if sources := _watching(config, places):
                found.append((forge, repository, frozenset(places), sources))
            else:
                logger.warning("no source watches a branch of %s on %s: it is not reviewed", repository, forge.name)
    return found


async def _addresses(forge: Forge, repository: str, clock: Clock) -> tuple[str, ...]:
    said = ""
    while True:
        try:
            return await forge.addresses(repository)
        except ReconcilerError as error:
            if str(error) != said:
                said = str(error)
                logger.warning("%s", said)
        await clock.sleep(_PAUSE)


def _watching(config: DaemonConfig, places: set[str]) -> list[SourceConfig]:
    return [source for source in config.sources if place_of(source.url) in places and _branch(source.ref)]


def _by_base(sources: Sequence[SourceConfig]) -> Mapping[str, list[SourceConfig]]:
    found: dict[str, list[SourceConfig]] = {}
    for source in sources:
        found.setdefault(_branch(source.ref), []).append(source)
    return found


def _branch(ref: str) -> str:
    """The branch that a source's ref names; "" for a tag, a range or a commit, which nobody merges into."""
    if ref.startswith((SEMVER, "refs/tags/")) or ref == "HEAD" or is_commit(ref):
        return ""
    return ref.removeprefix("refs/heads/")
