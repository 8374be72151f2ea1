"""Nodes and pods, followed on both servers; and with no more rights than deploy/ gives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import yaml
from both_servers import on_both
from kubernetes_server import KubernetesServer
from sandbox_api import deployment
from tenancy import known
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.cluster.api import Api
from reconciler.cluster.lease import Lease
from reconciler.cluster.roster import Roster
from reconciler.engine.histories import HistoryMaps
from reconciler.kube.names import Identity
from reconciler.usage.history import History

MANIFESTS = Path(__file__).parents[2] / "deploy" / "manifests"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@asynccontextmanager
async def followed(w: World) -> AsyncIterator[Roster]:
    roster = Roster(w.cluster, clock=w.clock, random=Random(1))
    running = asyncio.create_task(roster.run())
    try:
        await asyncio.wait_for(roster.settled.wait(), 30)
        yield roster
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def mine(w: World, roster: Roster) -> dict[str, Any]:
    """The pods of the world's namespace, by node."""
    workload = Identity("apps", "Deployment", w.space, "web")
    return {pod.name: pod for pod in roster.view({workload: workload}).pods if pod.namespace == w.space}


@on_both(controllers=True)
async def test_pods_are_there_once_they_are_bound_and_gone_when_they_are(w: World) -> None:
    await w.call("POST", "/api/v1/namespaces", {"metadata": {"name": w.space}})
    stated = deployment()
    stated["spec"]["replicas"] = 2
    stated["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "10m", "memory": "8Mi"}}
    async with followed(w) as roster:
        assert roster.able
        assert not roster.lacking()

        async def up() -> bool:  # the nodes may have just begun
            there = roster.view({}).nodes
            return bool(there) and all(node.ready for node in there)

        await w.until(up)
        nodes = {node.name: node for node in roster.view({}).nodes}
        assert all(node.allocatable.cpu > 0 and node.pods > 0 for node in nodes.values())
        path = w.path("deployments", "apis/apps/v1")
        await w.call("POST", path, stated)

        async def bound(count: int) -> bool:
            return len(mine(w, roster)) == count

        await w.until(lambda: bound(2))
        for pod in mine(w, roster).values():
            assert pod.node in nodes
            assert (pod.requests.cpu, pod.requests.memory) == (10, 8 * 2**20)
            assert pod.owner == Identity("apps", "Deployment", w.space, "web")
        await w.patch(f"{path}/web", {"spec": {"replicas": 0}})
        await w.until(lambda: bound(0))
        assert not roster.view({}).notes


def granted(w: World, user: str) -> list[tuple[str, dict[str, Any]]]:
    """The rights that deploy/ gives to the daemon, for `user` and under names of this world; the state is in the
    world's own namespace."""
    found: list[tuple[str, dict[str, Any]]] = []
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]
    for each in yaml.safe_load_all((MANIFESTS / "10-access.yaml").read_text(encoding="utf-8")):
        if each["kind"] not in ("Role", "ClusterRole") or "aggregationRule" in each:
            continue
        name = w.name(each["metadata"]["name"])
        role = {**each, "metadata": {"name": name}}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": each["kind"], "name": name}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects}
        folder = f"{RBAC}/namespaces/{w.space}" if each["kind"] == "Role" else RBAC
        kind = each["kind"].lower()
        found += [(f"{folder}/{kind}s", role), (f"{folder}/{kind}bindings", binding)]
    return found


def test_the_rights_that_are_deployed_are_enough_to_plan(kubernetes: KubernetesServer) -> None:
    async def scenario() -> None:
        clock = SystemClock()
        async with kubernetes.world() as admin:
            user = admin.name("planner")
            kubernetes.user(user)
            await admin.call("POST", "/api/v1/namespaces", {"metadata": {"name": admin.space}})
            rights = granted(admin, user)
            for path, body in rights:
                await admin.call("POST", path, body)
            async with opened(World(lambda: kubernetes.transport(user), clock, admin.tag)) as w:
                await known(w, [rule for _, body in rights for rule in body.get("rules", ())])
                lease = Lease(Api(w.cluster.transport), w.space, "planner", "a", clock=clock)
                async with followed(w) as roster:
                    assert roster.able
                    assert not roster.lacking()
                    assert await lease.acquire()
                    assert await lease.acquire()
                    await lease.release()
                    store = HistoryMaps(w.cluster, w.space, clock=clock)
                    await store.read()
                    await store.write(History())
                    assert not (await store.read()).usage().containers

    kubernetes.run(scenario())
