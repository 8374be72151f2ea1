"""What planned workloads are asked for: measured, asked, looked back at, kept; a silence lowers nothing."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual import virtual

from reconciler.clock import LoopClock, SystemClock, run_virtual
from reconciler.cluster.cluster import Cluster
from reconciler.engine.demanding import NO_PROMETHEUS, Demanding, Follow
from reconciler.engine.histories import DEMAND_PACE, DemandMaps, HistoryMaps
from reconciler.engine.measuring import Measuring
from reconciler.engine.planning import Unmeasured
from reconciler.errors import QueryFailed, QueryUnanswered, UsageError
from reconciler.kube.names import Identity
from reconciler.model.demand import Demand
from reconciler.model.usage import Killed, Measurement, Series
from reconciler.sandbox.server import Sandbox
from reconciler.usage.demands import SPAN

WEB, MAILS = (Identity("apps", "Deployment", "shop", name) for name in ("web", "mails"))
PLANNED = {each: each._replace(group="reconciler.dev") for each in (WEB, MAILS)}
SECOND, MINUTES = timedelta(seconds=1), timedelta(minutes=5)
OF_WEB, OF_MAILS = PLANNED.values()
FOLLOWS = {OF_WEB: Follow(), OF_MAILS: Follow("sum(queue)")}


class World:
    """A cluster with its Prometheus, which outlive the daemon."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.cluster = Cluster(Sandbox(clock=self.clock).transport(), clock=self.clock, random=Random(1))
        self.pods = {"web-1": 1.0, "web-2": 2.0}  # cores; all are there
        self.unmeasured: set[str] = set()
        self.gone: set[str] = set()
        self.ready_pods: list[str] = []
        self.said: tuple[Measurement, ...] | None = None  # None: what the pods use
        self.says: float | UsageError = 80.0
        self.broken: Exception | None = None
        self.pasts: dict[str, Series | UsageError] = {}
        self.asked: list[str] = []
        self.moves = 0

    def workload(self, pod: Identity) -> Identity | None:
        return None if pod.name in self.gone else WEB._replace(name=pod.name.partition("-")[0])

    def ready(self, _since: datetime) -> dict[Identity, list[Identity]]:
        return {WEB: [Identity("", "Pod", "shop", name) for name in self.ready_pods]}

    def killed(self) -> tuple[Killed, ...]:
        return ()

    async def ask(self, _namespaces: frozenset[str], at: datetime) -> tuple[Measurement, ...]:
        if self.said is not None:
            return self.said
        return tuple(
            Measurement(Identity("", "Pod", "shop", name), container, cores / 2, 1e9, at)
            for name, cores in self.pods.items()
            for container in ("web", "proxy")
            if name not in self.unmeasured
        )

    async def values(self, queries: Sequence[str], _at: datetime) -> Sequence[float | UsageError]:
        if self.broken is not None:
            raise self.broken
        return [self.says for _ in queries]

    async def past(self, query: str, start: datetime, end: datetime, step: timedelta) -> Series | None:
        assert end - start == SPAN
        assert step == timedelta(minutes=5)
        self.asked.append(query)
        found = self.pasts.get(query)
        if isinstance(found, UsageError):
            raise found
        return found

    def moved(self) -> None:
        self.moves += 1


@asynccontextmanager
async def life(
    world: World, *, prometheus: bool = True, follows: Mapping[Identity, Follow] = FOLLOWS
) -> AsyncIterator[Measuring]:
    clock, random = world.clock, Random(1)
    store = DemandMaps(world.cluster, "default", clock=clock)
    demanding = Demanding(store, world if prometheus else None, clock=clock, random=random, moved=world.moved)
    histories = HistoryMaps(world.cluster, "default", clock=clock)
    measuring = Measuring(world, world.ask, histories, demanding=demanding, interval=60, clock=clock, random=random)
    measuring.plan_for(PLANNED, follows)
    running = asyncio.create_task(measuring.run())
    await asyncio.sleep(1)
    try:
        yield measuring
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def last(measuring: Measuring, identity: Identity = OF_WEB) -> float:
    return measuring.usage().demand[identity].last(1)[0]


