"""Pages are made on the loop that also heals and applies: one at a time, the same one not twice in a row."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from reconciler.clock import Clock

_KEPT: Final = 8  # pages
_FRESH: Final = 0.4  # seconds for which a page is good enough, whatever changed
_REST: Final = 2.0  # times as long as a page took, nobody makes another: others have two thirds of the loop


class _Made(NamedTuple):
    stamp: Hashable
    when: float
    body: str


class Turns:
    """Makes pages for many visitors. What one of them sees may be `_FRESH` seconds old."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made: dict[str, _Made] = {}
        self._turn = asyncio.Lock()
        self._free = float("-inf")  # when the next page may be made

    async def page(self, key: str, stamp: Callable[[], Hashable], make: Callable[[], str]) -> str:
        """What `make` returns, or what it returned a moment ago for the same `key`, or for the same `stamp`."""
        async with self._turn:
            begun, now = self._clock.monotonic(), stamp()
            known = self._made.get(key)
            if known is not None and (begun - known.when < _FRESH or (known.stamp == now and begun - known.when < 1)):
                return known.body
            await self._clock.sleep(self._free - begun)
            begun, now = self._clock.monotonic(), stamp()
            body = make()
            ended = self._clock.monotonic()
            self._free = ended + _REST * (ended - begun)
            self._made.pop(key, None)
            self._made[key] = _Made(now, ended, body)
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
            return body
