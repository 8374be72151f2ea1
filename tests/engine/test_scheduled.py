"""A planned shop on a scheduler: pods run where they are planned, and outlive a node."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from both_servers import on_both
from own_plane import OwnPlane
from planned import POD, Planned, planning
from texts import config, deployment
from world import World

from reconciler.kube.names import GroupKind
from reconciler.model.event import EventType

SHOP = {"web": ("500m", 3), "api": ("1", 2), "cart": ("250m", 0)}  # cart leaves open how many
PROBES = "/api/v1/namespaces/default/pods"  # a namespace that is there before any source
LEASE = 8  # seconds: heartbeats come every two
SOON = {
    "server": {f"default-{what}-toleration-seconds": 1 for what in ("not-ready", "unreachable")},
    "manager": {"node-monitor-grace-period": "10s"},
}


@pytest.fixture
def kubernetes(tmp_path: Path) -> OwnPlane:
    """A control plane that gives nodes up soon. The shared one may not: a busy machine would cost others theirs."""
    return OwnPlane(tmp_path, controllers=True, **SOON)


def shop(p: Planned) -> dict[str, str]:
    def spec(name: str, cpu: str, replicas: int) -> str:
        number = f"  replicas: {replicas}\n" if replicas else ""
        return deployment(name, extra=f"{number}  resources: {{requests: {{cpu: {cpu}}}}}\n{p.placement}")

    return {f"{name}.yaml": spec(name, *stated) for name, stated in SHOP.items()}


async def run(p: Planned) -> dict[str, dict[str, int]]:
    """Of each workload, ready replicas by node; printed beside the plan, with `pytest -s`."""
    await p.running(7)
    found = {name: dict(Counter(await p.running(count or 2, name))) for name, (_, count) in SHOP.items()}
    for name, nodes in found.items():
        sys.stdout.write(f"{name}: planned {p.where_planned()[name]}, runs {nodes}\n")
    return found


async def scheduler_knows(p: Planned) -> None:
    """Wait until the scheduler uses each node: it hears of them in its own time, and places pods on what it knows."""
    w = p.w
    names = {f"probe-{node.name}": node.name for node in p.nodes}
    for name, node in names.items():
        spec = {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"key": "world", "operator": "Exists"}],
            "containers": [{"name": "probe", "image": "registry.example/probe:1"}],
        }
        await w.create(PROBES, {"metadata": {"name": name}, "spec": spec})

    async def all_bound() -> bool:
        pods = await w.cluster.list(POD, "default")
        return {pod.identity.name: pod.object["spec"].get("nodeName") for pod in pods} == names

    async def all_gone() -> bool:
        return not await w.cluster.list(POD, "default")

    await w.until(all_bound)
    await w.call("DELETE", PROBES, gracePeriodSeconds="0")
    await w.until(all_gone)


async def templates(w: World) -> dict[str, object]:
    """Of each Deployment, its generation; and how many times pods were rolled out."""
    live = await w.cluster.list(GroupKind("apps", "Deployment"), w.space)
    sets = await w.cluster.list(GroupKind("apps", "ReplicaSet"), w.space)
    return {"sets": len(sets), **{each.identity.name: each.metadata["generation"] for each in live}}


async def evicted(w: World) -> set[str]:
    """The names of the pods that were deleted for a taint of their node."""
    events = [each.object for each in await w.cluster.list(GroupKind("", "Event"), w.space)]
    return {each["involvedObject"]["name"] for each in events if each["reason"] == "TaintManagerEviction"}


@on_both
async def test_pods_run_where_they_are_planned_and_a_lost_node_rolls_out_nothing(w: World) -> None:
    async with planning(w, lease=LEASE) as p:
        await scheduler_knows(p)
        repository = await w.started(shop(p))
        assert await run(p) == p.where_planned()
        assert {node.partition("-")[0] for nodes in p.where_planned().values() for node in nodes} == {"cheap"}
        before = await templates(w)
        assert before["sets"] == len(SHOP)

        repository.commit({"unrelated.yaml": config("unrelated")}, "Something else")
        assert (await w.sync()).ok
        assert await templates(w) == before

        lost = next(iter(p.where_planned()["web"]))
        pods = await p.pods()
        theirs = {pod["metadata"]["name"] for pod in pods if pod["spec"]["nodeName"] == lost}
        stays = {each.get("tolerationSeconds") for pod in pods for each in pod["spec"]["tolerations"]}
        assert stays == {None, 1 if w.tag else 300}, "no spec states any: they are the API server's own"
        p.simulation.kill_node(lost)  # no more heartbeats: the rest is up to who watches over nodes

        async def elsewhere() -> bool:
            nodes = [pod["spec"]["nodeName"] for pod in await p.pods()]
            return len(nodes) == 7 and lost not in nodes

        async def planned_anew() -> bool:
            return not any(lost in nodes for nodes in p.where_planned().values())

        async def all_evicted() -> bool:
            return await evicted(w) == theirs

        await w.until(elsewhere, 600, pause=0.5)
        await w.until(all_evicted)
        taints = ((await w.get("Node", lost, namespace="")) or {})["spec"]["taints"]
        assert ("node.kubernetes.io/unreachable", "NoExecute") in {(each["key"], each["effect"]) for each in taints}
        await w.until(planned_anew, 600)
        await run(p)
        await w.settled()
        assert await templates(w) == before
        assert not w.heard(EventType.DRIFTED)
        assert not p.woken
