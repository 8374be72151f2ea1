"""What the daemon's planner would decide about a folder, by the same code: for the cluster as it is, or in a file."""

from types import MappingProxyType
from typing import Final, NamedTuple

from reconciler.cli.folder import Folder
from reconciler.cli.session import Session
from reconciler.cli.snapshots import objects
from reconciler.clock import SystemClock
from reconciler.cluster.cache import LiveCache
from reconciler.engine.filling import Filler, Records
from reconciler.engine.showing import curves, known, show
from reconciler.engine.trial import ImaginedFiller, TrialPlanner, trial
from reconciler.model.config import SourceConfig
from reconciler.model.filled import NOTHING, Filling
from reconciler.model.planned import PlannedCluster
from reconciler.model.planner_config import PlannerConfig
from reconciler.model.state import SourceState
from reconciler.model.usage import Usage
from reconciler.planner.chart import chart
from reconciler.planner.drawing import Drawing, heat, stacked
from reconciler.render.surroundings import Pools

_CHARTS: Final = 6  # of demand, in one picture


class Preview(NamedTuple):
    """What is filled in, by which pools, and the plan where one was made, with a picture of it."""

    filling: Filling = NOTHING
    pools: Pools = MappingProxyType({})
    planned: PlannedCluster | None = None
    drawing: Drawing | None = None


def preview(planner: TrialPlanner, filling: Filling, cache: LiveCache) -> Preview:
    """`cache` has what was filled in before."""
    made, pools = planner.made, planner.planning.pools
    if made is None:
        return Preview(filling, pools)
    shown = show(made, known(made, Records(cache)))
    charts = (chart(name, curve) for name, curve in curves(made, _CHARTS))
    return Preview(filling, pools, shown.plan, stacked([heat(shown.nodes), *charts]))


async def live_planner(config: PlannerConfig | None, it: Session) -> TrialPlanner | None:
    """For the cluster as it is; None where none is configured."""
    return await trial(config, it.cluster, it.namespace, clock=it.clock) if config is not None else None


def imagined_planner(config: PlannerConfig | None, snapshot: str | None) -> TrialPlanner | None:
    """For the cluster in the file `snapshot`; None without one."""
    if not snapshot:
        return None
    return TrialPlanner(config or PlannerConfig(), objects(snapshot), Usage(), clock=SystemClock())


async def live(
    config: SourceConfig, configured: PlannerConfig | None, it: Session, folder: Folder, state: SourceState
) -> Preview:
    """From the cluster, with what its planner has measured; what is on record, where no planner is configured."""
    store = it.store if state.kinds else None
    planner = await live_planner(configured, it)
    if planner is None:
        return Preview(await Filler(config, it.cluster).fill(folder.specs, folder.pinned))
    filling = await Filler(config, it.cluster, planner.planning, store).fill(folder.specs, folder.pinned)
    return preview(planner, filling, it.cluster.cache)


async def imagined(configured: PlannerConfig | None, snapshot: str | None, folder: Folder, source: str) -> Preview:
    """For the cluster in a file: nothing is on record, nothing measured. Without one nothing is filled in."""
    planner = imagined_planner(configured, snapshot)
    if planner is None:
        return Preview()
    return preview(planner, await ImaginedFiller(planner, source).fill(folder.specs, folder.pinned), LiveCache())
