"""From a configuration to a running daemon, and down again on SIGTERM."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.state import StateStore
from reconciler.daemon.daemon import Daemon
from reconciler.daemon.endpoints import endpoints
from reconciler.daemon.metrics import Metrics
from reconciler.engine.claims import Claims
from reconciler.engine.reconciler import Reconciler, Surroundings
from reconciler.model.config import DaemonConfig
from reconciler.model.event import Event, Sink
from reconciler.source.repository import GitSource


async def serve(config: DaemonConfig, sink: Sink, *, ready: Callable[[str], None] = lambda _url: None) -> None:
    """Connect, run, and on SIGTERM or SIGINT stop within five seconds. `ready` is told the URL of the endpoints."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    clock = SystemClock()
    random = Random()  # noqa: S311 - jitter
    cluster = await connect(
        config.kubeconfig, config.context, clock=clock, random=random, concurrency=config.concurrency
    )
    try:
        await keep(config, cluster, sink, stop, clock=clock, random=random, ready=ready)
    finally:
        await cluster.close()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sign)


async def keep(
    config: DaemonConfig,
    cluster: Cluster,
    sink: Sink,
    stop: asyncio.Event,
    *,
    clock: Clock,
    random: Random,
    ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Keep `cluster` as the sources say until `stop` is set."""
    metrics = Metrics(lambda: cluster.requests)

    def emit(event: Event) -> None:
        metrics.happened(event)
        sink(event)

    store = StateStore(cluster, config.state_namespace, clock=clock)
    surroundings = Surroundings(
        cluster=cluster,
        store=store,
        install=await store.install(config.install),
        claims=Claims(),
        clock=clock,
        random=random,
        emit=emit,
        concurrency=config.concurrency,
        wait_timeout=config.wait_timeout,
    )
    reconcilers = {
        source.name: Reconciler(
            source, GitSource(source, Path(config.cache_dir), clock=clock, random=random), surroundings
        )
        for source in config.sources
    }
    daemon = Daemon(reconcilers, clock=clock, metrics=metrics)
    async with endpoints(config.listen, metrics, daemon.waiting_for) as url:
        ready(url)
        await daemon.run(stop)
