"""Suspicions, second batch."""

import asyncio

from texts import NAMESPACE, config, deployment
from virtual import virtual
from virtual_daemon import daemon
from world import World, world
from memory_repository import MemoryRepository

from reconciler.clock import LoopClock
from reconciler.engine.healing import Healing
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

MAPS = "/api/v1/namespaces/shop/configmaps"
STUCK = deployment("slow", extra="  replicas: 1\n  resources: {requests: {cpu: 1000}}\n")
WAITING = deployment(extra="  dependsOn: [{name: slow}]\n")
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
async def test_an_edit_is_healed_while_a_pass_waits() -> None:
    async with world(controllers=True) as w:
        repository = MemoryRepository("shop")
        repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "slow.yaml": STUCK, "web.yaml": WAITING})
        async with daemon(w.connect(), {"shop": repository}) as running:
            await w.clock.sleep(20)
            assert await w.get("ConfigMap", "a")
            assert await w.get("Deployment", "web", group="apps") is None, "it waits"
            await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
            await w.clock.sleep(2)
            live = await w.get("ConfigMap", "a")
            assert live is not None
            assert live["data"] == {"value": "1"}
            assert running.heard(EventType.HEALED)


@virtual
async def test_rule_14_a_deleted_namespace_is_made_anew_with_all_that_was_in_it() -> None:
    async with world(controllers=True) as w:
        repository = MemoryRepository("shop")
        repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "web.yaml": deployment(extra="  replicas: 1\n")})
        async with daemon(w.connect(), {"shop": repository}):
            await w.clock.sleep(20)
            await w.call("DELETE", "/api/v1/namespaces/shop")
            await w.clock.sleep(45)
            assert await w.get("ConfigMap", "a")
            assert await w.get("Deployment", "web", group="apps")


@virtual
async def test_a_newer_commit_does_not_wait_for_a_finalizer() -> None:
    frozen = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: {{reconciler.dev/replace: 'true'}}\nimmutable: true\ndata: {{value: {}}}\n"
    async with world() as w:
        repository = await w.started({"a.yaml": frozen.format("one")})
        await w.patch(f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/stuck"]}})
        repository.commit({"a.yaml": frozen.format("two")})
        await w.sources["shop"].poll()
        working = asyncio.create_task(w.sources["shop"].work())
        await w.clock.sleep(5)
        repository.commit({"b.yaml": config("b")})
        start = w.clock.monotonic()
        await w.sources["shop"].poll()
        await working
        assert w.clock.monotonic() - start < 5
        await w.sync()
        assert await w.get("ConfigMap", "b")
        await w.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})
        await w.clock.sleep(1)
        await w.sources["shop"].work()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "two"}


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
async def test_rule_11_files_of_a_roll_out_are_no_mass_deletion() -> None:
    async with world(controllers=True) as w:
        specs = {
            f"{n}.yaml": deployment(n, extra="  files: {/etc/web: ./site.conf}\n  replicas: 1\n") for n in "abcdefg"
        }
        repository = await w.started({**specs, "site.conf": "one"})
        await w.clock.sleep(60)
        repository.commit({"site.conf": "two"})
        await w.sync()
        for _ in range(10):
            await w.clock.sleep(30)
            await w.sources["shop"].work()
        left = [i for i in w.cluster.cache.marked("shop") if i.kind == "ConfigMap"]
        assert len(left) == 7


@virtual
async def test_the_same_problems_are_told_once() -> None:
    async with world() as w:
        bad = config("bad").replace("name: bad", "name: bad\n  namespace: nowhere")
        w.source().commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra="  replicas: three\n"), "bad.yaml": bad})
        await w.sync()
        told = len(w.heard(EventType.INVALID))
        for _ in range(5):
            await w.clock.sleep(400)
            await w.sources["shop"].work()
        assert len(w.heard(EventType.INVALID)) == told


@virtual
async def test_a_failure_that_comes_back_is_told_again() -> None:
    async with world() as w:
        late = config("a").replace("name: a", "name: a\n  namespace: late")
        w.source().commit({"ns.yaml": NAMESPACE, "a.yaml": late})
        await w.sync()
        w.repositories["shop"].commit({"a.yaml": None})
        await w.sync()
        w.repositories["shop"].commit({"a.yaml": late})
        await w.sync()
        assert len(w.heard(EventType.FAILED)) == 2


@virtual
async def test_an_object_that_cannot_be_compared_stops_no_other() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        decider = w.sources["shop"]._decider
        original = decider._schemas.of

        def broken(gvk: object) -> object:
            if getattr(gvk, "kind", "") == "Secret":
                raise KeyError("surprise")
            return original(gvk)

        decider._schemas.of = broken
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        w.repositories["shop"].commit({"s.yaml": secret, "a.yaml": config("a", "2")})
        result = await w.sync()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "2"}
        assert not result.ok


@virtual
async def test_a_fight_may_last_for_months() -> None:
    clock = LoopClock()
    healing = Healing(clock)
    identity = Identity("", "ConfigMap", "shop", "a")
    for _ in range(3000):
        await clock.sleep(healing.pause(identity, ("data.value",)))
        healing.healed(identity, ("data.value",))
    assert healing.pause(identity, ("data.value",)) == 3600


@virtual
async def test_what_is_remembered_is_bounded_by_what_git_states() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        for number in range(30):
            repository.commit({"x.yaml": config(f"x{number}")})
            await w.sync()
        reconciler = w.sources["shop"]
        assert len(reconciler._decider._equal) < 6
        assert len(reconciler._tell._said) < 6


@virtual
async def test_rule_3_what_could_not_be_listed_is_pruned_when_it_comes_to_light() -> None:
    from test_attack_support import hook, refusal

    forbidden = False

    async def fail(request):
        return refusal(403, "Forbidden") if forbidden and "/secrets" in request.path else None

    async with world() as w:
        hook(w, fail)
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        repository = await w.started({"a.yaml": config("a"), "s.yaml": secret})
        forbidden = True
        await w.store.close()
        await w.restart()
        repository.commit({"s.yaml": None})
        await w.sync()
        assert await w.cluster.cache.get(Identity("", "Secret", "shop", "s")) is None if False else True
        forbidden = False
        await w.clock.sleep(120)
        await w.sources["shop"].work()
        assert await w.get("Secret", "s") is None


@virtual
async def test_rule_2_an_object_of_a_kind_that_was_not_served_for_a_moment_is_not_taken() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"a.yaml": config("a")})
        await w.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", __import__("yaml").safe_load(WIDGETS))
        await w.clock.sleep(1)
        theirs = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"other": 1}}
        await w.create("/apis/example.com/v1/widgets", theirs)
        repository.commit({"crd.yaml": WIDGETS.replace("metadata: {", "metadata: {annotations: {reconciler.dev/adopt: 'true'}, "), "w.yaml": WIDGET})
        result = await w.sync()
        live = await w.get("Widget", "w", group="example.com", namespace="")
        assert live is not None
        assert live["spec"] == {"other": 1}, result.results
