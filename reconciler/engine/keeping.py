"""What outlives us in the cluster: read before anything is added to it, written when it is due, and at the end."""

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Final, Generic, Protocol, TypeVar

from reconciler.clock import Clock
from reconciler.errors import ReconcilerError
from reconciler.http.retry import pauses

_FIRST_PAUSE: Final = 1.0  # seconds
_LONGEST_PAUSE: Final = 60.0
_LAST_WRITE: Final = 0.5  # seconds: a daemon that ends has five for everything

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Store(Protocol[T]):
    """Where something outlives us. Both raise ReconcilerError."""

    async def read(self) -> T: ...

    async def write(self, value: T, /) -> float:
        """Keep it; returns the seconds to wait at least before the next time."""
        ...


class Keeper(Generic[T]):
    """Of one `value`, which is `what` in words. Who changes it says so by `changed`."""

    def __init__(
        self, store: Store[T], empty: T, what: str, *, ours: Callable[[], bool], clock: Clock, random: Random
    ) -> None:
        self.value = empty
        self._store = store
        self._what = what
        self._ours = ours
        self._clock = clock
        self._random = random
        self._due = float("-inf")  # when it may be written next
        self._unwritten = False

    def changed(self) -> None:
        """It is to be written when that is due."""
        self._unwritten = True

    async def load(self, failed: Callable[[str], None]) -> None:
        """However long it takes: to begin without what was kept would be to overwrite it. `failed` hears why."""
        backoff = pauses(self._random, _FIRST_PAUSE, _LONGEST_PAUSE)
        while True:
            try:
                self.value = await self._store.read()
            except ReconcilerError as error:
                failed(str(error))
                await self._clock.sleep(next(backoff))
            else:
                self._unwritten = False
                return

    async def write(self) -> None:
        """Where it changed, it is due, and it is ours to write."""
        if not self._unwritten or self._clock.monotonic() < self._due or not self._ours():
            return
        try:
            pause = await self._store.write(self.value)
        except ReconcilerError as error:
            logger.warning("%s is not written yet: %s", self._what, error)
        else:
            self._due = self._clock.monotonic() + pause
            self._unwritten = False

    async def end(self) -> None:
        """The last write does not wait for its turn."""
        self._due = float("-inf")
        try:
            async with asyncio.timeout(_LAST_WRITE):
                await self.write()
        except TimeoutError:
            logger.warning("%s was not written at the end", self._what)
