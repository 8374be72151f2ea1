"""docs/status-page.md against what is served."""

import re

import pytest
from aiohttp import web
from staged import StagedView, overall

from reconciler.clock import LoopClock
from reconciler.daemon.page.access import Access
from reconciler.daemon.page.api import document, planner_document
from reconciler.daemon.page.objects import Filter
from reconciler.daemon.page.routes import StatusPage

DOCUMENT = document(overall(), Filter())
PLANNER = planner_document(overall(), "Deployment/shop/web")


@pytest.fixture
def text(page):
    return page("docs/status-page.md").text


def test_every_address_is_documented_and_no_other(page, text):
    app = web.Application()
    StatusPage(StagedView(overall()), Access(None, LoopClock()), LoopClock()).add_to(app)
    served = {route.resource.canonical for route in app.router.routes()} - {"/login", "/logout", "/static/{name}"}
    stated = page("docs/status-page.md").first_cells(text.split("\n## ")[0])
    named = {
        "/objects/{kind}/{namespace}/{name}": "/objects/KIND/NAMESPACE/NAME",
    }
    assert sorted(stated) == sorted(named.get(path, path) for path in served)
    assert "`POST /login` and `POST /logout`" in text


def test_every_field_of_the_json_is_documented_and_no_other(page, text):
    whole, rest = page("docs/status-page.md").sections()["For machines"].split("`/api/planner` is")
    planner, source = rest.split("A source has")
    cells = page("docs/status-page.md").first_cells
    assert sorted(cells(whole)) == sorted(DOCUMENT)
    assert sorted(cells(planner)) == sorted(set(PLANNER) - set(DOCUMENT["planner"]))
    assert sorted(cells(source)) == sorted(DOCUMENT["sources"][0])


@pytest.mark.parametrize(
    ("part", "first"),
    [
        ("objects", DOCUMENT["objects"][0]),
        ("failures", DOCUMENT["failures"][0]),
        ("nodes", PLANNER["nodes"][0]),
        ("demand", PLANNER["demand"]),
    ],
)
def test_every_field_of_a_part_is_named_in_its_row(text, part, first):
    (row,) = re.findall(rf"^\| `{part}` \| (.*) \|$", text, re.MULTILINE)
    assert set(first) <= set(re.findall(r"`(\w+)`", row))


def test_fields_of_drift_are_documented_here_or_with_the_command(page, text):
    (row,) = re.findall(r"^\| `drift` \| (.*) \|$", text, re.MULTILINE)
    here = set(re.findall(r"`(\w+)`", row))
    elsewhere = set(page("docs/drift-json.md").first_cells(page("docs/drift-json.md").text))
    assert set(DOCUMENT["drift"][0]) <= here | elsewhere


def test_fields_within_a_source_are_named(text):
    source = DOCUMENT["sources"][0]
    for name in ("revision", "applied", "last"):
        (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", text, re.MULTILINE)
        assert set(source[name]) <= set(re.findall(r"`(\w+)`", row)), name
    for name in ("problems", "held", "skipped"):
        (row,) = re.findall(rf"^\| `{name}`.*? \| (.*) \|$", text, re.MULTILINE)
        assert set(source[name][0]) <= set(re.findall(r"`(\w+)`", row)), name