def about(value: float) -> object:
    return pytest.approx(value, rel=0.006)


@virtual
async def test_the_cores_of_all_pods_are_added_up_and_a_query_is_asked() -> None:
    world = World()
    async with life(world) as measuring:
        await asyncio.sleep(1800)
        assert last(measuring) == about(3.0)
        assert last(measuring, OF_MAILS) == about(80.0)
        assert measuring.usage().demand[OF_MAILS].query == "sum(queue)"
        assert len(measuring.usage().demand[OF_WEB].values) in (6, 7)


@virtual
async def test_what_nobody_follows_is_not_kept() -> None:
    async with life(World(), follows={}) as measuring:
        await asyncio.sleep(600)
        assert not measuring.usage().demand


@virtual
async def test_a_pod_that_is_not_measured_for_a_moment_counts_as_it_did() -> None:
    world = World()
    async with life(world) as measuring:
        world.unmeasured = {"web-2"}
        await asyncio.sleep(240)
        assert last(measuring) == about(3.0)
        world.unmeasured = set()
        world.gone, world.pods = {"web-2"}, {"web-1": 1.0}
        await asyncio.sleep(700)
        assert last(measuring) == about(1.0), "one that is gone does not"


@virtual
async def test_silence_is_a_gap_and_is_said() -> None:
    world = World()
    async with life(world) as measuring:
        await asyncio.sleep(600)
        known = measuring.usage().demand
        world.pods, world.says = {}, QueryFailed("the query finds nothing", where="sum(queue)", hint="or vector(0)")
        await asyncio.sleep(3600)
        usage = measuring.usage()
        assert {i: each.latest for i, each in usage.demand.items()} == {i: each.latest for i, each in known.items()}
        assert "the query finds nothing" in usage.lacking[OF_MAILS]
        world.says = 90.0
        await asyncio.sleep(120)
        assert not measuring.usage().lacking
        assert math.isnan(measuring.usage().demand[OF_MAILS].values[-3])


@virtual
async def test_a_query_that_never_found_an_amount_stops_nothing() -> None:
    """As of shares of requests where there were none: nothing divided by nothing is NaN, which is left out."""
    world = World()
    world.says, world.pasts["sum(queue)"] = QueryFailed("the query finds no amount"), Series({}, (), ())
    async with life(world, follows={OF_MAILS: FOLLOWS[OF_MAILS]}) as measuring:
        await asyncio.sleep(600)
        assert not measuring.problem
        world.says = 5.0
        await asyncio.sleep(600)
        assert last(measuring, OF_MAILS) == about(5.0)


@virtual
async def test_what_nobody_thought_of_is_said_and_measuring_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with life(world) as measuring:
        world.broken = ZeroDivisionError("no such thing")
        await asyncio.sleep(300)
        assert measuring.problem == "measuring failed: ZeroDivisionError('no such thing')"
        world.broken, world.says = None, 90.0
        await asyncio.sleep(300)
        assert not measuring.problem
        assert last(measuring, OF_MAILS) == about(90.0)
    assert "measuring failed" in caplog.text


@virtual
async def test_where_there_is_no_prometheus_a_query_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    async with life(World(), prometheus=False) as measuring:
        assert measuring.usage().lacking == {OF_MAILS: NO_PROMETHEUS}
        assert last(measuring) == about(3.0)
    unmeasured = Unmeasured()
    for _ in range(3):
        unmeasured.plan_for(PLANNED, FOLLOWS)
    assert unmeasured.usage().lacking == {OF_MAILS: NO_PROMETHEUS}
    assert caplog.text.count(NO_PROMETHEUS) == 2, "once each"


