"""What to look at next: a queue of keys without duplicates, and a heap of things to do later."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable
from random import Random
from typing import Final, Generic, TypeVar

from reconciler.clock import Clock

K = TypeVar("K", bound=Hashable)

REACTION: Final = 0.02  # seconds from a change to who follows it: changes close together are one, as in a real cluster
FIRST_RETRY: Final = 0.01
LAST_RETRY: Final = 30.0


class Timers:
    """Calls functions later. One task and one sleep, however many timers there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._earlier = asyncio.Event()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call `call` once `seconds` have passed. It must not raise or wait; there is no cancelling."""
        due = self._clock.monotonic() + max(0.0, seconds)
        if not self._heap or due < self._heap[0][0]:
            self._earlier.set()
        heapq.heappush(self._heap, (due, next(self._order), call))

    async def run(self) -> None:
        while True:
            now = self._clock.monotonic()
            while self._heap and self._heap[0][0] <= now:
                heapq.heappop(self._heap)[2]()
            self._earlier.clear()
            woken = asyncio.ensure_future(self._earlier.wait())
            waits: list[asyncio.Future[object]] = [woken]  # type: ignore[list-item]  # a Future of bool is one of object
            if self._heap:
                waits.append(asyncio.ensure_future(self._clock.sleep(self._heap[0][0] - now)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()


class WorkQueue(Generic[K]):
    """Keys to reconcile. A key waits at most once and is never handed out twice at a time."""

    def __init__(self, timers: Timers, random: Random, clock: Clock) -> None:
        self._timers = timers
        self._random = random
        self._clock = clock
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._busy: set[K] = set()
        self._coming: set[K] = set()
        self._later: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._ready = asyncio.Event()

    def add(self, key: K) -> None:
        """Reconcile `key` soon; once more if it is being reconciled right now."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._waiting.append(key)
            self._ready.set()

    def add_soon(self, key: K) -> None:
        """Reconcile `key` a moment from now, together with what else changes until then."""
        if key not in self._dirty and key not in self._coming:
            self._coming.add(key)
            self._timers.after(REACTION, lambda: self._arrive(key))

    def _arrive(self, key: K) -> None:
        self._coming.discard(key)
        self.add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile `key` once `seconds` have passed, or earlier if asked earlier."""
        due = self._clock.monotonic() + max(0.0, seconds)
        planned = self._later.get(key)
        if planned is not None and planned <= due:
            return
        self._later[key] = due
        self._timers.after(seconds, lambda: self._fire(key, due))

    def is_planned(self, key: K) -> bool:
        """Whether `key` will come later by `add_after`."""
        return key in self._later

    def _fire(self, key: K, due: float) -> None:
        if self._later.get(key) == due:
            del self._later[key]
            self.add(key)

    async def get(self) -> K:
        """The next key; the caller must call `done` or `failed` with it."""
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: K) -> None:
        """Try again after a pause that doubles with every failure in a row, with jitter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._release(key)
        pause = min(LAST_RETRY, FIRST_RETRY * 2 ** min(failures, 16))
        self.add_after(key, pause * (0.5 + self._random.random()))

    def _release(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._dirty:
            self._waiting.append(key)
            self._ready.set()
