"""A planned shop on a scheduler: pods run where they are planned, and outlive a node."""

import sys
from collections import Counter

from both_servers import on_both
from planned import Planned, planning
from texts import config, deployment
from world import World

from reconciler.kube.names import GroupKind
from reconciler.model.event import EventType

SHOP = {"web": ("500m", 3), "api": ("1", 2), "cart": ("250m", 0)}  # cart leaves open how many


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


async def templates(w: World) -> dict[str, object]:
    """Of each Deployment, its generation; and how many times pods were rolled out."""
    live = await w.cluster.list(GroupKind("apps", "Deployment"), w.space)
    sets = await w.cluster.list(GroupKind("apps", "ReplicaSet"), w.space)
    return {"sets": len(sets), **{each.identity.name: each.metadata["generation"] for each in live}}


@on_both
async def test_pods_run_where_they_are_planned_and_a_lost_node_rolls_out_nothing(w: World) -> None:
    async with planning(w) as p:
        repository = await w.started(shop(p))
        assert await run(p) == p.where_planned()
        assert {node.partition("-")[0] for nodes in p.where_planned().values() for node in nodes} == {"cheap"}
        before = await templates(w)
        assert before["sets"] == len(SHOP)

        repository.commit({"unrelated.yaml": config("unrelated")}, "Something else")
        assert (await w.sync()).ok
        assert await templates(w) == before

        lost = next(iter(p.where_planned()["web"]))
        await p.lose(lost)

        async def elsewhere() -> bool:
            nodes = {pod["spec"]["nodeName"] for pod in await p.pods()}
            return len(await p.pods()) == 7 and lost not in nodes

        async def planned_anew() -> bool:
            return not any(lost in nodes for nodes in p.where_planned().values())

        await w.until(elsewhere, 600)
        await w.until(planned_anew, 600)
        await run(p)
        await w.settled()
        assert await templates(w) == before
        assert not w.heard(EventType.DRIFTED)
        assert not p.woken
