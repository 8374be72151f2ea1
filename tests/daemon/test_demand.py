"""A daemon whose workloads follow their demand: ahead of it, without it, and when it dies."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from intercepted import Hooked
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.histories import DemandMaps
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.filled import Record
from reconciler.model.planner_config import DefaultsConfig, KubernetesUsage, PlannerConfig, UsageConfig
from reconciler.sandbox import nodes
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation
from reconciler.usage.demands import Demands

WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
AUTOSCALER = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web"
PLANNER = PlannerConfig(
    defaults=DefaultsConfig({"cpu": "500m", "memory": "128Mi"}),
    usage=UsageConfig(kubernetes=KubernetesUsage(), interval=120),
)
REQUESTS = "  resources: {requests: {cpu: 500m}}\n"
SCALED = REQUESTS + "  scale: {min: 2, max: 40, target: {cpu: 50%}}\n"  # a pod is to carry a quarter of a core
DAY = datetime(2026, 1, 9, tzinfo=UTC)
MINUTES = timedelta(minutes=5)


def daily(when: datetime) -> float:
    """Cores: one by night, up from 7 to 8 h, five until 18 h."""
    hour = when.hour + when.minute / 60
    return 1 + 4 * min(max(hour - 7, 0.0), 1.0) if hour < 18 else 1.0


class Load:
    """A cluster in which `cores` of work, at a time, are shared by all pods that are ready.

    `seen` is whether metrics-server answers.
    """

    def __init__(self, cores: Callable[[datetime], float], begin: float) -> None:
        self.clock = LoopClock(DAY + timedelta(hours=begin))
        self.sandbox = Sandbox(clock=self.clock)
        self.cores = cores
        self.seen = True

    def get(self, path: str) -> Any:
        response = self.sandbox.answer(Request("GET", path))
        return msgspec.json.decode(response.body) if response.status == 200 else None

    def floor(self) -> int:
        return int(self.get(AUTOSCALER)["spec"]["minReplicas"])

    def replicas(self) -> int:
        return int(self.get(DEPLOYMENT)["spec"]["replicas"])

    def requests(self) -> dict[str, str]:
        found: dict[str, str] = self.get(DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]["resources"][
            "requests"
        ]
        return found

    def utilisation(self, _kind: str, _namespace: str, _name: str) -> dict[str, int] | None:
        """For the autoscaler, which has its own way to metrics."""
        if not (ready := len(self._ready())):
            return None
        return {"cpu": math.ceil(100 * self.cores(self.clock.now()) / ready / 0.5)}

    async def answer(self, request: Request) -> Response | None:
        if not request.path.startswith("/apis/metrics.k8s.io"):
            return None
        if not self.seen:
            return Response(503, {}, b"")
        pods = self._ready()
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

    def _ready(self) -> list[Any]:
        pods = (self.get("/api/v1/namespaces/shop/pods") or {"items": []})["items"]
        return [
            pod
            for pod in pods
            if any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))
        ]

    def daemon(self, source: MemoryRepository) -> AbstractAsyncContextManager[VirtualDaemon]:
        transport = Hooked(self.sandbox.transport(), self.answer)
        return daemon(transport, {"shop": source}, clock=self.clock, planner=PLANNER)

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
async def loaded(*, begin: float) -> AsyncIterator[Load]:
    """From the hour `begin` of a day, after eight others."""
    load = Load(daily, begin)
    await load.remember(8)
    there = [nodes.Pool("node", 3, cpu="32", memory="64Gi")]
    async with Simulation(
        load.sandbox.transport(),
        clock=load.clock,
        random=Random(3),
        nodes=there,
        metrics=load.utilisation,
        lease_seconds=400,
    ):
        yield load


@asynccontextmanager
async def living(load: Load, extra: str = SCALED) -> AsyncIterator[VirtualDaemon]:
    source = MemoryRepository("shop")
    commit = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=extra)})
    async with load.daemon(source) as running:
        await running.until(lambda: running.synced(commit))
        yield running


@virtual
async def test_rule_20_an_autoscalers_floor_rises_before_demand_and_scaling_goes_on_without_us() -> None:
    async with loaded(begin=6.5) as load:
        async with living(load):
            await load.at(6.75)
            by_night = load.floor()
            assert 2 <= by_night <= 7
            await load.at(7.01)
            assert load.cores(load.clock.now()) == 1
            assert load.floor() > by_night
            ahead = []
            while load.clock.now().hour < 8:
                await load.clock.sleep(300)
                ahead.append(load.floor() * 0.25 / load.cores(load.clock.now()))
            assert min(ahead) >= 0.9, "a tenth is its tolerance, as the autoscaler's"
            assert sum(each >= 1 for each in ahead) >= 0.7 * len(ahead), ahead
            assert 18 <= load.floor() <= 27
        left = load.floor()
        load.cores = lambda _when: 8.0
        await load.at(8.5)
        assert load.replicas() >= 30, "a dead daemon stops no autoscaling"
        assert load.floor() == left


@virtual
async def test_rule_19_where_nothing_is_measured_any_more_nothing_is_lowered() -> None:
    async with loaded(begin=17.5) as load:
        async with living(load):
            await load.at(17.7)
            floor = load.floor()
            assert floor >= 18
            load.seen = False
            await load.at(18.5)
            assert load.floor() == floor, "in the evening, when less is expected"
        async with living(load):
            await load.at(18.7)
            assert load.floor() == floor, "nor by a new life"
            load.seen = True
            await load.at(19)
            assert load.floor() < floor


@virtual
async def test_replicas_that_nothing_states_follow_the_demand() -> None:
    """Half a core and 15 % headroom: 0.435 for demand. Replicas change, templates do not (rule 19)."""
    async with loaded(begin=6.5) as load, living(load, "  placement: {}\n"):
        await load.at(6.75)
        assert 2 <= load.replicas() <= 5
        template = load.get(DEPLOYMENT)["spec"]["template"]
        await load.at(7.5)
        assert load.replicas() * 0.435 >= 3
        load.cores = lambda _when: 12.0
        await load.at(7.6)
        assert load.replicas() >= 27, "what nobody foretold is followed too"
        load.cores = lambda _when: 0.1
        await load.at(8.1)
        assert load.replicas() <= 20
        assert load.get(DEPLOYMENT)["spec"]["template"] == template


@virtual
async def test_a_query_that_nobody_can_be_asked_keeps_what_is_and_is_said() -> None:
    async with loaded(begin=8) as load:
        async with living(load, REQUESTS + "  replicas: 4\n"):
            assert load.replicas() == 4
        query = "  scale: {min: 0, max: 9, query: sum(queue), perReplica: 5}\n"
        async with living(load, REQUESTS + query):
            await load.clock.sleep(900)
            assert load.replicas() == 4
            record = Record.of(load.get(DEPLOYMENT)["metadata"]["annotations"]["reconciler.dev/planned"])
            assert record is not None
            assert record.replicas == 4


KILLED = (
    "  template: {metadata: {annotations: "
    "{sandbox.reconciler.dev/behavior: oom, sandbox.reconciler.dev/duration: 20m}}}\n"
)


@virtual
async def test_a_container_that_was_killed_for_want_of_memory_is_advised_more() -> None:
    """It had 128 MiB: 100 MB more are above a fifth, and 15 % come on top. With the next roll-out it gets them."""
    async with loaded(begin=8) as load:
        source = MemoryRepository("shop")
        files = {"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=REQUESTS + KILLED)}
        source.commit(files)
        async with load.daemon(source) as running:
            await running.until(lambda: load.get(DEPLOYMENT))
            assert load.requests() == {"cpu": "500m", "memory": "128Mi"}
            await load.at(9.3)
            assert load.requests()["memory"] == "128Mi", "no pod is restarted for it"
            source.commit({**files, "web.yaml": deployment(extra=REQUESTS + KILLED + "  args: [more]\n")})
            await running.until(lambda: load.requests()["memory"] != "128Mi")
    wanted = (128 * 2**20 + 100e6) * 1.15 / 2**20
    assert wanted <= int(load.requests()["memory"].removesuffix("Mi")) <= wanted * 1.06 + 1, "a bucket is 5 % wide"
