"""The planner of a daemon: what it follows, measures and holds, started and ended together."""

import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.lease import Lease
from reconciler.cluster.roster import Roster
from reconciler.daemon.alerting import connect
from reconciler.daemon.lasting import lasting
from reconciler.daemon.page.status import PlannerStatus
from reconciler.daemon.publishing import Observer, Publisher
from reconciler.daemon.unplaced import Unplaced
from reconciler.daemon.usage import ask_as, questions_to
from reconciler.engine.demanding import Demanding
from reconciler.engine.evicting import Evicting
from reconciler.engine.filling import Records
from reconciler.engine.histories import DemandMaps, HistoryMaps
from reconciler.engine.measuring import Measuring
from reconciler.engine.planning import LEASE, ClusterPlanning, Unmeasured
from reconciler.engine.plans import PlanMaps
from reconciler.model.event import Sink
from reconciler.model.planner_config import PlannerConfig, PlannerSettings
from reconciler.model.planning_policy import Policy
from reconciler.planner import configured

logger = logging.getLogger(__name__)

_INTERVAL: Final = 300.0  # seconds between two plans where nothing changed


class DaemonPlanner:
    """`planning` is what passes ask; the rest is there to look at. `measuring` is None where no usage is configured.

    It tells by `emit`, and counts.
    """

    def __init__(
        self,
        config: PlannerConfig,
        namespace: str,
        cluster: Cluster,
        wake: Callable[[str], None],
        *,
        clock: Clock,
        random: Random,
        emit: Sink,
        observer: Observer,
    ) -> None:
        holder = f"{socket.gethostname()}-{os.getpid()}-{random.randrange(16**8):08x}"
        self.lease = Lease(Api(cluster.transport), namespace, LEASE, holder, clock=clock)
        self.roster = Roster(cluster, clock=clock, random=random, on_change=lambda: self.planning.changed())
        self.measuring = None
        if config.usage is not None:
            demanding = Demanding(
                DemandMaps(cluster, namespace, clock=clock),
                questions_to(config.usage, connect),
                clock=clock,
                random=random,
                ours=self.lease.held,
                moved=lambda: self.planning.changed(),
            )
            self.measuring = Measuring(
                self.roster,
                ask_as(config.usage, cluster.transport, connect),
                HistoryMaps(cluster, namespace, clock=clock),
                demanding=demanding,
                interval=config.usage.interval,
                clock=clock,
                random=random,
                ours=self.lease.held,
            )
        self.publisher = Publisher(
            PlanMaps(cluster, namespace, clock=clock),
            Records(cluster.cache),
            Unplaced(emit, clock),
            holder=holder,
            ours=self.lease.held,
            clock=clock,
            observer=observer,
        )
        moving = None
        if config.evictions.per_cycle > 0:
            moving = Evicting(cluster, config.evictions.per_cycle, ours=self.lease.held, clock=clock, emit=emit)
        self.planning = ClusterPlanning(
            self.roster,
            self.measuring or Unmeasured(),
            pools=configured.pools(config),
            policy=_Wishes(config).policy,
            allocation=configured.allocation(config),
            ours=self.lease.held,
            wake=wake,
            clock=clock,
            interval=_INTERVAL,
            published=self.publisher.made,
            moving=moving,
        )

    def status(self) -> PlannerStatus:
        """How things stand, for the page and the metrics."""
        lacking = [f"{kind} cannot be followed: {why}" for kind, why in sorted(self.roster.lacking().items())]
        if self.measuring is not None and self.measuring.problem:
            lacking.append(f"usage is not measured: {self.measuring.problem}")
        if self.measuring is not None and self.measuring.strange:
            lacking.append(f"measurements that cannot be meant are left out, such as of {self.measuring.strange}")
        return PlannerStatus(self.publisher.newest, self.lease.holder, self.lease.held(), tuple(lacking))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Follow, hold the lease and plan again when something changes, until left."""
        following = (self.roster.run(), self.lease.keep(self._held), self.planning.run())
        writing = (self.publisher.run(), *([self.measuring.run()] if self.measuring is not None else []))
        async with lasting(*following), lasting(*writing):
            yield  # what writes ends first: its last write is one of the lease's holder

    def _held(self, _held: bool) -> None:
        self.planning.changed()
        self.publisher.changed()


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
