"""A daemon that dies at any write of an exchange between one Deployment and shares, or other pools."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NamedTuple

import pytest
from loaded import AUTOSCALERS, DEPLOYMENTS
from memory_repository import MemoryRepository
from stored_objects import stored
from texts import NAMESPACE, deployment
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock, run_virtual
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.model.cluster_view import HOSTNAME
from reconciler.model.event import EventType
from reconciler.model.manifest import ANNOTATION_PLANNED
from reconciler.model.planner_config import PlannerConfig, PoolConfig
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

POOLS = tuple(
    PoolConfig(name, {HOSTNAME: node})
    for name, node in (("one", "general-1"), ("two", "general-2"), ("three", "general-3"))
)
REQUESTS = "  resources: {requests: {cpu: 100m, memory: 64Mi}}\n"
FOUR = REQUESTS + "  replicas: 4\n"
SCALE = REQUESTS + "  scale: {min: 4, max: 12, target: {cpu: 65%}}\n"
HALVES = "  placement: {shares: {one: 50%, two: 50%}}\n"
OTHERS = "  placement: {shares: {two: 50%, three: 50%}}\n"
TURNED = "  placement: {shares: {one: 75%, two: 25%}}\n"


class Mortal:
    """Lets nothing through from the `last` write on: that one is carried out, and its answer never arrives."""

    def __init__(self, inner: Transport, last: int) -> None:
        self._inner = inner
        self._left = last
        self.dead = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if not self.dead.is_set():
            if request.method == "GET" or "/leases/" in request.path:
                return await self._inner.send(request)
            self._left -= 1
            answer = await self._inner.send(request)
            if self._left:
                return answer
            self.dead.set()
        await asyncio.Event().wait()
        raise AssertionError

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        async with self._inner.stream(request) as stream:
            yield stream

    async def close(self) -> None:
        await self._inner.close()


class Side(NamedTuple):
    """What is committed, and how many pods each Deployment has then: an autoscaler's perhaps one more, as what was
    begun twice is counted twice, and it takes away whole pods only."""

    text: str
    pods: Mapping[str, int]

    def met(self, found: Mapping[str, int]) -> bool:
        more = 1 if "scale:" in self.text else 0
        return found.keys() == self.pods.keys() and all(0 <= found[name] - self.pods[name] <= more for name in found)


class Story:
    """One cluster, and one daemon after the other."""

    def __init__(self, clock: LoopClock, sandbox: Sandbox, least: int) -> None:
        self.clock = clock
        self.sandbox = sandbox
        self.source = MemoryRepository("shop")
        self.least = least
        self.watching = False
        self.fewest = least

    def get(self, path: str) -> list[Any]:
        found: list[Any] = json.loads(self.sandbox.answer(Request("GET", path)).body)["items"]
        return found

    def ready(self) -> int:
        """Pods that can be asked."""
        return sum(
            "deletionTimestamp" not in pod["metadata"]
            and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
            for pod in self.get("/api/v1/namespaces/shop/pods")
        )

    async def watch(self) -> None:
        """Never fewer than there are to be at least."""
        while True:
            await self.clock.sleep(0.3)
            if self.watching:
                self.fewest = min(self.fewest, self.ready())

    def rests(self, side: Side) -> bool:
        """Whether there is what is to be there in the end, and no more."""
        live = self.get(DEPLOYMENTS)
        found = {each["metadata"]["name"]: each["spec"]["replicas"] for each in live}
        ready = {each["metadata"]["name"]: (each.get("status") or {}).get("readyReplicas", 0) for each in live}
        scaled = {each["metadata"]["name"] for each in self.get(AUTOSCALERS)}
        whole = side.met(found) and found == ready and self.ready() == sum(found.values())
        return whole and scaled == (found.keys() if "scale:" in side.text else set())

    def utilisation(self, _kind: str, _namespace: str, _name: str) -> dict[str, int]:
        """What makes four pods of what is ready."""
        return {"cpu": round(65 * 4 / max(1, self.ready()))}

    @asynccontextmanager
    async def life(self, transport: Transport) -> AsyncIterator[VirtualDaemon]:
        config = PlannerConfig(pools=POOLS)
        async with daemon(transport, {"shop": self.source}, clock=self.clock, planner=config) as made:
            yield made

    async def goes_to(self, side: Side, kill_at: int) -> tuple[bool, Any]:
        """Whether the daemon was killed on the way, and what there is in the end."""
        self.source.commit({"ns.yaml": NAMESPACE, "web.yaml": side.text})
        mortal = Mortal(self.sandbox.transport(), kill_at)
        async with self.life(mortal) as first:
            await first.until(lambda: mortal.dead.is_set() or self.rests(side))
            assert not first.heard(EventType.DRIFTED)
        if killed := mortal.dead.is_set():
            async with self.life(self.sandbox.transport()) as second:
                await second.until(lambda: self.rests(side))
                assert not second.heard(EventType.DRIFTED)
        found = await stored(self.sandbox.transport())
        return killed, {name: unplaced(each) for name, each in found.ours.items()}


def unplaced(obj: Any) -> Any:
    """What Git makes of it: where pods had best be is another matter with each plan."""
    annotations = {k: v for k, v in obj["metadata"].get("annotations", {}).items() if k != ANNOTATION_PLANNED}
    spec = {name: value for name, value in (obj.get("spec") or {}).items() if name != "replicas"}
    if "template" in spec:
        pod = {k: v for k, v in spec["template"]["spec"].items() if k != "affinity"}
        spec = {**spec, "template": {**spec["template"], "spec": pod}}
    return spec, obj["metadata"].get("labels"), annotations


def both(before: Mapping[str, int], extra: str, after: Mapping[str, int], more: str) -> tuple[Side, Side]:
    return Side(deployment(extra=extra), before), Side(deployment(extra=more), after)


EXCHANGES = {
    "one and shares": both({"web": 4}, FOUR, {"web-one": 2, "web-two": 2}, FOUR + HALVES),
    "other pools": both({"web-one": 2, "web-two": 2}, FOUR + HALVES, {"web-two": 2, "web-three": 2}, FOUR + OTHERS),
    "other shares": both({"web-one": 2, "web-two": 2}, FOUR + HALVES, {"web-one": 3, "web-two": 1}, FOUR + TURNED),
    "autoscalers": both({"web": 4}, SCALE, {"web-one": 2, "web-two": 2}, SCALE + HALVES),
}


@pytest.mark.parametrize("sides", EXCHANGES.values(), ids=EXCHANGES.keys())
def test_a_daemon_that_is_killed_at_any_write_ends_in_the_same_state_and_no_pod_is_missed(
    sides: tuple[Side, Side],
) -> None:
    async def scenario() -> None:
        clock = LoopClock()
        sandbox = Sandbox(clock=clock)
        it = Story(clock, sandbox, 4)
        async with Simulation(sandbox.transport(), clock=clock, random=Random(3), metrics=it.utilisation):
            watching = asyncio.create_task(it.watch())
            await it.goes_to(sides[0], 1000)
            it.watching = True
            undisturbed = {side.text: (await it.goes_to(side, 1000))[1] for side in reversed(sides)}
            kills, point = 0, 0
            while kills == 2 * point:
                point += 1
                for side in reversed(sides):
                    killed, found = await it.goes_to(side, point)
                    kills += killed
                    assert found == undisturbed[side.text], point
                    assert it.fewest == it.least, point
            watching.cancel()
        assert point > 4, "as many as an exchange has writes"

    run_virtual(scenario())