@virtual
async def test_where_nothing_can_be_measured_it_is_said_of_whom() -> None:
    world = World()

    async def fails(_namespaces: frozenset[str], _at: datetime) -> tuple[Measurement, ...]:
        raise QueryUnanswered("the API server does not answer")

    world.ask = fails  # type: ignore[method-assign]
    async with life(world) as measuring:
        assert "does not answer" in measuring.usage().lacking[OF_WEB]
        assert last(measuring, OF_MAILS) == about(80.0), "another server is asked that"


@virtual
async def test_a_past_that_a_prometheus_kept_need_not_pass_again() -> None:
    world = World()
    now = world.clock.now()
    times = tuple(now - timedelta(hours=hours) for hours in range(300, 0, -1))
    world.pasts["sum(queue)"] = Series({}, times, tuple(float(n + 1) for n in range(300)))
    world.pasts["sum(queue2)"] = QueryUnanswered("later")
    async with life(world) as measuring:
        found = measuring.usage().demand[OF_MAILS]
        assert found.values[0] == about(1.0)
        assert len(found.values) > 299 * 12
        assert any("web-[bcdf" in query and 'namespace="shop"' in query for query in world.asked)
        count = len(world.asked)
        await asyncio.sleep(600)
        assert len(world.asked) == count, "once"
        measuring.plan_for(PLANNED, {OF_MAILS: Follow("sum(queue2)")})
        await asyncio.sleep(600)
        assert len(world.asked) > count + 5, "until it answers"
        assert last(measuring, OF_MAILS) == about(80.0)
        assert len(measuring.usage().demand[OF_MAILS].values) <= 4, "another query is about something else"


@virtual
async def test_a_new_life_knows_what_the_last_one_measured() -> None:
    world = World()
    async with life(world) as measuring:
        await asyncio.sleep(7200)
        before = measuring.usage().demand
    async with life(world) as measuring:
        after = measuring.usage().demand
    for identity, known in before.items():
        again = after[identity]
        assert isinstance(again, Demand)
        assert again.levels[: len(known.levels) - 2] == known.levels[:-2]


@virtual
async def test_it_is_written_seldom() -> None:
    world = World()
    async with life(world):
        before = sum(n for key, n in world.cluster.requests.items() if key.verb in ("update", "create"))
        await asyncio.sleep(3600)
        writes = sum(n for key, n in world.cluster.requests.items() if key.verb in ("update", "create")) - before
    histories, demands = 3600 / 60, 3600 / DEMAND_PACE
    assert writes <= histories + demands + 2


@virtual
async def test_who_scales_by_us_alone_is_planned_again_when_demand_moves() -> None:
    world = World()
    follows = {OF_WEB: Follow(direct=False), OF_MAILS: FOLLOWS[OF_MAILS]}
    async with life(world, follows=follows):
        await asyncio.sleep(600)
        assert world.moves == 1, "the first time that something is known"
        world.says = 81.0
        world.pods["web-1"] = 50.0
        await asyncio.sleep(300)
        assert world.moves == 1, "an autoscaler of Kubernetes sees it by itself, and a hundredth is nothing"
        world.says = 120.0
        await asyncio.sleep(300)
        assert world.moves == 2


@virtual
async def test_rule_19_pods_that_are_not_measured_lower_nothing() -> None:
    """Half of the pods, for hours, in this life of the daemon and the next."""
    world = World()
    world.ready_pods = ["web-1", "web-2"]
    async with life(world) as measuring:
        await asyncio.sleep(1200)
        assert last(measuring) == about(3.0)
        world.unmeasured = {"web-2"}
        await asyncio.sleep(7200)
        assert last(measuring) == about(3.0)
        assert measuring.usage().lacking[OF_WEB] == "not all of its pods are measured: Pod/shop/web-2 is not"
        assert measuring.usage().demand[OF_WEB].latest < world.clock.now() - timedelta(hours=1), "nothing newer"
    async with life(world) as measuring:
        await asyncio.sleep(1200)
        assert last(measuring) == about(3.0)
        world.pods["web-1"] = 4.0
        await asyncio.sleep(300)
        assert last(measuring) == about(4.0), "it is no less than that"
        world.pods["web-1"] = 1.0
        world.ready_pods = ["web-1"]
        await asyncio.sleep(600)
        assert last(measuring) == about(1.0), "one that is not ready is not waited for"
        assert OF_WEB not in measuring.usage().lacking


