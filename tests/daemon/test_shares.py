"""A daemon by itself sees to it that what shares replace, or make fewer, goes once it may."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.cluster_view import HOSTNAME
from reconciler.model.event import EventType
from reconciler.model.planner_config import PlannerConfig, PoolConfig
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

POOLS = tuple(PoolConfig(name, {HOSTNAME: node}) for name, node in (("one", "general-1"), ("two", "general-2")))
STATED = "  replicas: 4\n  resources: {requests: {cpu: 100m, memory: 64Mi}}\n"
SHARES = "  placement: {shares: {one: 25%, two: 75%}}\n"


async def specs(sandbox: Sandbox) -> dict[str, Any]:
    """Of each Deployment of the namespace."""
    found = json.loads((await sandbox.handle(Request("GET", "/apis/apps/v1/namespaces/shop/deployments"))).body)
    return {each["metadata"]["name"]: each["spec"] for each in found["items"]}


async def replicas(sandbox: Sandbox) -> dict[str, int]:
    return {name: spec["replicas"] for name, spec in (await specs(sandbox)).items()}


async def templates(sandbox: Sandbox) -> dict[str, Any]:
    return {name: spec["template"] for name, spec in (await specs(sandbox)).items()}


PLANNER = PlannerConfig(pools=POOLS)


@asynccontextmanager
async def cluster() -> AsyncIterator[Sandbox]:
    """Nodes whose pods run."""
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    async with Simulation(sandbox.transport(), clock=clock, random=Random(3)):
        yield sandbox


@asynccontextmanager
async def running(source: MemoryRepository) -> AsyncIterator[tuple[VirtualDaemon, Sandbox]]:
    """A daemon that plans."""
    async with cluster() as sandbox, daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as made:
        yield made, sandbox


@virtual
async def test_what_is_replaced_goes_when_all_of_what_replaces_it_is_ready() -> None:
    source = MemoryRepository("shop")
    first = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=STATED)})
    async with running(source) as (made, sandbox):
        await made.until(lambda: made.synced(first))
        second = source.commit({"web.yaml": deployment(extra=STATED + SHARES)})
        await made.until(lambda: made.synced(second))
        assert "web" in await replicas(sandbox), "no pod of the new ones can be ready yet"
        await made.until(lambda: bool(made.heard(EventType.PRUNED)))
        assert await replicas(sandbox) == {"web-one": 1, "web-two": 3}
        assert not made.heard(EventType.DRIFTED)


@virtual
async def test_a_part_has_fewer_pods_once_the_others_are_ready_and_no_pass_fails_or_waits() -> None:
    source = MemoryRepository("shop")
    first = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=STATED + SHARES)})
    async with running(source) as (made, sandbox):
        await made.until(lambda: made.synced(first))
        turned = SHARES.replace("one: 25%, two: 75%", "one: 75%, two: 25%")
        second = source.commit({"web.yaml": deployment(extra=STATED + turned)})
        await made.until(lambda: made.synced(second))
        assert await replicas(sandbox) == {"web-one": 3, "web-two": 3}, "no pod of the new ones can be ready yet"
        before = len(made.heard(EventType.SYNC_FINISHED))
        await made.until(lambda: len(made.heard(EventType.SYNC_FINISHED)) > before)
        assert await replicas(sandbox) == {"web-one": 3, "web-two": 1}
        await made.clock.sleep(600)
        assert len(made.heard(EventType.SYNC_FINISHED)) == before + 1, "one pass more, and that is all"
        assert not made.heard(EventType.DRIFTED, EventType.SYNC_FAILED)


@virtual
async def test_a_configuration_without_its_planner_moves_no_pod_and_says_when_it_will(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = MemoryRepository("shop")
    commit = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=STATED + SHARES)})
    async with cluster() as sandbox:
        async with daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as made:
            await made.until(lambda: made.synced(commit))
        before = await templates(sandbox)
        assert len(before) == 2
        async with daemon(sandbox.transport(), {"shop": source}) as made:
            await made.until(lambda: made.synced(commit))
            other = source.commit({"other.yaml": deployment("other")})
            await made.until(lambda: made.synced(other))
        assert before.items() <= (await templates(sandbox)).items()
    (said,) = (each.getMessage() for each in caplog.records if "no pool is configured" in each.getMessage())
    assert said.startswith("web.yaml:1: warning: Deployment/web spec.placement.shares: no pool is configured any more")
    assert "planner.pools" in said
