"""A spec that says how its workload is weighed, over the life of that workload (rule 19)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment, task
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.event import EventType
from reconciler.model.planned import PlannedWorkload, read
from reconciler.model.planner_config import PlannerConfig, PoolConfig, RepositoryLimits, WeightRange
from reconciler.sandbox.nodes import POOL_LABEL, Pool
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

PLANNER = PlannerConfig(
    repositories=RepositoryLimits(weights={"cost": WeightRange(max=100), "spot": WeightRange()}),
    pools=(
        PoolConfig("dear", {POOL_LABEL: "dear"}, price=1.0),
        PoolConfig("spot", {POOL_LABEL: "spot"}, price=0.2, spot=True),
    ),
)
NODES = (Pool("dear", 3), Pool("spot", 3))
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments/web"
JOBS = "/apis/batch/v1/namespaces/shop/jobs"
MAP = "/api/v1/namespaces/default/configmaps/reconciler-plan"
CALM = "  planner: {weights: {spot: 50}}\n"
THRIFTY = "  planner: {weights: {cost: 100}}\n"


async def found(sandbox: Sandbox, path: str) -> Any:
    response = await sandbox.handle(Request("GET", path))
    assert response.status == 200, response.body
    return msgspec.json.decode(response.body)


def preferred(obj: Any) -> set[str]:
    """The pools that its pods had better be in."""
    terms = obj["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    wishes = [
        each["preference"]["matchExpressions"] for each in terms["preferredDuringSchedulingIgnoredDuringExecution"]
    ]
    return {value for wish in wishes for each in wish if each["key"] == POOL_LABEL for value in each["values"]}


def weight(planned: PlannedWorkload, term: str) -> set[float]:
    """What a term weighs in what was chosen."""
    return {each.weight for choice in planned.choices for each in choice.chosen.terms if each.name == term}


class Shop:
    """A repository whose `web` and `migrate` are what was committed last."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.source = MemoryRepository("shop")
        self._sandbox = sandbox

    async def has(self, running: VirtualDaemon, image: str, extra: str) -> None:
        texts = {
            "ns.yaml": NAMESPACE,
            "web.yaml": deployment(image=image, extra=f"  replicas: 2\n{extra}"),
            "migrate.yaml": task(extra=extra),
        }
        commit = self.source.commit(texts)
        await running.until(lambda: running.synced(commit))

    async def planned(self, running: VirtualDaemon, weights: dict[str, float], pool: str) -> PlannedWorkload:
        """As soon as a plan by these weights, with all of it in the pool, is in the cluster."""
        end = running.clock.monotonic() + 600
        while True:
            plan = read((await found(self._sandbox, MAP))["data"]["state"])
            web = plan.stated("Deployment/shop/web")
            assert web is not None
            if web.weights == weights and {place.pool for place in web.places} == {pool}:
                return web
            assert running.clock.monotonic() < end, web
            await running.clock.sleep(1)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Sandbox, VirtualDaemon, Shop]]:
    """A daemon beside six nodes, whose shop has been rolled out by calm weights."""
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    shop = Shop(sandbox)
    async with (
        Simulation(sandbox.transport(), nodes=NODES, clock=clock, random=Random(3)),
        daemon(sandbox.transport(), {"shop": shop.source}, planner=PLANNER) as running,
    ):
        await shop.has(running, "example.com/web:1", CALM)
        yield sandbox, running, shop


@virtual
async def test_rule_19_another_weight_is_told_at_once_and_waits_for_a_roll_out() -> None:
    async with opened() as (sandbox, running, shop):
        first = await found(sandbox, DEPLOYMENTS)
        assert preferred(first) == {"dear"}
        assert weight(await shop.planned(running, {"spot": 50.0}, "dear"), "spot") == {50.0}
        jobs = [job["metadata"]["name"] for job in (await found(sandbox, JOBS))["items"]]
        assert len(jobs) == 1

        await shop.has(running, "example.com/web:1", THRIFTY)
        told = await shop.planned(running, {"cost": 100.0}, "dear")
        assert weight(told, "cost") == {100.0}
        await running.clock.sleep(600)
        second = await found(sandbox, DEPLOYMENTS)
        assert second["metadata"]["generation"] == first["metadata"]["generation"], "nothing is rolled out"
        assert [job["metadata"]["name"] for job in (await found(sandbox, JOBS))["items"]] == jobs, "nor run again"

        await shop.has(running, "example.com/web:2", THRIFTY)
        assert preferred(await found(sandbox, DEPLOYMENTS)) == {"spot"}
        there = await shop.planned(running, {"cost": 100.0}, "spot")
        assert there.pending is None
        assert not running.heard(EventType.DRIFTED)


@virtual
async def test_what_is_beyond_the_daemons_limits_is_told_and_changes_nothing() -> None:
    async with opened() as (sandbox, running, shop):
        first = await found(sandbox, DEPLOYMENTS)
        texts = {
            "ns.yaml": NAMESPACE,
            "web.yaml": deployment(image="example.com/web:2", extra="  planner: {weights: {cost: 101}}\n"),
        }
        shop.source.commit(texts)
        await running.until(lambda: running.heard(EventType.INVALID))
        (said,) = running.heard(EventType.INVALID)
        assert "web.yaml:7:29: Deployment/web spec.planner.weights.cost: the weight of cost is 101" in said
        await running.clock.sleep(60)
        assert (await found(sandbox, DEPLOYMENTS))["spec"] == first["spec"]
