"""Pages are made one at a time, for many, and never from before a change."""

import asyncio
from collections.abc import Callable

from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.daemon.page.turns import Turns


class Maker:
    """Makes pages that say when they were made and from which state, each in `takes` seconds of a busy loop."""

    def __init__(self, clock: LoopClock, takes: float = 0.0) -> None:
        self.clock = clock
        self.state = 0
        self.times: list[float] = []
        self.size = 10
        self._takes = takes
        self.now = clock.monotonic

    def make(self) -> str:
        self.times.append(self.clock.monotonic())
        return f"state {self.state}".ljust(self.size)

    def stamp(self) -> int:
        return self.state


class Slow:
    """A clock that shows that a page took long to make."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.behind = 0.0

    def now(self):
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.behind

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


async def ask(turns: Turns, maker: Maker, key: str = "/", make: Callable[[], str] | None = None) -> str:
    return (await turns.page(key, maker.stamp, make or maker.make)).strip()


@virtual
async def test_many_at_a_time_get_the_same_one() -> None:
    maker = Maker(LoopClock())
    turns = Turns(maker.clock)
    assert set(await asyncio.gather(*(ask(turns, maker) for _ in range(50)))) == {"state 0"}
    assert len(maker.times) == 1


@virtual
async def test_nobody_gets_one_from_before_a_change_and_changes_are_paced() -> None:
    maker = Maker(LoopClock())
    turns = Turns(maker.clock)
    for number in range(20):
        maker.state = number
        assert await ask(turns, maker) == f"state {number}"
    pauses = [after - before for before, after in zip(maker.times, maker.times[1:], strict=False)]
    assert min(pauses) > 0.29


@virtual
async def test_without_a_change_it_is_made_anew_after_a_second() -> None:
    maker = Maker(LoopClock())
    turns = Turns(maker.clock)
    for _ in range(30):
        await ask(turns, maker)
        await maker.clock.sleep(0.1)
    assert len(maker.times) == 3


@virtual
async def test_pages_take_a_third_of_the_loop_at_most() -> None:
    clock = LoopClock()
    slow, maker = Slow(clock), Maker(clock)
    turns = Turns(slow)

    def make() -> str:
        maker.times.append(clock.monotonic())
        slow.behind += 0.5
        return "page"

    await asyncio.gather(*(ask(turns, maker, f"/{number}", make) for number in range(5)))
    pauses = [after - before for before, after in zip(maker.times, maker.times[1:], strict=False)]
    assert min(pauses) > 0.99, "half a second to make, a whole one for others"


@virtual
async def test_what_is_very_large_is_not_kept() -> None:
    maker = Maker(LoopClock())
    maker.size = 400_000
    turns = Turns(maker.clock)
    for _ in range(3):
        await ask(turns, maker)
    assert len(maker.times) == 3
