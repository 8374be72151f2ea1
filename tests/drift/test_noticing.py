"""Whatever somebody does to an object is noticed from the watch, named, and told once with who did it (rule 14)."""

from functools import partial
from typing import Any

import pytest
from both_servers import on_both
from foretelling import foretold
from intercepted import hook, refusal
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.http.transport import Request, Response
from reconciler.model.change import ABSENT, Action
from reconciler.model.drift import Drift, DriftKind, DriftState
from reconciler.model.event import EventType
from reconciler.model.manifest import DriftMode
from reconciler.model.result import Outcome
from reconciler.redact import CHANGED, REDACTED


async def data_of(w: World, name: str = "a") -> Any:
    live = await w.get("ConfigMap", name)
    return live and live["data"]


def one(w: World, kind: EventType) -> Drift:
    """The drift of the only event of a kind."""
    (event,) = w.heard(kind)
    assert event.drift is not None
    assert (event.source, event.identity) == (event.drift.source, event.drift.identity)
    return event.drift


def kinds(w: World, name: str = "a") -> list[str]:
    """What was told of drift, in order."""
    lasting = ("drifted", "healed", "restored", "fought", "calmed")
    return [e.type.value for e in w.events if e.type.value in lasting and e.identity and e.identity.name == name]


@on_both
async def test_rule_14_an_edit_is_told_with_what_was_wanted_and_found_and_by_whom(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}}, by="kubectl-edit")
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    drift = one(w, EventType.DRIFTED)
    assert (drift.kind, drift.mode, drift.state) == (DriftKind.EDITED, DriftMode.HEAL, DriftState.FOUND)
    (field,) = drift.fields
    assert (field.path, field.wanted, field.found) == ("data.value", "1", "edited")
    (author,) = field.by
    assert (author.manager, author.operation) == ("kubectl-edit", "Update")
    assert author.time is not None
    assert w.heard(EventType.DRIFTED)[0].message == ("edited: data.value is edited, Git states 1 (by kubectl-edit)")
    ended = one(w, EventType.HEALED)
    assert (ended.state, ended.noticed) == (DriftState.HEALED, drift.noticed)
    assert ended.ended is not None
    assert w.drifts.open() == ()
    assert w.drifts.ended() == (ended,)


@on_both
async def test_rule_14_a_deletion_is_told(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.call("DELETE", w.path("configmaps/a"))
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    assert one(w, EventType.DRIFTED).kind is DriftKind.DELETED
    assert w.heard(EventType.DRIFTED)[0].message == "deleted"
    assert await data_of(w) == {"value": "1"}


@on_both
async def test_rule_14_a_deletion_that_waits_for_a_finalizer_is_told_at_once_and_healed_when_it_is_gone(
    w: World,
) -> None:
    await w.started({"a.yaml": config("a")})
    path = w.path("configmaps/a")
    await w.patch(path, {"metadata": {"finalizers": ["example.com/slow"]}}, by="somebody")
    await w.call("DELETE", path)
    await w.settled()
    assert kinds(w) == ["drifted"]
    (drift,) = w.drifts.open()
    assert (drift.kind, drift.state) == (DriftKind.DELETED, DriftState.FOUND)
    assert "being deleted" in drift.reason
    await w.patch(path, {"metadata": {"finalizers": None}}, by="somebody")
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    assert await data_of(w) == {"value": "1"}


@on_both
async def test_rule_14_another_object_under_the_same_name_is_told_and_left_alone(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.call("DELETE", w.path("configmaps/a"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "theirs"}}
    await w.create(w.path("configmaps"), body)
    await w.settled()
    assert await data_of(w) == {"value": "theirs"}, "it is somebody's now (rule 2)"
    assert kinds(w) == ["drifted"]
    drift = one(w, EventType.DRIFTED)
    assert (drift.kind, drift.state) == (DriftKind.REPLACED, DriftState.FOUND)
    assert "it is not ours" in drift.reason
    assert w.drifts.open() == (drift,)
    assert "adopt" in w.heard(EventType.DRIFTED)[0].hint


@on_both
async def test_rule_14_another_object_under_the_same_name_is_taken_over_where_that_is_allowed(w: World) -> None:
    await w.started({"a.yaml": config("a", adopt="true")})
    await w.call("DELETE", w.path("configmaps/a"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "theirs"}}
    await w.create(w.path("configmaps"), body)
    await w.settled()
    assert await data_of(w) == {"value": "1"}
    assert kinds(w) == ["drifted", "healed"]
    assert one(w, EventType.DRIFTED).kind is DriftKind.REPLACED


@virtual
async def test_rule_14_where_the_other_object_goes_again_ours_comes_back() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        await w.call("DELETE", w.path("configmaps/a"))
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "theirs"}}
        await w.create(w.path("configmaps"), body)
        await w.settled()
        await w.call("DELETE", w.path("configmaps/a"))
        await w.clock.sleep(301)
        await w.sources["shop"].work()
        assert await data_of(w) == {"value": "1"}
        assert kinds(w) == ["drifted", "healed"]


