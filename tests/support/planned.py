"""A world whose daemon plans, and its nodes: on the sandbox, or on a control plane that others use too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any, Final

from world import World, opened

from reconciler.clock import LoopClock
from reconciler.cluster.roster import Roster
from reconciler.engine.evicting import Evicting
from reconciler.engine.planning import ClusterPlanning, Unmeasured
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.sandbox import nodes
from reconciler.sandbox.kubelet.behavior import Timing
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import ALL, Simulation

POD: Final = GroupKind("", "Pod")
NODE: Final = GroupKind("", "Node")
ZONES: Final = ("a", "b", "c")
POOLS: Final = (Pool("cheap", {"tier": "cheap"}, 0.3), Pool("dear", {"tier": "dear"}, 1.0))
NODES: Final = (
    nodes.Pool("cheap", 3, zones=ZONES, labels={"tier": "cheap"}),
    nodes.Pool("dear", 3, zones=ZONES, labels={"tier": "dear"}),
)
INTERVAL: Final = 3600.0
NOT_READY: Final = "node.kubernetes.io/not-ready"
LEASE: Final = 40  # seconds, the kubelet's default


class Planned:
    """Its nodes are nobody else's: they have a label and a taint of its own (`placement`)."""

    def __init__(
        self, w: World, pools: Collection[nodes.Pool], policy: Policy, evictions: int, interval: float, lease: int
    ) -> None:
        self.w = w
        self.ours = True
        self.policy = lambda: policy  # asked once for each plan
        self.woken: list[str] = []
        self.nodes = nodes.nodes_of(pools if not w.tag else [self._own(pool) for pool in pools])
        self.cluster = w.new_cluster()  # its own: that of the sources ends where a test restarts them
        self.roster = Roster(self.cluster, clock=w.clock, random=Random(1), on_change=lambda: self.planning.changed())
        ours: Callable[[], bool] = lambda: self.ours  # noqa: E731
        moving = None
        if evictions:
            moving = Evicting(self.cluster, evictions, ours=ours, clock=w.clock, emit=w.events.append)
        self.planning = ClusterPlanning(
            self.roster,
            Unmeasured(),
            pools=POOLS if not w.tag else tuple(replace(p, node_selector=self._labels(p.node_selector)) for p in POOLS),
            policy=lambda _wishes: self.policy(),
            allocation=Allocation({"cpu": "100m", "memory": "128Mi"}),
            ours=ours,
            wake=self._woken,
            clock=w.clock,
            interval=interval,
            moving=moving,
        )
        w.planning = self.planning
        self.transport = w.connect()
        self.simulation = Simulation(
            self.transport,
            clock=w.clock,
            random=Random(3),
            nodes=self.nodes,
            controllers=() if w.tag else ALL,
            scheduler=not w.tag,
            lease_seconds=lease,
            timing=Timing(stop=2.0),  # as long as programs take that end well
        )

    def _labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {**labels, "world": self.w.space}

    def _own(self, pool: nodes.Pool) -> nodes.Pool:
        taint = {"key": "world", "value": self.w.space, "effect": "NoSchedule"}
        return replace(pool, name=self.w.name(pool.name), labels=self._labels(pool.labels), taints=(taint,))

    @property
    def placement(self) -> str:
        """Of a spec: on these nodes."""
        selector = f"nodeSelector: {{world: {self.w.space}}}, " if self.w.tag else ""
        return f"  placement: {{{selector}tolerations: [{{key: world, operator: Exists}}]}}\n"

    def _woken(self, source: str) -> None:
        self.woken.append(source)
        self.w.sources[source.partition("-")[0]].ask()

    async def deployment(self, name: str = "web") -> Any:
        found = await self.w.get("Deployment", name, group="apps")
        assert found is not None
        return found

    async def pods(self, name: str = "") -> list[Any]:
        """The ready ones that are not about to end, of one workload or of all."""
        return [
            pod.object
            for pod in await self.w.cluster.list(POD, self.w.space)
            if is_ready(pod.object)
            and not pod.metadata.get("deletionTimestamp")
            and name in ("", pod.labels.get("app.kubernetes.io/name"))
        ]

    async def running(self, count: int, name: str = "") -> list[str]:
        """The nodes of the ready pods, once there are exactly `count`."""

        async def there() -> bool:
            return len(await self.pods(name)) == count

        await self.w.until(there, 600)
        return sorted(pod["spec"]["nodeName"] for pod in await self.pods(name))

    async def ready(self, count: int) -> None:
        """Wait until exactly so many of its nodes are ready and take pods, and the roster knows.

        A new node has a taint until the controllers have seen that it is ready: who begins before has fewer nodes.
        """
        own = {node.name for node in self.nodes}

        async def there() -> bool:
            live = {
                node.identity.name
                for node in await self.w.cluster.list(NODE)
                if is_ready(node.object) and NOT_READY not in {t["key"] for t in node.object["spec"].get("taints", ())}
            }
            known = {
                node.name
                for node in self.roster.view({}).nodes
                if node.ready and NOT_READY not in {taint.key for taint in node.taints}
            }
            return len(own & live) == count == len(own & known)

        await self.w.until(there, 600)

    async def lose(self, name: str) -> None:
        """A node dies. Who keeps watch over a shared control plane has more patience than a test."""
        self.simulation.kill_node(name)
        if self.w.tag:
            conditions = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
            path = f"/api/v1/nodes/{name}/status"
            kind = "strategic-merge-patch+json"
            await self.w.call("PATCH", path, {"status": {"conditions": conditions}}, kind=kind)

    def where_planned(self) -> dict[str, dict[str, int]]:
        """Of each workload, replicas by node."""
        advised = self.planning.advised
        assert advised is not None
        space = self.w.space
        return {i.name: dict(nodes) for i, nodes in advised.plan.assignment.items() if i.namespace == space}

    async def _leave(self) -> None:
        """A shared control plane is left without these nodes and what would wait for them."""
        await self.w.call("DELETE", self.w.path("deployments", "apis/apps/v1"), propagationPolicy="Background")
        await self.w.call("DELETE", self.w.path("pods"), gracePeriodSeconds="0")
        for node in self.nodes:
            await self.w.call("DELETE", f"/api/v1/nodes/{node.name}")


@asynccontextmanager
async def planning(
    w: World,
    pools: Collection[nodes.Pool] = NODES,
    policy: Policy | None = None,
    *,
    evictions: int = 0,
    interval: float = INTERVAL,
    lease: int = LEASE,
) -> AsyncIterator[Planned]:
    """In a world, with nodes of its own, whose leases are good for `lease` seconds."""
    made = Planned(w, pools, policy or Policy(), evictions, interval, lease)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.transport.close)
        stack.push_async_callback(made.cluster.close)
        await stack.enter_async_context(made.simulation)
        tasks = [asyncio.create_task(made.roster.run()), asyncio.create_task(made.planning.run())]
        try:
            await made.ready(len(made.nodes))
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if w.tag:
                await made._leave()


@asynccontextmanager
async def planned(
    pools: Collection[nodes.Pool] = NODES, policy: Policy | None = None, **options: Any
) -> AsyncIterator[Planned]:
    """On a sandbox of its own, in virtual time."""
    clock = LoopClock()
    async with opened(World(Sandbox(clock=clock).transport, clock)) as w, planning(w, pools, policy, **options) as made:
        yield made


def is_ready(obj: Mapping[str, Any]) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def document(w: World, name: str) -> Identity:
    return Identity("reconciler.dev", "Deployment", w.space, name)
