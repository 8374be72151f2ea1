"""Shares whose parts are scaled by autoscalers under load, while the planner moves their least and Git their shares."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from loaded import AUTOSCALERS, DEPLOYMENTS, PLANNER, REQUESTS, Load, loaded
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon

from reconciler.clock import run_virtual
from reconciler.model.event import EventType
from reconciler.model.planner_config import PlannerConfig, PoolConfig
from reconciler.sandbox import nodes

NODES = tuple(nodes.Pool(name, 2, cpu="32", memory="64Gi", labels={"tier": name}) for name in ("one", "two"))
POOLS = tuple(PoolConfig(name, {"tier": name}) for name in ("one", "two"))
UNMEASURED = PlannerConfig(pools=POOLS)
ENOUGH = 18  # pods: of 20 that carry the day's demand a tenth may be missing, as the autoscaler sees it
SHARING = msgspec.structs.replace(PLANNER, pools=POOLS)
SCALE = REQUESTS + "  scale: {min: 4, max: 40, target: {cpu: 50%}}\n"
SHARES = "  placement: {shares: {one: 30%, two: 70%}}\n"
PARTS = ("web-one", "web-two")


class Fewest:
    """How many pods were ready at least, since it was asked last."""

    def __init__(self, load: Load, every: float = 3) -> None:
        """Looks `every` so many seconds."""
        self._load = load
        self._every = every
        self._fewest = len(load.ready())
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await self._load.clock.sleep(self._every)
            self._fewest = min(self._fewest, len(self._load.ready()))

    def asked(self) -> int:
        fewest, self._fewest = self._fewest, len(self._load.ready())
        return fewest

    def end(self) -> None:
        self._task.cancel()


def numbers(load: Load) -> dict[str, int]:
    """Replicas of each Deployment."""
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in load.get(DEPLOYMENTS)["items"]}


def floors(load: Load) -> dict[str, int]:
    """The least of each autoscaler."""
    return {each["metadata"]["name"]: each["spec"]["minReplicas"] for each in load.get(AUTOSCALERS)["items"]}


async def rested(running: VirtualDaemon, load: Load, *names: str) -> None:
    """Wait until there are these Deployments, each with its autoscaler and all its pods."""

    def over() -> bool:
        found = numbers(load)
        return set(names) == found.keys() == floors(load).keys() and sum(found.values()) == len(load.ready())

    await running.until(over, seconds=1800)


@asynccontextmanager
async def resting(begin: float, extra: str, *names: str) -> AsyncIterator[tuple[Load, VirtualDaemon, MemoryRepository]]:
    """A daemon whose Deployments of these names carry the load that there is at `begin`."""
    async with loaded(begin=begin, planner=SHARING, there=NODES) as load:
        source = MemoryRepository("shop")
        source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=extra)})
        async with load.daemon(source) as running:
            await rested(running, load, *names)
            yield load, running, source


@virtual
async def test_the_planner_and_the_autoscalers_of_parts_do_not_fight_under_load() -> None:
    """An hour in which demand rises to five times as much, then one in which it stays: 20 pods carry it."""
    async with resting(6.9, SCALE + SHARES, *PARTS) as (load, running, _):
        templates = [load.deployment(name)["spec"]["template"] for name in PARTS]
        fewest = Fewest(load, every=20)
        await load.at(7)
        low = floors(load)
        await load.at(8.1)
        high = floors(load)
        assert all(high[name] > low[name] for name in PARTS), "the planner moves each part's least"
        assert fewest.asked() >= 4
        before, began = running.requests(), numbers(load)
        assert ENOUGH <= sum(began.values()) <= 27
        await load.at(9.1)
        written = writes(running.requests() - before)
        assert written["deployments"] == 0
        assert written["horizontalpodautoscalers"] <= 2, "a plan may look further ahead"
        assert fewest.asked() >= ENOUGH
        assert abs(numbers(load)["web-one"] / sum(numbers(load).values()) - 0.3) < 0.1
        assert [load.deployment(name)["spec"]["template"] for name in PARTS] == templates
        assert not running.heard(EventType.DRIFTED, EventType.FAILED, EventType.SYNC_FAILED)
        fewest.end()


def writes(requests: Counter[tuple[str, str]]) -> Counter[str]:
    """By resource."""
    found: Counter[str] = Counter()
    for (verb, resource), count in requests.items():
        if verb not in ("get", "list", "watch"):
            found[resource] += count
    return found


@virtual
async def test_rule_6_under_load_no_pod_is_missed_from_one_deployment_to_shares_and_back() -> None:
    async with resting(9, SCALE, "web") as (load, running, source):
        await load.at(9.2)
        assert numbers(load)["web"] >= ENOUGH
        fewest = Fewest(load)
        source.commit({"web.yaml": deployment(extra=SCALE + SHARES)})
        await rested(running, load, *PARTS)
        await load.at(9.4)
        assert fewest.asked() >= ENOUGH
        source.commit({"web.yaml": deployment(extra=SCALE + SHARES.replace("30%", "50%").replace("70%", "50%"))})
        await load.at(9.6)
        assert fewest.asked() >= ENOUGH
        source.commit({"web.yaml": deployment(extra=SCALE)})
        await rested(running, load, "web")
        await load.at(9.8)
        assert fewest.asked() >= ENOUGH
        source.commit({"web.yaml": deployment(extra=REQUESTS + "  replicas: 22\n" + SHARES)})
        await running.until(lambda: numbers(load) == {"web-one": 6, "web-two": 16} and not floors(load))
        await load.at(9.9)
        assert fewest.asked() >= ENOUGH
        assert not running.heard(EventType.DRIFTED, EventType.FAILED, EventType.SYNC_FAILED)
        fewest.end()


@virtual
async def test_the_others_autoscaler_takes_over_what_it_may_from_a_pool_that_is_lost() -> None:
    """Three in ten of 40 at most; the rest waits for nodes, and nothing of it is written to."""
    async with resting(9, SCALE + SHARES, *PARTS) as (load, running, _):
        await load.at(9.1)
        before = numbers(load)
        for name in ("two-1", "two-2"):
            load.simulation.kill_node(name)
        await running.until(lambda: len(load.ready()) == numbers(load)["web-one"] == 12, seconds=1800)
        requests = running.requests()
        await load.clock.sleep(600)
        assert not writes(running.requests() - requests)["deployments"]
        assert numbers(load)["web-one"] == 12
        for name in ("two-1", "two-2"):
            load.simulation.revive_node(name)
        await rested(running, load, *PARTS)
        await load.clock.sleep(900)
        assert ENOUGH <= len(load.ready()) <= sum(before.values()) + 4
        assert not running.heard(EventType.DRIFTED, EventType.FAILED, EventType.SYNC_FAILED)


@pytest.mark.parametrize("planner", [SHARING, UNMEASURED], ids=["measured", "unmeasured"])
def test_what_replaces_is_not_scaled_down_while_it_waits_for_nodes(planner: PlannerConfig) -> None:
    """The nodes of one pool come 20 minutes later: until then the old pods carry most of the load."""

    async def scenario() -> None:
        async with loaded(begin=9, planner=planner, there=NODES[:1]) as load:
            source = MemoryRepository("shop")
            source.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=SCALE)})
            async with load.daemon(source) as running:
                await rested(running, load, "web")
                await load.at(9.1)
                fewest = Fewest(load)
                source.commit({"web.yaml": deployment(extra=SCALE + SHARES)})
                await load.at(9.4)
                assert "web" in numbers(load)
                load.simulation.add_nodes(NODES[1:])
                await rested(running, load, *PARTS)
                await load.at(9.5)
                assert fewest.asked() >= ENOUGH
                fewest.end()

    run_virtual(scenario())
