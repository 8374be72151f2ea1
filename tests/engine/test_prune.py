"""What leaves Git leaves the cluster, and what keeps it from leaving by mistake."""

from dataclasses import replace

import pytest
from both_servers import on_both
from texts import config, deployment
from world import World

from reconciler.cluster.health.assess import assess
from reconciler.errors import SourceUnreachable
from reconciler.kube.names import GroupKind
from reconciler.model.change import Action
from reconciler.model.result import Outcome

SITE = "  files: {/etc/web: ./site.conf}\n  replicas: 2\n"
TEN = {f"{letter}.yaml": config(letter) for letter in "abcdefghij"}


@on_both
async def test_an_object_that_left_git_is_deleted(w: World) -> None:
    repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
    repository.commit({"a.yaml": None})
    result = await w.sync()
    assert result.count(Action.PRUNE) == 1
    assert await w.get("ConfigMap", "a") is None
    assert await w.get("ConfigMap", "b")


@on_both
async def test_rule_10_only_what_we_own_is_deleted(w: World) -> None:
    repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
    marked = "reconciler.dev/id"
    await w.patch(
        w.path("configmaps/a"),
        {"metadata": {"annotations": {marked: f"other/{w.name('shop')}//ConfigMap/{w.space}/a"}}},
    )
    repository.commit({"a.yaml": None})
    await w.sync()
    assert await w.get("ConfigMap", "a")


@on_both
async def test_rule_10_while_a_file_cannot_be_read_nothing_is_pruned(w: World) -> None:
    repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b"), "c.yaml": config("c")})
    repository.commit({"a.yaml": None, "b.yaml": "kind: [broken\n"})
    result = await w.sync()
    assert result.count(Action.PRUNE) == 0
    assert await w.get("ConfigMap", "a")
    assert await w.get("ConfigMap", "b")
    repository.commit({"b.yaml": config("b")})
    result = await w.sync()
    assert result.count(Action.PRUNE) == 1


@on_both
async def test_rule_10_a_spec_that_is_renamed_and_broken_in_one_commit_keeps_what_it_made(w: World) -> None:
    repository = await w.started({"web.yaml": deployment()})
    broken = deployment().replace("name: web", "name: [web")
    repository.commit({"web.yaml": None, "store.yaml": broken})
    await w.sync()
    assert await w.get("Deployment", "web", group="apps")


@on_both
async def test_rule_11_many_deletions_are_held(w: World) -> None:
    repository = await w.started(TEN)
    repository.commit(dict.fromkeys(list(TEN)[:6]))
    result = await w.sync()
    held = [each for each in result.results.values() if each.outcome is Outcome.HELD]
    assert len(held) == 6
    assert result.ok, "what is held is not tried again"
    assert await w.get("ConfigMap", "a")
    state = await w.state()
    assert len(state.held) == 6
    assert all(each.deletion for each in state.held)


@pytest.mark.parametrize(("number", "gone"), [(6, True), (5, False), (7, False)])
@on_both
async def test_rule_11_a_trailer_approves_exactly_that_many(w: World, number: int, gone: bool) -> None:
    repository = await w.started(TEN)
    repository.commit(dict.fromkeys(list(TEN)[:6]), f"Clean up\n\nReconciler-Allow-Prune: {number}\n")
    result = await w.sync()
    assert result.count(Action.PRUNE) == (6 if gone else 0)


@on_both
async def test_rule_11_a_trailer_counts_anywhere_between_the_applied_and_the_new_commit(w: World) -> None:
    repository = await w.started(TEN)
    repository.commit(dict.fromkeys(list(TEN)[:6]), "Clean up\n\nReconciler-Allow-Prune: 6\n")
    repository.commit({"README.md": "words"}, "Words")
    assert (await w.sync()).count(Action.PRUNE) == 6


@on_both
async def test_rule_11_an_approval_by_hand_approves_what_was_shown_once(w: World) -> None:
    repository = await w.started(TEN)
    repository.commit(dict.fromkeys(list(TEN)[:6]))
    await w.sync()
    uids = frozenset(each.uid for each in (await w.state()).held)
    w.remember(lambda state: replace(state, approved=uids))
    w.sources["shop"].ask()
    assert (await w.sync()).count(Action.PRUNE) == 6
    state = await w.state()
    assert not state.approved
    assert not state.held


@on_both
async def test_rule_11_a_namespace_is_deleted_only_with_an_approval(w: World) -> None:
    repository = await w.started({"a.yaml": config("a")})
    repository.commit({"extra.yaml": w.namespace("extra")})
    await w.sync()
    repository.commit({"extra.yaml": None})
    await w.sync()
    assert await w.get("Namespace", w.name("extra"), namespace="")


@on_both
async def test_rule_11_an_empty_path_prunes_nothing(w: World) -> None:
    repository = w.source(paths=("base", "env"))
    repository.commit({"base/namespace.yaml": w.namespace(), "env/a.yaml": config("a")})
    await w.sync()
    repository.commit({"env/a.yaml": None})
    await w.sync()
    assert await w.get("ConfigMap", "a")


@on_both
async def test_rule_11_removing_a_source_keeps_its_objects(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    del w.sources["shop"]
    w.source("other").commit({"b.yaml": config("b")})
    await w.sync("other")
    assert await w.get("ConfigMap", "a")


@on_both
async def test_rule_12_an_object_can_be_kept(w: World) -> None:
    repository = await w.started({"a.yaml": config("a", prune="false"), "b.yaml": config("b")})
    repository.commit({"a.yaml": None})
    result = await w.sync()
    (kept,) = (each for each in result.results.values() if each.identity.name == "a")
    assert kept.action is Action.KEEP
    assert await w.get("ConfigMap", "a")


@on_both
async def test_an_unreachable_repository_prunes_nothing_and_what_was_read_stays_in_force(w: World) -> None:
    repository = await w.started({"a.yaml": config("a")})
    repository.error = SourceUnreachable("the server does not answer")
    await w.sources["shop"].poll()
    await w.call("DELETE", w.path("configmaps/a"))
    await w.settled()
    assert await w.get("ConfigMap", "a"), "healed from the revision in force"


@on_both(controllers=True)
async def test_a_file_that_is_mounted_by_running_pods_is_pruned_only_after_the_roll_out(w: World) -> None:
    async def files() -> set[str]:
        names = [live.identity.name for live in await w.cluster.list(GroupKind("", "ConfigMap"), w.space)]
        return {name for name in names if "files" in name}

    async def rolled_out() -> bool:
        web = await w.get("Deployment", "web", group="apps")
        return web is not None and assess(web).ready

    repository = await w.started({"web.yaml": deployment(extra=SITE), "site.conf": "one"})
    await w.works_until(rolled_out)
    first = await files()
    repository.commit({"site.conf": "two"})
    result = await w.sync()
    assert result.count(Action.PRUNE) == 0
    both = await files()
    assert len(both) == 2

    async def only_the_new_one() -> bool:
        return await files() == both - first

    await w.works_until(only_the_new_one)
    assert await rolled_out(), "not a moment earlier"
