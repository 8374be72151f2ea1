"""A daemon by itself sees to it that what shares replace goes once it may."""

from random import Random

from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import daemon

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


@virtual
async def test_what_is_replaced_goes_when_all_of_what_replaces_it_is_ready() -> None:
    clock = LoopClock()
    sandbox = Sandbox(clock=clock)
    source = MemoryRepository("shop")
    first = source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=STATED)})

    async def there(name: str) -> bool:
        path = f"/apis/apps/v1/namespaces/shop/deployments/{name}"
        return (await sandbox.handle(Request("GET", path))).status == 200

    async with (
        Simulation(sandbox.transport(), clock=clock, random=Random(3)),
        daemon(sandbox.transport(), {"shop": source}, planner=PlannerConfig(pools=POOLS)) as running,
    ):
        await running.until(lambda: running.synced(first))
        second = source.commit({"web.yaml": deployment(extra=STATED + SHARES)})
        await running.until(lambda: running.synced(second))
        assert await there("web"), "no pod of the new ones can be ready yet"
        await running.until(lambda: bool(running.heard(EventType.PRUNED)))
        assert [await there(name) for name in ("web", "web-one", "web-two")] == [False, True, True]
        assert not running.heard(EventType.DRIFTED)
