"""A cluster under load, which all ready pods of one workload share, and a daemon that plans for it."""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec
from intercepted import Hooked
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.histories import DemandMaps
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.planner_config import DefaultsConfig, KubernetesUsage, PlannerConfig, UsageConfig
from reconciler.sandbox import nodes
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation
from reconciler.usage.demands import Demands

WEB: Final = Identity("reconciler.dev", "Deployment", "shop", "web")
DEPLOYMENTS: Final = "/apis/apps/v1/namespaces/shop/deployments"
AUTOSCALERS: Final = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
NODES: Final = (nodes.Pool("node", 3, cpu="32", memory="64Gi"),)
PLANNER: Final = PlannerConfig(
    defaults=DefaultsConfig({"cpu": "500m", "memory": "128Mi"}),
    usage=UsageConfig(kubernetes=KubernetesUsage(), interval=120),
)
REQUESTS: Final = "  resources: {requests: {cpu: 500m}}\n"
SCALED: Final = REQUESTS + "  scale: {min: 2, max: 40, target: {cpu: 50%}}\n"  # a pod is to carry a quarter of a core
DAY: Final = datetime(2026, 1, 9, tzinfo=UTC)
MINUTES: Final = timedelta(minutes=5)


def daily(when: datetime) -> float:
    """Cores: one by night, up from 7 to 8 h, five until 18 h."""
    hour = when.hour + when.minute / 60
    return 1 + 4 * min(max(hour - 7, 0.0), 1.0) if hour < 18 else 1.0


class Load:
    """A cluster in which `cores` of work, at a time, are shared by all pods that are ready.

    `seen` is whether metrics-server answers.
    """

    def __init__(self, cores: Callable[[datetime], float], begin: float, planner: PlannerConfig = PLANNER) -> None:
        self.planner = planner
        self.clock = LoopClock(DAY + timedelta(hours=begin))
        self.sandbox = Sandbox(clock=self.clock)
        self.cores = cores
        self.seen = True
        self.simulation: Simulation

    def get(self, path: str) -> Any:
        response = self.sandbox.answer(Request("GET", path))
        return msgspec.json.decode(response.body) if response.status == 200 else None

    def floor(self, name: str = "web") -> int:
        return int(self.get(f"{AUTOSCALERS}/{name}")["spec"]["minReplicas"])

    def replicas(self, name: str = "web") -> int:
        return int(self.deployment(name)["spec"]["replicas"])

    def deployment(self, name: str = "web") -> Any:
        return self.get(f"{DEPLOYMENTS}/{name}")

    def requests(self) -> dict[str, str]:
        container = self.deployment()["spec"]["template"]["spec"]["containers"][0]
        found: dict[str, str] = container["resources"]["requests"]
        return found

    def utilisation(self, _kind: str, _namespace: str, _name: str) -> dict[str, int] | None:
        """For the autoscaler, which has its own way to metrics."""
        if not (ready := len(self.ready())):
            return None
        return {"cpu": math.ceil(100 * self.cores(self.clock.now()) / ready / 0.5)}

    async def answer(self, request: Request) -> Response | None:
        if not request.path.startswith("/apis/metrics.k8s.io"):
            return None
        if not self.seen:
            return Response(503, {}, b"")
        pods = self.ready()
        now = self.clock.now()
        usage = {"cpu": f"{round(1e6 * self.cores(now) / max(1, len(pods)))}u", "memory": "64Mi"}
        items = [
            {
                "metadata": {"name": pod["metadata"]["name"], "namespace": "shop"},
                "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "containers": [{"name": "web", "usage": usage}],
            }
            for pod in pods
        ]
        return Response(200, {}, msgspec.json.encode({"items": items}))

    def ready(self) -> list[Any]:
        """Its pods."""
        pods = (self.get("/api/v1/namespaces/shop/pods") or {"items": []})["items"]
        return [
            pod
            for pod in pods
            if any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))
        ]

    def daemon(self, source: MemoryRepository) -> AbstractAsyncContextManager[VirtualDaemon]:
        transport = Hooked(self.sandbox.transport(), self.answer)
        return daemon(transport, {"shop": source}, clock=self.clock, planner=self.planner)

    async def remember(self, days: int) -> None:
        """As if it had been measured for `days` before."""
        demands, begin = Demands(), self.clock.now() - timedelta(days=days)
        for step in range(days * 288):
            demands.observe(WEB, self.cores(begin + step * MINUTES), begin + step * MINUTES)
        cluster = Cluster(self.sandbox.transport(), clock=self.clock, random=Random(1))
        await DemandMaps(cluster, "default", clock=self.clock).write(demands)
        await cluster.close()

    async def at(self, hour: float) -> None:
        """Let it be `hour` of the day."""
        left = (DAY + timedelta(hours=hour) - self.clock.now()).total_seconds()
        assert left > 0
        await self.clock.sleep(left)


@asynccontextmanager
async def loaded(
    *, begin: float, planner: PlannerConfig = PLANNER, there: Sequence[nodes.Pool] = NODES
) -> AsyncIterator[Load]:
    """From the hour `begin` of a day, after eight others."""
    load = Load(daily, begin, planner)
    await load.remember(8)
    load.simulation = Simulation(
        load.sandbox.transport(),
        clock=load.clock,
        random=Random(3),
        nodes=there,
        metrics=load.utilisation,
        lease_seconds=400,
    )
    async with load.simulation:
        yield load


@asynccontextmanager
async def living(load: Load, extra: str = SCALED) -> AsyncIterator[VirtualDaemon]:
    source = MemoryRepository("shop")
    commit = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=extra)})
    async with load.daemon(source) as running:
        await running.until(lambda: running.synced(commit))
        yield running
