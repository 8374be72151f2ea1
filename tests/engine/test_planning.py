"""The planner in the engine: from a spec that leaves its place open to pods where they were planned, and on."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

from texts import deployment
from virtual import virtual
from world import World, opened

from reconciler.clock import LoopClock
from reconciler.cluster.roster import Roster
from reconciler.engine.planning import ClusterPlanning, Unmeasured
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.event import EventType
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.sandbox import nodes
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

POD = GroupKind("", "Pod")
WEB = Identity("apps", "Deployment", "shop", "web")
ZONES = ("a", "b", "c")
POOLS = (Pool("cheap", {"tier": "cheap"}, 0.3), Pool("dear", {"tier": "dear"}, 1.0))
NODES = (
    nodes.Pool("cheap", 3, zones=ZONES, labels={"tier": "cheap"}),
    nodes.Pool("dear", 3, zones=ZONES, labels={"tier": "dear"}),
)
REQUESTS = "  resources: {requests: {cpu: 500m, memory: 256Mi}}\n"


class Planned:
    """A world whose daemon plans, and its nodes."""

    def __init__(self, w: World, simulation: Simulation, policy: Policy) -> None:
        self.w = w
        self.simulation = simulation
        self.ours = True
        self.woken: list[str] = []
        self.roster = Roster(w.cluster, clock=w.clock, random=Random(1), on_change=lambda: self.planning.changed())
        self.planning = ClusterPlanning(
            self.roster,
            Unmeasured(),
            pools=POOLS,
            policy=lambda _wishes: policy,
            allocation=Allocation({"cpu": "100m", "memory": "128Mi"}),
            ours=lambda: self.ours,
            wake=self._woken,
            clock=w.clock,
            interval=3600,
        )
        w.planning = self.planning

    def _woken(self, source: str) -> None:
        self.woken.append(source)
        self.w.sources[source].ask()

    async def web(self) -> Any:
        found = await self.w.get("Deployment", "web", group="apps")
        assert found is not None
        return found

    async def running(self, count: int) -> list[str]:
        """The nodes of the ready pods, once there are exactly `count`."""

        async def there() -> bool:
            return len(await self._ready()) == count

        await self.w.until(there, 600)
        return sorted(await self._ready())

    async def _ready(self) -> list[str]:
        return [
            pod.object["spec"]["nodeName"]
            for pod in await self.w.cluster.list(POD, self.w.space)
            if _is_ready(pod.object) and not pod.metadata.get("deletionTimestamp")
        ]


@asynccontextmanager
async def planned(pools: Collection[nodes.Pool] = NODES, policy: Policy | None = None) -> AsyncIterator[Planned]:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    async with (
        opened(World(sandbox.transport, clock)) as w,
        Simulation(sandbox.transport(), clock=clock, random=Random(3), nodes=pools) as simulation,
    ):
        made = Planned(w, simulation, policy or Policy())
        tasks = [asyncio.create_task(made.roster.run()), asyncio.create_task(made.planning.run())]
        try:
            await w.until(lambda: _nodes(w, sum(pool.count for pool in pools)))
            yield made
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


async def _nodes(w: World, count: int) -> bool:
    there = await w.cluster.list(GroupKind("", "Node"))
    return sum(_is_ready(node.object) for node in there) == count


def _is_ready(obj: Mapping[str, Any]) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@virtual
async def test_what_a_spec_leaves_open_is_planned_and_pods_run_where_it_says() -> None:
    async with planned() as p:
        await p.w.started({"web.yaml": deployment()})
        web = await p.web()
        container = web["spec"]["template"]["spec"]["containers"][0]
        assert container["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}
        assert web["spec"]["replicas"] == 2
        where = await p.running(2)
        assert {name.partition("-")[0] for name in where} == {"cheap"}
        assert len(set(where)) == 2, "spread"
        advised = p.planning.advised
        assert advised is not None
        assert not advised.plan.unplaced
        assert not p.woken


@virtual
async def test_what_a_spec_states_is_the_planners_too() -> None:
    async with planned() as p:
        text = deployment(extra=REQUESTS + "  replicas: 3\n  placement: {pool: dear, zones: [b]}\n")
        await p.w.started({"web.yaml": text})
        pod = (await p.web())["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"tier": "dear"}
        affinity = pod["affinity"]["nodeAffinity"]
        assert affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
            {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b"]}]}
        ]
        (preferred,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]  # the pool need not be
        assert [each["key"] for each in preferred["preference"]["matchExpressions"]] == ["kubernetes.io/hostname"]
        assert await p.running(3) == ["dear-2", "dear-2", "dear-2"]


@virtual
async def test_a_lost_node_rolls_out_nothing() -> None:
    async with planned() as p:
        await p.w.started({"web.yaml": deployment(extra=REQUESTS)})
        where = await p.running(2)
        before = await p.web()
        p.simulation.kill_node(where[0])
        await p.w.until(lambda: _nodes(p.w, 5), 600)

        async def planned_again() -> bool:
            advised = p.planning.advised
            assert advised is not None
            here = advised.plan.assignment[Identity("reconciler.dev", "Deployment", "shop", "web")]
            return where[0] not in here

        await p.w.until(planned_again, 600)
        await p.w.settled()
        after = await p.web()
        assert after["spec"] == before["spec"]
        assert not p.w.heard(EventType.DRIFTED)


@virtual
async def test_what_has_no_place_is_known_with_its_reason() -> None:
    async with planned() as p:
        text = deployment(extra="  replicas: 2\n  resources: {requests: {cpu: 64}}\n")
        await p.w.started({"web.yaml": text})
        assert p.planning.advised is not None
        lack = p.planning.advised.plan.unplaced[Identity("reconciler.dev", "Deployment", "shop", "web")]
        assert lack.count == 2
        assert "cpu" in lack.reason


@virtual
async def test_rule_21_another_planner_plans() -> None:
    """Nothing is said while another holds the lease; once it is ours, the pods have their number."""
    async with planned() as p:
        p.ours = False
        await p.w.started({"web.yaml": deployment()})
        assert "replicas" not in p.w.sources["shop"].desired.manifests.items[WEB].object["spec"]  # type: ignore[union-attr]
        p.ours = True
        p.planning.changed()

        async def woken() -> bool:
            return p.woken == ["shop"]

        await p.w.until(woken)
        await p.w.settled()
        assert (await p.web())["spec"]["replicas"] == 2


@virtual
async def test_a_second_source_takes_no_room_that_the_first_was_given() -> None:
    """One planner for all sources: what is planned and does not run yet takes its room too."""
    one = (nodes.Pool("cheap", 2, zones=("a", "b"), labels={"tier": "cheap"}),)
    async with planned(one) as p:
        w = p.w
        big = "  replicas: 1\n  resources: {requests: {cpu: 3}}\n"
        first, second = w.source("one"), w.source("two")
        first.commit({"namespace.yaml": w.namespace(), "web.yaml": deployment(extra=big)})
        second.commit({"api.yaml": deployment("api", extra=big)})
        assert (await w.sync("one")).ok
        assert (await w.sync("two")).ok
        assert p.planning.advised is not None
        taken = [set(nodes_) for nodes_ in p.planning.advised.plan.assignment.values()]
        assert len(taken) == 2
        assert not taken[0] & taken[1]
