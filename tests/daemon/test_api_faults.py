"""An API server that fails in every way it can: the daemon says so, asks no more than it should, loses nothing, prunes
nothing wrongly, and is where it would have been as soon as the server works again."""

import asyncio
import bisect
import itertools
from contextlib import AbstractAsyncContextManager
from random import Random

import pytest
from amount import examples
from fault_transport import FAULTS, RETRY_AFTER, Fault, FaultTransport
from hypothesis import given
from hypothesis import strategies as st
from memory_repository import MemoryRepository
from stored_objects import Stored, stored
from texts import NAMESPACE, config, deployment
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock, run_virtual
from reconciler.http.transport import Request
from reconciler.model.event import EventType
from reconciler.sandbox.server import Sandbox

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: raw}\nspec: {ports: [{port: 80}]}\n"
FIRST = {"ns.yaml": NAMESPACE, "web.yaml": deployment(), "svc.yaml": SERVICE} | {
    f"{name}.yaml": config(name) for name in "abcdefgh"
}
SECOND = {
    "a.yaml": config("a", "2"),
    "b.yaml": None,
    "c.yaml": None,
    "new.yaml": config("new"),
    "web.yaml": deployment(image="example.com/web:2"),
}
# No fault makes us ask more often. A pass over the twelve objects and three watches, all with backoff, stay far below.
MOST_IN_A_MINUTE = 150
PATIENCE = 1200.0  # of virtual seconds: twice the longest pause, and some


