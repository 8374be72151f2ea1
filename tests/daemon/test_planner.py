"""A daemon that plans: it starts and ends with its planner, and of several in one cluster one plans (rule 21)."""

from contextlib import AsyncExitStack
from random import Random
from typing import Any

import msgspec
import pytest
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.planner_config import DefaultsConfig, PlannerConfig
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

PLANNER = PlannerConfig(defaults=DefaultsConfig({"cpu": "100m"}))
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/reconciler-planner"


def repository() -> tuple[MemoryRepository, str]:
    made = MemoryRepository("shop")
    return made, made.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment()})


async def found(sandbox: Sandbox, path: str = WEB) -> Any:
    response = await sandbox.handle(Request("GET", path))
    assert response.status == 200, response.body
    return msgspec.json.decode(response.body)


@virtual
async def test_pods_are_planned_by_the_first_pass_and_stay_so_in_the_next_life() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    source, commit = repository()
    async with Simulation(sandbox.transport(), clock=clock, random=Random(3)):
        async with daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as running:
            await running.until(lambda: running.synced(commit))
            first = await found(sandbox)
            assert first["spec"]["replicas"] == 2
            assert first["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}
            assert (await found(sandbox, LEASE))["spec"]["holderIdentity"]
        assert "holderIdentity" not in (await found(sandbox, LEASE))["spec"], "released: the next one need not wait"
        async with daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as running:
            began = clock.monotonic()
            await running.until(lambda: running.synced(commit))
            assert clock.monotonic() - began < 10
            assert (await found(sandbox))["metadata"]["generation"] == first["metadata"]["generation"]


@virtual
async def test_without_a_planner_nobody_asks_for_nodes() -> None:
    sandbox = Sandbox(clock=LoopClock())
    source, commit = repository()
    async with daemon(sandbox.transport(), {"shop": source}) as running:
        await running.until(lambda: running.synced(commit))
        assert not [key for key in running.requests() if key[1] in ("nodes", "pods", "leases")]


@virtual
async def test_rule_21_of_two_daemons_one_plans_and_the_other_takes_over() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    shop, first = repository()
    desk = MemoryRepository("desk")
    second = desk.commit({"desk.yaml": deployment("desk")})
    desk_path = WEB.replace("web", "desk")

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(Simulation(sandbox.transport(), clock=clock, random=Random(3)))
        async with daemon(sandbox.transport(), {"shop": shop}, planner=PLANNER, seed=1) as one:
            await one.until(lambda: one.synced(first))
            other: VirtualDaemon = await stack.enter_async_context(
                daemon(sandbox.transport(), {"desk": desk}, planner=PLANNER, seed=2)
            )
            await other.until(lambda: other.synced(second))
            before = await found(sandbox, desk_path)
            assert before["spec"]["replicas"] == 1, "Kubernetes' default: another daemon plans"
            assert "reconciler.dev/planned" not in before["metadata"]["annotations"]
        passes = len(other.events)
        await other.until(lambda: len(other.events) > passes)
        await clock.sleep(5)
        after = await found(sandbox, desk_path)
        assert after["spec"]["replicas"] == 2
        assert after["spec"]["template"] == before["spec"]["template"], "its pods are not restarted for that"


@virtual
async def test_what_a_repository_wishes_for_in_vain_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    source, _ = repository()
    commit = source.commit({"reconciler.yaml": "planner: {profile: cost}\n"})
    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as running,
    ):
        await running.until(lambda: running.synced(commit))
        await clock.sleep(1800)
    said = [record.getMessage() for record in caplog.records if "wish" in record.getMessage()]
    refused = "shop: profile cost is not among planner.repositories.profiles of the daemon's configuration"
    assert said == [f"a wish of a reconciler.yaml does not count: {refused}"]
