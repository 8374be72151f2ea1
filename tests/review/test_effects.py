"""What a merge does beside a cluster that is not yet as its base says."""

from collections.abc import Mapping

import pytest
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.engine.wanting import Wanting
from reconciler.model.change import Action
from reconciler.model.review_rules import Level
from reconciler.review.review import Review
from reconciler.review.reviewer import Beside, Reviewer


async def reviewed(w: World, base: Mapping[str, str], head: Mapping[str, str], *, alone: bool = False) -> Review:
    """Two more commits, of which nothing is applied; beside the cluster, or `alone`."""
    repository = w.repositories["shop"]
    found = []
    for files in (base, head):
        repository.commit(files)
        snapshot = (await repository.poll()).snapshot
        assert snapshot is not None
        found.append(snapshot)
    reconciler, cluster = w.sources["shop"], w.new_cluster()
    try:
        wanting = Wanting(reconciler.config, reconciler.owner, repository, scopes=cluster.discovery.scopes)
        reviewer = Reviewer(reconciler.config, reconciler.owner, wanting)
        beside = Beside() if alone else Beside(cluster=cluster, state=await w.state())
        return await reviewer.review(*found, found[1].revision, beside)
    finally:
        await cluster.close()


@virtual
async def test_what_the_base_would_make_and_the_head_makes_otherwise_is_the_merges() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        base = {"b.yaml": config("b"), "c.yaml": config("c")}
        found = await reviewed(w, base, {"b.yaml": config("b", "2")})
    assert [(c.identity.name, c.action) for c in found.effects.merged] == [("b", Action.CREATE)]
    assert [(c.identity.name, c.action) for c in found.effects.anyway] == [("c", Action.CREATE)]


@virtual
async def test_what_somebody_else_made_is_taken_over_with_a_warning_and_only_where_that_is_stated() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        for name in ("b", "c"):
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": "0"}}
            await w.call("POST", w.path("configmaps"), made)
        found = await reviewed(w, {}, {"b.yaml": config("b", adopt="true"), "c.yaml": config("c")})
    assert [(r.identity.name, str(r.code), r.level) for r in found.risks] == [
        ("c", "refused", Level.BLOCK),
        ("b", "takeover", Level.WARN),
    ]


@virtual
async def test_what_somebody_else_made_and_only_a_new_object_can_become_is_replaced_and_taken_over() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"value": "0"}}
        await w.call("POST", w.path("configmaps"), {**made, "immutable": True})
        found = await reviewed(w, {}, {"b.yaml": config("b", adopt="true", replace="true")})
    assert [str(r.code) for r in found.risks] == ["replacement", "takeover"]


@virtual
async def test_what_the_base_states_is_spelled_as_a_server_would_serve_it() -> None:
    async with world() as w:
        await w.started({})
        base = {"web.yaml": deployment("web", extra="  resources: {requests: {cpu: '0.1'}}\n")}
        found = await reviewed(w, base, {"web.yaml": deployment("web", image="web:2")}, alone=True)
    (merged,) = found.effects.merged
    assert {"requests": {"cpu": "100m"}} in [field.after for field in merged.fields], "what is kept (rule 6)"


LIMITS = """\
apiVersion: v1
kind: LimitRange
metadata: {name: most}
spec:
  limits: [{type: Container, default: {cpu: '1', memory: 1Gi}}]
"""


@virtual
@pytest.mark.parametrize("alone", [True, False])
async def test_another_spelling_of_what_a_server_derives_more_from_changes_nothing(alone: bool) -> None:
    async with world() as w:
        await w.started({"most.yaml": LIMITS})
        found = await reviewed(w, {}, {"most.yaml": LIMITS.replace("1Gi", "1024Mi")}, alone=alone)
        more = await reviewed(w, {}, {"most.yaml": LIMITS.replace("1Gi", "2Gi")}, alone=alone)
    assert not found.effects.merged
    assert [field.path for change in more.effects.merged for field in change.fields] == ["spec.limits"]


CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}
"""


@virtual
@pytest.mark.parametrize(("size", "action"), [("3Gi", Action.UPDATE), ("1Gi", Action.REFUSE)])
async def test_a_claim_can_grow_and_not_shrink(size: str, action: Action) -> None:
    async with world() as w:
        await w.started({})
        found = await reviewed(w, {"data.yaml": CLAIM}, {"data.yaml": CLAIM.replace("2Gi", size)}, alone=True)
    assert [change.action for change in found.effects.merged] == [action]
