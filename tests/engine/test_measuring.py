"""What planned workloads use: measured, kept across restarts, and never lowered by what is missing."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random

import msgspec
import pytest
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.engine.histories import HistoryMaps
from reconciler.engine.measuring import Measuring
from reconciler.errors import QueryFailed
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity
from reconciler.model.usage import ContainerUsage, Killed, Measurement
from reconciler.sandbox.server import Sandbox
from reconciler.usage.history import History

WEB = Identity("apps", "Deployment", "shop", "web")
OTHER = WEB._replace(name="other")
SPEC = Identity("reconciler.dev", "Deployment", "shop", "web")
GI = 2.0**30
MAPS = "/api/v1/namespaces/default/configmaps"
MAP = f"{MAPS}/reconciler-usage"


def pod(name: str, namespace: str = "shop") -> Identity:
    return Identity("", "Pod", namespace, name)


class Life:
    """One life of the daemon: pods that are known, and what is said of them."""

    def __init__(self, world: "World", interval: float, ours: bool) -> None:
        self.world = world
        self.asked: list[frozenset[str]] = []
        self.kills: list[Killed] = []
        self.said: Callable[[datetime], tuple[Measurement, ...]] = lambda now: (use("web-1", now), use("other-1", now))
        store = HistoryMaps(world.cluster, "default", clock=world.clock)
        self.ours = ours
        self.measuring = Measuring(
            self,
            self._ask,
            store,
            interval=interval,
            clock=world.clock,
            random=Random(1),
            ours=lambda: self.ours,
        )
        self.measuring.plan_for({WEB: SPEC})
        self.running = asyncio.create_task(self.measuring.run())

    def workload(self, pod: Identity) -> Identity | None:
        return pod._replace(group="apps", kind="Deployment", name=pod.name.partition("-")[0])

    def ready(self, _since: datetime) -> dict[Identity, list[Identity]]:
        return {}

    def killed(self) -> tuple[Killed, ...]:
        found, self.kills = tuple(self.kills), []
        return found

    async def _ask(self, namespaces: frozenset[str], at: datetime) -> tuple[Measurement, ...]:
        self.asked.append(namespaces)
        return self.said(at)

    def web(self) -> ContainerUsage:
        return self.measuring.usage().containers[SPEC]["web"]

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


def use(name: str, when: datetime, cpu: float = 0.5, memory: float = GI) -> Measurement:
    return Measurement(pod(name), "web", cpu, memory, when)


class World:
    """A cluster that outlives the daemon. `fault` answers instead of it."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.transport = Sandbox(clock=self.clock).transport()
        self.fault: Response | None = None
        self.writes = 0
        self.cluster = Cluster(Hooked(self.transport, self._answer), clock=self.clock, random=Random(1))

    async def _answer(self, request: Request) -> Response | None:
        self.writes += request.method in ("POST", "PUT") and self.fault is None
        return self.fault

    async def maps(self) -> dict[str, dict[str, str]]:
        answer = await self.transport.send(Request("GET", MAPS))
        items = msgspec.json.decode(answer.body)["items"]
        return {each["metadata"]["name"]: each["data"] for each in items if "reconciler" in each["metadata"]["name"]}

    async def put(self, state: str) -> None:
        body = {"metadata": {"name": "reconciler-usage"}, "data": {"state": state, "generation": "4"}}
        content = {"content-type": "application/json"}
        await self.transport.send(Request("POST", MAPS, (), content, msgspec.json.encode(body)))


@asynccontextmanager
async def life(world: World | None = None, *, interval: float = 60, ours: bool = True) -> AsyncIterator[Life]:
    lived = Life(world or World(), interval, ours)
    await asyncio.sleep(1)
    try:
        yield lived
    finally:
        await lived.end()


@virtual
async def test_the_planned_are_measured_under_the_name_they_are_planned_by() -> None:
    async with life() as it:
        await asyncio.sleep(3600)
        assert 57 <= len(it.asked) <= 64
        assert set(it.asked) == {frozenset({"shop"})}
        assert set(it.measuring.usage().containers) == {SPEC}
        used = it.web()
        assert used.cpu is not None
        assert used.memory is not None
        assert 0.5 <= used.cpu.p50 <= 0.53
        assert GI <= used.memory.p90 <= GI * 1.06
        assert timedelta(minutes=55) <= used.latest - used.since <= timedelta(hours=1)


@virtual
async def test_where_nothing_is_planned_nobody_is_asked() -> None:
    async with life() as it:
        it.measuring.plan_for({})
        it.asked.clear()
        written = it.world.writes
        await asyncio.sleep(3600)
        assert not it.asked
        assert it.world.writes <= written + 1, "what was measured before is kept"


@virtual
async def test_a_usage_that_was_given_out_does_not_change() -> None:
    async with life() as it:
        before = it.measuring.usage()
        assert it.measuring.usage() is before
        since = it.web().latest
        await asyncio.sleep(300)
        assert before.containers[SPEC]["web"].latest == since
        assert it.web().latest > since


