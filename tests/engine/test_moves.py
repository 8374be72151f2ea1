"""Objects that move between sources, and sources that know of each other."""

import yaml
from memory_repository import MemoryRepository
from texts import NAMESPACE, config, deployment
from virtual import virtual
from virtual_daemon import daemon
from world import world

from reconciler.model.change import Action
from reconciler.model.config import SourceConfig
from reconciler.model.result import Outcome

MAPS = "/api/v1/namespaces/shop/configmaps"
WIDGETS = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Cluster
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 1}\n"


@virtual
async def test_rule_2_nothing_is_pruned_before_every_source_was_read_once() -> None:
    async with world() as w:
        first = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        second = w.source("second")
        second.commit({"c.yaml": config("c")})
        await w.sync("second")
        before = await w.get("ConfigMap", "a")
        await w.restart()
        first.commit({"a.yaml": None})
        second.commit({"a.yaml": config("a", "2")})
        await w.sync("shop")
        assert await w.get("ConfigMap", "a"), "it moves to the second source"
        await w.sync("second")
        for name in ("shop", "second"):
            w.sources[name].ask()
            await w.sync(name)
        after = await w.get("ConfigMap", "a")
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]


@virtual
async def test_rule_2_a_spec_that_is_broken_for_a_moment_is_not_given_away() -> None:
    async with world() as w:
        first = await w.started({"web.yaml": deployment()})
        second = w.source("second")
        second.commit({"web.yaml": deployment(image="example.com/other:1")})
        await w.sync("second")
        first.commit({"web.yaml": deployment(extra="  replicas: three\n")})
        await w.sync("shop")
        w.sources["second"].ask()
        result = await w.sync("second")
        assert [r.action for r in result.results.values()] == [Action.REFUSE]
        live = await w.get("Deployment", "web", group="apps")
        assert live is not None
        assert live["metadata"]["labels"]["reconciler.dev/source"] == "shop"


@virtual
async def test_rule_2_what_another_source_lets_go_is_taken_without_being_asked() -> None:
    async with world() as w:
        first = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        second = w.source("second")
        second.commit({"a.yaml": config("a", "2")})
        await w.sync("second")
        woken: list[float] = []
        w.sources["second"].on_suspect = woken.append
        first.commit({"a.yaml": None})
        await w.sync("shop")
        assert woken
        assert w.sources["second"].due


@virtual
async def test_rule_4_adopt_does_not_force_later_commits() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a", adopt="true")})
        await w.patch(f"{MAPS}/a", {"data": {"more": "theirs"}}, by="their-tool")
        text = config("a", adopt="true").replace("data: {value: '1'}", "data: {value: '1', more: 'ours'}")
        w.repositories["shop"].commit({"a.yaml": text})
        result = await w.sync()
        (failed,) = (each for each in result.results.values() if each.outcome is Outcome.FAILED)
        assert "their-tool" in failed.message


@virtual
async def test_rule_22_a_source_with_namespaces_applies_nowhere_else() -> None:
    async with world() as w:
        await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        repository = w.source(namespaces=("shop",))
        elsewhere = config("evil").replace("name: evil", "name: evil\n  namespace: default")
        repository.commit({"a.yaml": config("a"), "evil.yaml": elsewhere})
        result = await w.sync()
        assert await w.get("ConfigMap", "a")
        assert await w.get("ConfigMap", "evil", namespace="default") is None
        (refused,) = (each for i, each in result.results.items() if i.name == "evil")
        assert "namespaces" in refused.message


@virtual
async def test_rule_15_a_cluster_wide_custom_resource_may_come_with_its_definition() -> None:
    async with world(controllers=True) as w:
        await w.started({"crd.yaml": WIDGETS, "w.yaml": WIDGET})
        w.sources["shop"].ask()
        result = await w.sync()
        assert result.ok
        assert all(r.outcome is Outcome.DONE for r in result.results.values()), result.results
        live = await w.get("Widget", "w", group="example.com", namespace="")
        assert live is not None
        assert live["metadata"]["annotations"]["reconciler.dev/id"] == "test/shop/example.com/Widget//w"


@virtual
async def test_rule_2_an_object_of_a_kind_that_was_not_served_for_a_moment_is_not_taken() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"a.yaml": config("a")})
        await w.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(WIDGETS))
        await w.clock.sleep(1)
        adopted = WIDGETS.replace("metadata: {", "metadata: {annotations: {reconciler.dev/adopt: 'true'}, ")
        theirs = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"other": 1}}
        await w.create("/apis/example.com/v1/widgets", theirs)
        repository.commit(
            {
                "crd.yaml": adopted,
                "w.yaml": WIDGET,
            }
        )
        result = await w.sync()
        live = await w.get("Widget", "w", group="example.com", namespace="")
        assert live is not None
        assert live["spec"] == {"other": 1}, result.results


@virtual
async def test_rule_2_two_sources_of_one_repository_wait_for_each_other() -> None:
    async with world() as w:
        first, second = MemoryRepository("first", ("one",)), MemoryRepository("second", ("two",))
        before = {
            "one/ns.yaml": NAMESPACE,
            "one/a.yaml": config("a"),
            "one/b.yaml": config("b"),
            "two/c.yaml": config("c"),
        }
        after = {"one/a.yaml": None, "two/a.yaml": config("a", "2")}
        for each in (first, second):
            each.commit(before)
        sources = [
            SourceConfig(name=name, url="/srv/mono", paths=(path,), namespace="shop", interval=60)
            for name, path in (("first", "one"), ("second", "two"))
        ]
        async with daemon(w.connect(), {"first": first, "second": second}, sources=sources):
            await w.clock.sleep(10)
            old = await w.get("ConfigMap", "a")
            first.commit(after)
            await w.clock.sleep(65)  # the second has not seen the commit yet
            assert await w.get("ConfigMap", "a")
            second.commit(after)
            await w.clock.sleep(130)
            new = await w.get("ConfigMap", "a")
        assert old is not None
        assert new is not None
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        assert new["metadata"]["labels"]["reconciler.dev/source"] == "second"
