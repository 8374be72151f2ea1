"""What somebody finds who asks for drift once, and heals one object."""

import pytest
from both_servers import on_both
from surveying import surveying
from texts import config, deployment
from world import World

from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.drift import Drift, DriftKind, DriftState
from reconciler.model.manifest import DriftMode

APPS = "apis/apps/v1"
HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "scaled"},
    "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"}},
}


async def found(w: World) -> dict[str, Drift]:
    async with surveying(w) as survey:
        seen = await survey.look()
        assert dict(seen.unread) == {}
        return {drift.identity.name: drift for drift in seen.drifts}


@on_both
async def test_each_kind_of_drift_is_told_and_healed_alone(w: World) -> None:
    await w.started(
        {
            **{f"{name}.yaml": config(name) for name in ("edited", "taken", "deleted", "unmarked", "replaced", "well")},
            "told.yaml": config("told", drift="alert"),
            "ignored.yaml": config("ignored", drift="ignore"),
            "web.yaml": deployment(),
        }
    )
    assert await found(w) == {}
    for name in ("edited", "told", "ignored"):
        await w.patch(w.path(f"configmaps/{name}"), {"data": {"value": "2"}})
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}]
    path = w.path("deployments/web", APPS)
    await w.call("PATCH", path, image, kind="json-patch+json", fieldManager="kubectl-set")
    for value in ("2", "1"):
        await w.patch(w.path("configmaps/taken"), {"data": {"value": value}})
    for name in ("deleted", "replaced"):
        await w.call("DELETE", w.path(f"configmaps/{name}"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "replaced"}, "data": {"value": "1"}}
    await w.create(w.path("configmaps"), body)
    gone = {"metadata": {"annotations": {"reconciler.dev/id": None}, "labels": {"reconciler.dev/source": None}}}
    await w.patch(w.path("configmaps/unmarked"), gone)

    drifts = await found(w)
    assert {name: drift.kind for name, drift in drifts.items()} == {
        "deleted": DriftKind.DELETED,
        "edited": DriftKind.EDITED,
        "replaced": DriftKind.REPLACED,
        "taken": DriftKind.TAKEN,
        "told": DriftKind.EDITED,
        "unmarked": DriftKind.DISOWNED,
        "web": DriftKind.EDITED,
    }
    assert {drift.state for drift in drifts.values()} == {DriftState.FOUND}
    assert {name for name, drift in drifts.items() if drift.mode is DriftMode.ALERT} == {"told"}
    (field,) = drifts["web"].fields
    assert (field.wanted, field.found) == ("example.com/web:1", "evil")
    assert "kubectl-set" in {author.manager for author in field.by}

    async with surveying(w) as survey:
        (drift,) = (await survey.look([drifts["told"].identity])).drifts
        await survey.heal(drift)
    assert drifts.keys() - (await found(w)).keys() == {"told"}, "and nothing else"
    for name in drifts.keys() - {"told"}:
        async with surveying(w) as survey:
            (drift,) = (await survey.look([drifts[name].identity])).drifts
            if name == "replaced":
                with pytest.raises(ReconcilerError, match="not ours to heal"):
                    await survey.heal(drift)
            else:
                await survey.heal(drift)
    assert (await found(w)).keys() == {"replaced"}
    live = await w.get("ConfigMap", "ignored")
    assert live is not None
    assert live["data"]["value"] == "2"


@on_both
async def test_what_a_commit_changed_meanwhile_is_not_taken_for_drift(w: World) -> None:
    repository = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
    async with surveying(w) as survey:
        repository.commit({"a.yaml": config("a", "2")})
        assert (await w.sync()).ok
        await w.patch(w.path("configmaps/b"), {"data": {"value": "theirs"}})

        async def seen() -> bool:
            return (await survey.look()).drifts != ()

        await w.until(seen)
        looked = await survey.look()
        assert [drift.identity.name for drift in looked.drifts] == ["b"]
        assert [identity.name for identity in looked.unlike] == ["a"]
        origin = {"metadata": {"annotations": {"reconciler.dev/origin": "hidden"}}, "data": {"value": "theirs"}}
        await w.patch(w.path("configmaps/a"), origin)

        async def uncovered() -> bool:
            return len((await survey.look()).drifts) == 2

        await w.until(uncovered)  # a forged origin hides nothing: it is not ours


@on_both
async def test_what_an_autoscaler_scales_is_no_drift(w: World) -> None:
    await w.started({f"{name}.yaml": deployment(name, extra="  replicas: 1\n") for name in ("scaled", "plain")})
    await w.create(w.path("horizontalpodautoscalers", "apis/autoscaling/v2"), HPA)
    for name in ("scaled", "plain"):
        await w.patch(w.path(f"deployments/{name}/scale", APPS), {"spec": {"replicas": 3}}, by="kubectl")
    assert (await found(w)).keys() == {"plain"}


@on_both
async def test_finished_and_ignored_objects_are_not_among_those_compared(w: World) -> None:
    await w.started({"a.yaml": config("a"), "b.yaml": config("b", drift="ignore")})
    async with surveying(w) as survey:
        names = {identity for identity in survey.items if identity.kind == "ConfigMap"}
        assert names == {Identity("", "ConfigMap", w.space, "a")}