@virtual
async def test_a_clock_that_was_wrong_for_a_while_spoils_nothing() -> None:
    world = World()
    demanding = Demanding(Nowhere(), world, clock=world.clock, random=Random(1))
    demanding.follow(FOLLOWS)
    for step in range(20):
        await demanding.ask({}, NOW + step * MINUTES)
    world.says = 7.0
    for days in (3, 3650, -3650):
        await demanding.ask({}, NOW + timedelta(days=days))
    world.says = 90.0
    for step in range(20, 40):
        await demanding.ask({}, NOW + step * MINUTES)
    found = demanding.demand()[OF_MAILS]
    assert found.latest == NOW + 39 * MINUTES
    assert list(found.last(20)) == [about(90.0)] * 20


AMOUNT = st.floats(0, 100) | st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e300, 5e-324])
LATE = st.sampled_from([0.0, 0.0, 0.0, -60.0, -3599.0, -1e4, 3599.0, 1e5, 1e9, -1e9])


@settings(max_examples=60)
@given(rounds=st.lists(st.lists(st.tuples(st.integers(0, 2), AMOUNT, AMOUNT, LATE), max_size=4), max_size=12))
def test_whatever_is_said_nothing_raises_and_what_is_kept_is_an_amount(
    rounds: list[list[tuple[int, float, float, float]]],
) -> None:
    async def check() -> None:
        world, total = World(), 0.0
        world.ready_pods = ["web-0", "web-1"]
        demanding = Demanding(Nowhere(), None, clock=world.clock, random=Random(1))
        measuring = Measuring(
            world, world.ask, Nowhere(), demanding=demanding, interval=60, clock=world.clock, random=Random(1)
        )
        measuring.plan_for(PLANNED, FOLLOWS)
        for said in rounds:
            await asyncio.sleep(240)
            now = world.clock.now()
            world.said = tuple(
                Measurement(Identity("", "Pod", "shop", f"web-{number}"), "web", cpu, memory, now + late * SECOND)
                for number, cpu, memory, late in said
            )
            await measuring.measure()
            total = max(total, sum(each.cpu for each in world.said if 0 <= each.cpu <= 1e5))
            usage = measuring.usage()
            for known in usage.demand.values():
                assert all(math.isnan(value) or 0 <= value <= 3.1 * total + 1e-100 for value in known.values)
                assert known.latest <= now
            for used in usage.containers.get(OF_WEB, {}).values():
                assert used.cpu is None or used.cpu.p95 <= 110
                assert used.latest <= now + timedelta(hours=1)

    run_virtual(check())


@given(order=st.permutations(range(12)))
def test_measurements_add_up_the_same_in_any_order(order: list[int]) -> None:
    """To the last bit."""
    found = [
        Measurement(Identity("", "Pod", "shop", f"web-{n % 5}"), f"c{n}", 0.1 * 3**-n, 1.0, NOW) for n in range(12)
    ]
    results = []
    for each in (found, [found[n] for n in order]):
        demanding = Demanding(Nowhere(), None, clock=SystemClock(), random=Random(1))
        demanding.follow(FOLLOWS)
        demanding.take(each, lambda _pod: OF_WEB, NOW)
        results.append(demanding.demand())
    assert results[0] == results[1]


NOW = datetime.fromisoformat("2026-03-01T00:00:00+00:00")


class Nowhere:
    async def read(self) -> object:
        raise NotImplementedError

    async def write(self, value: object) -> float:
        raise NotImplementedError
