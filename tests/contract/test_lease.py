"""A Lease between two clients, on both servers."""

import asyncio

from both_servers import on_both
from world import World

from reconciler.cluster.api import Api
from reconciler.cluster.lease import Lease
from reconciler.kube.names import Identity


def contender(w: World, name: str, *, duration: float = 60.0) -> Lease:
    return Lease(Api(w.transport), "default", w.name("planner"), name, clock=w.clock, duration=duration)


async def spec(w: World) -> dict[str, object]:
    live = await w.cluster.get(Identity("coordination.k8s.io", "Lease", "default", w.name("planner")))
    assert live is not None
    found: dict[str, object] = live.object["spec"]
    return found


@on_both
async def test_one_has_it_keeps_it_and_lets_go_of_it(w: World) -> None:
    a, b = contender(w, "a"), contender(w, "b")
    assert await a.acquire()
    assert not await b.acquire()
    assert await a.acquire()
    assert (b.holder, (await spec(w))["holderIdentity"]) == ("a", "a")
    await a.release()
    assert "holderIdentity" not in await spec(w)
    assert await b.acquire()
    assert (await spec(w))["leaseTransitions"] == 1


@on_both
async def test_what_is_not_renewed_is_taken_over(w: World) -> None:
    duration = 6.0  # seconds: short, because one of the servers is in real time; an answer may take a third of it
    a, b = contender(w, "a", duration=duration), contender(w, "b", duration=duration)
    assert await a.acquire()
    assert not await b.acquire()
    await w.clock.sleep(duration + 0.2)
    assert not a.held()
    assert await b.acquire()
    assert not await a.acquire()
    assert a.holder == "b"


@on_both
async def test_of_many_at_once_one_gets_it(w: World) -> None:
    leases = [contender(w, f"c{number}") for number in range(6)]
    got = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sum(got) == 1
