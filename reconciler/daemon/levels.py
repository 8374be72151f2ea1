"""How things stand, for Prometheus: read at each scrape, from what the status page shows."""

from collections import Counter
from collections.abc import Callable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.daemon.page.status import Overall, Standing
from reconciler.model.health import Status


class Levels(Collector):
    """Gauges of `overall`; `unwatched` counts the kinds that the cluster does not let us follow, `followers` the
    browsers that follow the page."""

    def __init__(
        self, overall: Callable[[], Overall], unwatched: Callable[[], int], followers: Callable[[], int]
    ) -> None:
        self._overall = overall
        self._unwatched = unwatched
        self._followers = followers

    def collect(self) -> list[Metric]:
        overall = self._overall()
        return [
            *_sources(overall),
            _drifts(overall),
            _single("reconciler_ready", "Whether every source has been synced once.", float(not overall.waiting)),
            _single(
                "reconciler_unwatched_kinds", "Kinds that are in use and cannot be followed.", float(self._unwatched())
            ),
            *_planner(overall),
            _single("reconciler_page_followers", "Browsers that follow the status page.", float(self._followers())),
        ]


def _sources(overall: Overall) -> list[Metric]:
    objects = GaugeMetricFamily("reconciler_objects", "Objects by their health.", labels=["source", "health"])
    standing = GaugeMetricFamily(
        "reconciler_source_standing", "How a source stands: 1 for that, 0 for the rest.", labels=["source", "standing"]
    )
    success = GaugeMetricFamily(
        "reconciler_last_success_timestamp_seconds",
        "When a pass last brought a revision to its end.",
        labels=["source"],
    )
    revision = GaugeMetricFamily(
        "reconciler_revision_timestamp_seconds",
        "When the newest revision that Git told of was committed.",
        labels=["source"],
    )
    for source in overall.sources:
        for status in Status:
            objects.add_metric([source.name, status.value], source.counts.get(status, 0))
        for each in Standing:
            standing.add_metric([source.name, each.value], source.standing is each)
        if source.applied is not None:
            success.add_metric([source.name], source.applied.time.timestamp())
        if source.revision is not None:
            revision.add_metric([source.name], source.revision.time.timestamp())
    return [objects, standing, success, revision]


def _drifts(overall: Overall) -> Metric:
    """None has no series: five kinds in five states of each source would be mostly zeros."""
    family = GaugeMetricFamily("reconciler_drifts", "Drifted objects.", labels=["source", "kind", "state"])
    found = Counter((drift.source, drift.kind.value, drift.state.value) for drift in overall.drifts)
    for labels, number in sorted(found.items()):
        family.add_metric(list(labels), number)
    for source in overall.sources:
        if not any(labels[0] == source.name for labels in found):
            family.add_metric([source.name, "edited", "found"], 0)
    return family


def _planner(overall: Overall) -> list[Metric]:
    """Where a planner is configured; of the plan only where it is our own, so that two daemons do not tell twice."""
    if (planner := overall.planner) is None:
        return []
    found = [_single("reconciler_planner_leader", "Whether this daemon plans for the cluster.", float(planner.ours))]
    if planner.newest is None or not planner.ours:
        return found
    plan = planner.newest.plan
    unplaced = GaugeMetricFamily(
        "reconciler_planner_unplaced_replicas", "Replicas that have no place.", labels=["source"]
    )
    pending = GaugeMetricFamily(
        "reconciler_planner_pending_workloads", "Workloads whose advice waits for a roll-out.", labels=["source"]
    )
    for source in overall.sources:
        own = [each for each in plan.workloads if each.source == source.name]
        unplaced.add_metric([source.name], sum(each.unplaced.replicas for each in own if each.unplaced is not None))
        pending.add_metric([source.name], sum(each.pending is not None for each in own))
    last = "When the newest plan was made, the same as before or not."
    return [
        *found,
        _single("reconciler_planner_last_plan_timestamp_seconds", last, planner.newest.at.timestamp()),
        _single("reconciler_planner_gap_ratio", "How far from the best that could be; 0 is the best.", plan.gap),
        unplaced,
        pending,
    ]


def _single(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_, value=value)
