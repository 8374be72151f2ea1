"""A plan as people and machines read it.

The golden files are what is expected to be seen. After a wanted change: `UPDATE_GOLDEN=1 python -m pytest tests/diff`.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from golden import checked
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.diff.views import json as json_view
from reconciler.diff.views import markdown, text
from reconciler.diff.views.fields import lines
from reconciler.diff.views.summary import SIGNS, WORDS, sentence
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange
from reconciler.model.problem import Location, Problem, Severity

GOLDEN = Path(__file__).parent / "golden"

NGINX_BEFORE = "worker_processes 1;\nevents {}\nhttp {\n  server {\n    listen 80;\n  }\n}\n"
NGINX_AFTER = NGINX_BEFORE.replace("listen 80", "listen 8080")
RULES_BEFORE = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
RULES_AFTER = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch"]}]
PROBE = {"httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5, "timeoutSeconds": 1}

PROBLEMS = (
    Problem(
        Severity.ERROR,
        "type",
        Location("apps/web.yaml", 14, 20),
        '"three" is not an integer',
        subject="Deployment/web spec.replicas",
        excerpt=" replicas: three",
        hint="leave it out and the planner fills it in",
        also=(Location("env/prod/web.yaml", 3),),
    ),
    Problem(Severity.WARNING, "yaml-1.1", Location("apps/config.yaml", 4), "`no` is false in YAML 1.1"),
)


def change(kind: str, name: str, action: Action, reason: str, *fields: FieldChange, **rest: Any) -> Change:
    return Change(Identity("", kind, "shop", name), action, reason, fields, **rest)


@pytest.fixture
def plan(bench: Any, deployment: Any) -> list[Change]:
    place = "spec.template.spec.containers[name=web]"
    return [
        Change(
            Identity("apps", "Deployment", "shop", "web"),
            Action.CREATE,
            "new in Git",
            manifest=bench.manifest(deployment()),
        ),
        change("Service", "web", Action.CREATE, "new in Git"),
        change(
            "Deployment",
            "api",
            Action.UPDATE,
            f"differs: {place}.image and 3 more",
            FieldChange(f"{place}.image", "api:1.0", "api:1.1"),
            FieldChange(f"{place}.env[name=DEBUG].value", "no", "1", "set by kubectl-edit"),
            FieldChange(f"{place}.readinessProbe", ABSENT, PROBE),
            FieldChange("spec.replicas", 7, 7, "kept: no longer stated, left as it is"),
            uid="123",
        ),
        change(
            "ConfigMap",
            "nginx",
            Action.UPDATE,
            "differs: data.nginx.conf",
            FieldChange("data.nginx.conf", NGINX_BEFORE, NGINX_AFTER),
        ),
        change("Role", "reader", Action.UPDATE, "differs: rules", FieldChange("rules", RULES_BEFORE, RULES_AFTER)),
        change(
            "Secret",
            "db",
            Action.UPDATE,
            "differs: data.password and 1 more",
            FieldChange("data.password", "(secret)", "(changed)"),
            FieldChange("data.user", ABSENT, "(secret)"),
        ),
        change("ConfigMap", "old", Action.PRUNE, "no longer in Git", uid="456"),
        change("ConfigMap", "older", Action.PRUNE, "no longer in Git"),
        change(
            "Job",
            "seed",
            Action.REPLACE,
            "spec.template is immutable",
            FieldChange("spec.template.spec.containers[name=c].image", "a", "b"),
        ),
        change(
            "ConfigMap", "theirs", Action.ADOPT, "taken over, made by helm", FieldChange("data.mode", "slow", "fast")
        ),
        change(
            "PersistentVolumeClaim",
            "data",
            Action.HOLD,
            "held: a PersistentVolumeClaim is deleted only with an approval",
            hint="commit with the trailer 'Reconciler-Allow-Prune: 3', or run `reconciler prune --approve`",
        ),
        change(
            "ConfigMap", "blog", Action.REFUSE, "source blog has it from blog.yaml, here it is stated in web.yaml:1"
        ),
        change("Widget", "w", Action.UNCONFIRMED, "its CustomResourceDefinition comes in the same commit"),
        change("ConfigMap", "kept", Action.KEEP, 'reconciler.dev/prune is "false"'),
        change("ConfigMap", "same", Action.NONE, "as Git states it"),
    ]


def golden(name: str, shown: str) -> None:
    checked(GOLDEN / name, shown)


def test_terminal(plan: list[Change]) -> None:
    golden("plan.txt", text.render(plan, PROBLEMS))


def test_markdown(plan: list[Change]) -> None:
    golden("plan.md", markdown.render(plan, PROBLEMS))


def test_json(plan: list[Change]) -> None:
    golden("plan.json", json_view.render(plan, PROBLEMS))


def test_every_view_is_deterministic(plan: list[Change]) -> None:
    for view in (text, markdown, json_view):
        assert view.render(plan[::-1], PROBLEMS[::-1]) == view.render(plan, PROBLEMS)


def test_every_action_has_a_word_and_a_sign() -> None:
    assert set(WORDS) == set(SIGNS) == set(Action)
    assert len(set(SIGNS.values())) == len(Action)


def test_the_sentence_of_counts() -> None:
    assert sentence([]) == "no changes"
    assert sentence([change("A", "a", Action.NONE, "")] * 40) == "no changes, 40 unchanged"
    assert sentence([change("A", "a", Action.HOLD, "")], PROBLEMS) == "1 held, 1 error, 1 warning"


def test_terminal_colours_are_only_colours(plan: list[Change]) -> None:
    coloured = text.render(plan, PROBLEMS, color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text.render(plan, PROBLEMS)


def test_nothing_from_outside_drives_the_terminal() -> None:
    nasty = "a\x1b]0;title\x07\x9b31m\u202eb\r"
    changes = [change(nasty, nasty, Action.HOLD, nasty, FieldChange(nasty, nasty, nasty * 40, nasty), hint=nasty)]
    for view in (text, markdown):
        shown = view.render(changes, [Problem(Severity.ERROR, "x", Location(nasty), nasty)])
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)


def test_markdown_says_what_was_cut() -> None:
    fields = [FieldChange(f"data.key-{n}", "a" * 70, "b" * 70) for n in range(40)]
    many = [change("ConfigMap", f"c{n:04}", Action.UPDATE, "differs", *fields) for n in range(1000)]
    shown = markdown.render([*many, change("ConfigMap", "gone", Action.PRUNE, "no longer in Git")])
    assert len(shown) <= 65_000
    assert shown.index("gone") < shown.index("c0000")  # what is dangerous is never what is cut
    cut = re.search(r"_Cut for length: (\d+) changes, (\d+) fields\.", shown)
    assert cut
    assert shown.count("ConfigMap/shop/c") + int(cut[1]) == 1000
    assert shown.count("```") % 2 == 0
    assert shown.count("<details>") == shown.count("</details>")


def test_markdown_cannot_be_broken_out_of() -> None:
    nasty = "`</details>\n```\n@everyone <script>"
    shown = markdown.render([change("A", nasty, Action.UPDATE, nasty, FieldChange("x", nasty, "b" * 100), hint=nasty)])
    assert "<script>" not in shown.replace("````", "").split("```")[0]
    assert shown.count("<details>") == 1
    assert "````diff" in shown


def test_json_tells_absent_from_null() -> None:
    fields = [FieldChange("a", ABSENT, None), FieldChange("b", None, ABSENT)]
    (shown,) = json_view.document([change("A", "a", Action.UPDATE, "", *fields)])["changes"]
    assert shown["fields"] == [{"path": "a", "after": None}, {"path": "b", "before": None}]


def test_json_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plan-json.md").read_text(encoding="utf-8")

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for part in value.values() for name in names(part)}
        return {name for part in value for name in names(part)} if isinstance(value, list) else set()

    shown = json.loads((GOLDEN / "plan.json").read_text(encoding="utf-8"))
    for one in shown["changes"]:
        for field in one["fields"]:
            field.pop("before", None), field.pop("after", None)
    missing = {name for name in names(shown) if f"`{name}`" not in page}
    assert not missing
    assert f"`{json_view.VERSION}`" in page
    assert "`before`" in page
    assert "`after`" in page


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=100),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(json_values, json_values)
@example({}, {"\n": None})
def test_any_field_can_be_shown(before: Any, after: Any) -> None:
    for field in (FieldChange("x", before, after), FieldChange("x", ABSENT, after), FieldChange("x", before, ABSENT)):
        shown = list(lines(field))
        assert shown
        assert all("\n" not in line.text for line in shown)


def compared(was: list[str], now: list[str]) -> list[str]:
    """The lines of two long texts as a field's view has them, each after its sign."""
    _, *below = lines(FieldChange("data.text", "\n".join(was), "\n".join(now)))
    return [f"{line.sign}{line.text[2:]}" for line in below]


