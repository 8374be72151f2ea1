"""One of several holds a Lease: never two, whatever the clocks, the network and the API server do."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from intercepted import Hooked, refusal
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.cluster.api import Api
from reconciler.cluster.lease import Lease
from reconciler.errors import Forbidden, ServerFault, TransportError
from reconciler.http.transport import Request, Response
from reconciler.sandbox.server import Sandbox

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/planner"


class WrongClock(LoopClock):
    """Runs as the others do, and tells another time of day."""

    def __init__(self, off: timedelta) -> None:
        super().__init__()
        self.off = off

    def now(self) -> datetime:
        return super().now() + self.off


class Line:
    """One process's way to the API server: `cut` ends it, `mute` lets requests through and loses the answers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.inner = sandbox.transport()
        self.answer: Response | None = None
        self.cut = self.mute = self.silent = False
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        if self.silent:
            await asyncio.sleep(3600)
        if self.cut:
            raise TransportError("no usable answer")
        answer = self.answer or await self.inner.send(request)
        if self.mute:
            raise TransportError("no usable answer")
        return answer

    def stream(self, request: Request) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        await self.inner.close()


class Group:
    """Processes that want the same Lease."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.sandbox = Sandbox(clock=self.clock)
        self.transport = self.sandbox.transport()

    def contender(self, name: str, *, off: timedelta = timedelta(), duration: float = 15) -> tuple[Lease, Line]:
        line = Line(self.sandbox)
        return Lease(Api(line), "default", "planner", name, clock=WrongClock(off), duration=duration), line

    async def stored(self) -> dict[str, Any]:
        answer = await self.transport.send(Request("GET", PATH))
        found: dict[str, Any] = msgspec.json.decode(answer.body)
        return found

    async def edit(self, body: dict[str, Any]) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        answer = await self.transport.send(Request("PATCH", PATH, (), headers, msgspec.json.encode(body)))
        assert answer.status == 200


@virtual
async def test_the_first_gets_it_and_the_other_knows_who_has_it() -> None:
    group = Group()
    (a, _), (b, _) = group.contender("a"), group.contender("b")
    assert (a.held(), a.holder) == (False, "")
    assert await a.acquire()
    assert a.held()
    assert not await b.acquire()
    assert (a.holder, b.holder, b.held()) == ("a", "a", False)
    spec = (await group.stored())["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)
    assert spec["renewTime"] == spec["acquireTime"]


@virtual
async def test_it_is_ours_for_two_thirds_of_the_time_and_not_an_instant_longer() -> None:
    group = Group()
    a, _ = group.contender("a")
    await a.acquire()
    await asyncio.sleep(9.99)
    assert a.held()
    await asyncio.sleep(0.02)
    assert not a.held()


@virtual
async def test_renewing_keeps_it_from_others() -> None:
    group = Group()
    (a, _), (b, _) = group.contender("a"), group.contender("b")
    await a.acquire()
    for _ in range(50):
        await asyncio.sleep(5)
        assert await a.acquire()
        assert not await b.acquire()
    assert (await group.stored())["spec"]["leaseTransitions"] == 0


@virtual
async def test_renewing_is_one_request() -> None:
    group = Group()
    a, line = group.contender("a")
    await a.acquire()
    line.sent.clear()
    await a.acquire()
    assert [request.method for request in line.sent] == ["PATCH"]


@virtual
async def test_what_is_not_renewed_goes_to_another_after_its_duration() -> None:
    group = Group()
    (a, _), (b, _) = group.contender("a"), group.contender("b")
    await a.acquire()
    assert not await b.acquire()
    await asyncio.sleep(14.9)
    assert not await b.acquire()
    await asyncio.sleep(0.2)
    assert await b.acquire()
    assert (await group.stored())["spec"]["leaseTransitions"] == 1
    assert not await a.acquire()
    assert a.holder == "b"


@virtual
async def test_it_expires_by_the_time_for_which_its_holder_asked() -> None:
    group = Group()
    (a, _), (b, _) = group.contender("a", duration=60), group.contender("b", duration=3)
    await a.acquire()
    for _ in range(10):
        assert not await b.acquire()
        await asyncio.sleep(5.5)
    await asyncio.sleep(5.1)
    assert await b.acquire()


@pytest.mark.parametrize("off", [timedelta(days=-1), timedelta(minutes=-1), timedelta(hours=2)])
def test_clocks_that_tell_another_time_of_day_do_no_harm(off: timedelta) -> None:
    @virtual
    async def scenario() -> None:
        group = Group()
        (a, _), (b, _) = group.contender("a"), group.contender("b", off=off)
        await a.acquire()
        for _ in range(20):
            assert not await b.acquire()
            await asyncio.sleep(5)
            assert await a.acquire()
        await asyncio.sleep(15.1)
        assert not await b.acquire(), "it was renewed after b had looked last"
        await asyncio.sleep(15.1)
        assert await b.acquire()

    scenario()


@virtual
async def test_a_machine_that_slept_holds_nothing() -> None:
    """Its monotonic clock may have stood still meanwhile, the time of day has not."""
    group = Group()
    line = Line(group.sandbox)
    clock = WrongClock(timedelta())
    a = Lease(Api(line), "default", "planner", "a", clock=clock)
    await a.acquire()
    clock.off = timedelta(minutes=5)
    assert not a.held()


@virtual
async def test_a_time_of_day_that_goes_back_lengthens_no_hold() -> None:
    group = Group()
    clock = WrongClock(timedelta())
    a = Lease(Api(Line(group.sandbox)), "default", "planner", "a", clock=clock)
    await a.acquire()
    clock.off = timedelta(hours=-1)
    await asyncio.sleep(9.9)
    assert a.held()
    await asyncio.sleep(0.2)
    assert not a.held()


@virtual
async def test_a_hold_is_counted_from_before_its_request() -> None:
    group = Group()
    _, line = group.contender("a")

    async def slow(request: Request) -> Response | None:
        await asyncio.sleep(2)
        return None

    a = Lease(Api(Hooked(line, slow)), "default", "planner", "a", clock=group.clock)
    await a.acquire()  # looks for 2 s, then writes for 2 s
    await asyncio.sleep(7.9)
    assert a.held()
    await asyncio.sleep(0.2)
    assert not a.held()


@virtual
async def test_what_was_taken_while_an_answer_was_lost_is_not_ours() -> None:
    group = Group()
    a, line = group.contender("a")
    await a.acquire()
    line.cut = True
    with pytest.raises(TransportError):
        await a.acquire()
    line.cut = False
    await group.edit({"spec": {"holderIdentity": "somebody"}})
    assert a.held(), "nobody has told us"
    assert not await a.acquire()
    assert not a.held()


@virtual
async def test_who_is_always_too_late_holds_nothing() -> None:
    group = Group()
    a, line = group.contender("a")
    await a.acquire()

    async def first(request: Request) -> Response | None:
        if request.method == "PATCH":
            await group.edit({"metadata": {"annotations": {"at": str(len(line.sent))}}})
        return None

    line.inner = Hooked(line.inner, first)
    assert not await a.acquire()
    assert not a.held()


@virtual
async def test_a_lost_answer_ends_no_hold_and_begins_none() -> None:
    group = Group()
    (a, line), (b, _) = group.contender("a"), group.contender("b")
    line.mute = True
    with pytest.raises(TransportError):
        await a.acquire()
    assert not a.held()
    line.mute = False
    await asyncio.sleep(1)
    assert await a.acquire(), "what was written is ours"
    line.mute = True
    await asyncio.sleep(3)
    with pytest.raises(TransportError):
        await a.acquire()
    assert a.held()
    line.mute = False
    assert await a.acquire()
    assert not await b.acquire()


@virtual
async def test_cut_off_it_ends_before_another_can_have_it() -> None:
    group = Group()
    (a, line), (b, _) = group.contender("a"), group.contender("b")
    both = asyncio.create_task(_never_two(a, b))
    keeping = [asyncio.create_task(a.keep()), asyncio.create_task(b.keep())]
    await asyncio.sleep(60)
    assert a.held()
    line.cut = True
    await asyncio.sleep(9)
    assert not b.held()
    await asyncio.sleep(12)
    assert (a.held(), b.held()) == (False, True)
    line.cut = False
    await asyncio.sleep(60)
    assert (a.held(), b.held(), a.holder) == (False, True, "b")
    assert not both.done()
    for task in (*keeping, both):
        task.cancel()
    await asyncio.gather(*keeping, both, return_exceptions=True)


async def _never_two(*leases: Lease) -> None:
    while True:
        assert sum(lease.held() for lease in leases) <= 1
        await asyncio.sleep(0.05)


@virtual
async def test_an_api_server_that_does_not_answer_is_not_waited_for() -> None:
    group = Group()
    a, line = group.contender("a")
    await a.acquire()
    line.silent = True
    before = group.clock.monotonic()
    with pytest.raises(TransportError, match="no answer in time"):
        await a.acquire()
    assert group.clock.monotonic() - before == pytest.approx(5)


@virtual
async def test_rule_23_an_answer_that_comes_too_late_is_no_hold() -> None:
    group = Group()
    _, line = group.contender("a")

    async def slow(request: Request) -> Response | None:
        await asyncio.sleep(2.4)
        return None

    slowly = Lease(Api(Hooked(line, slow)), "default", "planner", "a", clock=group.clock, duration=6)
    with pytest.raises(TransportError):
        await slowly.acquire()  # to look and to write takes 4.8 s, and a third of the duration is 2
    assert not slowly.held()


@virtual
async def test_released_it_goes_to_another_at_once() -> None:
    group = Group()
    (a, _), (b, _) = group.contender("a"), group.contender("b")
    await a.acquire()
    assert not await b.acquire()
    await a.release()
    assert (a.held(), a.holder) == (False, "")
    assert "holderIdentity" not in (await group.stored())["spec"]
    assert await b.acquire()


@virtual
async def test_what_is_not_ours_is_not_released() -> None:
    group = Group()
    (a, _), (b, line) = group.contender("a"), group.contender("b")
    await a.acquire()
    await b.acquire()
    line.sent.clear()
    await b.release()
    assert not line.sent
    await asyncio.sleep(11)
    await a.release()  # it may be another's by now
    assert (await group.stored())["spec"]["holderIdentity"] == "a"


@virtual
async def test_two_that_begin_at_the_same_instant() -> None:
    group = Group()
    leases = [group.contender(f"c{number}")[0] for number in range(8)]
    assert sum(await asyncio.gather(*(lease.acquire() for lease in leases))) == 1
    await asyncio.sleep(16)
    await asyncio.gather(*(lease.acquire() for lease in leases))
    await asyncio.sleep(16)
    assert sum(await asyncio.gather(*(lease.acquire() for lease in leases))) <= 1
    assert sum(lease.held() for lease in leases) <= 1


@virtual
async def test_a_lease_that_somebody_deletes_is_made_again() -> None:
    group = Group()
    a, _ = group.contender("a")
    await a.acquire()
    await group.transport.send(Request("DELETE", PATH))
    assert await a.acquire()
    assert (await group.stored())["spec"]["holderIdentity"] == "a"


@virtual
async def test_what_others_write_beside_it_stays_and_costs_nothing() -> None:
    group = Group()
    a, _ = group.contender("a")
    await a.acquire()
    await group.edit({"metadata": {"annotations": {"who": "asked"}}})
    assert await a.acquire()
    assert (await group.stored())["metadata"]["annotations"] == {"who": "asked"}


@virtual
async def test_who_takes_it_from_us_has_it() -> None:
    group = Group()
    a, _ = group.contender("a")
    await a.acquire()
    await group.edit({"spec": {"holderIdentity": "somebody"}})
    assert not await a.acquire()
    assert (a.held(), a.holder) == (False, "somebody")


@pytest.mark.parametrize(("code", "error"), [(403, Forbidden), (500, ServerFault)])
def test_a_refusal_is_an_error_and_no_loss(code: int, error: type[Exception]) -> None:
    @virtual
    async def scenario() -> None:
        group = Group()
        a, line = group.contender("a")
        await a.acquire()
        line.answer = refusal(code, "")
        with pytest.raises(error):
            await a.acquire()
        assert a.held()
        await asyncio.sleep(10)
        assert not a.held()
        line.answer = None
        assert await a.acquire()

    scenario()


@asynccontextmanager
async def kept(lease: Lease) -> AsyncIterator[list[bool]]:
    told: list[bool] = []
    keeping = asyncio.create_task(lease.keep(told.append))
    await asyncio.sleep(1)
    yield told
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@virtual
async def test_kept_it_is_told_when_it_comes_and_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    group = Group()
    a, line = group.contender("a")
    async with kept(a) as told:
        await asyncio.sleep(300)
        assert told == [True]
        line.cut = True
        await asyncio.sleep(60)
        assert told == [True, False]
        assert len(caplog.records) == 1, "a failure is said once for as long as it lasts"
        line.cut = False
        await asyncio.sleep(10)
        assert told == [True, False, True]
    assert not a.held()
    assert "holderIdentity" not in (await group.stored())["spec"]


@virtual
async def test_the_end_waits_for_nobody() -> None:
    group = Group()
    a, line = group.contender("a")
    async with kept(a):
        line.silent = True
        before = group.clock.monotonic()
    assert group.clock.monotonic() - before <= 1.1
