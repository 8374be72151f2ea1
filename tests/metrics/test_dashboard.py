"""deploy/grafana/dashboard.json: every panel explained, every query one that Prometheus takes, of series that exist."""

import itertools
import re
from pathlib import Path

import yaml
from deployed import DASHBOARD, PANELS, queries, run


def test_prometheus_takes_every_query(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"query:number{n}", "expr": query} for n, query in enumerate(queries())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run(promtool, "check", "rules", file)


def test_every_query_names_series_that_exist(documented: frozenset[str]) -> None:
    for query in queries():
        named = set(re.findall(r"\b(?:reconciler|process)_\w+", query))
        assert named, query
        assert named <= documented, query


def test_every_series_is_on_it_or_needs_no_picture(documented: frozenset[str]) -> None:
    shown = {name for query in queries() for name in re.findall(r"\b(?:reconciler|process)_\w+", query)}
    base = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    rest = {re.sub("_(bucket|sum|count)$", "", name) for name in documented} - base
    assert rest == {"reconciler_last_poll_timestamp_seconds", "process_virtual_memory_bytes"}


def test_every_panel_says_what_it_shows() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert len(titles) == len(set(titles))
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_panels_have_their_own_place() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for one, other in itertools.combinations([panel["gridPos"] for panel in DASHBOARD["panels"]], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])
