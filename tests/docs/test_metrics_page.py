"""docs/metrics.md against a scrape."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.cluster.traffic import RequestKind
from reconciler.daemon.levels import Levels
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.page.status import Newest, Overall, PlannerStatus, SourceStatus, Standing
from reconciler.daemon.webhooks import RESULTS
from reconciler.model.drift import DriftKind, DriftState
from reconciler.model.event import Event, EventType
from reconciler.model.health import Status
from reconciler.model.planned import VERSION, PlannedCluster
from reconciler.model.result import SyncResult
from reconciler.model.snapshot import Revision
from reconciler.model.state import Mark

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUFFIX = {"counter": "_total"}


def scraped():
    metrics = Metrics(lambda: Counter({RequestKind("get", "pods", 200): 3}), ["shop"])
    revision = Revision("", "main", "", NOW, "")
    metrics.synced(SyncResult("shop", revision, NOW, NOW))
    metrics.polled("shop", NOW, ok=True, changed=False)
    source = SourceStatus("shop", "/srv/shop", "main", (".",), Standing.SYNCED, revision, Mark("", NOW))
    planner = PlannerStatus(Newest(PlannedCluster(VERSION, NOW), NOW), ours=True)
    metrics.measure(Levels(lambda: Overall(NOW, "0", sources=(source,), planner=planner), lambda: 0, lambda: 0))
    metrics.planned(0.1)
    metrics.looked("shop", ok=True)
    metrics.built("built", 1.0)
    for state in ("success", "failure", "error"):
        metrics.reviewed("git", state)
    for result in RESULTS:
        metrics.hooked("hub", result)
    for result in ("delivered", "failed", "refused", "expired"):
        metrics.delivered("team", result)
    metrics.alerting("team", 0)
    for kind in EventType:
        metrics.happened(Event(kind, NOW, "shop", "said"))
    return list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))


def labels(family):
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def test_every_metric_is_documented_with_its_type_and_labels(page):
    rows = re.findall(
        r"^\| `((?:reconciler|process)_\w+)` \| (\w+) \| (.*?) ?\| ", page("docs/metrics.md").text, re.MULTILINE
    )
    stated = {name: (kind, set(re.findall(r"`(\w+)`", names))) for name, kind, names in rows}
    assert stated == {family.name + SUFFIX.get(family.type, ""): (family.type, labels(family)) for family in scraped()}


def test_every_event_is_documented(page):
    text = page("docs/metrics.md").sections()["Events"]
    assert page("docs/metrics.md").first_cells(text) == [kind.value for kind in EventType]


def test_values_of_labels_are_documented(page):
    text = page("docs/metrics.md").text
    for family in scraped():
        for sample in family.samples:
            for label in ("outcome", "result", "severity", "health", "standing", "kind", "state"):
                if label in sample.labels:
                    assert f"`{sample.labels[label]}`" in text, (family.name, sample.labels)


def test_values_of_labels_are_all_there():
    """Not only those that some metric has at present."""
    values = [*DriftKind, *DriftState, *Status, *Standing]
    text = PAGE.read_text(encoding="utf-8")
    assert [value for value in values if f"`{value}`" not in text] == []
