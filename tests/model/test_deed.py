"""What a pass did, short enough to be kept."""

from datetime import UTC, datetime

from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, FieldChange
from reconciler.model.deed import FIELDS, Deed, announced, done, paths_of
from reconciler.model.result import ObjectResult, Outcome, SyncResult
from reconciler.model.snapshot import Revision

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
        Deed(named("a"), Action.UPDATE, fields=("data.x", "data.y")),
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


def test_paths_are_bounded() -> None:
    assert paths_of(None) == ()
    assert len(paths_of(change("a", Action.UPDATE, *(f"data.{n}" for n in range(FIELDS))))) == FIELDS
    assert paths_of(change("a", Action.UPDATE, *(f"data.{n}" for n in range(FIELDS + 1)))) == ()
    assert paths_of(change("a", Action.UPDATE, "data.x", "y" * 1000)) == ()
