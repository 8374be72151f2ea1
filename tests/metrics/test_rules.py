"""deploy/prometheus/rules.yaml: rules that Prometheus takes, each tested, each in the runbook."""

import re
from pathlib import Path

import yaml
from deployed import ROOT, RULES, alerts, run

TESTS = sorted(Path(__file__).parent.glob("rules_*.yaml"))


def test_prometheus_takes_the_rules(promtool: Path) -> None:
    assert f"{len(alerts())} rules found" in run(promtool, "check", "rules", RULES)


def test_each_fires_when_it_should_and_only_then(promtool: Path) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", *TESTS)


def test_of_each_it_is_tested_that_it_fires_and_that_it_does_not() -> None:
    cases = [case for file in TESTS for case in yaml.safe_load(file.read_text())["tests"]]
    tested = [each for case in cases for each in case["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {each["alertname"] for each in tested if each["exp_alerts"]} == names
    assert {each["alertname"] for each in tested if not each["exp_alerts"]} == names


def test_each_names_series_that_exist(documented: frozenset[str]) -> None:
    for rule in alerts():
        named = set(re.findall(r"\b(?:reconciler|process)_\w+", rule["expr"]))
        assert named, rule["alert"]
        assert named <= documented, rule["alert"]


def test_each_says_what_it_means_and_the_runbook_says_more() -> None:
    runbook = re.split(r"^## ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)[1:]
    sections = {part.split("\n", 1)[0]: part.split("\n", 1)[1].strip() for part in runbook}
    assert list(sections) == [rule["alert"] for rule in alerts()]
    assert all(sections.values())
    for rule in alerts():
        said = rule["annotations"]
        assert set(said) == {"summary", "description", "runbook"}
        assert said["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert said["description"].endswith(".")
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