@on_both
async def test_rule_14_a_field_whose_ownership_was_taken_becomes_ours_again(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    for value in ("theirs", "1"):
        await w.patch(w.path("configmaps/a"), {"data": {"value": value}}, by="kubectl-edit")
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    drift = one(w, EventType.DRIFTED)
    assert drift.kind is DriftKind.TAKEN
    (field,) = drift.fields
    assert (field.path, field.wanted, field.found) == ("data.value", "1", "1")
    assert [author.manager for author in field.by] == ["kubectl-edit"]
    assert "no longer ours (by kubectl-edit)" in w.heard(EventType.DRIFTED)[0].message
    repository = w.repositories["shop"]
    repository.commit({"a.yaml": config("a").replace("value: '1'", "other: '1'")})
    await w.sync()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "1", "other": "1"}, "co-owned: what Git drops stays theirs"


@on_both
async def test_rule_14_an_object_that_loses_our_label_is_disowned_and_ours_again(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.patch(w.path("configmaps/a"), {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    drift = one(w, EventType.DRIFTED)
    assert drift.kind is DriftKind.DISOWNED
    assert [(field.path, field.found) for field in drift.fields] == [
        ("metadata.labels.app.kubernetes.io/managed-by", ABSENT)
    ]


@pytest.mark.parametrize(
    ("mode", "told", "theirs"),
    [("heal", ["drifted", "healed"], False), ("alert", ["drifted"], True), ("ignore", [], True)],
)
@on_both
async def test_rule_14_what_loses_our_label_while_nobody_looks_is_drift_all_the_same(
    w: World, mode: str, told: list[str], theirs: bool
) -> None:
    text = config("a").replace("  name: a\n", f"  name: a\n  annotations: {{reconciler.dev/drift: {mode}}}\n")
    repository = await w.started({"a.yaml": text})
    labels = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}}
    await w.restart(partial(w.patch, w.path("configmaps/a"), labels))
    repository.commit({"b.yaml": config("b")}, "Something else")
    assert (await w.sync()).ok
    await w.settled()
    assert kinds(w) == told
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert (live["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "me") is theirs
    assert [event.drift.kind for event in w.heard(EventType.DRIFTED) if event.drift] == [DriftKind.DISOWNED] * bool(
        told
    )
    repository.commit({"a.yaml": text.replace("'1'", "'2'")}, "Another value")
    (announced,) = (await foretold(w)).values()
    assert announced.action is (Action.REFUSE if theirs else Action.UPDATE)
    result = await w.sync()
    if theirs:
        (failed,) = (each for each in result.results.values() if each.outcome is Outcome.FAILED)
        assert "kubectl-edit owns metadata.labels.app.kubernetes.io/managed-by" in failed.message, "rule 4"
    else:
        assert result.ok


@on_both
async def test_rule_14_an_object_that_loses_our_annotation_is_disowned_and_ours_again(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    gone = {"metadata": {"annotations": {"reconciler.dev/id": None}}, "data": {"value": "edited"}}
    await w.patch(w.path("configmaps/a"), gone)
    await w.settled()
    assert kinds(w) == ["drifted", "healed"]
    assert one(w, EventType.DRIFTED).kind is DriftKind.DISOWNED
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["metadata"]["annotations"]["reconciler.dev/id"].endswith(f"/{w.space}/a")
    assert live["data"] == {"value": "1"}


@on_both
async def test_an_object_that_is_claimed_for_another_source_is_told_and_left_alone(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    theirs = f"test/another//ConfigMap/{w.space}/a"
    await w.patch(w.path("configmaps/a"), {"metadata": {"annotations": {"reconciler.dev/id": theirs}}})
    await w.settled()
    drift = one(w, EventType.DRIFTED)
    assert (drift.kind, drift.state) == (DriftKind.DISOWNED, DriftState.FOUND)
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["metadata"]["annotations"]["reconciler.dev/id"] == theirs


@on_both
async def test_no_value_of_a_secret_is_in_what_is_told(w: World) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {password: hunter2}\n"
    await w.started({"a.yaml": secret})
    await w.patch(w.path("secrets/a"), {"data": {"password": "dGhlaXJz"}})
    await w.settled()
    drift = one(w, EventType.HEALED)
    (field,) = drift.fields
    assert (field.path, field.wanted, field.found) == ("data.password", CHANGED, REDACTED)
    told = repr(w.events) + repr(w.drifts.ended())
    for value in ("hunter2", "aHVudGVyMg", "theirs", "dGhlaXJz"):
        assert value not in told
    live = await w.get("Secret", "a")
    assert live is not None
    assert live["data"] == {"password": "aHVudGVyMg=="}


@on_both
async def test_what_is_undone_by_hand_is_restored(w: World) -> None:
    await w.started({"a.yaml": config("a", drift="alert")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    await w.settled()
    (drift,) = w.drifts.open()
    assert (drift.mode, drift.state) == (DriftMode.ALERT, DriftState.FOUND)
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited again"}})
    await w.settled()
    (drift,) = w.drifts.open()
    assert drift.fields[0].found == "edited again", "the view follows, and nothing more is said"
    assert kinds(w) == ["drifted"]
    live = await w.get("ConfigMap", "a")
    assert live is not None
    marks = {name: live["metadata"][name] for name in ("labels", "annotations", "name")}
    undone = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": marks, "data": {"value": "1"}}
    by_us = {"fieldManager": "reconciler", "force": "true"}  # as `kubectl apply --server-side` can
    await w.call("PATCH", w.path("configmaps/a"), undone, kind="apply-patch+yaml", **by_us)
    await w.settled()
    assert kinds(w) == ["drifted", "restored"]
    assert w.drifts.open() == ()
    assert [each.state for each in w.drifts.ended()] == [DriftState.RESTORED]


@on_both
async def test_a_drift_ends_where_git_comes_to_state_something_else(w: World) -> None:
    repository = await w.started({"a.yaml": config("a", drift="alert")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "2"}})
    await w.settled()
    repository.commit({"a.yaml": config("a", "2", drift="alert")})
    assert (await w.sync()).ok
    await w.settled()
    assert kinds(w) == ["drifted", "restored"]
    assert w.drifts.open() == ()


@on_both
async def test_rule_13_what_an_apply_would_not_change_is_no_drift(w: World) -> None:
    text = (
        "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a, annotations: {reconciler.dev/drift: alert}}\n"
        "spec: {limits: [{type: Container, default: {cpu: 1000m}}]}\n"
    )
    await w.started({"a.yaml": text})
    for number in range(2):
        await w.patch(w.path("limitranges/a"), {"metadata": {"annotations": {"x": str(number)}}})
        await w.settled()
    assert kinds(w) == []


@virtual
async def test_what_could_not_be_healed_is_told_and_tried_again() -> None:
    async with world() as w:
        refuses = False

        async def answer(request: Request) -> Response | None:
            return refusal(403, "Forbidden") if refuses and request.method == "PATCH" else None

        hook(w, answer)
        await w.started({"a.yaml": config("a")})
        refuses = True
        async with tended(w):
            await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
            await w.clock.sleep(60)
            assert kinds(w) == ["drifted"]
            (drift,) = w.drifts.open()
            assert drift.state is DriftState.FOUND
            assert drift.reason.startswith("it could not be healed: ")
            assert w.heard(EventType.FAILED) == [], "once is enough"
            refuses = False
            await w.clock.sleep(60)
            assert kinds(w) == ["drifted", "healed"]
            assert await data_of(w) == {"value": "1"}
