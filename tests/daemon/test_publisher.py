"""When plans are published and read: on change, with a pause, and again after a failure. In memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cache import LiveCache
from reconciler.daemon.publishing import Publisher
from reconciler.daemon.unplaced import Unplaced
from reconciler.engine.filling import Asking, Records
from reconciler.engine.planning import Made
from reconciler.errors import TransportError
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ClusterSeen, NodeView, Resources
from reconciler.model.event import Event
from reconciler.model.filled import Draft
from reconciler.model.planned import VERSION, PlannedCluster
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.usage import Usage
from reconciler.planner.advice import Asked, advised

TIME = datetime(2026, 3, 1, tzinfo=UTC)
NODES = tuple(NodeView(name, Resources(4000, 16 << 30)) for name in ("a", "b"))


def made(replicas: int, *, cpu: str = "1") -> Made:
    """A plan for a Deployment of so many replicas."""
    identity = Identity("reconciler.dev", "Deployment", "shop", "web")
    container = {"name": "web", "resources": {"requests": {"cpu": cpu}}}
    draft = Draft(
        identity,
        identity._replace(group="apps"),
        {"metadata": {}, "spec": {"containers": [container]}},
        "h",
        replicas,
        requests=frozenset({"cpu", "memory"}),
    )
    seen = ClusterSeen(NODES, ())
    plan = advised([Asked(draft)], seen, Usage(), pools=(), policy=Policy(), allocation=Allocation(), now=TIME)
    return Made(plan, seen, Usage(), {"shop": Asking({identity: draft}, {})}, TIME, 0.5, Policy())


class Store:
    """Where plans are published."""

    def __init__(self) -> None:
        self.written: list[PlannedCluster] = []
        self.there: PlannedCluster | None = None
        self.answers = True
        self.pause = 10.0

    async def read(self) -> PlannedCluster | None:
        if not self.answers:
            raise TransportError("no answer")
        return self.there or (self.written[-1] if self.written else None)

    async def write(self, plan: PlannedCluster) -> float:
        if not self.answers:
            raise TransportError("no answer")
        self.written.append(plan)
        return self.pause


class World:
    def __init__(self) -> None:
        self.clock = LoopClock()
        self.store = Store()
        self.ours = True
        self.events: list[Event] = []
        self.seconds: list[float] = []
        self.publisher = Publisher(
            self.store,
            Records(LiveCache()),
            Unplaced(self.events.append, self.clock),
            holder="me",
            ours=lambda: self.ours,
            clock=self.clock,
            observer=self,
        )

    def planned(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def counts(self) -> list[int]:
        """Replicas of each plan that was written."""
        return [plan.workloads[0].replicas for plan in self.store.written]


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    it = World()
    task = asyncio.create_task(it.publisher.run())
    try:
        yield it
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def shown(it: World, replicas: int) -> None:
    while it.publisher.newest is None or it.publisher.newest.plan.workloads[0].replicas != replicas:
        await it.clock.sleep(0.01)


@virtual
async def test_three_may_be_written_at_once_then_one_in_ten_seconds_and_the_same_never() -> None:
    async with world() as it:
        for replicas in (1, 2, 3, 4, 5):
            it.publisher.made(made(replicas))
            await shown(it, replicas)
        assert it.counts() == [1, 2, 3], "the page shows the newest at once"
        await it.clock.sleep(9.5)
        assert it.counts() == [1, 2, 3]
        await it.clock.sleep(1)
        assert it.counts() == [1, 2, 3, 5]
        it.publisher.made(made(5))
        await it.clock.sleep(100)
        assert it.counts() == [1, 2, 3, 5]
        assert it.seconds == [0.5] * 6


@virtual
async def test_a_large_plan_is_never_written_twice_at_once() -> None:
    async with world() as it:
        it.store.pause = 40.0
        for replicas in (1, 2):
            it.publisher.made(made(replicas))
            await shown(it, replicas)
        await it.clock.sleep(19)
        assert it.counts() == [1]
        await it.clock.sleep(2)
        assert it.counts() == [1, 2]


@virtual
async def test_what_could_not_be_written_is_later() -> None:
    async with world() as it:
        it.store.answers = False
        it.publisher.made(made(1))
        await it.clock.sleep(65)
        it.store.answers = True
        await it.clock.sleep(31)
        assert it.counts() == [1]


@virtual
async def test_what_waits_is_written_at_the_end() -> None:
    async with world() as it:
        it.store.pause = 100.0
        it.publisher.made(made(1))
        await shown(it, 1)
        it.publisher.made(made(2))
        await shown(it, 2)
        assert it.counts() == [1]
    assert it.counts() == [1, 2]


@virtual
async def test_whoever_waits_for_his_turn_shows_what_the_other_published_and_writes_nothing() -> None:
    async with world() as it:
        it.publisher.made(made(9, cpu="3"))
        await shown(it, 9)
        assert [str(event.type) for event in it.events] == ["unplaced"]
        assert it.events[0].message.startswith("7 of 9 replicas have no place")
        it.store.there = PlannedCluster(VERSION, TIME, "other")
        it.ours = False
        it.publisher.changed()
        await it.clock.sleep(0.1)
        assert it.publisher.newest is not None
        assert it.publisher.newest.plan is it.store.there
        assert it.events[-1].message == "another daemon plans it now"
        it.store.there = msgspec.structs.replace(it.store.there, nodes=3)
        await it.clock.sleep(31)
        assert it.publisher.newest.plan.nodes == 3
        assert it.counts() == [9]


@virtual
async def test_a_lease_that_is_lost_for_a_while_takes_nothing_back() -> None:
    async with world() as it:
        it.store.answers = False
        it.publisher.made(made(9, cpu="3"))
        await shown(it, 9)
        it.ours = False
        it.publisher.changed()
        await it.clock.sleep(40)
        it.store.answers = it.ours = True
        it.publisher.changed()
        await it.clock.sleep(40)
        assert [str(event.type) for event in it.events] == ["unplaced"], "nobody else plans"
        assert it.counts() == [9]
