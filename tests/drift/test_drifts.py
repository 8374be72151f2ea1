"""All drift of a daemon: its views, and how it is told."""

import asyncio
from dataclasses import replace

from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.drift.drifts import Drifts
from reconciler.kube.names import Identity
from reconciler.model.drift import Drift, DriftKind, DriftState, Wanted
from reconciler.model.event import Event, EventType
from reconciler.model.manifest import DriftMode


def drift(clock: LoopClock, name: str = "a", source: str = "shop") -> Drift:
    identity = Identity("", "ConfigMap", "shop", name)
    return Drift(source, identity, DriftKind.EDITED, clock.now(), DriftMode.HEAL, DriftState.FOUND)


class Slow:
    """Answers after a second, as Git may; `late` never in time; `wrong` raises."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.asked: list[str] = []

    async def wanted(self, source: str, drift: Drift) -> tuple[Wanted, ...]:
        name = drift.identity.name
        self.asked.append(name)
        await self.clock.sleep(100 if name == "late" else 1)
        if name == "wrong":
            raise RuntimeError("no such file")
        return (Wanted(f"{name}.yaml", 1),)


@virtual
async def test_what_is_open_and_what_has_ended() -> None:
    clock = LoopClock()
    drifts = Drifts([].append, clock)
    some = [drift(clock, name, source) for source in ("b", "a") for name in ("y", "x")]
    for each in some:
        drifts.put(each)
    assert [(each.source, each.identity.name) for each in drifts.open()] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]
    over = replace(some[0], state=DriftState.HEALED, ended=clock.now())
    drifts.end(over)
    drifts.drop("a", some[3].identity)
    assert len(drifts.open()) == 2
    assert drifts.ended() == (over,)
    for number in range(150):
        drifts.end(drift(clock, str(number)))
    assert len(drifts.ended()) == 100
    assert drifts.ended()[0].identity.name == "149", "the latest first"


@virtual
async def test_what_git_knows_is_told_with_it_and_in_order() -> None:
    clock, heard = LoopClock(), list[Event]()
    slow = Slow(clock)
    drifts = Drifts(heard.append, clock, slow)
    found = drift(clock)
    drifts.put(found)
    drifts.tell(EventType.DRIFTED, found, "edited")
    over = replace(found, state=DriftState.HEALED, ended=clock.now())
    drifts.end(over)
    drifts.tell(EventType.HEALED, over, "as Git states it again")
    assert heard == [], "Git is asked beside us"
    await clock.sleep(2)
    assert [event.type for event in heard] == [EventType.DRIFTED, EventType.HEALED]
    for event in heard:
        assert event.drift is not None
        assert event.drift.wanted == (Wanted("a.yaml", 1),)
    assert slow.asked == ["a"], "once for one drift"
    assert drifts.ended()[0].wanted == (Wanted("a.yaml", 1),)
    await drifts.close()


@virtual
async def test_the_view_of_an_open_drift_gets_it_too_and_keeps_it() -> None:
    clock = LoopClock()
    drifts = Drifts([].append, clock, Slow(clock))
    found = drift(clock)
    drifts.put(found)
    drifts.tell(EventType.DRIFTED, found, "edited")
    await clock.sleep(2)
    (seen,) = drifts.open()
    assert seen.wanted == (Wanted("a.yaml", 1),)
    drifts.put(replace(found, times=2))
    assert drifts.open()[0].wanted == (Wanted("a.yaml", 1),)
    await drifts.close()


@virtual
async def test_what_git_does_not_say_in_time_or_at_all_is_told_without() -> None:
    clock, heard = LoopClock(), list[Event]()
    drifts = Drifts(heard.append, clock, Slow(clock))
    for name in ("late", "wrong", "fine"):
        drifts.tell(EventType.DRIFTED, drift(clock, name), name)
    await clock.sleep(6)
    assert [event.message for event in heard] == ["late", "wrong", "fine"]
    assert [len(event.drift.wanted) for event in heard if event.drift] == [0, 0, 1]
    await drifts.close()


@virtual
async def test_the_end_of_the_daemon_does_not_wait_for_git() -> None:
    clock, heard = LoopClock(), list[Event]()
    drifts = Drifts(heard.append, clock, Slow(clock))
    for number in range(20):
        drifts.tell(EventType.DRIFTED, drift(clock, f"a{number}"), str(number))
    await asyncio.sleep(0)
    begun = clock.monotonic()
    await drifts.close()
    assert clock.monotonic() == begun
    assert [event.message for event in heard] == [str(number) for number in range(20)]


@virtual
async def test_a_long_queue_is_told_without_waiting() -> None:
    clock, heard = LoopClock(), list[Event]()
    drifts = Drifts(heard.append, clock, Slow(clock))
    for number in range(6000):
        drifts.tell(EventType.DRIFTED, drift(clock, f"a{number}"), str(number))
    assert len(heard) == 1000
    await drifts.close()
    assert [event.message for event in heard] == [str(number) for number in range(6000)]
