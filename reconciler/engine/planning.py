"""One planner for all sources of a cluster: asked by each pass, and by itself when the cluster changes.

A pass asks what to fill in for its source; the answer is of a plan for all of them. Between passes nodes are lost and
demand moves: the plan is made again, and a source whose numbers of pods are other than rendered gets a pass. What would
change a pod template waits (rule 19).
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from reconciler.clock import Clock
from reconciler.engine.filling import Asking
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen
from reconciler.model.filled import Filling
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.usage import Usage

if TYPE_CHECKING:
    from reconciler.planner.advice import Advised

LEASE: Final = "reconciler-planner"  # of whoever plans
_PATIENCE: Final = 20.0  # seconds: a daemon that was killed has the lease for 15
_GLANCE: Final = 0.05  # seconds
_PAUSE: Final = 1.0  # seconds in which changes of the cluster are gathered: a node that is lost has many pods

logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """Who is there: reconciler.cluster.roster.Roster."""

    @property
    def settled(self) -> asyncio.Event: ...

    @property
    def able(self) -> bool: ...

    def view(self, planned: Mapping[Identity, Identity]) -> ClusterSeen: ...


class Measured(Protocol):
    """What is used: reconciler.engine.measuring.Measuring."""

    def plan_for(self, planned: Mapping[Identity, Identity]) -> None: ...

    def usage(self) -> Usage: ...


class Unmeasured:
    """Where no usage is configured."""

    def plan_for(self, planned: Mapping[Identity, Identity]) -> None:
        """Nothing is asked for anybody."""

    def usage(self) -> Usage:
        return Usage()


class Made(NamedTuple):
    """A plan, and what it was made of: of whom, when, in how many seconds and by which policy."""

    advised: "Advised"
    seen: ClusterSeen
    asked: Mapping[str, Asking]
    at: datetime
    seconds: float
    policy: Policy


@dataclass(slots=True)
class _Source:
    """What a source asked last, and which numbers of pods it was told."""

    asking: Asking
    told: Mapping[Identity, int | None]


class ClusterPlanning:
    """The `Planning` of a daemon. `wake` is called with a source that is to make another pass.

    `policy` is made of what the sources' repositories would like.
    `ours` says at this instant whether we are the planner of the cluster (rule 21). Where nodes and pods cannot be
    read, or another plans, nothing is said, and what was filled in stays. Each plan is `published`, which must not
    block.
    """

    def __init__(
        self,
        cluster: Cluster,
        measured: Measured,
        *,
        pools: tuple[Pool, ...],
        policy: Callable[[Mapping[str, PlannerSettings]], Policy],
        allocation: Allocation,
        ours: Callable[[], bool],
        wake: Callable[[str], None],
        clock: Clock,
        interval: float,
        published: Callable[[Made], None] = lambda _made: None,
    ) -> None:
        self._cluster = cluster
        self._measured = measured
        self._pools = pools
        self._policy = policy
        self._allocation = allocation
        self._ours = ours
        self._wake = wake
        self._clock = clock
        self._interval = interval
        self._published = published
        self._sources: dict[str, _Source] = {}
        self._advised: Advised | None = None
        self._planning = asyncio.Lock()
        self._waited = False
        self._changed = asyncio.Event()

    @property
    def pools(self) -> Mapping[str, Mapping[str, str]]:
        return {pool.name: pool.node_selector for pool in self._pools}

    @property
    def advised(self) -> "Advised | None":
        """The newest plan, to look at; None where none was made."""
        return self._advised

    async def advise(self, source: str, asking: Asking) -> Filling | None:
        self._sources[source] = asked = _Source(asking, {})
        if not await self._able():
            return None
        advised = await self._plan()
        asked.told = _numbers(asking, advised)
        return {identity: advised.records[identity] for identity in asking.drafts if identity in advised.records}

    def forget(self, source: str) -> None:
        """A source is gone."""
        self._sources.pop(source, None)

    def changed(self) -> None:
        """Something in the cluster is other than it was when the plan was made. From a callback."""
        self._changed.set()

    async def run(self) -> None:
        """Plan again when the cluster changed, and every interval, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._interval):
                    await self._changed.wait()
            except TimeoutError:
                pass
            await self._clock.sleep(_PAUSE)
            self._changed.clear()
            if self._sources and self._cluster.able and self._ours():
                try:
                    await self._again()
                except Exception:
                    logger.exception("the plan was not made again; the last one stays")

    async def _again(self) -> None:
        advised = await self._plan()
        for name, asked in sorted(self._sources.items()):
            if _numbers(asked.asking, advised) != asked.told:
                self._wake(name)

    async def _able(self) -> bool:
        """Whether there is something to plan with, and it is ours to plan. The first pass waits a while for both."""
        if not self._waited:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await self._cluster.settled.wait()
                    while not self._ours():
                        await self._clock.sleep(_GLANCE)
            self._waited = True
            if not self._ours():
                logger.warning("another daemon plans, or the lease cannot be had; nothing is planned here")
        return self._cluster.able and self._ours()

    async def _plan(self) -> "Advised":
        from reconciler.planner.advice import NOBODY, Asked, advised  # arrays and a solver come with it

        async with self._planning:
            sources = {name: source.asking for name, source in sorted(self._sources.items())}
            drafts = [(asking, draft) for asking in sources.values() for draft in asking.drafts.values()]
            planned = {draft.workload: draft.identity for _, draft in drafts}
            self._measured.plan_for(planned)
            seen, began, at = self._cluster.view(planned), self._clock.monotonic(), self._clock.now()
            policy = self._policy({name: asking.wish for name, asking in sources.items() if asking.wish})
            self._advised = await asyncio.to_thread(
                advised,
                [Asked(d, a.recorded.get(d.identity), d.workload in a.made) for a, d in drafts],
                seen,
                self._measured.usage(),
                pools=self._pools,
                policy=policy,
                allocation=self._allocation,
                now=at,
                previous=self._advised or NOBODY,
            )
            self._published(Made(self._advised, seen, sources, at, self._clock.monotonic() - began, policy))
            return self._advised


def _numbers(asking: Asking, advised: "Advised") -> Mapping[Identity, int | None]:
    """Of the pods of each workload: what is acted on without a roll-out."""
    return {identity: advised.records[identity].replicas for identity in asking.drafts if identity in advised.records}
