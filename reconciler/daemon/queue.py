"""The work queue: keys in, one worker a key at a time, a key that is added twice is worked on once.

Triggers (a timer, a watch event, a failed pass) only add keys; what a key means is the worker's business. A key added
while it is being worked on is worked on again afterwards, so nothing that happens in between is lost.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from reconciler.clock import Clock

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """A deduplicating queue for the workers of one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()  # in _ready, or to be put there when its worker is done
        self._working: set[K] = set()
        self._delayed: dict[K, tuple[float, asyncio.Task[None]]] = {}
        self._wake = asyncio.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Keys that wait for a worker now; delayed ones are not counted."""
        return len(self._waiting)

    async def add(self, key: K, *, delay: float = 0.0) -> None:
        """Have `key` worked on, at the earliest `delay` seconds from now. The soonest of several wishes wins."""
        if self._closed:
            return
        if delay > 0:
            self._delay(key, delay)
            return
        if later := self._delayed.pop(key, None):
            later[1].cancel()
        async with self._wake:
            if key in self._waiting:
                return
            self._waiting.add(key)
            if key not in self._working:
                self._ready.append(key)
                self._wake.notify()

    def _delay(self, key: K, delay: float) -> None:
        due = self._clock.monotonic() + delay
        if earlier := self._delayed.get(key):
            if earlier[0] <= due:
                return
            earlier[1].cancel()
        self._delayed[key] = (due, asyncio.ensure_future(self._later(key, delay)))

    async def _later(self, key: K, delay: float) -> None:
        await self._clock.sleep(delay)
        del self._delayed[key]
        await self.add(key)

    async def get(self) -> K | None:
        """The next key, or None when the queue was closed. Call `done` with it afterwards."""
        async with self._wake:
            await self._wake.wait_for(lambda: self._ready or self._closed)
            if self._closed:
                return None
            key = self._ready.popleft()
            self._waiting.discard(key)
            self._working.add(key)
            return key

    async def done(self, key: K) -> None:
        """Say that the work on `key` ended, well or not."""
        async with self._wake:
            self._working.discard(key)
            if key in self._waiting:
                self._ready.append(key)
                self._wake.notify()

    async def close(self) -> None:
        """Let every worker's `get` return None; forget what waits."""
        self._closed = True
        for _due, task in self._delayed.values():
            task.cancel()
        self._delayed.clear()
        async with self._wake:
            self._wake.notify_all()
