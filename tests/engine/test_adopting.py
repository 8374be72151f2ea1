"""Objects that were made by hand and are taken over: what Git drops later goes, whoever else had stated it."""

import pytest
from both_servers import on_both
from texts import config
from world import World

from reconciler.model.change import Action
from reconciler.model.result import Outcome

TWO = "data: {value: '1', more: 'x'}"
ONE = "data: {value: '1'}"


def stated(data: str) -> str:
    return config("a", adopt="true").replace("data: {value: '1'}", data)


async def made_by_hand(w: World, by: str) -> None:
    """A ConfigMap as `by` makes it, with a key that Git never states."""
    await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": w.space}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"theirs": "1", "more": "x"}}
    await w.call("POST", w.path("configmaps"), body, fieldManager=by)


async def data(w: World) -> dict[str, str]:
    live = await w.get("ConfigMap", "a")
    assert live is not None
    return dict(live["data"])


@pytest.mark.parametrize("verb", ["create", "replace", "edit", "patch"])
@on_both
async def test_rule_2_what_git_states_and_drops_later_goes_whichever_verb_of_kubectl_had_set_it(
    w: World, verb: str
) -> None:
    await made_by_hand(w, "kubectl-create" if verb in ("create", "replace") else "some-tool")
    if verb != "create":
        await w.patch(w.path("configmaps/a"), {"data": {"more": "y"}}, by=f"kubectl-{verb}")
        await w.patch(w.path("configmaps/a"), {"data": {"more": "x"}}, by=f"kubectl-{verb}")
    repository = w.source()
    repository.commit({"a.yaml": stated(TWO)})
    assert (await w.sync()).count(Action.ADOPT) == 1
    assert await data(w) == {"value": "1", "more": "x", "theirs": "1"}  # nobody knows whether it was stated: it stays
    repository.commit({"a.yaml": stated(ONE)})
    assert (await w.sync()).ok
    assert await data(w) == {"value": "1", "theirs": "1"}


@on_both
async def test_rule_2_what_has_nothing_in_common_with_git_is_owned_by_nobody_either(w: World) -> None:
    await made_by_hand(w, "kubectl-create")
    repository = w.source()
    repository.commit({"a.yaml": config("a", adopt="true").rpartition("data:")[0]})
    assert (await w.sync()).count(Action.ADOPT) == 1
    repository.commit({"a.yaml": config("a", adopt="true").replace(ONE, "data: {theirs: '2'}")})
    assert (await w.sync()).ok  # without a conflict: nobody else states it
    assert await data(w) == {"theirs": "2", "more": "x"}


@on_both
async def test_rule_2_what_a_person_changed_beyond_git_stays_theirs(w: World) -> None:
    await made_by_hand(w, "kubectl-create")
    await w.patch(w.path("configmaps/a"), {"metadata": {"labels": {"team": "shop"}}}, by="kubectl-label")
    w.source().commit({"a.yaml": stated(TWO)})
    assert (await w.sync()).ok
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["metadata"]["labels"]["team"] == "shop"
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "kubectl-label" in managers
    assert "kubectl-create" not in managers


@on_both
async def test_an_object_is_read_once_before_it_is_adopted(w: World) -> None:
    await made_by_hand(w, "kubectl-create")
    w.source().commit({"a.yaml": stated(TWO)})
    assert (await w.sync()).ok
    sent = w.requests()
    assert (sent["get", "configmaps"] - 1, sent["patch", "configmaps"], sent["apply", "configmaps"]) == (1, 1, 2)


@on_both
async def test_what_the_server_refuses_to_have_adopted_stays_as_it_was(w: World) -> None:
    await made_by_hand(w, "kubectl-create")
    before = await w.get("ConfigMap", "a")
    w.source().commit({"a.yaml": stated("dats: {value: '1'}")})
    result = await w.sync()
    assert [(each.action, each.outcome) for each in result.results.values()] == [(Action.ADOPT, Outcome.FAILED)]
    assert await w.get("ConfigMap", "a") == before
