"""Plain scalars where a text is wanted are taken as they are written, with a warning."""

import pytest

from reconciler.model.problem import Severity

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  key: "


@pytest.mark.parametrize("text", ["no", "0777", "1_000", "1.10", "8080", "true", "1e3", "12:30:00", "0x10"])
def test_texts_without_quotes(load, text: str) -> None:
    specs = load(CONFIG + text)
    (document,) = specs.documents.values()
    assert document.spec.object["data"] == {"key": text}
    (problem,) = specs.problems
    assert (problem.severity, problem.code, problem.hint) == (Severity.WARNING, "unquoted", f'write "{text}"')
    assert (problem.location.line, problem.location.column) == (5, 8)


@pytest.mark.parametrize("text", ["2026-01-01", "a", "1.2.3", '"no"', "'8080'", "09", "y"])
def test_texts_that_need_no_quotes(load, text: str) -> None:
    assert not load(CONFIG + text).problems


def test_numbers_stay_numbers_where_they_are_wanted(load) -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 0x50, targetPort: 8080}]}"
    specs = load(text)
    assert not specs.problems
    (document,) = specs.documents.values()
    assert document.spec.object["spec"]["ports"] == [{"port": 80, "targetPort": 8080}]


def test_values_in_env_of_a_plain_pod(load) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
    text += "spec: {containers: [{name: a, image: b, env: [{name: A, value: true}]}]}"
    specs = load(text)
    (document,) = specs.documents.values()
    assert document.spec.object["spec"]["containers"][0]["env"] == [{"name": "A", "value": "true"}]
    assert [problem.code for problem in specs.problems] == ["unquoted"]


def test_env_of_our_kinds_takes_numbers_as_written(load) -> None:
    text = "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: t}\n"
    text += "spec: {image: 'a:1', env: {A: 1.10, B: no, C: 8080, D: true}}"
    specs = load(text)
    (document,) = specs.documents.values()
    assert document.spec.env == {"A": "1.10", "B": "no", "C": 8080, "D": True}
    assert [problem.subject for problem in specs.problems] == ["Task/t spec.env.A", "Task/t spec.env.B"]


def test_names_are_texts(load) -> None:
    specs = load("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 0123}\n")
    assert [identity.name for identity in specs.documents] == ["0123"]
    assert [problem.code for problem in specs.problems] == ["unquoted"]


def test_labels_and_annotations(load) -> None:
    specs = load("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {v: 1.0}, annotations: {a: no}}\n")
    (document,) = specs.documents.values()
    assert (document.labels, document.annotations) == ({"v": "1.0"}, {"a": "no"})


def test_quotes_are_not_asked_for_where_they_would_not_help(load) -> None:
    text = "apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {name: web}\n"
    problems = load({"web.yaml": text + "spec: {image: web:1, placement: {shares: {a: 30, b: 70%}}}\n"}).problems
    assert [problem.code for problem in problems] == ["bad-value"]


def test_a_secret_value_is_not_repeated(load, said) -> None:
    specs = load(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 0123456}\ndata: {key: hunter2!}\n"
    )
    shown = "\n".join(line for problem in specs.problems for line in problem.lines())
    assert len(specs.problems) == 2
    assert "0123456" not in shown
    assert "hunter2" not in shown


KEYS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  "


@pytest.mark.parametrize("key", ["yes", "on", "no", "True", "0777", "1.10"])
def test_keys_without_quotes(load, key: str) -> None:
    """kubectl makes `"true"` of the key `on`: who moves here would find another key in the ConfigMap."""
    specs = load(f"{KEYS}{key}: value")
    (document,) = specs.documents.values()
    assert document.spec.object["data"] == {key: "value"}
    (problem,) = specs.problems
    assert (problem.severity, problem.code) == (Severity.WARNING, "unquoted")
    assert problem.hint == f'write "{key}": kubectl and others make another key of it'
    assert (problem.location.line, problem.location.column) == (5, 3)


@pytest.mark.parametrize("key", ['"yes"', "'on'", "true", "8080", "one.txt"])
def test_keys_that_need_no_quotes(load, key: str) -> None:
    assert not load(f"{KEYS}{key}: value").problems


def test_a_key_and_its_value_are_told_apart(load) -> None:
    specs = load(f"{KEYS}on: off")
    (document,) = specs.documents.values()
    assert document.spec.object["data"] == {"on": "off"}
    assert sorted(problem.location.column for problem in specs.problems) == [3, 7]


def test_a_key_of_a_mapping_is_told_too(load) -> None:
    crd = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec:\n  on: {a: 1}\n"
    assert "unquoted" in {problem.code for problem in load(crd).problems}