@virtual
async def test_it_is_written_once_a_minute_at_most_and_by_a_change_only() -> None:
    async with life(interval=10) as it:
        await asyncio.sleep(600)
        assert it.world.writes <= 11
        it.measuring.plan_for({})
        await asyncio.sleep(120)
        written = it.world.writes
        await asyncio.sleep(600)
        assert it.world.writes == written


@virtual
async def test_a_restart_forgets_nothing() -> None:
    world = World()
    async with life(world, interval=10) as first:
        await asyncio.sleep(600 + 37)
        known = first.web()
    store = HistoryMaps(world.cluster, "default", clock=world.clock)
    assert (await store.read()).usage().containers[SPEC]["web"] == known
    async with life(world) as second:
        assert second.web().since == known.since


@virtual
async def test_who_plans_no_longer_writes_no_longer() -> None:
    async with life() as it:
        await asyncio.sleep(300)
        written, said = it.world.writes, it.said

        def lost(now: datetime) -> tuple[Measurement, ...]:
            it.ours = False
            return said(now)

        it.said = lost
        await asyncio.sleep(300)
        assert it.world.writes == written
    assert it.world.writes == written


@virtual
async def test_a_kill_forgets_two_minutes_at_most() -> None:
    world = World()
    async with life(world) as first:
        await asyncio.sleep(3600)
        latest = first.web().latest
        store = HistoryMaps(world.cluster, "default", clock=world.clock)
        kept = (await store.read()).usage().containers[SPEC]["web"]
        assert latest - kept.latest <= timedelta(minutes=2)


@virtual
async def test_what_cannot_be_measured_changes_nothing_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def fails(_now: datetime) -> tuple[Measurement, ...]:
        raise QueryFailed("the cluster measures nothing", why="there is no metrics-server", hint="install one")

    async with life() as it:
        known, said = it.measuring.usage(), it.said
        it.said = fails
        await asyncio.sleep(3600)
        assert it.measuring.usage() is known
        assert it.measuring.problem == "the cluster measures nothing: there is no metrics-server; install one"
        assert len([record for record in caplog.records if "is not measured" in record.getMessage()]) == 1
        it.said = said
        await asyncio.sleep(120)
        assert it.measuring.problem == ""
        assert it.web().latest > known.containers[SPEC]["web"].latest


@virtual
async def test_stale_and_future_measurements_say_nothing() -> None:
    async with life() as it:
        known = it.web()
        it.said = lambda now: (
            use("web-1", now + timedelta(days=1), cpu=9),
            use("web-1", now - timedelta(days=20), cpu=9),
        )
        await asyncio.sleep(600)
        assert it.web() == known


@virtual
async def test_what_is_not_measured_for_two_weeks_is_forgotten() -> None:
    async with life(interval=43_200) as it:
        other = OTHER._replace(group="reconciler.dev")
        it.measuring.plan_for({WEB: SPEC, OTHER: other})
        it.said = lambda now: (use("other-1", now),)
        await asyncio.sleep(13.4 * 86_400)
        assert SPEC in it.measuring.usage().containers
        await asyncio.sleep(1.5 * 86_400)
        assert set(it.measuring.usage().containers) == {other}


@virtual
async def test_while_nobody_is_measured_nothing_is_forgotten() -> None:
    async with life(interval=43_200) as it:
        it.said = lambda _now: ()
        await asyncio.sleep(40 * 86_400)
        assert SPEC in it.measuring.usage().containers


ABSURD = (
    ("nan cores", {"cpu": math.nan}),
    ("inf cores", {"cpu": math.inf}),
    ("-1 cores", {"cpu": -1.0}),
    ("1e+300 cores", {"cpu": 1e300}),
    ("nan bytes", {"memory": math.nan}),
    ("-1 bytes", {"memory": -1.0}),
    ("1e+20 bytes", {"memory": 1e20}),
)


@virtual
async def test_what_cannot_be_meant_is_kept_out_and_stated(caplog: pytest.LogCaptureFixture) -> None:
    for said, values in ABSURD:
        async with life() as it:
            await asyncio.sleep(3600)
            before = it.web()
            it.said = lambda now, values=values: (use("web-2", now, **values), use("web-1", now))  # type: ignore[misc]
            await asyncio.sleep(7200)
            assert it.measuring.strange == f"Pod/shop/web-2, web: {said}"
            assert not it.measuring.problem
            after = it.web()
            assert (after.cpu, after.memory) == (before.cpu, before.memory)
            assert after.latest > before.latest, "the others count"
            it.said = lambda now: (use("web-1", now),)
            await asyncio.sleep(120)
            assert not it.measuring.strange
    assert caplog.text.count("cannot be meant are left out") == len(ABSURD), "once each"


