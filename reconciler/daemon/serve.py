"""From a configuration to a running daemon, and down again on SIGTERM."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.state import StateStore
from reconciler.daemon.alerting import Write, alerts_of
from reconciler.daemon.daemon import Daemon
from reconciler.daemon.endpoints import endpoints
from reconciler.daemon.healths import Healths
from reconciler.daemon.imaging import Imaging
from reconciler.daemon.levels import Levels
from reconciler.daemon.log import messages_to_stderr
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.page.access import Access
from reconciler.daemon.page.journal import Journal
from reconciler.daemon.page.routes import StatusPage
from reconciler.daemon.page.view import DaemonView, Knowledge
from reconciler.daemon.planning import DaemonPlanner
from reconciler.daemon.pushes import Pushes
from reconciler.daemon.signals import stopping
from reconciler.daemon.start import Start, unless
from reconciler.daemon.triggers import ScheduledTriggers, Triggers
from reconciler.daemon.webhooks import Webhooks
from reconciler.drift.attribution import Authorship, GitAttribution, Stated
from reconciler.drift.drifts import Drifts
from reconciler.drift.warden import Warden
from reconciler.engine.claims import Claims
from reconciler.engine.reconciler import Reconciler
from reconciler.engine.surroundings import Repository, Surroundings
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, Sink
from reconciler.model.manifest import Owner
from reconciler.source.repository import GitSource

_BLAMES: Final = 1  # Git processes that look for authors, of all sources together: polls go first

OpenRepository = Callable[[SourceConfig, DaemonConfig, Clock, Random], Repository]


async def serve(
    config: DaemonConfig, sink: Sink, *, write: Write | None = None, ready: Callable[[str], None] = lambda _url: None
) -> None:
    """Connect, run, and on SIGTERM or SIGINT stop within five seconds.

    `write` takes messages for the log, `ready` is told the URL of the endpoints.
    """
    clock = SystemClock()
    random = Random()  # noqa: S311 - jitter
    with stopping() as stop:
        cluster = await connect(
            config.kubeconfig, config.context, clock=clock, random=random, concurrency=config.concurrency
        )
        try:
            await keep(config, cluster, sink, stop, clock=clock, random=random, write=write, ready=ready)
        finally:
            await cluster.close()


def _git(source: SourceConfig, config: DaemonConfig, clock: Clock, random: Random) -> Repository:
    return GitSource(source, Path(config.cache_dir), clock=clock, random=random)


def _stated(reconciler: Reconciler) -> Stated | None:
    return reconciler.desired


async def keep(
    config: DaemonConfig,
    cluster: Cluster,
    sink: Sink,
    stop: asyncio.Event,
    *,
    clock: Clock,
    random: Random,
    write: Write | None = None,
    ready: Callable[[str], None] = lambda _url: None,
    open_repository: OpenRepository = _git,
    triggers: Triggers | None = None,
) -> None:
    """Keep `cluster` as the sources say until `stop` is set. `triggers` default to the machine's time."""
    metrics = Metrics(lambda: cluster.requests, [source.name for source in config.sources])
    journal = Journal(f"{int(clock.now().timestamp() * 1000):x}")

    write = write or messages_to_stderr("text")
    alerts = alerts_of(config, cluster, stop, clock=clock, random=random, observer=metrics, write=write)

    def emit(event: Event) -> None:
        metrics.happened(event)
        journal(event)
        sink(event)
        alerts(event)

    repositories = {source.name: open_repository(source, config, clock, random) for source in config.sources}
    store = StateStore(cluster, config.state_namespace, clock=clock)
    start = Start(config, cluster, store, emit, clock=clock, random=random)
    waiting_for = start.waiting_for
    view = DaemonView(config, journal, lambda: waiting_for(), clock)
    page = None
    if config.status_page.enabled:
        page = StatusPage(view, Access(config.status_page.token_file, clock), clock)
    followers = (lambda: page.feed.clients) if page else (lambda: 0)
    metrics.measure(Levels(view.overall, lambda: len(cluster.failing()), followers))
    pushes = Pushes(config.sources)
    webhooks = Webhooks(config.webhooks, clock, pushes.take, metrics.hooked)
    parts = (webhooks, page) if page is not None else (webhooks,)
    async with endpoints(config.listen, metrics, lambda: waiting_for(), parts) as url, alerts:
        ready(url)
        install = await unless(stop, start.install())
        if install is None:
            return
        alerts.installed(install)
        planner = None  # without one nothing is followed and nothing asked
        if config.planner is not None:
            planner = DaemonPlanner(
                config.planner,
                config.state_namespace,
                cluster,
                lambda source: daemon.wake(source),
                clock=clock,
                random=random,
                emit=emit,
                observer=metrics,
            )
        surroundings = Surroundings(
            cluster=cluster,
            store=store,
            install=install,
            claims=Claims(),
            clock=clock,
            random=random,
            emit=emit,
            concurrency=config.concurrency,
            wait_timeout=config.wait_timeout,
            planning=planner.planning if planner is not None else None,
            planner=config.planner,
        )
        authorships: dict[str, tuple[Authorship, Callable[[], Stated | None]]] = {}
        attribution = GitAttribution(authorships)
        drifts = Drifts(emit, clock, attribution)

        def warden(source: SourceConfig) -> Warden:
            owner = Owner(install, source.name)
            return Warden(source, owner, cluster, drifts, clock=clock, random=random, full_check=config.full_check)

        imaging = Imaging(config, cluster, store, clock=clock, random=random, emit=emit, observer=metrics)
        reconcilers = {
            s.name: Reconciler(s, repositories[s.name], surroundings, warden(s), imaging.of(s, repositories[s.name]))
            for s in config.sources
        }
        blames = asyncio.Semaphore(_BLAMES)
        for name, each in reconcilers.items():
            authorship = Authorship(repositories[name], each.loader, slots=blames)
            authorships[name] = (authorship, partial(_stated, each))
        healths = Healths(cluster.cache, install, clock, emit)
        view.knowledge = Knowledge(
            install,
            reconcilers,
            store,
            cluster.cache,
            healths,
            drifts,
            planner.status if planner is not None else None,
        )
        daemon = Daemon(
            reconcilers,
            store=store,
            triggers=triggers or ScheduledTriggers(clock),
            clock=clock,
            metrics=metrics,
            passed=lambda result: None if result.superseded else alerts.passed(result.source),
        )
        waiting_for, pushes.poll = daemon.waiting_for, daemon.poll
        following = asyncio.create_task(healths.follow())
        try:
            async with planner.working() if planner is not None else nullcontext():
                await daemon.run(stop)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await drifts.close()
            await attribution.close()
            await imaging.close()
