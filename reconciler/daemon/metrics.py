"""What the daemon counts, in Prometheus' conventions. docs/metrics.md lists every name; a test compares."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from reconciler.cluster.traffic import RequestKind
from reconciler.model.event import Event, EventType
from reconciler.model.problem import Severity
from reconciler.model.result import SyncResult

RequestCounts = Callable[[], Mapping[RequestKind, int]]


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
    """One daemon's metrics, in a registry of their own."""

    def __init__(self, requests: RequestCounts) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # start times beside each series: nobody asks for them
        self.registry = CollectorRegistry()
        self.registry.register(_Requests(requests))
        self._sync = Histogram(
            "reconciler_sync_duration_seconds",
            "How long a pass over a source took.",
            ["source", "result"],
            registry=self.registry,
            buckets=(0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
        )
        self._objects = Gauge(
            "reconciler_objects", "Objects of the last pass.", ["source", "outcome"], registry=self.registry
        )
        self._problems = Gauge(
            "reconciler_problems",
            "Problems in the specs of the last pass.",
            ["source", "severity"],
            registry=self.registry,
        )
        self._polls = Counter("reconciler_polls", "Polls of a source.", ["source", "result"], registry=self.registry)
        self._events = Counter("reconciler_events", "Events by type.", ["source", "type"], registry=self.registry)
        self._queue = Gauge("reconciler_queue_depth", "Keys that wait for a worker.", registry=self.registry)
        self._deliveries = Counter(
            "reconciler_alert_deliveries", "Messages to a receiver.", ["receiver", "result"], registry=self.registry
        )
        self._alerts = Gauge(
            "reconciler_alert_queue_depth",
            "Incidents that a receiver is still to be told of.",
            ["receiver"],
            registry=self.registry,
        )

    def synced(self, result: SyncResult) -> None:
        """Take in the result of one pass."""
        outcome = "superseded" if result.superseded else "ok" if result.ok else "failed"
        seconds = (result.finished - result.started).total_seconds()
        self._sync.labels(result.source, outcome).observe(seconds)
        counts: dict[str, int] = {}
        for item in result.results.values():
            counts[item.outcome] = counts.get(item.outcome, 0) + 1
        for name in ("done", "failed", "blocked", "superseded", "held"):
            self._objects.labels(result.source, name).set(counts.get(name, 0))
        for severity in Severity:
            found = sum(problem.severity is severity for problem in result.problems)
            self._problems.labels(result.source, severity.value).set(found)

    def polled(self, source: str, *, ok: bool, changed: bool) -> None:
        self._polls.labels(source, "error" if not ok else "changed" if changed else "unchanged").inc()

    def happened(self, event: Event) -> None:
        self._events.labels(event.source, EventType(event.type).value).inc()

    def queued(self, depth: int) -> None:
        self._queue.set(depth)

    def delivered(self, receiver: str, result: str) -> None:
        """One attempt to tell `receiver`; `result` is a reconciler.alerts.delivery.Result."""
        self._deliveries.labels(receiver, result).inc()

    def alerting(self, receiver: str, depth: int) -> None:
        """How many incidents `receiver` is still to be told of."""
        self._alerts.labels(receiver).set(depth)
