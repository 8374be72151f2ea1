"""What the daemon's planner would decide about a folder, by the same code: for the cluster as it is, or in a file."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from reconciler.cli.folder import Folder, folder_config, planner_of
from reconciler.cli.session import Session
from reconciler.cli.snapshots import listed, objects
from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cache import LiveCache
from reconciler.engine.demanding import Follows
from reconciler.engine.filling import Asking, Filler, Records, settled
from reconciler.engine.histories import DemandMaps, HistoryMaps
from reconciler.engine.planning import ClusterPlanning, Made
from reconciler.engine.showing import curves, known, show
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen
from reconciler.model.filled import NOTHING, Filling, Record
from reconciler.model.image import Pinned
from reconciler.model.planned import PlannedCluster
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.spec import Specs
from reconciler.model.state import SourceState
from reconciler.model.usage import Usage
from reconciler.planner import configured
from reconciler.planner.chart import chart
from reconciler.planner.drawing import Drawing, heat, stacked
from reconciler.planner.snapshot import seen
from reconciler.render.draft import Drafter
from reconciler.render.surroundings import Pools

_CHARTS: Final = 6  # of demand, in one picture


class Listed:
    """The cluster as it was listed once."""

    able = True

    def __init__(self, found: Sequence[Mapping[str, Any]]) -> None:
        self.settled = asyncio.Event()
        self.settled.set()
        self._objects = found

    def view(self, planned: Mapping[Identity, Identity]) -> ClusterSeen:
        return seen(self._objects, planned)


class Stored:
    """What was measured until now; nothing more is."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    def plan_for(self, planned: Mapping[Identity, Identity], follows: Follows) -> None:
        """It is measured by whoever plans."""

    def usage(self) -> Usage:
        return self._usage


class Preview(NamedTuple):
    """What is filled in, by which pools, and the plan where one was made, with a picture of it."""

    filling: Filling = NOTHING
    pools: Pools = MappingProxyType({})
    planned: PlannedCluster | None = None
    drawing: Drawing | None = None


class Planner:
    """Decides as a daemon with the same configuration would if the folder were its only source: what other sources have
    stays where it runs. `made` is the newest plan."""

    def __init__(
        self, config: PlannerConfig, found: Sequence[Mapping[str, Any]], usage: Usage, *, clock: Clock
    ) -> None:
        self.made: Made | None = None
        self.there = Listed(found)
        self.planning = ClusterPlanning(
            self.there,
            Stored(usage),
            pools=configured.pools(config),
            policy=lambda wishes: configured.policy(config, wishes).policy,
            allocation=configured.allocation(config),
            ours=lambda: True,
            wake=lambda _source: None,
            clock=clock,
            interval=float("inf"),
            published=self._take,
            at_once=True,
        )

    def _take(self, made: Made) -> None:
        self.made = made

    def preview(self, filling: Filling, cache: LiveCache) -> Preview:
        """`cache` has what was filled in before."""
        if self.made is None:
            return Preview(filling, self.planning.pools)
        shown = show(self.made, known(self.made, Records(cache)))
        charts = (chart(name, curve) for name, curve in curves(self.made, _CHARTS))
        return Preview(filling, self.planning.pools, shown.plan, stacked([heat(shown.nodes), *charts]))


class ImaginedFiller:
    """Fills in for a cluster in a file: nothing is on record there but what was filled in at the last call."""

    def __init__(self, planner: Planner, source: str) -> None:
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


async def live_planner(args: argparse.Namespace, it: Session) -> Planner | None:
    """For the cluster as it is, with what its planner has measured; None where none is configured."""
    planner_config = planner_of(args)
    if planner_config is None:
        return None
    history = await HistoryMaps(it.cluster, it.namespace, clock=it.clock).look()
    demands = await DemandMaps(it.cluster, it.namespace, clock=it.clock).look()
    usage = replace(history.usage(), demand=demands.demand())
    return Planner(planner_config, await listed(it), usage, clock=it.clock)


def imagined_planner(args: argparse.Namespace) -> Planner | None:
    """For the cluster of --snapshot; None without one."""
    if not args.snapshot:
        return None
    return Planner(planner_of(args) or PlannerConfig(), objects(args.snapshot), Usage(), clock=SystemClock())


async def live(args: argparse.Namespace, it: Session, folder: Folder, state: SourceState) -> Preview:
    """From the cluster, with what its planner has measured; what is on record, where no planner is configured."""
    config, store = folder_config(args), it.store if state.kinds else None
    planner = await live_planner(args, it)
    if planner is None:
        return Preview(await Filler(config, it.cluster).fill(folder.specs, folder.pinned))
    filling = await Filler(config, it.cluster, planner.planning, store).fill(folder.specs, folder.pinned)
    return planner.preview(filling, it.cluster.cache)


async def imagined(args: argparse.Namespace, folder: Folder, source: str) -> Preview:
    """For the cluster of --snapshot: nothing is on record, nothing measured. Without one nothing is filled in."""
    planner = imagined_planner(args)
    if planner is None:
        return Preview()
    return planner.preview(await ImaginedFiller(planner, source).fill(folder.specs, folder.pinned), LiveCache())
