"""What a repository decides for itself, in reconciler.yaml."""

import pytest

from reconciler.model.rules import IgnoreRule
from reconciler.specs.load import Loader

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
RULE = "ignore: [{kind: Deployment, fields: [/spec/replicas]}]\n"
REPLICAS = IgnoreRule(kind="Deployment", fields=("/spec/replicas",))


def test_rules_are_read(load) -> None:
    specs = load(
        {
            "reconciler.yaml": """\
ignore:
  - kind: Deployment
    fields: [/spec/replicas]
  - {group: admissionregistration.k8s.io, managers: [cainjector, "*-certgen"], namespace: null}
"""
        }
    )
    assert specs.rules == (
        REPLICAS,
        IgnoreRule(group="admissionregistration.k8s.io", managers=("cainjector", "*-certgen")),
    )
    assert specs.ruled
    assert not specs.problems


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}\n", "ignore: []\n"])
def test_there_may_be_none(load, text: str) -> None:
    specs = load({"reconciler.yaml": text, "a.yaml": CONFIG})
    assert (specs.rules, specs.ruled, specs.problems) == ((), True, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ignore: [{kind: Deployment}]\n", "reconciler.yaml:1:10: ignore[0]: a rule names fields, managers or both"),
        (
            "ignore:\n  - fields: [spec.replicas]\n",
            'reconciler.yaml:2:14: ignore[0].fields[0]: "spec.replicas" is not a JSON pointer such as /spec/replicas;',
        ),
        ("ignores: []\n", 'reconciler.yaml:1:1: ignores: unknown field "ignores"'),
        ("guard: {}\n", 'reconciler.yaml:1:1: guard: the field "guard" is not supported yet'),
        (
            "review: {risks: {deletion: maybe}}\n",
            'reconciler.yaml:1:28: review.risks.deletion: "maybe" is not one of block, warn, off',
        ),
        ("review: {risks: {nonsense: warn}}\n", "reconciler.yaml:1:"),
        ("[1, 2]\n", "reconciler.yaml:1:1: settings are a mapping"),
        ("{}\n---\n{}\n", "reconciler.yaml: settings are one document"),
        ("ignore: [\n", "reconciler.yaml:2:1: "),
        ("ignore: []\nignore: []\n", 'reconciler.yaml:2:1: the key "ignore" is stated twice'),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(load, text: str, said: str) -> None:
    specs = load({"reconciler.yaml": text, "a.yaml": CONFIG})
    (problem,) = specs.problems
    assert str(problem).startswith(said)
    assert (specs.rules, specs.ruled) == ((), False)
    assert len(specs.documents) == 1
    assert not specs.unknown, "it is no spec: what it says hides no object"


def test_a_file_that_breaks_counts_as_it_was(load) -> None:
    loader = Loader()
    whole = load({"reconciler.yaml": RULE}, loader=loader)
    broken = load({"reconciler.yaml": "ignore: [{kind: 1}]\n"}, loader=loader)
    assert broken.problems
    assert (broken.rules, broken.ruled) == (whole.rules, True)
    gone = load({"a.yaml": CONFIG}, loader=loader)
    assert (gone.rules, gone.ruled) == ((), True)


def test_an_unchanged_file_is_not_read_again(load, repository) -> None:
    loader = Loader()
    found = repository({"reconciler.yaml": RULE})
    assert load(found, loader=loader).parsed == 1
    assert load(found, loader=loader).parsed == 0
    assert len(found.reads) == 1


def test_they_stand_at_the_root_of_the_repository_or_of_a_path(load, said) -> None:
    files = {
        "reconciler.yaml": RULE,
        "base/reconciler.yaml": "ignore: [{name: a, fields: [/a]}]\n",
        "base/deep/reconciler.yaml": "ignore: [{name: b, fields: [/b]}]\n",
        "elsewhere/reconciler.yaml": "not: [read",
    }
    specs = load(files, paths=("base", "prod"))
    assert set(specs.rules) == {REPLICAS, IgnoreRule(name="a", fields=("/a",))}
    assert said(specs) == [
        "base/deep/reconciler.yaml: settings stand at the root of the repository or of a path of the source"
    ]
    assert not specs.unknown
