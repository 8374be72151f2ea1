"""Plans that are made to be looked at: what the daemon's planner would decide now, by its own code, without being it.

The cluster is listed once, or comes from a file; what was measured is read from where the daemon keeps it. Nothing is
written, no lease is held, and nobody is woken.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.read import list_kept
from reconciler.engine.demanding import Follows
from reconciler.engine.filling import Asking, settled
from reconciler.engine.histories import DemandMaps, HistoryMaps
from reconciler.engine.planning import ClusterPlanning, Made
from reconciler.errors import Forbidden, NotFound
from reconciler.kube.kinds import NAMESPACE
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.cluster_view import ClusterSeen, PodView
from reconciler.model.filled import NOTHING, Filling, Record
from reconciler.model.image import Pinned
from reconciler.model.plan import Move
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.spec import Specs
from reconciler.model.usage import Usage
from reconciler.planner import configured
from reconciler.planner.snapshot import KINDS, seen, trimmed
from reconciler.render.draft import Drafter

if TYPE_CHECKING:
    from reconciler.render.surroundings import Pools

Objects = Sequence[Mapping[str, Any]]
"""Of a cluster, cut down to what `reconciler.planner.snapshot` keeps."""


class TrialPlanner:
    """Decides as a daemon with the same configuration would if it had one source: what other sources have stays where
    it runs. Each question is answered by a new plan, made from the last one on; `made` is the newest."""

    def __init__(self, config: PlannerConfig, found: Objects, usage: Usage, *, clock: Clock) -> None:
        self.made: Made | None = None
        self.there = _Listed(found)
        self.planning = ClusterPlanning(
            self.there,
            _Stored(usage),
            pools=configured.pools(config),
            policy=lambda wishes: configured.policy(config, wishes).policy,
            allocation=configured.allocation(config),
            ours=lambda: True,
            wake=lambda _source: None,
            clock=clock,
            interval=float("inf"),
            published=self._take,
            moving=_Unmoved() if config.evictions.per_cycle > 0 else None,
            at_once=True,
        )

    def _take(self, made: Made) -> None:
        self.made = made


async def trial(config: PlannerConfig, cluster: Cluster, namespace: str, *, clock: Clock) -> TrialPlanner:
    """For the cluster as it is, with what its planner has measured, which lies in `namespace`.

    Raises ApiError or TransportError where it may not, or cannot, be read.
    """
    history = await HistoryMaps(cluster, namespace, clock=clock).look()
    demands = await DemandMaps(cluster, namespace, clock=clock).look()
    usage = replace(history.usage(), demand=demands.demand())
    return TrialPlanner(config, await listed(cluster), usage, clock=clock)


async def listed(cluster: Cluster) -> list[dict[str, Any]]:
    """What decides where something fits, by one list of each kind. Raises ApiError or TransportError."""
    await cluster.discovery.refresh()

    async def one(kind: GroupKind) -> list[dict[str, Any]]:
        try:
            return await list_kept(cluster.server, kind, trimmed)
        except NotFound:  # a cluster need not serve all of them
            return []
        except Forbidden:
            if kind != NAMESPACE:
                raise
            return []  # their names are known from what is in them

    return [obj for each in await asyncio.gather(*map(one, KINDS)) for obj in each]


class Trials:
    """One trial after the other, for who is asked again and again: the Planning of a process that only looks.

    Between two of them nothing of the cluster is kept. Use it for one thing at a time.
    """

    def __init__(self, config: PlannerConfig, cluster: Cluster, namespace: str, *, clock: Clock) -> None:
        self.config = config
        self.pools: Pools = {pool.name: pool.node_selector for pool in configured.pools(config)}
        self._begin = partial(trial, config, cluster, namespace, clock=clock)
        self._now: TrialPlanner | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Within it is planned, for the cluster as it is at its beginning. Raises ApiError or TransportError."""
        self._now = await self._begin()
        try:
            yield
        finally:
            self._now = None

    def made(self) -> Made | None:
        """The newest plan of the trial under way."""
        return self._now.made if self._now is not None else None

    async def advise(self, source: str, asking: Asking) -> Filling | None:
        """As Planning says. Where no trial is under way, what was filled in stays."""
        return await self._now.planning.advise(source, asking) if self._now is not None else None


class ImaginedFiller:
    """Fills in for a cluster in a file: nothing is on record there but what was filled in at the last call."""

    def __init__(self, planner: TrialPlanner, source: str) -> None:
        self._planner = planner
        self._source = source
        self._drafter = Drafter()
        self._recorded: Filling | None = None

    async def fill(self, specs: Specs, images: Pinned | None = None) -> Filling:
        """As `Filler.fill`."""
        drafts = self._drafter.drafts(specs, self._planner.planning.pools, pinned=images)
        before = self._recorded or NOTHING
        asking = Asking(drafts, before, wish=specs.planner)
        advice = await self._planner.planning.advise(self._source, asking) or NOTHING
        filled: dict[Identity, Record] = {}
        for identity, draft in drafts.items():
            record = settled(draft.hash, advice.get(identity), before.get(identity), exists=False, planning=True)
            if draft.plannable and record is not None:
                filled[identity] = record
        self._recorded = filled
        return filled


class _Listed:
    """The cluster as it was listed once."""

    able = True

    def __init__(self, found: Objects) -> None:
        self.settled = asyncio.Event()
        self.settled.set()
        self._objects = found

    def view(self, planned: Mapping[Identity, Identity]) -> ClusterSeen:
        return seen(self._objects, planned)


class _Unmoved:
    """What the plan would rather have elsewhere is told, and stays."""

    def resting(self) -> frozenset[Identity]:
        return frozenset()

    async def carry_out(
        self, moves: Iterable[Move], pods: Iterable[PodView], workloads: Mapping[Identity, tuple[str, Identity]]
    ) -> None:
        """Nothing is moved."""


class _Stored:
    """What was measured until now; nothing more is."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    def plan_for(self, planned: Mapping[Identity, Identity], follows: Follows) -> None:
        """It is measured by whoever plans."""

    def usage(self) -> Usage:
        return self._usage
