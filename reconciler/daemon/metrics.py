"""What the daemon counts, in Prometheus' conventions. docs/metrics.md lists every name; a test compares."""

import platform
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler import __version__
from reconciler.alerts.delivery import Result
from reconciler.cluster.traffic import RequestKind
from reconciler.model.drift import DriftKind
from reconciler.model.event import Event, EventType
from reconciler.model.problem import Severity
from reconciler.model.result import SyncResult

RequestCounts = Callable[[], Mapping[RequestKind, int]]

_OUTCOMES = ("done", "failed", "blocked", "superseded", "held")
_DRIFT_EVENTS = (EventType.DRIFTED, EventType.HEALED, EventType.RESTORED, EventType.FOUGHT, EventType.CALMED)
_BUILDS = ("built", "failed", "cancelled")
_PINS = ("pinned", "awaited", "held")
_SECONDS = (0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)


class _Requests(Collector):
    """Reads the cluster's own counter at each scrape."""

    def __init__(self, counts: RequestCounts) -> None:
        self._counts = counts

    def collect(self) -> list[Metric]:
        family = CounterMetricFamily(
            "reconciler_api_requests", "Requests to the Kubernetes API.", labels=["verb", "resource", "code"]
        )
        for (verb, resource, code), count in sorted(self._counts().items()):
            family.add_metric([verb, resource, str(code)], count)
        return [family]


