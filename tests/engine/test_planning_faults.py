"""What goes wrong while something is planned costs nobody his pods, and no pass its end."""

import asyncio
import logging
from typing import Any

import pytest
from planned import Planned, planned
from texts import config, deployment
from virtual import virtual

from reconciler.engine.filling import Asking
from reconciler.model.event import EventType
from reconciler.model.filled import Filling
from reconciler.model.planning_policy import Policy
from reconciler.sandbox import nodes

TWO = (nodes.Pool("cheap", 2, zones=("a", "b"), labels={"tier": "cheap"}),)


def broken() -> Policy:
    raise ArithmeticError("nobody foresaw this")


def requests(web: Any) -> Any:
    return web["spec"]["template"]["spec"]["containers"][0].get("resources", {}).get("requests")


async def release(p: Planned, image: str = "example.com/web:2") -> Any:
    p.w.repositories["shop"].commit({"web.yaml": deployment(image=image)}, "Release")
    assert (await p.w.sync()).ok
    web = await p.deployment()
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == image
    return web


@virtual
async def test_a_planner_that_fails_leaves_a_new_workload_unplanned(caplog: pytest.LogCaptureFixture) -> None:
    async with planned() as p:
        p.policy = broken
        with caplog.at_level(logging.ERROR):
            await p.w.started({"web.yaml": deployment()})
        assert requests(await p.deployment()) is None
        assert "nothing is planned now; what was filled in stays" in caplog.text
        p.policy = Policy
        p.planning.changed()

        async def planned_at_last() -> bool:
            await p.w.settled()
            return bool((await p.deployment())["spec"]["replicas"] == 2)

        await p.w.until(planned_at_last)
        assert requests(await p.deployment()) is None, "its pods are not restarted for that"


@virtual
async def test_a_planner_that_fails_keeps_what_it_filled_in_before() -> None:
    async with planned() as p:
        await p.w.started({"web.yaml": deployment()})
        before = await p.deployment()
        p.policy = broken
        p.planning.changed()
        await p.w.clock.sleep(30)
        assert p.planning.advised is not None, "the last plan stays"
        after = await release(p)
        assert after["spec"]["replicas"] == before["spec"]["replicas"] == 2
        assert requests(after) == requests(before) == {"cpu": "100m", "memory": "128Mi"}
        assert after["spec"]["template"]["spec"]["affinity"] == before["spec"]["template"]["spec"]["affinity"]


@virtual
async def test_rule_21_the_lease_is_lost_while_a_pass_waits_for_its_plan() -> None:
    """What was planned meanwhile is another's to say: what was filled in before stays, with the new image."""
    async with planned() as p:
        await p.w.started({"web.yaml": deployment()})
        before = await p.deployment()

        def lost() -> Policy:
            p.ours = False
            return Policy("resilient")

        p.policy = lost
        after = await release(p)
        assert after["spec"]["replicas"] == before["spec"]["replicas"] == 2, "resilient would have three"
        assert requests(after) == requests(before)


@virtual
async def test_a_node_that_comes_and_goes_changes_no_number() -> None:
    """With one of two zones there is nothing left to spread over: that is no time to do with fewer pods."""
    async with planned(TWO) as p:
        await p.w.started({"web.yaml": deployment()})
        where = await p.running(2)
        before = await p.deployment()
        for _ in range(3):
            await p.lose(where[0])
            await p.ready(1)
            await p.w.clock.sleep(120)
            p.simulation.revive_node(where[0])
            await p.ready(2)
            await p.w.clock.sleep(30)
            await p.w.settled()
        after = await p.deployment()
        assert after["metadata"]["generation"] == before["metadata"]["generation"]
        assert after["spec"]["replicas"] == 2
        assert not p.w.heard(EventType.DRIFTED)
        assert len(p.woken) <= 1


@virtual
async def test_a_node_that_is_gone_for_good_takes_no_replica_with_it() -> None:
    async with planned(TWO) as p:
        await p.w.started({"web.yaml": deployment()})
        where = await p.running(2)
        await p.w.call("DELETE", f"/api/v1/nodes/{where[0]}")
        p.simulation.kill_node(where[0])
        await p.running(2)
        await p.w.settled()
        assert (await p.deployment())["spec"]["replicas"] == 2


@virtual
async def test_a_pass_with_nothing_new_to_place_waits_for_no_plan() -> None:
    """An unrelated commit and a restart: what is filled in is known, a plan comes by itself."""
    async with planned() as p:
        await p.w.started({"web.yaml": deployment()})
        await p.running(2)
        await p.w.clock.sleep(30)
        plans = []

        def counted() -> Policy:
            plans.append(1)
            return Policy()

        p.policy = counted
        p.w.repositories["shop"].commit({"a.yaml": config("a")}, "Something else")
        assert (await p.w.sync()).ok
        assert not plans
        await p.w.clock.sleep(30)
        assert plans


@virtual
async def test_sources_that_begin_together_share_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    async with planned() as p:
        plans = []

        def counted() -> Policy:
            plans.append(1)
            return Policy()

        p.policy = counted
        names = [f"s{number}" for number in range(6)]
        for name in names:
            repository = p.w.source(name)
            files = {f"{name}.yaml": deployment(name)}
            repository.commit(files | ({"namespace.yaml": p.w.namespace()} if name == "s0" else {}))
        assert (await p.w.sync("s0")).ok
        plans.clear()
        together, advise = asyncio.Barrier(len(names) - 1), p.planning.advise  # however long Git takes for each

        async def advised(source: str, asking: Asking) -> Filling | None:
            await together.wait()
            return await advise(source, asking)

        monkeypatch.setattr(p.planning, "advise", advised)
        results = await asyncio.gather(*(p.w.sync(name) for name in names[1:]))
        assert all(result.ok for result in results)
        assert len(plans) == 2, "one of the first that asked, and one for them all"
        assert not p.woken
