"""What is counted, and when."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from staged import drifts, overall

from reconciler.cluster.traffic import RequestKind
from reconciler.daemon.levels import Levels
from reconciler.daemon.metrics import Metrics
from reconciler.model.event import Event, EventType

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Labels = Mapping[str, str]


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one series, by the values of their labels in the order of the labels' names."""
    text = generate_latest(metrics.registry).decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name == name
    }


def test_everything_of_a_source_is_there_from_the_start() -> None:
    metrics = Metrics(Counter, ["shop", "blog"])
    for name, many in (
        ("reconciler_polls_total", 3),
        ("reconciler_events_total", len(EventType)),
        ("reconciler_drift_events_total", 25),
        ("reconciler_sync_duration_seconds_count", 3),
        ("reconciler_drift_healing_duration_seconds_count", 1),
        ("reconciler_sync_objects", 5),
        ("reconciler_problems", 2),
    ):
        found = values(metrics, name)
        assert len(found) == 2 * many, name
        assert set(found.values()) == {0.0}, name
    assert values(metrics, "reconciler_last_poll_timestamp_seconds") == {}, "a time of nothing would be 1970"


def test_drift_is_counted_by_what_was_done_and_timed_until_it_is_healed() -> None:
    metrics = Metrics(Counter, ["shop"])
    drift = replace(drifts()[0], noticed=NOW)
    metrics.happened(Event(EventType.DRIFTED, NOW, "shop", "edited", drift.identity, drift=drift))
    metrics.happened(
        Event(EventType.HEALED, NOW + timedelta(seconds=0.2), "shop", "healed", drift.identity, drift=drift)
    )
    metrics.happened(Event(EventType.DRIFTED, NOW, "shop", "without one"))
    found = values(metrics, "reconciler_drift_events_total")
    assert {labels: value for labels, value in found.items() if value} == {
        ("edited", "shop", "drifted"): 1.0,
        ("edited", "shop", "healed"): 1.0,
    }
    assert values(metrics, "reconciler_drift_healing_duration_seconds_sum") == {("shop",): 0.2}
    assert values(metrics, "reconciler_events_total")["shop", "drifted"] == 2.0


def test_a_poll_without_an_answer_leaves_the_time_of_the_last_one() -> None:
    metrics = Metrics(Counter, ["shop"])
    metrics.polled("shop", NOW, ok=True, changed=True)
    metrics.polled("shop", NOW + timedelta(hours=1), ok=False, changed=False)
    assert values(metrics, "reconciler_last_poll_timestamp_seconds") == {("shop",): NOW.timestamp()}
    polls = values(metrics, "reconciler_polls_total")
    assert polls == {("changed", "shop"): 1.0, ("error", "shop"): 1.0, ("unchanged", "shop"): 0.0}


def test_requests_and_the_queue_are_read_when_somebody_asks() -> None:
    requests: Counter[RequestKind] = Counter()
    metrics = Metrics(lambda: requests)
    depth = 0
    metrics.waiting(lambda: depth)
    requests[RequestKind("apply", "deployments.apps", 200)] += 2
    depth = 3
    assert values(metrics, "reconciler_api_requests_total") == {("200", "deployments.apps", "apply"): 2.0}
    assert values(metrics, "reconciler_queue_depth") == {(): 3.0}


def test_levels_are_those_of_the_page() -> None:
    metrics = Metrics(Counter)
    shown = overall()
    metrics.measure(Levels(lambda: shown, lambda: 2, lambda: 4))
    objects = values(metrics, "reconciler_objects")
    assert objects["degraded", "shop"] == 1.0
    assert sum(objects.values()) == len(shown.rows)
    standing = values(metrics, "reconciler_source_standing")
    assert {labels for labels, value in standing.items() if value} == {
        ("shop", "synced"),
        ("platform", "failing"),
        ("blog", "suspended"),
    }
    assert values(metrics, "reconciler_drifts") == {
        ("edited", "shop", "fight"): 1.0,
        ("edited", "shop", "found"): 1.0,
        ("edited", "shop", "waiting"): 1.0,
        ("edited", "platform", "found"): 0.0,
        ("edited", "blog", "found"): 0.0,
    }
    assert values(metrics, "reconciler_last_success_timestamp_seconds").keys() == {("shop",)}
    assert values(metrics, "reconciler_revision_timestamp_seconds").keys() == {("shop",), ("platform",)}
    assert values(metrics, "reconciler_ready") == {(): 1.0}
    assert values(metrics, "reconciler_unwatched_kinds") == {(): 2.0}
    assert values(metrics, "reconciler_page_followers") == {(): 4.0}
    assert values(metrics, "process_resident_memory_bytes")[()] > 1e6


def test_the_planner_is_counted_by_whoever_plans() -> None:
    metrics, shown = Metrics(Counter), [overall()]
    metrics.measure(Levels(lambda: shown[0], lambda: 0, lambda: 0))
    metrics.planned(0.2)
    name = "reconciler_planner_"
    assert values(metrics, f"{name}leader") == {(): 1.0}
    assert values(metrics, f"{name}unplaced_replicas") == {("shop",): 1.0, ("platform",): 0.0, ("blog",): 0.0}
    assert values(metrics, f"{name}pending_workloads") == {("shop",): 1.0, ("platform",): 0.0, ("blog",): 0.0}
    assert values(metrics, f"{name}gap_ratio") == {(): 0.25}
    last = values(metrics, f"{name}last_plan_timestamp_seconds")[()]
    assert last == shown[0].now.timestamp() - 20
    assert values(metrics, f"{name}duration_seconds_count") == {(): 1.0}
    assert shown[0].planner is not None
    shown[0] = replace(shown[0], planner=shown[0].planner._replace(ours=False))
    assert values(metrics, f"{name}leader") == {(): 0.0}
    assert values(metrics, f"{name}unplaced_replicas") == {}, "another daemon tells"


def test_no_series_grows_with_the_objects() -> None:
    """Only requests name what there is in a cluster, and that is kinds."""
    few, many = Metrics(Counter, ["shop"]), Metrics(Counter, ["shop"])
    few.measure(Levels(lambda: overall(), lambda: 0, lambda: 0))
    many.measure(Levels(lambda: overall(many=5000), lambda: 0, lambda: 0))
    lines = [len(generate_latest(metrics.registry).splitlines()) for metrics in (few, many)]
    assert lines[0] == lines[1]
