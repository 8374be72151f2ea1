"""The verbs against a server with real semantics: managedFields, finalizers, definitions, namespaces."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.clock import LoopClock, SystemClock, run_virtual
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.cluster.health.assess import assess
from reconciler.cluster.state import StateStore
from reconciler.errors import ConfigError, Conflict, Invalid, NotFound
from reconciler.http.transport import Request, Response, Transport
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.manifest import Owner
from reconciler.sandbox.http import serve
from reconciler.sandbox.kubeconfig import write_kubeconfig
from reconciler.sandbox.server import Sandbox

DEPLOYMENT = GroupKind("apps", "Deployment")
CONFIG_MAP = GroupKind("", "ConfigMap")
CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
WEB = Identity("apps", "Deployment", "shop", "web")
OWNER = Owner("prod", "shop")
LABELS = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": "shop"}


def marked(obj: dict[str, Any]) -> dict[str, Any]:
    annotations = {"reconciler.dev/id": OWNER.id_of(Identity.of(obj)), **obj["metadata"].get("annotations", {})}
    return {**obj, "metadata": {**obj["metadata"], "labels": LABELS, "annotations": annotations}}


def deployment(
    *, replicas: int | None = 2, image: str = "example.com/web:1", app: str = "web", **spec: Any
) -> dict[str, Any]:
    scale = {} if replicas is None else {"replicas": replicas}
    return marked(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                **scale,
                "selector": {"matchLabels": {"app": app}},
                "template": {
                    "metadata": {"labels": {"app": app}},
                    "spec": {"containers": [{"name": "web", "image": image}]},
                },
                **spec,
            },
        }
    )


def config_map(name: str = "web", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return marked({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


class World:
    """A cluster with the namespace shop, and somebody else who writes to it."""

    def __init__(self) -> None:
        self.transport: Transport = Sandbox(clock=LoopClock(), random=Random(1)).transport()
        self.cluster = Cluster(self.transport, clock=LoopClock(), random=Random(2))

    async def send(
        self, method: str, path: str, body: Any = None, content: str = "application/json", **query: str
    ) -> Response:
        headers = {"content-type": content}
        answer = await self.transport.send(
            Request(method, path, tuple(query.items()), headers, json.dumps(body).encode() if body is not None else b"")
        )
        assert answer.status < 300, answer.body
        return answer

    async def namespace(self, name: str = "shop") -> None:
        await self.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    async def edit(self, path: str, body: Any, manager: str) -> None:
        await self.send("PATCH", path, body, "application/merge-patch+json", fieldManager=manager)


def in_a_world(main: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        await world.namespace()
        await main(world)
        await world.cluster.close()

    run_virtual(run())


PATH = "/apis/apps/v1/namespaces/shop/deployments/web"


def test_what_is_applied_is_cached_watched_and_read() -> None:
    async def main(world: World) -> None:
        cluster = world.cluster
        assert await cluster.watch({DEPLOYMENT, CONFIG_MAP}) == {}
        live = await cluster.apply(deployment())
        assert cluster.cache.get(WEB) == live == await cluster.get(WEB)
        assert await cluster.list(DEPLOYMENT, "shop") == [live]
        listed = (await cluster.metadata(DEPLOYMENT, "shop"))[WEB]
        assert listed.metadata == live.metadata
        assert set(listed.object) == {"apiVersion", "kind", "metadata"}
        await world.edit(PATH, {"spec": {"replicas": 5}}, "kubectl-scale")
        await asyncio.sleep(1)
        seen = cluster.cache.get(WEB)
        assert seen is not None
        assert seen.object["spec"]["replicas"] == 5
        assert [each.identity for each in cluster.cache.of_source("shop")] == [WEB]

    in_a_world(main)


def test_applying_the_same_again_changes_nothing() -> None:
    async def main(world: World) -> None:
        first = await world.cluster.apply(deployment())
        assert await world.cluster.apply(deployment()) == first

    in_a_world(main)


def test_an_idle_hour_costs_no_request_but_watches() -> None:
    async def main(world: World) -> None:
        kinds = {DEPLOYMENT, CONFIG_MAP, CRD}
        await world.cluster.watch(kinds)
        before = world.cluster.requests.copy()
        for _ in range(60):
            await asyncio.sleep(60)
            await world.cluster.watch(kinds)
        assert {kind.verb for kind in world.cluster.requests - before} == {"watch"}

    in_a_world(main)


def test_rule_4_a_field_that_somebody_else_set_is_a_conflict_and_force_takes_it() -> None:
    async def main(world: World) -> None:
        await world.cluster.apply(deployment(replicas=2))
        await world.edit(PATH, {"spec": {"replicas": 5}}, "kubectl-edit")
        with pytest.raises(Conflict, match=r"kubectl-edit owns spec\.replicas"):
            await world.cluster.apply(deployment(replicas=2))
        live = await world.cluster.apply(deployment(replicas=2), force=True)
        assert live.object["spec"]["replicas"] == 2

    in_a_world(main)


def test_a_dry_run_is_not_kept() -> None:
    async def main(world: World) -> None:
        live = await world.cluster.apply(deployment(replicas=7), dry_run=True)
        assert live.object["spec"]["replicas"] == 7
        assert await world.cluster.get(WEB) is None

    in_a_world(main)


def test_an_unknown_field_is_refused_by_name() -> None:
    async def main(world: World) -> None:
        with pytest.raises(Invalid, match="replics"):
            await world.cluster.apply(deployment(replics=2))

    in_a_world(main)


@pytest.mark.parametrize("metadata_only", [True, False])
def test_rule_2_adopting_drops_what_kubectl_applied_and_git_does_not_state(metadata_only: bool) -> None:
    async def main(world: World) -> None:
        applied = deployment(minReadySeconds=30)
        applied["metadata"] = {
            "name": "web",
            "namespace": "shop",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "by hand"},
        }
        manager = {"fieldManager": "kubectl-client-side-apply"}
        await world.send("POST", "/apis/apps/v1/namespaces/shop/deployments", applied, **manager)
        await world.edit(PATH, {"spec": {"revisionHistoryLimit": 3}}, "kubectl-edit")

        await world.cluster.watch({DEPLOYMENT})
        existing = (await world.cluster.metadata(DEPLOYMENT, "shop"))[WEB] if metadata_only else None
        live = await world.cluster.adopt(deployment(replicas=2), existing)
        assert "minReadySeconds" not in live.object["spec"]  # a dropped field does not stay for ever
        assert live.object["spec"]["revisionHistoryLimit"] == 3  # a person's is not ours to drop
        assert "note" not in live.annotations
        assert "kubectl.kubernetes.io/last-applied-configuration" not in live.annotations
        managers = {(entry["manager"], entry["operation"]) for entry in live.metadata["managedFields"]}
        assert managers == {("reconciler", "Apply"), ("kubectl-edit", "Update")}
        assert world.cluster.cache.get(WEB) == live
        assert await world.cluster.adopt(deployment(replicas=2)) == live

    in_a_world(main)


def test_rule_6_a_field_that_was_handed_over_keeps_its_value() -> None:
    async def main(world: World) -> None:
        await world.cluster.apply(deployment(replicas=4))
        await world.cluster.handover(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"replicas": 4},
            }
        )
        live = await world.cluster.apply(deployment(replicas=None))
        assert live.object["spec"]["replicas"] == 4

    in_a_world(main)


def test_rule_8_an_immutable_field_is_refused_and_replace_makes_the_object_anew() -> None:
    async def main(world: World) -> None:
        cluster = world.cluster
        await cluster.watch({DEPLOYMENT})
        old = await cluster.apply(deployment())
        with pytest.raises(Invalid, match="immutable"):
            await cluster.apply(deployment(app="other"))
        await world.edit(PATH, {"metadata": {"finalizers": ["example.com/keep"]}}, "somebody")
        changed = await cluster.get(WEB)
        assert changed is not None

        async def let_go() -> None:
            await asyncio.sleep(30)
            await world.edit(PATH, {"metadata": {"finalizers": None}}, "somebody")

        letting = asyncio.create_task(let_go())
        live = await cluster.replace(
            deployment(app="other"), uid=changed.uid, resource_version=changed.resource_version, timeout=120
        )
        await letting
        assert live.uid != old.uid
        assert live.object["spec"]["selector"]["matchLabels"] == {"app": "other"}
        await asyncio.sleep(1)
        assert cluster.cache.get(WEB) == await cluster.get(WEB)

    in_a_world(main)


def test_rule_10_only_the_object_that_was_seen_is_deleted() -> None:
    async def main(world: World) -> None:
        cluster = world.cluster
        await cluster.watch({CONFIG_MAP})
        path = "/api/v1/namespaces/shop/configmaps/web"
        seen = await cluster.apply(config_map(a="1"))
        await world.edit(path, {"data": {"b": "2"}}, "somebody")
        await cluster.delete(seen)  # it changed and still is ours
        assert await cluster.get(seen.identity) is None
        await asyncio.sleep(1)
        assert len(cluster.cache) == 0

        seen = await cluster.apply(config_map(a="1"))
        await world.edit(path, {"metadata": {"annotations": {"reconciler.dev/prune": "false"}}}, "somebody")
        with pytest.raises(Conflict, match="kept"):
            await cluster.delete(seen)

        await world.send("DELETE", path)
        await world.send("POST", "/api/v1/namespaces/shop/configmaps", {"metadata": {"name": "web"}})
        await cluster.delete(seen)
        assert await cluster.get(seen.identity) is not None

    in_a_world(main)


def definition() -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    return marked(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
    )


def widget(size: int = 1) -> dict[str, Any]:
    metadata = {"name": "w", "namespace": "shop"}
    return marked({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": size}})


def test_rule_15_a_custom_resource_follows_its_definition_at_once() -> None:
    async def main(world: World) -> None:
        cluster = world.cluster
        kind = GroupKind("example.com", "Widget")
        assert set(await cluster.watch({CRD, kind})) == {kind}
        with pytest.raises(NotFound, match=r"does not serve Widget\.v1\.example\.com"):
            await cluster.apply(widget())
        crd = await cluster.apply(definition())
        while not assess(crd.object).ready:
            await asyncio.sleep(0.1)
            crd = cluster.cache.get(crd.identity) or crd
        live = await cluster.apply(widget())
        await asyncio.sleep(1)
        assert cluster.listed(kind)
        assert cluster.cache.get(live.identity) == live
        await cluster.apply(widget(2))
        await asyncio.sleep(1)
        again = cluster.cache.get(live.identity)
        assert again is not None
        assert again.object["spec"] == {"size": 2}

    in_a_world(main)


def test_rule_15_namespaces_are_never_created_implicitly() -> None:
    async def main(world: World) -> None:
        obj = config_map()
        obj["metadata"]["namespace"] = "nowhere"
        with pytest.raises(NotFound, match='namespaces "nowhere" not found') as caught:
            await world.cluster.apply(obj)
        assert "Namespace/nowhere" in caught.value.hint
        assert await world.cluster.get(Identity("", "Namespace", "", "nowhere")) is None

    in_a_world(main)


def test_the_state_is_kept() -> None:
    async def main(world: World) -> None:
        store = StateStore(world.cluster, "reconciler-system", clock=LoopClock())
        await store.load("shop")
        with pytest.raises(ConfigError, match="no namespace reconciler-system"):
            await store.record("shop", {DEPLOYMENT}, {"shop"})
        await world.namespace("reconciler-system")
        await store.record("shop", {DEPLOYMENT}, {"shop"})
        uid = await store.install(None)

        other = StateStore(world.cluster, "reconciler-system", clock=LoopClock())
        assert await other.install(None) == uid
        assert (await other.load("shop")).kinds == {DEPLOYMENT}
        other.update("shop", lambda state: replace(state, suspended=True))
        store.update("shop", lambda state: replace(state, approved=frozenset({"uid-1"})))
        await other.close()
        await store.close()
        assert (await store.reload("shop")).suspended
        assert (await other.reload("shop")).approved == {"uid-1"}
        assert await store.sources() == ["shop"]

    in_a_world(main)


def test_rule_1_a_lost_install_is_recovered_from_any_owned_object() -> None:
    async def main(world: World) -> None:
        await world.namespace("reconciler-system")
        await world.cluster.apply(config_map())
        store = StateStore(world.cluster, "reconciler-system", clock=LoopClock())
        assert await store.install(None) == "prod"

    in_a_world(main)


async def test_the_same_over_http_from_a_kubeconfig(tmp_path: Path) -> None:
    """Everything real but the server: sockets, the kubeconfig, the clock."""
    async with serve(Sandbox(clock=SystemClock())) as url:
        write_kubeconfig(tmp_path / "config", url)
        cluster = await connect(str(tmp_path / "config"), clock=SystemClock(), random=Random(1))
        assert await cluster.watch({DEPLOYMENT, CONFIG_MAP}) == {}
        metadata = {"name": "shop"}
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        arrived = asyncio.Event()
        await asyncio.gather(*(cluster.apply(config_map(f"c{number}", a="1")) for number in range(50)))
        assert len(cluster.cache) == 50
        cluster.cache.subscribe(lambda identity, _old, new: arrived.set() if new is None else None)
        live = cluster.cache.get(Identity("", "ConfigMap", "shop", "c7"))
        assert live is not None
        await cluster.delete(live)
        async with asyncio.timeout(30):
            await arrived.wait()
        assert len(cluster.cache) == 49
        await cluster.close()
