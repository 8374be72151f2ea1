"""One planner for all sources of a cluster: asked by each pass, and by itself when the cluster changes.

A pass asks what to fill in for its source; the answer is of a plan for all of them. Between passes nodes are lost and
demand moves: the plan is made again, and a source whose numbers of pods are other than rendered gets a pass. What would
change a pod template waits (rule 19).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from reconciler.clock import Clock
from reconciler.engine.demanding import NO_PROMETHEUS, Follow, Follows
from reconciler.engine.filling import Asking
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen, PodView
from reconciler.model.filled import Draft, Filling
from reconciler.model.plan import Move
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.usage import Usage

if TYPE_CHECKING:
    from reconciler.planner.advice import Advised

LEASE: Final = "reconciler-planner"  # of whoever plans
_PATIENCE: Final = 20.0  # seconds: a daemon that was killed has the lease for 15
_GLANCE: Final = 0.05  # seconds
_REST: Final = 4.0  # times as long as a plan took is the time between two
_PAUSE: Final = 1.0  # seconds in which changes of the cluster are gathered: a node that is lost has many pods

logger = logging.getLogger(__name__)


class Cluster(Protocol):
    """Who is there: reconciler.cluster.roster.Roster."""

    @property
    def settled(self) -> asyncio.Event: ...

    @property
    def able(self) -> bool: ...

    def view(self, planned: Mapping[Identity, Identity]) -> ClusterSeen: ...


class Moving(Protocol):
    """Who moves pods that run: reconciler.engine.evicting.Evicting."""

    def resting(self) -> frozenset[Identity]: ...

    async def carry_out(
        self, moves: Iterable[Move], pods: Iterable[PodView], workloads: Mapping[Identity, tuple[str, Identity]]
    ) -> None: ...


class Measured(Protocol):
    """What is used: reconciler.engine.measuring.Measuring."""

    def plan_for(self, planned: Mapping[Identity, Identity], follows: Follows) -> None: ...

    def usage(self) -> Usage: ...


class Unmeasured:
    """Where no usage is configured."""

    def __init__(self) -> None:
        self._lacking: Mapping[Identity, str] = {}

    def plan_for(self, planned: Mapping[Identity, Identity], follows: Follows) -> None:
        """Nothing is asked for anybody; who has a query is told so."""
        lacking = {identity: NO_PROMETHEUS for identity, follow in sorted(follows.items()) if follow.query}
        for identity in lacking.keys() - self._lacking.keys():
            logger.warning("%s keeps its replicas: %s", identity, NO_PROMETHEUS)
        self._lacking = lacking

    def usage(self) -> Usage:
        return Usage(lacking=self._lacking)


class Made(NamedTuple):
    """A plan, and what it was made of: of whom, by what was measured, when, in how many seconds, by which policy."""

    advised: "Advised"
    seen: ClusterSeen
    usage: Usage
    asked: Mapping[str, Asking]
    at: datetime
    seconds: float
    policy: Policy


@dataclass(slots=True)
class _Source:
    """What a source asked last, and which numbers of pods it was told; None while it waits for the answer."""

    asking: Asking
    told: Mapping[Identity, int] | None = None


class ClusterPlanning:
    """The `Planning` of a daemon. `wake` is called with a source that is to make another pass.

    `policy` is made of what the sources' repositories would like.
    `ours` says at this instant whether we are the planner of the cluster (rule 23). Where nodes and pods cannot be
    read, another plans, or planning fails, nothing is said, and what was filled in stays. Without `moving` no pod that
    runs is ever moved. Each plan is `published`, which must not block. `at_once`: each question is answered by a new
    plan, as for a command.
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
        moving: Moving | None = None,
        at_once: bool = False,
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
        self._moving = moving
        self._at_once = at_once
        self._sources: dict[str, _Source] = {}
        self._made: Made | None = None
        self._planned: Mapping[str, _Source] = {}  # those that the newest plan is for
        self._planning = asyncio.Lock()
        self._waited = False
        self._changed = asyncio.Event()

    @property
    def pools(self) -> Mapping[str, Mapping[str, str]]:
        return {pool.name: pool.node_selector for pool in self._pools}

    @property
    def advised(self) -> "Advised | None":
        """The newest plan, to look at; None where none was made."""
        return self._made.advised if self._made is not None else None

    async def advise(self, source: str, asking: Asking) -> Filling | None:
        """Where all that is asked for was filled in before, there is no wait for a new plan: it comes by itself."""
        asked = self._sources[source] = _Source(asking)
        if asking.news or self._at_once:
            if not await self._able():
                return self._answered(asked, None)
            try:
                if (await self._plan(source, asked)).advised.plan.moves and self._moving is not None:
                    self._changed.set()  # they are carried out where a plan is made between passes
            except Exception:
                logger.exception("nothing is planned now; what was filled in stays")
                return self._answered(asked, None)
        else:
            self._changed.set()
        return self._answered(asked, self.advised if self._cluster.able and self._ours() else None)

    def _answered(self, asked: _Source, advised: "Advised | None") -> Filling | None:
        asked.told = _numbers(asked.asking, advised.records if advised is not None else asked.asking.recorded)
        if advised is None:
            return None
        # Two sources may describe the same workload, and one of them in other words.
        return {
            identity: msgspec.structs.replace(advised.records[identity], asked=draft.hash)
            for identity, draft in asked.asking.drafts.items()
            if identity in advised.records
        }

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
            # Where a plan takes long, and others make pods all the time, there is something else to do meanwhile.
            await self._clock.sleep(max(_PAUSE, _REST * self._made.seconds if self._made is not None else 0.0))
            self._changed.clear()
            if self._sources and self._cluster.able and self._ours():
                try:
                    await self._again()
                except Exception:
                    logger.exception("the plan was not made again; the last one stays")

    async def _again(self) -> None:
        made = await self._plan()
        if not self._ours():
            return
        for name, asked in sorted(self._sources.items()):
            if asked.told is not None and _numbers(asked.asking, made.advised.records) != asked.told:
                self._wake(name)
        if self._moving is not None:
            movable = {need.identity for need in made.advised.needs if need.movable}
            workloads = {
                identity: (name, draft.workload)
                for name, asking in made.asked.items()
                for identity, draft in asking.drafts.items()
                if identity in movable
            }
            await self._moving.carry_out(made.advised.plan.moves, made.seen.pods, workloads)

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

    async def _plan(self, source: str = "", asked: _Source | None = None) -> Made:
        """A new plan; the newest, where that is for what the source `asked` already."""
        from reconciler.planner.advice import NOBODY, Asked, advised  # arrays and a solver come with it

        async with self._planning:
            if asked is not None and self._made is not None and self._planned.get(source) is asked:
                return self._made
            including = dict(sorted(self._sources.items()))
            sources = {name: each.asking for name, each in including.items()}
            jobs = {job for asking in sources.values() for job in asking.made()}
            drafts = [(asking, draft) for asking in sources.values() for draft in asking.drafts.values()]
            planned = {draft.workload: draft.identity for _, draft in drafts}
            measured = {draft.workload: draft.whole for _, draft in drafts}
            self._measured.plan_for(measured, _follows(draft for _, draft in drafts))
            usage = self._measured.usage()
            seen, began, at = self._cluster.view(planned), self._clock.monotonic(), self._clock.now()
            policy = self._policy({name: asking.wish for name, asking in sources.items() if asking.wish})
            found = await asyncio.to_thread(
                advised,
                [Asked(d, a.recorded.get(d.identity), d.workload in jobs, a.there.get(d.whole, 0)) for a, d in drafts],
                seen,
                usage,
                pools=self._pools,
                policy=policy,
                allocation=self._allocation,
                now=at,
                previous=self._made.advised if self._made is not None else NOBODY,
                resting=self._moving.resting() if self._moving is not None else None,
            )
            seconds = self._clock.monotonic() - began
            self._made, self._planned = Made(found, seen, usage, sources, at, seconds, policy), including
            self._published(self._made)
            return self._made


def _follows(drafts: Iterable[Draft]) -> Follows:
    """Those whose number of replicas follows something. An autoscaler of Kubernetes is quick enough by itself."""
    follows = {}
    for draft in drafts:
        if draft.plannable and draft.replicas is None:
            query = draft.scale.query if draft.scale is not None else None
            follows[draft.whole] = Follow(query or "", draft.scale is None or query is not None)
    return follows


def _numbers(asking: Asking, records: Filling) -> Mapping[Identity, int]:
    """Of the pods of each workload: what is acted on without a roll-out."""
    found = {identity: records[identity].replicas for identity in asking.drafts if identity in records}
    return {identity: count for identity, count in found.items() if count is not None}
