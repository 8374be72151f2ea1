"""Whatever the cluster and the commits: planning restarts nobody's pods, and a second look finds nothing."""

import asyncio
from random import Random
from typing import Any

import yaml
from amount import examples
from generated_repositories import REPOSITORIES, optional
from hypothesis import given
from hypothesis import strategies as st
from texts import NAMESPACE
from virtual import virtual
from world import World, world

from reconciler.cluster.roster import Roster
from reconciler.engine.planning import ClusterPlanning, Unmeasured
from reconciler.kube.names import GroupKind
from reconciler.model.change import Action
from reconciler.model.cluster_view import ZONE
from reconciler.model.config import PruneGuard
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.result import SyncResult
from reconciler.model.spec import API_VERSION
from reconciler.sandbox.nodes import POOL_LABEL, Node, node_object, node_status

NODES = st.lists(
    st.builds(
        lambda cpu, zone, pool: (cpu, {**({ZONE: zone} if zone else {}), **({POOL_LABEL: pool} if pool else {})}),
        st.sampled_from(["1", "2", "16"]),
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["", "general", "spot"]),
    ),
    max_size=5,
)
PROFILE = st.sampled_from(["balanced", "cost", "resilient"])


class Cluster:
    """Nodes that are objects only: nothing runs on them."""

    def __init__(self, w: World, asked: list[tuple[str, dict[str, str]]]) -> None:
        self._w = w
        self.nodes = [Node(f"n{number}", cpu=cpu, labels=labels) for number, (cpu, labels) in enumerate(asked)]

    async def join(self) -> None:
        for node in self.nodes:
            await self._w.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node_object(node)})
            status = {"status": node_status(node, self._w.clock.now())}
            await self._w.patch(f"/api/v1/nodes/{node.name}/status", status)

    async def lose(self, count: int) -> None:
        for node in self.nodes[:count]:
            await self._w.call("DELETE", f"/api/v1/nodes/{node.name}")


async def templates(w: World) -> dict[str, Any]:
    """What pods are made of, by the document that states them."""
    found = {}
    for live in await w.cluster.list(GroupKind("apps", "Deployment"), w.space):
        found[f"{live.identity.name}.yaml"] = live.object["spec"]["template"]
    return found


def weighed(text: str, planner: dict[str, Any]) -> str:
    """The document, which says otherwise how to weigh if it is one of ours."""
    document = yaml.safe_load(text)
    if document["apiVersion"] == API_VERSION:
        document["spec"]["planner"] = planner
    return yaml.safe_dump(document)


async def again(w: World) -> SyncResult:
    """Another pass over the same commit."""
    w.sources["shop"].ask()
    return await w.sync()


def changed(result: SyncResult) -> list[str]:
    return [str(i) for i, each in result.results.items() if each.action not in (Action.NONE, Action.KEEP, Action.HOLD)]


@examples(12)
@given(
    first=REPOSITORIES,
    second=REPOSITORIES,
    same=st.booleans(),
    asked=NODES,
    lost=st.integers(0, 3),
    profiles=st.tuples(PROFILE, PROFILE),
    restarts=st.booleans(),
    planner=optional(
        profile=PROFILE, weights=st.dictionaries(st.sampled_from(["cost", "spread"]), st.floats(0, 1000), max_size=2)
    ),
)
def test_rule_19_only_what_a_commit_touches_is_rolled_out_and_a_second_pass_finds_nothing(
    first: dict[str, str],
    second: dict[str, str],
    same: bool,
    asked: list[tuple[str, dict[str, str]]],
    lost: int,
    profiles: tuple[str, str],
    restarts: bool,
    planner: dict[str, Any],
) -> None:
    second = {**second, **first} if same else second

    @virtual
    async def scenario() -> None:
        async with world() as w:
            there = Cluster(w, asked)
            await there.join()
            policies = [Policy(profiles[0])]

            def planning() -> tuple[ClusterPlanning, list[asyncio.Task[None]]]:
                made = ClusterPlanning(
                    roster := Roster(w.cluster, clock=w.clock, random=Random(1), on_change=lambda: made.changed()),
                    Unmeasured(),
                    pools=(),
                    policy=lambda _wishes: policies[0],
                    allocation=Allocation({"cpu": "100m"}),
                    ours=lambda: True,
                    wake=lambda _source: w.sources["shop"].ask(),
                    clock=w.clock,
                    interval=60,
                )
                return made, [asyncio.create_task(roster.run()), asyncio.create_task(made.run())]

            w.planning, tasks = planning()
            try:
                repository = w.source(guard=PruneGuard(1000, 100))
                repository.commit({"namespace.yaml": NAMESPACE, **first})
                assert (await w.sync()).ok
                assert changed(await again(w)) == []
                before = await templates(w)

                await there.lose(lost)
                policies[0] = Policy(profiles[1])
                await w.clock.sleep(120)
                await again(w)
                assert await templates(w) == before, "a plan restarts nobody's pods"
                if restarts:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    await w.restart()
                    await w.sources["shop"].close()  # it asks the planner of the life before
                    w.planning, tasks = planning()
                    w.source(guard=PruneGuard(1000, 100))

                repository.commit({**dict.fromkeys(first), **second})
                assert (await w.sync()).ok
                after = await templates(w)
                for name in before.keys() & after.keys():
                    if first[name] == second[name]:
                        assert after[name] == before[name], "the commit did not touch it"
                assert changed(await again(w)) == []
                await w.clock.sleep(120)
                await again(w)
                assert changed(await again(w)) == []
                assert await templates(w) == after

                repository.commit({name: weighed(text, planner) for name, text in second.items()})
                assert (await w.sync()).ok
                await w.clock.sleep(120)
                await again(w)
                assert await templates(w) == after, "how to weigh is no part of the pods"
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    scenario()
