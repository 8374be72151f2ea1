"""What the daemon's planner would decide about a folder, by the same code: for the cluster as it is, or in a file."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from reconciler.cli.folder import Folder, folder_config
from reconciler.cli.session import Session
from reconciler.cli.snapshots import listed, objects
from reconciler.clock import Clock, SystemClock
from reconciler.cluster.cache import LiveCache
from reconciler.engine.demanding import Follows
from reconciler.engine.filling import Asking, Filler, Records
from reconciler.engine.histories import DemandMaps, HistoryMaps
from reconciler.engine.planning import ClusterPlanning, Made
from reconciler.engine.showing import Shown, known, show
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.state import SourceState
from reconciler.model.usage import Usage
from reconciler.planner import configured
from reconciler.planner.snapshot import seen
from reconciler.render.draft import Drafter
from reconciler.render.surroundings import Pools
from reconciler.specs.config import read_config


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
    """What is filled in, by which pools, and the plan where one was made."""

    filling: Filling = NOTHING
    pools: Pools = MappingProxyType({})
    shown: Shown | None = None


class _Planner:
    """Decides as a daemon with the same configuration would if the folder were its only source: what other sources have
    stays where it runs."""

    def __init__(
        self, config: PlannerConfig, found: Sequence[Mapping[str, Any]], usage: Usage, *, clock: Clock
    ) -> None:
        self._made: Made | None = None
        self.planning = ClusterPlanning(
            Listed(found),
            Stored(usage),
            pools=configured.pools(config),
            policy=lambda wishes: configured.policy(config, wishes).policy,
            allocation=configured.allocation(config),
            ours=lambda: True,
            wake=lambda _source: None,
            clock=clock,
            interval=float("inf"),
            published=self._take,
        )

    def _take(self, made: Made) -> None:
        self._made = made

    def preview(self, filling: Filling, cache: LiveCache) -> Preview:
        """`cache` has what was filled in before."""
        shown = show(self._made, known(self._made, Records(cache))) if self._made is not None else None
        return Preview(filling, self.planning.pools, shown)


def _configured(args: argparse.Namespace) -> PlannerConfig | None:
    """The planner's part of --config, None where there is none. Raises ConfigError."""
    return read_config(args.config).planner if args.config else None


async def live(args: argparse.Namespace, it: Session, folder: Folder, state: SourceState) -> Preview:
    """From the cluster, with what its planner has measured; what is on record, where no planner is configured."""
    config, store = folder_config(args), it.store if state.kinds else None
    planner_config = _configured(args)
    if planner_config is None:
        return Preview(await Filler(config, it.cluster).fill(folder.specs, folder.pinned))
    history = await HistoryMaps(it.cluster, it.namespace, clock=it.clock).look()
    demands = await DemandMaps(it.cluster, it.namespace, clock=it.clock).look()
    usage = replace(history.usage(), demand=demands.demand())
    planner = _Planner(planner_config, await listed(it), usage, clock=it.clock)
    filling = await Filler(config, it.cluster, planner.planning, store).fill(folder.specs, folder.pinned)
    return planner.preview(filling, it.cluster.cache)


async def imagined(args: argparse.Namespace, folder: Folder, source: str) -> Preview:
    """For the cluster of --snapshot: nothing is on record, nothing measured. Without one nothing is filled in."""
    if not args.snapshot:
        return Preview()
    planner = _Planner(_configured(args) or PlannerConfig(), objects(args.snapshot), Usage(), clock=SystemClock())
    drafts = Drafter().drafts(folder.specs, planner.planning.pools, pinned=folder.pinned)
    filling = await planner.planning.advise(source, Asking(drafts, {}, wish=folder.specs.planner))
    return planner.preview(filling or NOTHING, LiveCache())