class Metrics:
    """One daemon's metrics, in a registry of their own. What its `sources` may count begins at 0."""

    def __init__(self, requests: RequestCounts, sources: Iterable[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # start times beside each series: nobody asks for them
        self.registry = CollectorRegistry()
        self.registry.register(_Requests(requests))
        self._sync = Histogram(
            "reconciler_sync_duration_seconds",
            "How long a pass over a source took.",
            ["source", "result"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._objects = Gauge(
            "reconciler_sync_objects",
            "Objects that the last pass had something to do with.",
            ["source", "outcome"],
            registry=self.registry,
        )
        self._problems = Gauge(
            "reconciler_problems",
            "Problems in the specs of the last pass.",
            ["source", "severity"],
            registry=self.registry,
        )
        self._polls = Counter("reconciler_polls", "Polls of a source.", ["source", "result"], registry=self.registry)
        self._polled = Gauge(
            "reconciler_last_poll_timestamp_seconds",
            "When the repository last answered.",
            ["source"],
            registry=self.registry,
        )
        self._events = Counter("reconciler_events", "Events by type.", ["source", "type"], registry=self.registry)
        self._drift = Counter(
            "reconciler_drift_events",
            "What happened to drift.",
            ["source", "kind", "type"],
            registry=self.registry,
        )
        self._healing = Histogram(
            "reconciler_drift_healing_duration_seconds",
            "How long it took from noticing a drift until it was healed.",
            ["source"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._images = Gauge(
            "reconciler_images",
            "Images by what is known of their digests.",
            ["source", "state"],
            registry=self.registry,
        )
        self._looks = Counter(
            "reconciler_image_scans", "Looks at registries.", ["source", "result"], registry=self.registry
        )
        self._running = Gauge("reconciler_builds_running", "Builds that run now.", registry=self.registry)
        self._builds = Histogram(
            "reconciler_build_duration_seconds",
            "How long builds of images took.",
            ["result"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._plans = Histogram(
            "reconciler_planner_duration_seconds",
            "How long making a plan took.",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._queue = Gauge("reconciler_queue_depth", "Keys that wait for a worker.", registry=self.registry)
        self._deliveries = Counter(
            "reconciler_alert_deliveries", "Messages to a receiver.", ["receiver", "result"], registry=self.registry
        )
        self._hooks = Counter(
            "reconciler_webhook_deliveries",
            "What came of what forges sent.",
            ["webhook", "result"],
            registry=self.registry,
        )
        self._reviews = Counter(
            "reconciler_reviews",
            "Looks at pull requests, by what was found.",
            ["forge", "state"],
            registry=self.registry,
        )
        self._receivers: set[str] = set()
        self._alerts = Gauge(
            "reconciler_alert_queue_depth",
            "Incidents that a receiver is still to be told of.",
            ["receiver"],
            registry=self.registry,
        )

        build = Gauge("reconciler_build_info", "What runs; always 1.", ["version", "python"], registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)
        for result in _BUILDS:
            self._builds.labels(result)
        for source in sources:
            self._begin(source)

    def _begin(self, source: str) -> None:
        """Have everything of `source` from the start: an increase from nothing is seen by no rule."""
        for result in ("ok", "failed", "superseded"):
            self._sync.labels(source, result)
        for outcome in _OUTCOMES:
            self._objects.labels(source, outcome)
        for severity in Severity:
            self._problems.labels(source, severity.value)
        for result in ("changed", "unchanged", "error"):
            self._polls.labels(source, result)
        for kind in EventType:
            self._events.labels(source, kind.value)
        for drift in DriftKind:
            for kind in _DRIFT_EVENTS:
                self._drift.labels(source, drift.value, kind.value)
        self._healing.labels(source)
        self.images(source, {})
        for result in ("ok", "failed"):
            self._looks.labels(source, result)

    def measure(self, collector: Collector) -> None:
        """Have `collector` asked at each scrape."""
        self.registry.register(collector)

    def waiting(self, depth: Callable[[], int]) -> None:
        """How many keys wait, asked at each scrape."""
        self._queue.set_function(depth)

    def synced(self, result: SyncResult) -> None:
        """Take in the result of one pass."""
        outcome = "superseded" if result.superseded else "ok" if result.ok else "failed"
        seconds = (result.finished - result.started).total_seconds()
        self._sync.labels(result.source, outcome).observe(seconds)
        counts: dict[str, int] = {}
        for item in result.results.values():
            counts[item.outcome] = counts.get(item.outcome, 0) + 1
        for name in _OUTCOMES:
            self._objects.labels(result.source, name).set(counts.get(name, 0))
        for severity in Severity:
            found = sum(problem.severity is severity for problem in result.problems)
            self._problems.labels(result.source, severity.value).set(found)

    def polled(self, source: str, at: datetime, *, ok: bool, changed: bool) -> None:
        """One poll of a repository ended."""
        self._polls.labels(source, "error" if not ok else "changed" if changed else "unchanged").inc()
        if ok:
            self._polled.labels(source).set(at.timestamp())

    def happened(self, event: Event) -> None:
        self._events.labels(event.source, EventType(event.type).value).inc()
        if event.drift is not None and event.type in _DRIFT_EVENTS:
            self._drift.labels(event.source, event.drift.kind.value, event.type.value).inc()
            if event.type is EventType.HEALED:
                seconds = (event.time - event.drift.noticed).total_seconds()
                self._healing.labels(event.source).observe(max(0.0, seconds))

    def images(self, source: str, counts: Mapping[str, int]) -> None:
        """How many Images of a source are pinned, awaited or held."""
        for state in _PINS:
            self._images.labels(source, state).set(counts.get(state, 0))

    def looked(self, source: str, *, ok: bool) -> None:
        """One look at the registries ended."""
        self._looks.labels(source, "ok" if ok else "failed").inc()

    def building(self, change: int) -> None:
        """So many builds more, or fewer, run now."""
        self._running.inc(change)

    def built(self, result: str, seconds: float) -> None:
        """One build ended: built, failed or cancelled."""
        self._builds.labels(result).observe(seconds)

    def planned(self, seconds: float) -> None:
        """A plan was made."""
        self._plans.observe(seconds)

    def delivered(self, receiver: str, result: str) -> None:
        """One attempt to tell `receiver`; `result` is a reconciler.alerts.delivery.Result."""
        self._deliveries.labels(receiver, result).inc()

    def alerting(self, receiver: str, depth: int) -> None:
        """How many incidents `receiver` is still to be told of."""
        if receiver not in self._receivers:  # a first failure is an increase only where there was a zero before
            self._receivers.add(receiver)
            for result in Result:
                self._deliveries.labels(receiver, result.value)
        self._alerts.labels(receiver).set(depth)

    def hooked(self, webhook: str, result: str) -> None:
        """One delivery to a webhook; `result` is one of reconciler.daemon.webhooks.RESULTS."""
        self._hooks.labels(webhook, result).inc()

    def reviewed(self, forge: str, state: str) -> None:
        """One look at a pull request; `state` is that of the commit's status."""
        self._reviews.labels(forge, state).inc()
