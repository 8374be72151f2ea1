"""Drift beside passes, in bursts, and of what others stand on."""

from collections import Counter
from typing import Any

from both_servers import on_both
from intercepted import hook, refusal
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.http.transport import Request, Response
from reconciler.model.drift import DriftKind
from reconciler.model.event import EventType


async def value(w: World, name: str = "a") -> Any:
    live = await w.get("ConfigMap", name)
    return live and live["data"]


@on_both
async def test_an_edit_of_a_moment_ago_is_not_the_next_commits_conflict(w: World) -> None:
    two = config("a").replace("value: '1'", "value: '1', other: '1'")
    repository = await w.started({"a.yaml": two})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})

    async def seen() -> bool:
        live = await w.get("ConfigMap", "a")
        (identity,) = (i for i in w.cluster.cache.marked(w.name("shop")) if i.name == "a")
        return live is not None and w.cluster.cache.version(identity) == live["metadata"]["resourceVersion"]

    await w.until(seen)
    repository.commit({"a.yaml": two.replace("other: '1'", "other: '2'")})
    result = await w.sync()
    assert result.ok, [each.message for each in result.results.values()]
    assert await value(w) == {"value": "1", "other": "2"}
    assert len(w.heard(EventType.HEALED)) == 1


@virtual
async def test_objects_that_are_edited_at_once_are_healed_with_one_write_each() -> None:
    async with world() as w:
        names = [f"a{number}" for number in range(300)]
        await w.started({"all.yaml": "---\n".join(config(name) for name in names)})
        before = w.requests()
        async with tended(w):
            for name in names:
                await w.patch(w.path(f"configmaps/{name}"), {"data": {"value": "edited"}})
            await w.clock.sleep(30)
        assert (w.requests() - before)["apply", "configmaps"] == 300
        told = Counter(event.identity.name for event in w.heard(EventType.HEALED) if event.identity)
        assert told == Counter(names)
        assert not w.drifts.open()


@virtual
async def test_a_namespace_that_is_deleted_comes_back_with_all_that_was_in_it() -> None:
    async with world(controllers=True) as w:
        await w.started({f"{name}.yaml": config(name) for name in "abc"})
        async with tended(w):
            await w.call("DELETE", f"/api/v1/namespaces/{w.space}")
            await w.clock.sleep(300)
        assert {name: await value(w, name) for name in "abc"} == {name: {"value": "1"} for name in "abc"}
        told = {event.drift.kind for event in w.heard(EventType.DRIFTED) if event.drift}
        assert told == {DriftKind.DELETED}
        assert not w.drifts.open()


@virtual
async def test_a_definition_that_is_deleted_comes_back_with_its_objects() -> None:
    definition = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
    thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 1}\n"
    async with world(controllers=True) as w:
        await w.started({"definition.yaml": definition, "thing.yaml": thing})
        async with tended(w):
            await w.call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com")
            await w.clock.sleep(900)
        live = await w.get("Thing", "a", group="example.com")
        assert live is not None
        assert live["spec"] == {"size": 1}
        assert not w.drifts.open()


@virtual
async def test_where_autoscalers_may_not_be_read_who_scaled_last_tells() -> None:
    async with world() as w:

        async def answer(request: Request) -> Response | None:
            return refusal(403, "Forbidden") if "horizontalpodautoscalers" in request.path else None

        hook(w, answer)
        text = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1"}]}
"""
        await w.started({"web.yaml": text})
        scale = w.path("deployments/web/scale", "apis/apps/v1")
        await w.patch(scale, {"spec": {"replicas": 5}}, by="kube-controller-manager")
        await w.settled()
        assert not w.heard(EventType.DRIFTED)
        await w.patch(scale, {"spec": {"replicas": 6}}, by="kubectl")
        await w.settled()
        assert len(w.heard(EventType.HEALED)) == 1
