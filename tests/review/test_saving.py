"""A saved plan notices what happened to the objects that it touches, and nothing else."""

import pytest
from both_servers import on_both
from texts import config
from world import World

from reconciler.engine.preview import Previewer
from reconciler.engine.wanting import Wanting
from reconciler.errors import ConfigError
from reconciler.model.saved import SavedChange, SavedPlan
from reconciler.review.saving import check_changes, touched

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: %s}\n"


async def now(w: World) -> tuple[SavedChange, ...]:
    """What a daemon that starts now would do to the newest commit's objects."""
    reconciler = w.sources["shop"]
    head = (await w.repositories["shop"].poll()).snapshot
    assert head is not None
    cluster = w.new_cluster()
    try:
        await cluster.discovery.refresh()
        wanting = Wanting(reconciler.config, reconciler.owner, w.repositories["shop"], scopes=cluster.discovery.scopes)
        desired = await wanting.of(head)
        changes = await Previewer(cluster, reconciler.config, reconciler.owner).changes(
            desired.snapshot, desired.specs, desired.manifests, state=await w.state()
        )
        return await touched(changes, cluster)
    finally:
        await cluster.close()


async def planned(w: World) -> SavedPlan:
    repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b"), "s.yaml": SECRET % "old"})
    repository.commit({"a.yaml": config("a", "2"), "c.yaml": config("c"), "s.yaml": SECRET % "new"})
    return SavedPlan(1, "", "", "", "", (), "", False, "", "", "", False, {}, (), (), await now(w))


def refused(plan: SavedPlan, found: tuple[SavedChange, ...]) -> str:
    with pytest.raises(ConfigError) as error:
        check_changes(plan, found)
    return error.value.why


@on_both
async def test_nothing_happened(w: World) -> None:
    plan = await planned(w)
    assert [(each.name, each.action) for each in plan.changes] == [("a", "update"), ("c", "create"), ("s", "update")]
    check_changes(plan, await now(w))


@on_both
async def test_what_is_not_ours_may_change(w: World) -> None:
    plan = await planned(w)
    await w.patch(w.path("configmaps/a"), {"metadata": {"labels": {"noted": "by-somebody"}}})
    check_changes(plan, await now(w))


@on_both
async def test_what_was_edited_deleted_or_came_is_named(w: World) -> None:
    plan = await planned(w)
    await w.patch(w.path("configmaps/a"), {"data": {"value": "mine"}})
    assert refused(plan, await now(w)) == f"ConfigMap/{w.space}/a: it was edited"
    await w.call("DELETE", w.path("configmaps/a"))
    assert refused(plan, await now(w)) == f"ConfigMap/{w.space}/a: it was there, and is gone"


@on_both
async def test_what_came_or_drifted_beside_the_plan_is_named(w: World) -> None:
    plan = await planned(w)
    await w.create(w.path("configmaps"), {"metadata": {"name": "c"}, "data": {}})
    assert refused(plan, await now(w)) == f"ConfigMap/{w.space}/c: it was not there, and is now"
    await w.call("DELETE", w.path("configmaps/c"))
    await w.patch(w.path("configmaps/b"), {"data": {"value": "mine"}})
    assert refused(plan, await now(w)) == f"ConfigMap/{w.space}/b: update would come beside the plan"


@on_both
async def test_a_secret_that_was_written_is_noticed(w: World) -> None:
    plan = await planned(w)
    await w.patch(w.path("secrets/s"), {"stringData": {"key": "else"}})
    assert refused(plan, await now(w)) == f"Secret/{w.space}/s: it was edited"
