"""The pages as people read them: golden files, written anew by RECONCILER_GOLDEN=write."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Parsed
from staged import NOW, StagedView, overall

from reconciler.daemon.page.detail import detail_page
from reconciler.daemon.page.drift import drift_page
from reconciler.daemon.page.history import history_page
from reconciler.daemon.page.login import elsewhere, login_page, no_token
from reconciler.daemon.page.objects import Filter, objects_page
from reconciler.daemon.page.overview import overview
from reconciler.daemon.page.parts import ago
from reconciler.daemon.page.planner import planner_page
from reconciler.daemon.page.sources import sources_page
from reconciler.daemon.page.status import Overall, PlannerStatus, SourceStatus, Standing

GOLDEN = Path(__file__).with_name("golden")
WELL = Overall(NOW, "0.1.0", "prod-eu", sources=(SourceStatus("shop", "/srv/shop", "main", (".",), Standing.SYNCED),))
SOME = Filter(words="shop", health="healthy", namespace="shop")
STARTING = replace(
    WELL,
    waiting=("the API server has not answered yet",),
    sources=(replace(WELL.sources[0], standing=Standing.STARTING),),
)


def one(kind: str, name: str) -> str:
    view = StagedView(overall())
    detail = view.detail(None, kind, "shop", name)
    assert detail is not None
    return detail_page(detail, view.overall())


PAGES: dict[str, Callable[[], str]] = {
    "overview": lambda: overview(overall()),
    "overview-many": lambda: overview(overall(many=400)),
    "overview-well": lambda: overview(WELL),
    "overview-starting": lambda: overview(STARTING),
    "sources": lambda: sources_page(overall(), 1),
    "objects": lambda: objects_page(
        overall(), Filter(words="shop", health="healthy", namespace="shop"), 1, way_out=True
    ),
    "objects-page-2": lambda: objects_page(overall(many=250), Filter(), 2),
    "drift": lambda: drift_page(overall(), 1),
    "drift-none": lambda: drift_page(WELL, 1),
    "history": lambda: history_page(overall(), 1),
    "planner": lambda: planner_page(overall(), 1),
    "planner-none": lambda: planner_page(WELL, 1),
    "planner-starting": lambda: planner_page(replace(WELL, planner=PlannerStatus(lacking=("no nodes",))), 1),
    "object": lambda: one("Deployment", "web"),
    "object-drifted-before": lambda: one("CronJob", "report"),
    "login": lambda: login_page("/drift", wrong=True),
    "elsewhere": elsewhere,
    "no-token": no_token,
}


@pytest.mark.parametrize("name", PAGES)
def test_as_people_read_it(name: str) -> None:
    shown = "\n".join(Parsed.of(PAGES[name]()).root.lines()) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    assert shown == file.read_text(encoding="utf-8")


def test_every_golden_file_is_of_a_page() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(PAGES)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_400, "1 d ago"),
        (864_000, "10 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_times_as_people_say_them(seconds: float, words: str) -> None:
    assert ago(NOW.fromtimestamp(NOW.timestamp() - seconds, NOW.tzinfo), NOW) == words
