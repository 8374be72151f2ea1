"""Who is asked what containers use, as the configuration says."""

import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from intercepted import Hooked
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.daemon.usage import ask_as
from reconciler.errors import QueryUnanswered, Undelivered
from reconciler.http.transport import Request, Response, Transport
from reconciler.kube.quantity import parse
from reconciler.model.planner_config import DefaultsConfig, KubernetesUsage, PlannerConfig, PrometheusUsage, UsageConfig
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

WEB = "/apis/apps/v1/namespaces/shop/deployments"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHOP = frozenset({"shop"})
NOTHING = {"status": "success", "data": {"resultType": "vector", "result": []}}


class Recorder:
    """A Transport that answers `body` to everything."""

    def __init__(self, body: Any) -> None:
        self.requests: list[Request] = []
        self.closed = False
        self._body = json.dumps(body).encode()

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, {}, self._body)

    def stream(self, request: Request) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        self.closed = True


def nobody(base: str, authorities: str) -> Transport:
    raise AssertionError(f"{base} is not to be asked")


async def test_kubernetes_is_asked_by_the_clusters_own_client() -> None:
    cluster = Recorder({"items": []})
    ask = ask_as(UsageConfig(kubernetes=KubernetesUsage()), cluster, nobody)
    assert await ask(SHOP, NOW) == ()
    assert [request.path for request in cluster.requests] == ["/apis/metrics.k8s.io/v1beta1/pods"]


async def test_a_prometheus_is_asked_with_what_its_files_hold_then(tmp_path: Path) -> None:
    token, authorities = tmp_path / "token", tmp_path / "ca.pem"
    config = PrometheusUsage("https://p.example.com/x", str(token), str(authorities))
    opened: list[tuple[str, str, Recorder]] = []

    def connect(base: str, trusted: str) -> Transport:
        opened.append((base, trusted, Recorder(NOTHING)))
        return opened[-1][2]

    ask = ask_as(UsageConfig(prometheus=config), Recorder({}), connect)
    authorities.write_text("PEM\n")
    for secret in ("one", "two"):
        token.write_text(f"{secret}\n")
        assert await ask(SHOP, NOW) == ()
        base, trusted, transport = opened[-1]
        assert (base, trusted, transport.closed) == ("https://p.example.com/x", "PEM", True)
        assert {request.headers["authorization"] for request in transport.requests} == {f"Bearer {secret}"}
        assert {request.path for request in transport.requests} == {"/api/v1/query"}


async def test_without_a_token_none_is_sent() -> None:
    transport = Recorder(NOTHING)
    ask = ask_as(UsageConfig(prometheus=PrometheusUsage("http://p")), Recorder({}), lambda _base, _ca: transport)
    await ask(SHOP, NOW)
    assert all("authorization" not in request.headers for request in transport.requests)


async def test_a_file_that_is_missing_is_worth_another_try(tmp_path: Path) -> None:
    config = PrometheusUsage("http://p", str(tmp_path / "token"))
    with pytest.raises(QueryUnanswered, match="token cannot be read"):
        await ask_as(UsageConfig(prometheus=config), Recorder({}), nobody)(SHOP, NOW)


async def test_authorities_that_are_none_are_said() -> None:
    def connect(_base: str, _authorities: str) -> Transport:
        raise Undelivered("its caFile holds no certificate authorities in PEM")

    with pytest.raises(QueryUnanswered, match="holds no certificate authorities"):
        await ask_as(UsageConfig(prometheus=PrometheusUsage("http://p")), Recorder({}), connect)(SHOP, NOW)


class Metered:
    """A sandbox with a metrics-server: each container uses `cpu` and `memory`."""

    def __init__(self, sandbox: Sandbox, clock: LoopClock) -> None:
        self.cpu, self.memory = "300m", "400Mi"
        self._sandbox, self._clock = sandbox, clock
        self.asked = 0

    async def answer(self, request: Request) -> Response | None:
        if request.path != "/apis/metrics.k8s.io/v1beta1/pods":
            return None
        self.asked += 1
        pods = json.loads((await self._sandbox.handle(Request("GET", "/api/v1/pods"))).body)["items"]
        used = {"cpu": self.cpu, "memory": self.memory}
        items = [
            {
                "metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]},
                "timestamp": self._clock.now().isoformat(),
                "containers": [{"name": each["name"], "usage": used} for each in pod["spec"]["containers"]],
            }
            for pod in pods
        ]
        return Response(200, {}, json.dumps({"items": items}).encode())


@virtual
async def test_what_is_used_becomes_requests_with_the_next_change_of_the_spec_also_in_another_life() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    metered = Metered(sandbox, clock)
    source = MemoryRepository("shop")
    planner = PlannerConfig(
        defaults=DefaultsConfig({"cpu": "100m", "memory": "128Mi"}),
        usage=UsageConfig(kubernetes=KubernetesUsage(), interval=300),
    )

    async def requests() -> dict[str, str]:
        web = json.loads((await sandbox.handle(Request("GET", f"{WEB}/web"))).body)
        found: dict[str, str] = web["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
        return found

    def life() -> AbstractAsyncContextManager[VirtualDaemon]:
        return daemon(Hooked(sandbox.transport(), metered.answer), {"shop": source}, clock=clock, planner=planner)

    async with Simulation(sandbox.transport(), clock=clock, random=Random(3)):
        first = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment()})
        async with life() as running:
            await running.until(lambda: running.synced(first))
            assert await requests() == {"cpu": "100m", "memory": "128Mi"}
            await clock.sleep(2 * 3600)
            assert await requests() == {"cpu": "100m", "memory": "128Mi"}, "no roll-out for that alone (rule 19)"
            assert 23 <= metered.asked <= 27
        second = source.commit({"web.yaml": deployment(image="example.com/web:2")})
        async with life() as running:
            await running.until(lambda: running.synced(second))
            found = await requests()
            cpu, memory = float(parse(found["cpu"])), float(parse(found["memory"])) / 2**20
            assert 0.3 * 1.15 <= cpu <= 0.3 * 1.15 * 1.06
            assert 400 * 1.15 <= memory <= 400 * 1.15 * 1.07
