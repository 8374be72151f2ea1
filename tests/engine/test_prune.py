"""What leaves Git leaves the cluster, and what keeps it from leaving by mistake."""

from dataclasses import replace

import pytest
from texts import NAMESPACE, config, deployment
from virtual import virtual
from world import world

from reconciler.errors import SourceUnreachable
from reconciler.model.change import Action
from reconciler.model.result import Outcome

MAPS = "/api/v1/namespaces/shop/configmaps"
TEN = {f"{letter}.yaml": config(letter) for letter in "abcdefghij"}


@virtual
async def test_an_object_that_left_git_is_deleted() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        repository.commit({"a.yaml": None})
        result = await w.sync()
        assert result.count(Action.PRUNE) == 1
        assert await w.get("ConfigMap", "a") is None
        assert await w.get("ConfigMap", "b")


@virtual
async def test_rule_10_only_what_we_own_is_deleted() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        marked = "reconciler.dev/id"
        await w.patch(f"{MAPS}/a", {"metadata": {"annotations": {marked: "other/shop//ConfigMap/shop/a"}}})
        repository.commit({"a.yaml": None})
        await w.sync()
        assert await w.get("ConfigMap", "a")


@virtual
async def test_rule_10_while_a_file_cannot_be_read_nothing_is_pruned() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b"), "c.yaml": config("c")})
        repository.commit({"a.yaml": None, "b.yaml": "kind: [broken\n"})
        result = await w.sync()
        assert result.count(Action.PRUNE) == 0
        assert await w.get("ConfigMap", "a")
        assert await w.get("ConfigMap", "b")
        repository.commit({"b.yaml": config("b")})
        result = await w.sync()
        assert result.count(Action.PRUNE) == 1


@virtual
async def test_rule_10_a_spec_that_is_renamed_and_broken_in_one_commit_keeps_what_it_made() -> None:
    async with world() as w:
        repository = await w.started({"web.yaml": deployment()})
        broken = deployment().replace("name: web", "name: [web")
        repository.commit({"web.yaml": None, "store.yaml": broken})
        await w.sync()
        assert await w.get("Deployment", "web", group="apps")


@virtual
async def test_rule_11_many_deletions_are_held() -> None:
    async with world() as w:
        repository = await w.started(TEN)
        repository.commit(dict.fromkeys(list(TEN)[:6]))
        result = await w.sync()
        held = [each for each in result.results.values() if each.outcome is Outcome.HELD]
        assert len(held) == 6
        assert result.ok, "what is held is not tried again"
        assert await w.get("ConfigMap", "a")
        state = await w.store.load("shop")
        assert len(state.held) == 6
        assert all(each.deletion for each in state.held)


@pytest.mark.parametrize(("number", "gone"), [(6, True), (5, False), (7, False)])
def test_rule_11_a_trailer_approves_exactly_that_many(number: int, gone: bool) -> None:
    @virtual
    async def scenario() -> None:
        async with world() as w:
            repository = await w.started(TEN)
            repository.commit(dict.fromkeys(list(TEN)[:6]), f"Clean up\n\nReconciler-Allow-Prune: {number}\n")
            result = await w.sync()
            assert result.count(Action.PRUNE) == (6 if gone else 0)

    scenario()


@virtual
async def test_rule_11_a_trailer_counts_anywhere_between_the_applied_and_the_new_commit() -> None:
    async with world() as w:
        repository = await w.started(TEN)
        repository.commit(dict.fromkeys(list(TEN)[:6]), "Clean up\n\nReconciler-Allow-Prune: 6\n")
        repository.commit({"README.md": "words"}, "Words")
        assert (await w.sync()).count(Action.PRUNE) == 6


@virtual
async def test_rule_11_an_approval_by_hand_approves_what_was_shown_once() -> None:
    async with world() as w:
        repository = await w.started(TEN)
        repository.commit(dict.fromkeys(list(TEN)[:6]))
        await w.sync()
        uids = frozenset(each.uid for each in (await w.store.load("shop")).held)
        w.store.update("shop", lambda state: replace(state, approved=uids))
        w.sources["shop"].ask()
        assert (await w.sync()).count(Action.PRUNE) == 6
        state = await w.store.load("shop")
        assert not state.approved
        assert not state.held


@virtual
async def test_rule_11_a_namespace_is_deleted_only_with_an_approval() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        extra = NAMESPACE.replace("shop", "extra")
        repository.commit({"extra.yaml": extra})
        await w.sync()
        repository.commit({"extra.yaml": None})
        await w.sync()
        assert await w.get("Namespace", "extra", namespace="")


@virtual
async def test_rule_11_an_empty_path_prunes_nothing() -> None:
    async with world() as w:
        repository = w.source(paths=("base", "env"))
        repository.commit({"base/namespace.yaml": NAMESPACE, "env/a.yaml": config("a")})
        await w.sync()
        repository.commit({"env/a.yaml": None})
        await w.sync()
        assert await w.get("ConfigMap", "a")


@virtual
async def test_rule_11_removing_a_source_keeps_its_objects() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        del w.sources["shop"]
        w.source("other").commit({"b.yaml": config("b")})
        await w.sync("other")
        assert await w.get("ConfigMap", "a")


@virtual
async def test_rule_12_an_object_can_be_kept() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a", prune="false"), "b.yaml": config("b")})
        repository.commit({"a.yaml": None})
        result = await w.sync()
        (kept,) = (each for each in result.results.values() if each.identity.name == "a")
        assert kept.action is Action.KEEP
        assert await w.get("ConfigMap", "a")


@virtual
async def test_an_unreachable_repository_prunes_nothing_and_what_was_read_stays_in_force() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        repository.error = SourceUnreachable("the server does not answer")
        await w.sources["shop"].poll()
        await w.call("DELETE", f"{MAPS}/a")
        await w.clock.sleep(1)
        await w.sources["shop"].work()
        assert await w.get("ConfigMap", "a"), "healed from the revision in force"


@virtual
async def test_a_file_that_is_mounted_by_running_pods_is_pruned_only_after_the_roll_out() -> None:
    async with world(controllers=True) as w:
        spec = deployment(extra="  files: {/etc/web: ./site.conf}\n  replicas: 2\n")
        repository = await w.started({"web.yaml": spec, "site.conf": "one"})
        await w.clock.sleep(30)
        first = {live.identity.name for live in await w.cluster.list(maps(), "shop") if "files" in live.identity.name}
        repository.commit({"site.conf": "two"})
        result = await w.sync()
        assert result.count(Action.PRUNE) == 0
        both = {live.identity.name for live in await w.cluster.list(maps(), "shop") if "files" in live.identity.name}
        assert len(both) == 2
        await w.clock.sleep(60)
        await w.sources["shop"].work()
        left = {live.identity.name for live in await w.cluster.list(maps(), "shop") if "files" in live.identity.name}
        assert left == both - first


def maps() -> "object":
    from reconciler.kube.names import GroupKind

    return GroupKind("", "ConfigMap")
