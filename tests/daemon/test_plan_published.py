"""What the planner decided lies in the cluster as JSON, is told of where a replica has no place, and is counted."""

from random import Random
from typing import Any

import msgspec
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.cluster_view import HOSTNAME
from reconciler.model.event import EventType
from reconciler.model.planned import PlannedCluster, read
from reconciler.model.planner_config import DefaultsConfig, PlannerConfig, PoolConfig
from reconciler.planner.words import workload
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

PLANNER = PlannerConfig(defaults=DefaultsConfig({"cpu": "100m"}))
MAP = "/api/v1/namespaces/default/configmaps/reconciler-plan"
LARGE = "  replicas: 2\n  resources: {requests: {cpu: 64}}\n"


async def stored(sandbox: Sandbox) -> Any:
    response = await sandbox.handle(Request("GET", MAP))
    return msgspec.json.decode(response.body) if response.status == 200 else None


async def published(running: VirtualDaemon, sandbox: Sandbox, workloads: int) -> PlannedCluster:
    """As soon as a plan for so many is in the cluster."""
    end = running.clock.monotonic() + 120
    while True:
        found = await stored(sandbox)
        plan = read(found["data"]["state"]) if found else None
        if plan is not None and len(plan.workloads) == workloads:
            return plan
        assert running.clock.monotonic() < end
        await running.clock.sleep(0.2)


def committed(name: str = "shop", extra: str = "", document: str = "web") -> tuple[MemoryRepository, str]:
    source = MemoryRepository(name)
    return source, source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(document, extra=extra)})


@virtual
async def test_all_that_was_decided_is_published_with_its_reasons() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    source, commit = committed()
    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as running,
    ):
        await running.until(lambda: running.synced(commit))
        plan = await published(running, sandbox, 1)
        (web,) = plan.workloads
        assert (web.document, web.source, str(web.identity)) == (
            "Deployment/shop/web",
            "shop",
            "Deployment/shop/web",
        )
        assert {name: each.amount for name, each in web.amounts.items()} == {"replicas": "2", "cpu": "100m"}
        assert web.amounts["cpu"].why == "the configuration's default: too little is measured yet"
        assert sum(place.replicas for place in web.places) == web.replicas == 2
        for choice in web.choices:
            for option in filter(None, (choice.chosen, choice.runner_up)):
                assert abs(option.score - sum(term.contribution for term in option.terms)) < 1e-9
        assert web.template is not None
        assert web.template.requests == {"cpu": "100m"}
        assert (plan.gap, plan.unplaced, plan.pending) == (0, 0, 0)
        assert plan.holder
        await clock.sleep(60)  # its pods run by now: that is no other plan
        version = (await stored(sandbox))["metadata"]["resourceVersion"]
        await clock.sleep(1000)
        assert (await stored(sandbox))["metadata"]["resourceVersion"] == version, "written on change only"


@virtual
async def test_each_part_of_a_workload_in_shares_is_published_with_its_pool() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    pools = tuple(PoolConfig(name, {HOSTNAME: node}) for name, node in (("one", "general-1"), ("two", "general-2")))
    source, commit = committed(extra="  placement: {shares: {one: 25%, two: 75%}}\n")
    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(sandbox.transport(), {"shop": source}, planner=msgspec.structs.replace(PLANNER, pools=pools)) as running,
    ):
        await running.until(lambda: running.synced(commit))
        plan = await published(running, sandbox, 2)
        assert [(each.document, each.name, str(each.part), each.replicas) for each in plan.workloads] == [
            ("Deployment/shop/web", "web-one", "one 25 %", 0),
            ("Deployment/shop/web", "web-two", "two 75 %", 2),
        ]
        assert [each.amounts["replicas"].amount for each in plan.workloads] == ["2", "2"]
        assert [str(place) for place in plan.workloads[1].places] == ["two/zone-b"]
        assert "bound to pool two, whose share of all pods of Deployment/shop/web is 75 %" in workload(
            plan.workloads[1]
        )


@virtual
async def test_what_has_no_place_is_told_once_and_when_it_is_well_again() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    source, _ = committed(extra=LARGE)
    async with Simulation(sandbox.transport(), clock=clock, random=Random(3)) as simulation:
        async with daemon(sandbox.transport(), {"shop": source}, planner=PLANNER) as running:
            await running.until(lambda: running.heard(EventType.UNPLACED))
            plan = await published(running, sandbox, 1)
            assert plan.unplaced == 2
            (told,) = [event for event in running.events if event.type is EventType.UNPLACED]
            assert told.message.startswith("2 of 2 replicas have no place, because no node that it may use is large")
            assert "lacks 60000m cpu" in told.message
            assert told.hint.startswith("ask for 60000m cpu less, or add nodes")
            simulation.kill_node("general-1")  # another plan, and the same constraint
            await clock.sleep(700)
            assert len(running.heard(EventType.UNPLACED)) == 1
            second = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra="  replicas: 2\n")})
            await running.until(lambda: running.synced(second))
            await running.until(lambda: running.heard(EventType.PLACED))
            assert running.heard(EventType.PLACED) == ["every replica has a place"]
            assert (await published(running, sandbox, 1)).unplaced in (0, 2), "it may not be written yet"
        assert not read((await stored(sandbox))["data"]["state"]).unplaced, "the last one is, at the end"
