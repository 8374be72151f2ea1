"""A daemon that plans, in front of an API server that refuses or is away."""

from random import Random

import msgspec
from fault_transport import Fault, FaultTransport
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.planner_config import DefaultsConfig, PlannerConfig
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

PLANNER = PlannerConfig(defaults=DefaultsConfig({"cpu": "100m"}))


class Web:
    """The Deployment, as the server has it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def look(self) -> tuple[str, int, object]:
        """How many times it was rolled out, its replicas and requests."""
        found = await self._sandbox.handle(Request("GET", "/apis/apps/v1/namespaces/shop/deployments/web"))
        web = msgspec.json.decode(found.body)
        container = web["spec"]["template"]["spec"]["containers"][0]
        rolled_out = web["metadata"]["annotations"].get("deployment.kubernetes.io/revision", "")
        return rolled_out, web["spec"]["replicas"], container.get("resources", {}).get("requests")


@virtual
async def test_nodes_that_may_not_be_read_keep_nothing_from_being_applied() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    web, source = Web(sandbox), MemoryRepository("shop")
    commit = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment()})
    forbidden = True

    def fault_of(request: Request) -> Fault | None:
        return Fault.FORBIDDEN if forbidden and request.path == "/api/v1/nodes" else None

    transport = FaultTransport(sandbox.transport(), fault_of)
    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(transport, {"shop": source}, planner=PLANNER) as running,
    ):
        began = clock.monotonic()
        await running.until(lambda: running.synced(commit))
        assert clock.monotonic() - began < 10
        await clock.sleep(10)
        assert await web.look() == ("1", 1, None), "as it is stated, and Kubernetes' one replica"
        asked = len([seen for seen in transport.seen if seen.request.path == "/api/v1/nodes"])
        await clock.sleep(600)
        again = [seen for seen in transport.seen if seen.request.path == "/api/v1/nodes"][asked:]
        assert 1 <= len(again) <= 40, "tried again, with patience"

        forbidden = False
        await clock.sleep(300)
        assert await web.look() == ("1", 2, None), "the number of pods, and no roll-out"


@virtual
async def test_an_api_server_that_was_away_finds_everything_planned_as_it_was() -> None:
    """For a minute; the lease is lost meanwhile, and a commit comes."""
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    web, source = Web(sandbox), MemoryRepository("shop")
    first = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment()})
    away = False
    transport = FaultTransport(sandbox.transport(), lambda _request: Fault.RESET if away else None)
    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(transport, {"shop": source}, planner=PLANNER) as running,
    ):
        await running.until(lambda: running.synced(first))
        await clock.sleep(30)
        assert await web.look() == ("1", 2, {"cpu": "100m"})
        away = True
        second = source.commit({"web.yaml": deployment(image="example.com/web:2")})
        await clock.sleep(60)
        assert not running.synced(second)
        away = False
        await running.until(lambda: running.synced(second))
        await clock.sleep(300)
        assert await web.look() == ("2", 2, {"cpu": "100m"}), "one roll-out: that of the commit"
