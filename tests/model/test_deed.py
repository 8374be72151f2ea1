"""What a pass did, short enough to be kept."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT, Action, Change, FieldChange
from reconciler.model.deed import FIELDS, Deed, announced, done
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Revision
from reconciler.redact import CHANGED, REDACTED

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def named(name: str) -> Identity:
    return Identity("", "ConfigMap", "shop", name)


def change(name: str, action: Action, *paths: str) -> Change:
    return Change(named(name), action, "for a reason", tuple(FieldChange(path, 1, 2) for path in paths))


def test_what_is_announced() -> None:
    changes = [
        change("a", Action.UPDATE, "data.y", "data.x"),
        change("b", Action.UNCONFIRMED),
        change("c", Action.HOLD),
        change("d", Action.KEEP),
        change("e", Action.NONE),
    ]
    assert announced(changes) == (
        Deed(named("a"), Action.UPDATE, fields=("data.x", "data.y"), values=("2", "2")),
        Deed(named("b"), Action.CREATE),
        Deed(named("c"), Action.HOLD),
    )


def test_what_is_done() -> None:
    results = [
        ObjectResult(named("a"), Action.HOLD, Outcome.HELD, "waits"),
        ObjectResult(named("b"), Action.UPDATE, Outcome.DONE, "differs", change=change("b", Action.UPDATE, "data.x")),
        ObjectResult(named("c"), Action.CREATE, Outcome.FAILED, "x" * 10_000),
        ObjectResult(named("d"), Action.CREATE, Outcome.SUPERSEDED),
        ObjectResult(named("e"), Action.KEEP, Outcome.DONE),
    ]
    revision = Revision("a" * 40, "main", "", NOW, "")
    found = done(SyncResult("shop", revision, NOW, NOW, {each.identity: each for each in results}))
    assert [(each.identity.name, each.outcome, each.fields) for each in found] == [
        ("b", Outcome.DONE, ("data.x",)),
        ("c", Outcome.FAILED, ()),
        ("a", Outcome.HELD, ()),
    ], "what is held gives way first"
    assert [len(each.why) for each in found] == [0, 200, 5]


def fields(*paths: str) -> tuple[str, ...]:
    (deed,) = announced([change("a", Action.UPDATE, *paths)])
    return deed.fields


def test_paths_are_bounded() -> None:
    assert fields() == ()
    assert len(fields(*(f"data.{n}" for n in range(FIELDS)))) == FIELDS
    assert fields(*(f"data.{n}" for n in range(FIELDS + 1))) == ()
    assert fields("data.x", "y" * 1000) == ()


def became(*values: Any) -> Deed:
    changed = tuple(FieldChange(f"data.{n:02}", "old", value) for n, value in enumerate(values))
    (deed,) = announced([Change(named("a"), Action.UPDATE, "", changed)])
    return deed


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("2", '"2"'),
        (2, "2"),
        (None, "null"),
        (ABSENT, "nothing"),
        ("nothing", '"nothing"'),
        ({"b": [1], "a": "grün\n"}, '{"a": "grün\\n", "b": [1]}'),
        (10**30, str(10**30)),
        ("\ud800", '"?"'),
    ],
)
def test_what_a_field_becomes(value: Any, kept: str) -> None:
    assert became(value).becomes == {"data.00": kept}


def test_a_long_value_is_cut_and_still_told_from_another() -> None:
    one, other = (became("x" * 10_000 + end).becomes["data.00"] for end in "ab")
    assert one != other
    assert len(one) == len(other) == 80
    assert became(*("x" * 500 for _ in range(FIELDS))).values == (), "and not too many of them"


def test_a_secret_has_no_value_here() -> None:
    deed = became("2", REDACTED, CHANGED)
    assert deed.becomes == {"data.00": '"2"'}
    assert became(REDACTED, CHANGED).values == ()
    assert len(deed.fields) == 3
