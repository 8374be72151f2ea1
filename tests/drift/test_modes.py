"""What is done about drift: by mode, in maintenance windows, and while a source is suspended."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from both_servers import on_both
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.model.config import DriftRule, MaintenanceWindow
from reconciler.model.drift import DriftState
from reconciler.model.event import EventType
from reconciler.model.manifest import DriftMode


async def value(w: World, name: str = "a") -> Any:
    live = await w.get("ConfigMap", name)
    return live and live["data"]["value"]


async def edit(w: World, name: str = "a", value: str = "edited") -> None:
    await w.patch(w.path(f"configmaps/{name}"), {"data": {"value": value}})


def told(w: World) -> list[str]:
    lasting = ("drifted", "healed", "restored", "fought", "calmed")
    return [event.type.value for event in w.events if event.type.value in lasting]


@on_both
async def test_rules_say_it_by_path_and_by_object_and_the_first_counts(w: World) -> None:
    files = {
        "base/a.yaml": config("a"),
        "prod/b.yaml": config("b"),
        "prod/c.yaml": config("c"),
        "prod/d.yaml": config("d", drift="ignore"),
        "base/e.yaml": config("e", drift="heal"),
    }
    rules = (
        DriftRule(DriftMode.HEAL, objects=("ConfigMap/*/c",)),
        DriftRule(DriftMode.ALERT, paths=("prod/*",)),
        DriftRule(DriftMode.IGNORE, objects=("ConfigMap/*/a", "ConfigMap/*/e")),
    )
    await w.started(files, drift_rules=rules)
    for name in "abcde":
        await edit(w, name)
    await w.settled()
    assert {name: await value(w, name) for name in "abcde"} == {
        "a": "edited",  # ignored
        "b": "edited",  # told
        "c": "1",  # healed: the first rule counts
        "d": "edited",  # told: an annotation cannot loosen a rule
        "e": "1",  # healed: it can make it stricter
    }
    drifted = {event.identity.name for event in w.heard(EventType.DRIFTED) if event.identity}
    assert drifted == {"b", "c", "d", "e"}
    assert [drift.identity.name for drift in w.drifts.open()] == ["b", "d"]


@on_both
async def test_what_is_deleted_and_ignored_or_only_told_stays_away_until_git_says_something_else(w: World) -> None:
    repository = await w.started({"a.yaml": config("a", drift="ignore"), "b.yaml": config("b", drift="alert")})
    for name in "ab":
        await w.call("DELETE", w.path(f"configmaps/{name}"))
    await w.settled()
    repository.commit({"c.yaml": config("c")})
    assert (await w.sync()).ok
    assert [await value(w, name) for name in "abc"] == [None, None, "1"]
    drifted = [event.identity.name for event in w.heard(EventType.DRIFTED) if event.identity]
    assert drifted == ["b"]
    repository.commit({"a.yaml": config("a", "2", drift="ignore"), "b.yaml": config("b", "2", drift="alert")})
    assert (await w.sync()).ok
    assert [await value(w, name) for name in "ab"] == ["2", "2"]
    await w.settled()
    assert w.drifts.open() == ()


@virtual
async def test_in_a_maintenance_window_drift_waits_for_its_end_and_commits_go_on() -> None:
    async with world() as w:
        window = MaintenanceWindow("0 1 * * *", 2 * 3600.0)  # the world begins at midnight
        repository = await w.started(
            {"a.yaml": config("a"), "b.yaml": config("b", drift="alert")}, maintenance=(window,)
        )
        async with tended(w):
            await w.clock.sleep(3600 + 60)
            await edit(w, "a")
            await edit(w, "b")
            await w.clock.sleep(60)
            assert await value(w) == "edited"
            assert told(w) == []
            drifts = w.drifts.open()
            assert [(each.identity.name, each.state) for each in drifts] == [
                ("a", DriftState.WAITING),
                ("b", DriftState.WAITING),
            ]
            assert {each.until for each in drifts} == {datetime(2026, 1, 1, 3, tzinfo=UTC)}
            repository.commit({"c.yaml": config("c")})
            await w.sources["shop"].poll()
            w.sources["shop"].on_suspect(0)
            await w.clock.sleep(60)
            assert await value(w, "c") == "1"
            assert await value(w) == "edited", "the commit was about something else"
            assert told(w) == []
            await w.clock.sleep(2 * 3600)
            assert await value(w) == "1"
            assert await value(w, "b") == "edited"
            assert sorted(told(w)) == ["drifted", "drifted", "healed"]
            (healed,) = w.heard(EventType.HEALED)
            assert healed.drift is not None
            assert healed.drift.noticed < datetime(2026, 1, 1, 2, tzinfo=UTC), "when it was seen, not when it was told"


@virtual
async def test_what_is_undone_before_the_window_ends_is_never_told() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")}, maintenance=(MaintenanceWindow("0 0 * * *", 3600.0),))
        async with tended(w):
            await edit(w)
            await w.clock.sleep(60)
            assert len(w.drifts.open()) == 1
            await edit(w, value="1")
            await w.clock.sleep(2 * 3600)
        assert w.drifts.open() == ()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        # The value is right, and still theirs alone: that is told when it is healed.
        assert told(w) == ["drifted", "healed"]
        assert "no longer ours" in w.heard(EventType.DRIFTED)[0].message


@virtual
async def test_a_commit_in_a_window_goes_over_an_edit_when_the_window_has_ended() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")}, maintenance=(MaintenanceWindow("0 0 * * *", 3600.0),))
        async with tended(w):
            await edit(w)
            await w.clock.sleep(60)
            repository.commit({"a.yaml": config("a", "2")})
            await w.sources["shop"].poll()
            w.sources["shop"].on_suspect(0)
            await w.clock.sleep(60)
            assert await value(w) == "edited", "a commit forces nothing (rule 4)"
            assert "kubectl-edit" in w.heard(EventType.FAILED)[0].message
            await w.clock.sleep(2 * 3600)
            assert await value(w) == "2"


@on_both
async def test_drift_of_a_suspended_source_is_told_and_not_healed_before_it_goes_on(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    w.remember(lambda state: replace(state, suspended=True))
    await edit(w)
    await w.settled()
    assert await value(w) == "edited"
    assert told(w) == ["drifted"]
    (drift,) = w.drifts.open()
    assert (drift.state, drift.until, drift.reason) == (DriftState.WAITING, None, "the source is suspended")
    w.remember(lambda state: replace(state, suspended=False))
    w.sources["shop"].ask()
    await w.sync()
    await w.settled()
    assert await value(w) == "1"
    assert told(w) == ["drifted", "healed"]
    assert w.drifts.open() == ()


@on_both
async def test_drift_of_a_source_that_was_suspended_before_the_start_is_told(w: World) -> None:
    await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
    w.remember(lambda state: replace(state, suspended=True))
    await w.written()
    await edit(w)
    await w.restart()
    await w.sources["shop"].poll()
    assert await w.sources["shop"].work() is None
    assert told(w) == ["drifted"]
    assert await value(w) == "edited"
    await edit(w, "b")
    await w.settled()
    assert told(w) == ["drifted", "drifted"]


@on_both
async def test_drift_while_the_daemon_was_away_is_told_and_healed_by_the_first_pass(w: World) -> None:
    await w.started({"a.yaml": config("a"), "b.yaml": config("b", drift="alert")})
    await w.written()
    await edit(w, "a")
    await edit(w, "b")
    await w.restart()
    await w.sync()
    assert await value(w, "a") == "1"
    await w.settled()
    assert await value(w, "b") == "edited"
    assert sorted(told(w)) == ["drifted", "drifted", "healed"]
    assert not w.heard(EventType.HELD)


@virtual
async def test_an_alert_that_comes_and_goes_is_not_told_each_time() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a", drift="alert")})
        async with tended(w):
            for number in range(600):
                await edit(w, value=("edited", "1")[number % 2])
                await w.clock.sleep(1)
        assert len(w.heard(EventType.DRIFTED)) <= 10
