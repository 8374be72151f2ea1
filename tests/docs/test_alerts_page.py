"""docs/alerts.md against the code."""

import re
from pathlib import Path

import pytest

from reconciler.alerts import alerts, incidents, message, outbox, record
from reconciler.alerts.delivery import FIRST_PAUSE, LONGEST_PAUSE
from reconciler.alerts.incident import VALUE, urgency_of
from reconciler.alerts.receivers.alertmanager import LASTS, REFRESH
from reconciler.alerts.receivers.http import CloudEvents
from reconciler.alerts.receivers.kubernetes import EACH
from reconciler.daemon.alerting import RECORD
from reconciler.model.alerting import PLACEHOLDERS_INCIDENT, PLACEHOLDERS_TITLE, ReceiverConfig
from reconciler.model.event import BEGINS, Event, Topic
from reconciler.specs.config import load_config


def rows(text):
    found = re.findall(r"^\| `.*\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in found]


@pytest.fixture
def text(page):
    return page("docs/alerts.md").text


@pytest.fixture
def sections(page):
    return page("docs/alerts.md").sections()


def test_every_topic_is_documented_with_its_severity(sections):
    stated = {cells[0].strip("`"): cells[3] for cells in rows(sections["What is told"])}
    assert list(stated) == [topic.value for topic in Topic]
    for kind, topic in BEGINS.items():
        urgency = urgency_of(Event(kind, None, "shop", ""), topic)
        assert f"`{urgency}`" in stated[topic.value]


def test_every_placeholder_is_documented_with_where_it_is(sections):
    found = {}
    for cells in rows(sections["How it reads"]):
        if len(cells) == 3:
            for name in re.findall(r"`([a-z]+)`", cells[0]):
                found[name] = cells[1]
    assert found.keys() == PLACEHOLDERS_TITLE | PLACEHOLDERS_INCIDENT
    for name, where in found.items():
        assert (where == "all" or "`title`" in where) == (name in PLACEHOLDERS_TITLE), name
        assert (where == "all" or "`incident`" in where) == (name in PLACEHOLDERS_INCIDENT), name


def test_default_templates_are_those_of_the_code(sections):
    stated = {cells[0].strip("`"): cells[1] for cells in rows(sections["How it reads"]) if len(cells) == 2}
    assert stated["title"] == f"`{message.TITLE}`"
    assert stated["line"] == f"`{message.LINE}`"
    assert re.findall(r"`([^`]+)`", stated["incident"]) == message.INCIDENT.split("\n")


def test_the_example_is_what_is_told(sections):
    (example,) = re.findall(r"(?:^    .+\n)+", sections["How it reads"], re.MULTILINE)
    told = (Path(__file__).parents[1] / "alerts" / "golden" / "messages.txt").read_text().splitlines()
    for line in example.splitlines():
        assert line[4:] in told, line


def test_every_kind_of_receiver_is_documented(sections):
    kinds = set(ReceiverConfig.__struct_fields__) - {"name", "message"}
    assert set(re.findall(r"^\*\*`([a-z]+)`\*\*", sections["Receivers"], re.MULTILINE)) == kinds


def test_figures_are_those_of_the_code(text):
    for said in (
        f"{incidents.MOST:,} open incidents",
        f"{outbox.MOST:,} that are over",
        f"cut to {VALUE} characters",
        f"up to {CloudEvents.most} `incidents`",
        f"more than {EACH} incidents {EACH - 1} get",
        f"never exceeds {record.LIMIT // 1024} KiB",
        f"ConfigMap `{RECORD}`",
        f"after {FIRST_PAUSE:.0f} s, with pauses that double up to {LONGEST_PAUSE / 60:.0f} minutes",
    ):
        assert said in " ".join(text.split()), said
    assert (REFRESH, LASTS.total_seconds()) == (60, 300)
    assert (alerts.SETTLE, alerts.SETTLE_FIGHT) == (60, 900)
    assert (message.FEW, message.LINES, outbox.EXPIRES.days) == (3, 10, 1)


def test_the_example_is_taken(page):
    (example,) = page("docs/alerts.md").blocks("yaml")
    config = load_config("sources: [{name: shop, url: /srv/shop}]\n" + example, "c.yaml")
    assert [receiver.name for receiver in config.alerts.receivers] == ["team", "on-call"]
