"""docs/metrics.md against a scrape."""

import re
from collections import Counter
from datetime import UTC, datetime

import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.cluster.traffic import RequestKind
from reconciler.daemon.metrics import Metrics
from reconciler.model.event import Event, EventType
from reconciler.model.result import SyncResult
from reconciler.model.snapshot import Revision

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SUFFIX = {"counter": "_total"}


def scraped():
    metrics = Metrics(lambda: Counter({RequestKind("get", "pods", 200): 3}))
    metrics.synced(SyncResult("shop", Revision("", "main", "", NOW, ""), NOW, NOW))
    metrics.polled("shop", ok=True, changed=False)
    metrics.queued(0)
    for result in ("delivered", "failed", "refused", "expired"):
        metrics.delivered("team", result)
    metrics.alerting("team", 0)
    for kind in EventType:
        metrics.happened(Event(kind, NOW, "shop", "said"))
    return list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))


def labels(family):
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def test_every_metric_is_documented_with_its_type_and_labels(page):
    rows = re.findall(r"^\| `(reconciler_\w+)` \| (\w+) \| (.*?) ?\| ", page("docs/metrics.md").text, re.MULTILINE)
    stated = {name: (kind, set(re.findall(r"`(\w+)`", names))) for name, kind, names in rows}
    assert stated == {family.name + SUFFIX.get(family.type, ""): (family.type, labels(family)) for family in scraped()}


def test_every_event_is_documented(page):
    text = page("docs/metrics.md").sections()["Events"]
    assert page("docs/metrics.md").first_cells(text) == [kind.value for kind in EventType]


def test_values_of_labels_are_documented(page):
    text = page("docs/metrics.md").text
    for family in scraped():
        for sample in family.samples:
            for label in ("outcome", "result", "severity"):
                if label in sample.labels:
                    assert f"`{sample.labels[label]}`" in text


def test_alerts_name_metrics_that_exist(page):
    (rules,) = page("docs/metrics.md").blocks("yaml")
    names = {family.name + SUFFIX.get(family.type, "") for family in scraped()}
    for rule in yaml.safe_load(rules)["groups"][0]["rules"]:
        assert set(re.findall(r"reconciler_\w+", rule["expr"])) <= names
