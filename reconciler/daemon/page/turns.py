"""Pages are made on the loop that also heals and applies: one at a time, the same one not twice in a row."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from reconciler.clock import Clock

_KEPT: Final = 8  # pages
_LARGE: Final = 300_000  # characters of one that is not kept: the JSON of very many objects
_PACE: Final = 0.3  # seconds between two makings of one page, however much changes
_OLD: Final = 1.0  # seconds after which a page is made anew, though nothing seems to have changed
_REST: Final = 2.0  # times as long as a page took, nobody makes another: others have two thirds of the loop


class _Made(NamedTuple):
    stamp: Hashable
    when: float
    body: str


class Turns:
    """Makes pages for many visitors. Nobody gets one from before a change: who comes too early waits for the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, _Made] = {}
        self._turn = asyncio.Lock()
        self._free = float("-inf")  # when the next page may be made

    async def page(self, key: str, stamp: Callable[[], Hashable], make: Callable[[], str]) -> str:
        """What `make` returns, or what it returned a moment ago for the same `key` and `stamp`."""
        if (body := self._good(key, stamp())) is not None:
            return body
        if (known := self._made.get(key)) is not None:
            await self._clock.sleep(known.when + _PACE - self._clock.monotonic())
        async with self._turn:
            if (body := self._good(key, stamp())) is not None:  # somebody else had it made meanwhile
                return body
            await self._clock.sleep(self._free - self._clock.monotonic())
            begun, now = self._clock.monotonic(), stamp()
            body = make()
            ended = self._clock.monotonic()
            self._free = ended + _REST * (ended - begun)
            self._made.pop(key, None)
            if len(body) <= _LARGE:
                self._made[key] = _Made(now, ended, body)
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
            return body

    def _good(self, key: str, stamp: Hashable) -> str | None:
        known = self._made.get(key)
        good = known is not None and known.stamp == stamp and self._clock.monotonic() - known.when < _OLD
        return known.body if known is not None and good else None