class Scene:
    """A sandbox behind a faulty transport, and a repository with the first commit."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(clock=LoopClock())
        self.transport = FaultTransport(self.sandbox.transport())
        self.repository = MemoryRepository("shop")
        self.commit = self.repository.commit(FIRST, "First")

    def daemon(self) -> AbstractAsyncContextManager[VirtualDaemon]:
        return daemon(self.transport, {"shop": self.repository}, install="test")

    def second(self) -> None:
        self.commit = self.repository.commit(SECOND, "Second")

    async def converged(self, running: VirtualDaemon) -> None:
        await running.until(lambda: running.synced(self.commit), seconds=PATIENCE)

    async def stored(self) -> Stored:
        return await stored(self.sandbox.transport())

    def deletions(self) -> set[str]:
        """Paths that were sent to be deleted."""
        return {seen.request.path for seen in self.transport.seen if seen.request.method == "DELETE"}

    def busiest_minute(self) -> int:
        """The most requests in sixty seconds."""
        times = [seen.time for seen in self.transport.seen]
        return max(bisect.bisect(times, start + 60) - at for at, start in enumerate(times))


@pytest.fixture(scope="module")
def undisturbed() -> Stored:
    """What the cluster holds after both commits when nothing fails."""

    async def main() -> Stored:
        scene = Scene()
        async with scene.daemon() as running:
            await scene.converged(running)
            scene.second()
            await scene.converged(running)
        return await scene.stored()

    return run_virtual(main())


GOING = {f"/api/v1/namespaces/shop/configmaps/{name}" for name in "bc"}
WORDS = {
    Fault.BUSY: "too many requests",
    Fault.BROKEN: "leader changed",
    Fault.UNAVAILABLE: "answered 503",
    Fault.UNAUTHORIZED: "Unauthorized",
    Fault.FORBIDDEN: 'User "reconciler" cannot',
    Fault.GARBAGE: "answer cannot be read",
    Fault.TRUNCATED: "answer cannot be read",
    Fault.TIMEOUT: "no answer within ",
    Fault.RESET: "connection was reset",
    Fault.LOST: "connection was reset",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
@virtual
async def test_ten_minutes_of_one_fault_are_survived(fault: Fault, undisturbed: Stored) -> None:
    scene = Scene()
    async with scene.daemon() as running:
        await scene.converged(running)
        scene.transport.fault_of = lambda _request: fault
        scene.second()
        await asyncio.sleep(600)
        said = running.heard(EventType.FAILED, EventType.SYNC_FAILED)
        scene.transport.fault_of = lambda _request: None
        await scene.converged(running)
    assert await scene.stored() == undisturbed
    assert scene.deletions() == GOING
    named = [each for each in said if WORDS[fault] in each]
    assert named
    consequences = ("waits until the changes beside it", " failed")  # the last of them is a pass in one line
    assert all(any(words in each for words in consequences) for each in said if each not in named), said
    assert scene.busiest_minute() <= MOST_IN_A_MINUTE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
@virtual
async def test_ten_minutes_of_faults_in_writes_are_survived(fault: Fault, undisturbed: Stored) -> None:
    """Reading goes well, so each object is tried by itself."""
    scene = Scene()
    async with scene.daemon() as running:
        await scene.converged(running)
        scene.transport.fault_of = lambda request: (
            fault if request.method != "GET" and "/namespaces/shop/" in request.path else None
        )
        scene.second()
        await asyncio.sleep(600)
        said = [(e.identity, e.message) for e in running.events if e.type is EventType.FAILED]
        scene.transport.fault_of = lambda _request: None
        await scene.converged(running)
    assert await scene.stored() == undisturbed
    assert scene.deletions() == GOING
    assert sum(WORDS[fault] in message for _identity, message in said) >= 3
    assert len(said) == len(set(said)), "one object's failure is said once, not at each attempt"
    assert scene.busiest_minute() <= MOST_IN_A_MINUTE


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
@virtual
async def test_a_start_among_faults_waits_says_so_and_goes_on(fault: Fault, undisturbed: Stored) -> None:
    scene = Scene()
    scene.transport.fault_of = lambda _request: fault
    async with scene.daemon() as running:
        await asyncio.sleep(600)
        said = running.heard(EventType.NOT_READY, source="") or running.heard(EventType.SYNC_FAILED)
        scene.transport.fault_of = lambda _request: None
        await scene.converged(running)
        scene.second()
        await scene.converged(running)
    assert await scene.stored() == undisturbed
    assert said
    assert all(WORDS[fault] in each for each in said), said
    assert scene.busiest_minute() <= MOST_IN_A_MINUTE


@virtual
async def test_retry_after_is_obeyed() -> None:
    scene = Scene()
    async with scene.daemon() as running:
        await scene.converged(running)
        scene.transport.fault_of = lambda _request: Fault.BUSY
        start = asyncio.get_running_loop().time()
        scene.second()
        await asyncio.sleep(120)
    sent: dict[tuple[str, str], list[float]] = {}
    for seen in scene.transport.seen:
        # After a minute a request is given up, and the next one is another pass's.
        if start < seen.time < start + 50 and ("watch", "1") not in seen.request.query:
            sent.setdefault((seen.request.method, seen.request.path), []).append(seen.time)
    for times in sent.values():
        assert all(later - time >= RETRY_AFTER for time, later in itertools.pairwise(times))


@virtual
async def test_broken_watches_are_opened_again_and_drift_is_healed() -> None:
    scene = Scene()
    faults = itertools.cycle((Fault.TRUNCATED, Fault.LOST, Fault.GARBAGE, None))
    scene.transport.fault_of = lambda request: next(faults) if ("watch", "1") in request.query else None
    async with scene.daemon() as running:
        await scene.converged(running)
        path = "/api/v1/namespaces/shop/configmaps/a"
        headers = {"content-type": "application/merge-patch+json"}
        patch = Request("PATCH", path, (("fieldManager", "somebody"),), headers, b'{"data":{"value":"drifted"}}')
        assert (await scene.sandbox.handle(patch)).status == 200
        await running.until(lambda: running.heard(EventType.HEALED))
        live = (await scene.stored()).ours["ConfigMap/shop/a"]
    assert live["data"] == {"value": "1"}
    assert scene.busiest_minute() <= MOST_IN_A_MINUTE


def forbid_services(request: Request) -> Fault | None:
    return Fault.FORBIDDEN if "/services" in request.path else None


@virtual
async def test_one_forbidden_kind_does_not_stop_the_others_and_is_named() -> None:
    scene = Scene()
    scene.transport.fault_of = forbid_services
    async with scene.daemon() as running:
        await running.until(lambda: running.heard(EventType.SYNC_FAILED))
        ours = (await scene.stored()).ours
        assert {"ConfigMap/shop/a", "Deployment/shop/web", "Namespace/shop"} <= ours.keys()
        (said,) = {each for each in running.heard(EventType.FAILED) if "/services" in each}
        assert 'User "reconciler" cannot' in said
        scene.transport.fault_of = lambda _request: None
        await scene.converged(running)
        assert "Service/shop/raw" in (await scene.stored()).ours


@virtual
async def test_rule_3_a_kind_that_cannot_be_listed_is_not_taken_for_empty() -> None:
    """A Service goes from Git while we may not read Services, and then the daemon is restarted: it is not forgotten."""
    scene = Scene()
    async with scene.daemon() as running:
        await scene.converged(running)
    scene.transport = FaultTransport(scene.sandbox.transport(), forbid_services)
    scene.commit = scene.repository.commit({"svc.yaml": None, "a.yaml": config("a", "2")}, "No service")
    async with scene.daemon() as running:
        await asyncio.sleep(1800)
        ours = (await scene.stored()).ours
        assert ours["ConfigMap/shop/a"]["data"] == {"value": "2"}
        assert "Service/shop/raw" in ours
        assert scene.busiest_minute() <= MOST_IN_A_MINUTE
        scene.transport.fault_of = lambda _request: None
        await asyncio.sleep(PATIENCE)
        assert "Service/shop/raw" not in (await scene.stored()).ours


@examples(10)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from((0.05, 0.2, 0.5, 0.9)), restart=st.booleans())
def test_any_mixture_of_faults_loses_nothing(undisturbed: Stored, seed: int, rate: float, *, restart: bool) -> None:
    random = Random(seed)

    def any_fault(_request: Request) -> Fault | None:
        return random.choice(FAULTS) if random.random() < rate else None

    async def main() -> None:
        scene = Scene()
        scene.transport.fault_of = any_fault
        async with scene.daemon() as running:
            await asyncio.sleep(random.uniform(0, 300))
            if not restart:
                await through_the_second_commit(scene, running, random)
        if restart:
            scene.transport = FaultTransport(scene.sandbox.transport(), any_fault)
            async with scene.daemon() as running:
                await through_the_second_commit(scene, running, random)
        assert await scene.stored() == undisturbed
        assert scene.deletions() <= GOING
        assert scene.busiest_minute() <= MOST_IN_A_MINUTE

    run_virtual(main())


async def through_the_second_commit(scene: Scene, running: VirtualDaemon, random: Random) -> None:
    scene.second()
    await asyncio.sleep(random.uniform(0, 600))
    scene.transport.fault_of = lambda _request: None
    await scene.converged(running)