@virtual
@pytest.mark.parametrize("hours", [-20, -2, 2, 20 * 365 * 24])
async def test_times_that_cannot_be_are_no_measurements(hours: float) -> None:
    """Of a metrics-server that says the same again and again, or whose clock is wrong."""
    async with life() as it:
        await asyncio.sleep(3600)
        before = it.web()
        late = timedelta(hours=hours)
        it.said = lambda now: (use("web-1", now + late, cpu=8.0),)
        await asyncio.sleep(7200)
        assert it.web() == before
        assert "measured at" in it.measuring.strange
        it.kills = [Killed(WEB, "web", 4 * GI, it.world.clock.now() + timedelta(hours=max(hours, 2)))]
        await asyncio.sleep(120)
        assert it.web() == before


@virtual
async def test_who_is_killed_for_want_of_memory_needs_more() -> None:
    async with life() as it:
        it.kills = [
            Killed(WEB, "web", 2 * GI, it.world.clock.now()),
            Killed(WEB._replace(name="other"), "web", 2 * GI, it.world.clock.now()),
        ]
        await asyncio.sleep(120)
        memory = it.web().memory
        assert memory is not None
        assert 2 * GI * 1.2 <= memory.p90 <= 2 * GI * 1.2 * 1.06
        assert set(it.measuring.usage().containers) == {SPEC}


@virtual
async def test_before_what_was_kept_is_read_nothing_is_overwritten() -> None:
    world = World()
    async with life(world) as first:
        await asyncio.sleep(7200)
        known = first.web()
    world.fault = refusal(503, "ServiceUnavailable")
    async with life(world) as second:
        await asyncio.sleep(1800)
        assert not second.asked
        assert second.measuring.problem
        world.fault = None
        await asyncio.sleep(120)
        assert second.web().since == known.since
        assert second.measuring.problem == ""


@virtual
async def test_a_write_that_fails_is_made_up_for(caplog: pytest.LogCaptureFixture) -> None:
    async with life() as it:
        it.world.fault = refusal(403, "Forbidden")
        await asyncio.sleep(600)
        assert "is not written yet" in caplog.text
        it.world.fault = None
        written = it.world.writes
        await asyncio.sleep(120)
        assert it.world.writes > written


@virtual
async def test_a_lost_answer_and_a_deletion_are_overcome() -> None:
    async with life() as it:
        await asyncio.sleep(300)
        await it.world.transport.send(Request("DELETE", MAP))
        await asyncio.sleep(300)
        assert list(await it.world.maps()) == ["reconciler-usage"]
        body = {"data": {"generation": "77"}}
        content = {"content-type": "application/merge-patch+json"}
        await it.world.transport.send(Request("PATCH", MAP, (), content, msgspec.json.encode(body)))
        await asyncio.sleep(300)
        assert (await it.world.maps())["reconciler-usage"]["generation"] > "77"


@pytest.mark.parametrize("state", ["", "nonsense", "c-nonsense-that-is-base85", "c$@+i0SN#A"])
def test_a_history_that_makes_no_sense_is_begun_anew(state: str, caplog: pytest.LogCaptureFixture) -> None:
    @virtual
    async def scenario() -> None:
        world = World()
        await world.put(state)
        async with life(world) as it:
            assert it.web().since
            assert ("measuring begins anew" in caplog.text) == bool(state)
            assert (await world.maps())["reconciler-usage"]["generation"] == "5"

    scenario()


@virtual
async def test_a_large_history_is_in_pieces_that_fit_and_written_less_often() -> None:
    world = World()
    history, now, random = History(), world.clock.now(), Random(5)
    for number in range(4000):
        workload = SPEC._replace(name=f"{random.getrandbits(64):x}-{number}")
        for _ in range(10):
            cpu, memory = random.lognormvariate(-2, 2), random.lognormvariate(20, 1)
            history.observe(workload, "web", cpu=cpu, memory=memory, when=now, now=now)
    store = HistoryMaps(world.cluster, "default", clock=world.clock)
    pause = await store.write(history)
    maps = await world.maps()
    assert len(maps) > 2
    assert pause == 60 * (len(maps) - 1)
    assert max(sum(map(len, data.values())) for data in maps.values()) <= 512 * 1024
    again = await HistoryMaps(world.cluster, "default", clock=world.clock).read()
    assert again.stored() == history.stored()
    await store.write(History())
    assert list(await world.maps()) == ["reconciler-usage"]


@virtual
async def test_who_does_not_plan_measures_nothing_and_takes_over_what_was_measured() -> None:
    world = World()
    async with life(world) as first, life(world, ours=False) as second:
        await asyncio.sleep(1800)
        first.kills = [Killed(WEB, "web", 4 * GI, world.clock.now())]
        await asyncio.sleep(1800)
        assert not second.asked
        latest = first.web().latest
        first.ours, second.ours = False, True
        first.asked.clear()
        await asyncio.sleep(300)
        assert len(first.asked) <= 1
        used = second.web()
        assert used.memory == first.web().memory, "what the other measured is taken over"
        assert used.latest > latest
        generation = (await world.maps())["reconciler-usage"]["generation"]
    assert int((await world.maps())["reconciler-usage"]["generation"]) <= int(generation) + 1
