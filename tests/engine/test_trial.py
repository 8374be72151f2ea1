"""Plans that are made to be looked at, one after the other."""

from random import Random

import pytest
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.filling import Asking
from reconciler.engine.trial import Trials, listed
from reconciler.errors import Forbidden, TransportError
from reconciler.http.transport import Request, Response
from reconciler.model.planner_config import PlannerConfig
from reconciler.sandbox.nodes import default_nodes
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

NOTHING = Asking({}, {})


@virtual
async def test_within_one_it_is_planned_for_what_is_there_and_after_it_nothing_is_kept() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    cluster = Cluster(sandbox.transport(), clock=clock, random=Random(1))
    trials = Trials(PlannerConfig(), cluster, "default", clock=clock)
    async with Simulation(sandbox.transport(), clock=clock, random=Random(3), nodes=default_nodes(2)):
        await clock.sleep(5)
        assert await trials.advise("shop", NOTHING) is None, "what was filled in stays"
        for number in (2, 1):
            async with trials.one():
                assert await trials.advise("shop", NOTHING) == {}
                made = trials.made()
                assert made is not None
                assert len(made.seen.nodes) == number
            assert trials.made() is None
            await sandbox.handle(Request("DELETE", "/api/v1/nodes/general-1"))
    assert not [key for key in cluster.requests if key[0] not in ("list", "get")], "it is only read"
    await cluster.close()


@virtual
async def test_objects_are_cut_down_while_they_are_read() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    cluster = Cluster(sandbox.transport(), clock=clock, random=Random(1))
    async with Simulation(sandbox.transport(), clock=clock, random=Random(3), nodes=default_nodes(2)):
        await clock.sleep(5)
        found = await listed(cluster)
    nodes = [obj["metadata"]["name"] for obj in found if obj["kind"] == "Node"]
    assert nodes == ["general-1", "general-2"]
    assert all("managedFields" not in obj["metadata"] for obj in found)
    await cluster.close()
    with pytest.raises(TransportError):
        await listed(cluster)


@virtual
async def test_who_may_not_read_namespaces_knows_those_with_pods_and_who_may_not_read_pods_is_told_so() -> None:
    sandbox = Sandbox(clock=LoopClock())
    forbidden = "/api/v1/namespaces"

    async def answer(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if request.path == forbidden else None

    cluster = Cluster(Hooked(sandbox.transport(), answer), clock=LoopClock(), random=Random(1))
    assert not [obj for obj in await listed(cluster) if obj["kind"] == "Namespace"]
    forbidden = "/api/v1/pods"
    with pytest.raises(Forbidden):
        await listed(cluster)
    await cluster.close()
