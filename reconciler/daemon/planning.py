"""The planner of a daemon: what it follows, measures and holds, started and ended together."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.lease import Lease
from reconciler.cluster.roster import Roster
from reconciler.daemon.alerting import connect
from reconciler.daemon.usage import ask_as
from reconciler.engine.histories import HistoryMaps
from reconciler.engine.measuring import Measuring
from reconciler.engine.planning import ClusterPlanning, Unmeasured
from reconciler.model.config import DaemonConfig
from reconciler.model.planner_config import PlannerConfig, PlannerSettings
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.planner import configured

logger = logging.getLogger(__name__)

LEASE: Final = "reconciler-planner"
_INTERVAL: Final = 300.0  # seconds between two plans where nothing changed


def planning_of(
    config: DaemonConfig, cluster: Cluster, wake: Callable[[str], None], *, clock: Clock, random: Random
) -> "DaemonPlanner | None":
    """None where the configuration has no `planner`: then nothing is followed and nothing asked."""
    if config.planner is None:
        return None
    return DaemonPlanner(config.planner, config.state_namespace, cluster, wake, clock=clock, random=random)


class DaemonPlanner:
    """`planning` is what passes ask; the rest is there to look at. `measuring` is None where no usage is configured."""

    def __init__(
        self,
        config: PlannerConfig,
        namespace: str,
        cluster: Cluster,
        wake: Callable[[str], None],
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        holder = f"{socket.gethostname()}-{os.getpid()}-{random.randrange(16**8):08x}"
        self.lease = Lease(Api(cluster.transport), namespace, LEASE, holder, clock=clock)
        self.roster = Roster(cluster, clock=clock, random=random, on_change=lambda: self.planning.changed())
        self.measuring = None
        if config.usage is not None:
            self.measuring = Measuring(
                self.roster,
                ask_as(config.usage, cluster.transport, connect),
                HistoryMaps(cluster, namespace, clock=clock),
                interval=config.usage.interval,
                clock=clock,
                random=random,
                ours=self.lease.held,
            )
        self.planning = ClusterPlanning(
            self.roster,
            self.measuring or Unmeasured(),
            pools=configured.pools(config),
            policy=_Wishes(config).policy,
            allocation=Allocation(
                {name: str(amount) for name, amount in config.defaults.requests.items()},
                config.headroom,
                config.max_replicas,
            ),
            ours=self.lease.held,
            wake=wake,
            clock=clock,
            interval=_INTERVAL,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Follow, hold the lease and plan again when something changes, until left."""
        works = [self.roster.run(), self.lease.keep(lambda _held: self.planning.changed()), self.planning.run()]
        async with _running(*works), _running(*([self.measuring.run()] if self.measuring is not None else [])):
            yield  # measuring ends first: its last write is one of the lease's holder


@asynccontextmanager
async def _running(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work, name=f"planner {number}") for number, work in enumerate(works)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Wishes:
    """Makes the policy, and says what repositories wish for in vain, each once for as long as it lasts."""

    def __init__(self, config: PlannerConfig) -> None:
        self._config = config
        self._said: tuple[str, ...] = ()

    def policy(self, wishes: Mapping[str, PlannerSettings]) -> Policy:
        made, notes = configured.policy(self._config, wishes)
        for note in notes:
            if note not in self._said:
                logger.warning("a wish of a reconciler.yaml does not count: %s", note)
        self._said = notes
        return made