def patched(was: list[str], shown: list[str]) -> list[str]:
    """`was` after the changes that are shown, each at the place that it names."""
    made: list[str] = []
    at = 0  # of the next line of `was`
    for line in shown:
        if match := re.match(r" @@ -(\d+)(?:,(\d+))? ", line):
            first = int(match[1]) - (match[2] != "0")
            made += was[at:first]
            at = first
        elif line[0] == "+":
            made.append(line[1:])
        else:
            assert was[at] == line[1:]
            made += [was[at]] if line[0] == " " else []
            at += 1
    return made + was[at:]


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9), st.integers(0, 5))
def test_what_is_shown_of_long_texts_turns_one_into_the_other(one: list[str], other: list[str], ends: int) -> None:
    head, tail = [[f"{name} {number}" for number in range(ends)] for name in ("head", "tail")]
    was, now = [[*head, *middle, *tail, "long" * 40] for middle in (one, other)]
    if was != now:
        shown = compared(was, now)
        assert patched(was, shown) == now
        assert len([line for line in shown if line.startswith(" head")]) <= 2


def test_texts_that_would_take_too_long_to_compare_go_and_come() -> None:
    was, now = [["a", "b", "c", *(f"{n * step % 2099}" for n in range(2099)), "x", "y", "z"] for step in (1, 7)]
    shown = compared(was, now)
    gone, come = ([f"{sign}{line}" for line in text[4:-3]] for sign, text in (("-", was), ("+", now)))
    assert shown == [" c", " 0", *gone, *come, " x", " y"]
