"""A saved plan notices what happened to the objects that it touches, and nothing else."""

from typing import Any, NamedTuple

import pytest
from amount import examples
from both_servers import on_both
from hypothesis import given
from hypothesis import strategies as st
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.engine.preview import Previewer
from reconciler.engine.wanting import Wanting
from reconciler.errors import ConfigError
from reconciler.model.change import Action
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


FILES = {
    "a.yaml": config("a"),
    "b.yaml": config("b"),
    "old.yaml": config("old"),
    "s.yaml": SECRET % "old",
    "t.yaml": (SECRET % "old").replace("name: s", "name: t"),
    "web.yaml": deployment(),
}
HEAD = {
    "a.yaml": config("a", "2"),
    "old.yaml": None,
    "c.yaml": config("c"),
    "s.yaml": SECRET % "new",
    "web.yaml": deployment(image="example.com/web:2"),
}
EDITED: dict[str, Any] = {"data": {"value": "mine"}}
LABELLED: dict[str, Any] = {"metadata": {"labels": {"noted": "by-somebody"}}}
IMAGE: dict[str, Any] = {
    "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "example.com/web:3"}]}}}
}
SECRETIVE: dict[str, Any] = {"data": {"key": "bWluZQ=="}}


class Happening(NamedTuple):
    """What somebody does to an object, and whether a plan covers it. `patch` None deletes it, {} makes it."""

    kind: str
    resource: str
    name: str
    patch: dict[str, Any] | None
    covered: bool

    @property
    def said(self) -> str:
        return f"{self.kind}/shop/{self.name}"


HAPPENINGS = [
    *(Happening("ConfigMap", "configmaps", name, EDITED, covered=True) for name in ("a", "b", "old")),
    *(Happening("ConfigMap", "configmaps", name, None, covered=True) for name in ("a", "b", "old")),
    *(Happening("ConfigMap", "configmaps", name, LABELLED, covered=False) for name in ("a", "b", "old", "theirs")),
    Happening("ConfigMap", "configmaps", "c", {}, covered=True),
    Happening("ConfigMap", "configmaps", "unheard-of", {}, covered=False),
    Happening("ConfigMap", "configmaps", "theirs", None, covered=False),
    Happening("Secret", "secrets", "s", LABELLED, covered=True),  # whose hash is over all of it
    Happening("Secret", "secrets", "t", LABELLED, covered=False),
    Happening("Secret", "secrets", "t", SECRETIVE, covered=True),
    Happening("Deployment", "deployments", "web", {"spec": {"replicas": 3}}, covered=False),  # nobody states it
    Happening("Deployment", "deployments", "web", IMAGE, covered=True),
    Happening("Deployment", "deployments", "web/status", {"status": {"replicas": 1}}, covered=False),
]


@examples(20, quick=False)
@given(happenings=st.lists(st.sampled_from(HAPPENINGS), max_size=4, unique_by=lambda each: (each.kind, each.name)))
def test_it_is_refused_exactly_when_something_that_it_covers_changed(happenings: list[Happening]) -> None:
    @virtual
    async def scenario() -> None:
        async with world() as w:
            repository = await w.started(FILES)
            await w.create(w.path("configmaps"), {"metadata": {"name": "theirs"}, "data": {}})
            repository.commit(HEAD)
            plan = SavedPlan(1, "", "", "", "", (), "", False, "", "", "", False, {}, (), (), await now(w))
            for each in happenings:
                api = "apis/apps/v1" if each.kind == "Deployment" else "api/v1"
                if each.patch is None:
                    await w.call("DELETE", w.path(f"{each.resource}/{each.name}", api))
                elif not each.patch:
                    await w.create(w.path(each.resource, api), {"metadata": {"name": each.name}, "data": {}})
                else:
                    kind = "strategic-merge-patch+json"
                    path = w.path(f"{each.resource}/{each.name}", api)
                    await w.call("PATCH", path, each.patch, kind=kind, fieldManager="kubectl-edit")
            found = await now(w)
            if covered := [each for each in happenings if each.covered]:
                named = {line.split(": ")[0] for line in refused(plan, found).split("; ")}
                assert named >= {each.said for each in covered}  # and what would wait for one of them
                return
            check_changes(plan, found)
            done = {i: each.action for i, each in (await w.sync()).results.items() if each.action is not Action.KEEP}
            assert done == {each.identity: each.action for each in plan.changes}

    scenario()
