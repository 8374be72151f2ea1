"""Quotas as a real control plane enforces them: so many replicas are let in as a plan places."""

import asyncio
from random import Random

from kubernetes_server import KubernetesServer
from quota import in_force
from sandbox_api import deployment, pod
from world import World

from reconciler.cluster.roster import Roster
from reconciler.kube.kinds import POD
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import NodeView, Resources
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.plan import plan

REQUESTS = {"cpu": "10m", "memory": "8Mi"}
CONTAINER = {"name": "main", "image": "nginx:1.27", "resources": {"requests": REQUESTS}}
QUOTAS = {
    "cpu": {"hard": {"requests.cpu": "55m", "pods": "9"}},
    "objects": {"hard": {"count/pods": "8", "memory": "1Gi", "configmaps": "10"}},
    "idle": {"hard": {"pods": "1"}, "scopes": ["BestEffort"]},
}
NODE = NodeView("n", Resources(4000, 1 << 33))


def test_so_many_replicas_are_let_in_as_are_planned(kubernetes: KubernetesServer) -> None:
    async def scenario() -> None:
        async with kubernetes.world(controllers=True) as w:
            await w.call("POST", "/api/v1/namespaces", {"metadata": {"name": w.space}})
            for name, spec in QUOTAS.items():
                await w.create(w.path("resourcequotas"), {"metadata": {"name": name}, "spec": spec})

            for quota, too_much in (("cpu", {"cpu": "1"}), ("objects", {"memory": "2Gi"})):
                resources = {"requests": {**REQUESTS, **too_much}}
                more = pod("more", containers=[{**CONTAINER, "resources": resources}])
                await in_force(w, quota, w.path("pods"), more)
            await w.create(w.path("pods"), pod("other", containers=[CONTAINER]))
            planned = await places(w, replicas=7)
            assert planned == 4
            stated = deployment()
            stated["spec"]["replicas"] = 7
            stated["spec"]["template"]["spec"]["containers"] = [CONTAINER]
            await w.create(w.path("deployments", "apis/apps/v1"), stated)

            async def refused() -> bool:
                found = await w.get("Deployment", "web", group="apps")
                conditions = found.get("status", {}).get("conditions", []) if found is not None else []
                return any(
                    each["type"] == "ReplicaFailure" and "exceeded quota" in each["message"] for each in conditions
                )

            await w.until(refused)
            assert len(await w.cluster.list(POD, w.space)) == planned + 1

    kubernetes.run(scenario())


async def places(w: World, *, replicas: int) -> int:
    """How many of them a plan places beside the pod that is there."""
    roster = Roster(w.cluster, clock=w.clock, random=Random(1))
    running = asyncio.create_task(roster.run())

    async def all_is_told() -> bool:
        seen, unscoped = roster.view({}), sum("scopes" not in spec for spec in QUOTAS.values())
        bound = any(each.namespace == w.space for each in seen.pods)
        return bound and sum(each.namespace == w.space for each in seen.around.quotas) == unscoped

    try:
        await w.until(all_is_told)
        seen = roster.view({})
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    need = WorkloadNeed(Identity("apps", "Deployment", w.space, "web"), replicas, Resources(10, 8 << 20))
    found = plan([NODE], seen.pods, [need], quotas=seen.around.quotas)
    return sum(found.assignment[need.identity].values())
