"""Keeps the record in its storage: read once, written soon after it changed, at most once a second."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from reconciler.alerts.waiting import either
from reconciler.clock import Clock
from reconciler.errors import ReconcilerError

PACE: Final = 1.0  # seconds between two writes, at least
SMALL: Final = 32 * 1024  # characters; a larger text is written less often, in proportion
PATIENCE: Final = 2.0  # seconds that a message waits for the record of what it is about
_LONGEST_PAUSE: Final = 60.0
_LONGEST_WAIT: Final = 5.0  # for the first reading, which others wait for

logger = logging.getLogger(__name__)


class Storage(Protocol):
    """One text, somewhere that outlives us. Both raise ReconcilerError."""

    async def read(self) -> str | None:
        """None where nothing was ever written."""
        ...

    async def write(self, text: str) -> None: ...


class Keeper:
    """`assemble` gives the text as it should be now. Where nothing is stored, `empty` is what that would say."""

    def __init__(
        self, storage: Storage, assemble: Callable[[], str], empty: str, clock: Clock, *, pace: float = PACE
    ) -> None:
        self._storage = storage
        self._assemble = assemble
        self._clock = clock
        self._pace = pace
        self._empty = self._written = empty
        self._changed = asyncio.Event()
        self._said = 0  # changes so far
        self._sure = 0  # those of them that are written
        self._news = asyncio.Condition()
        self._lock = asyncio.Lock()
        self._last = float("-inf")

    async def load(self) -> str:
        """What is stored; asked for until there is an answer."""
        pause = self._pace
        while True:
            try:
                self._written = await self._storage.read() or self._empty
            except ReconcilerError as error:
                logger.warning("what receivers of alerts were told is not known yet: %s", error)
                await self._clock.sleep(pause)
                pause = min(_LONGEST_WAIT, pause * 2)
            else:
                return self._written

    def changed(self) -> None:
        """What is to be remembered may have changed."""
        self._said += 1
        self._changed.set()

    async def sure(self) -> None:
        """Return once what is so now is written; or after some patience, because telling matters more."""
        said = self._said
        if self._sure < said:
            await either(self._until(said), self._clock.sleep(PATIENCE))

    async def _until(self, said: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._sure >= said)

    async def run(self) -> None:
        """Write what changes, until cancelled."""
        pause = self._pace
        while True:
            await self._changed.wait()
            try:
                await self._write()
                pause = self._pace
            except ReconcilerError as error:
                logger.warning("what receivers of alerts were told is not written yet: %s", error)
                await self._clock.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def close(self, timeout: float) -> None:
        """Write what is not written yet, for `timeout` seconds at most."""
        self._last = float("-inf")  # the last write does not wait for its turn
        try:
            async with asyncio.timeout(timeout):
                if self._changed.is_set():
                    await self._write()
        except TimeoutError:
            logger.warning("what receivers of alerts were told was not written in time")
        except ReconcilerError as error:
            logger.warning("what receivers of alerts were told was not written: %s", error)

    async def _write(self) -> None:
        async with self._lock:
            pace = self._pace * max(1.0, len(self._written) / SMALL)
            await self._clock.sleep(self._last + pace - self._clock.monotonic())
            self._changed.clear()
            said, text = self._said, self._assemble()
            if text != self._written:
                self._last = self._clock.monotonic()
                try:
                    await self._storage.write(text)
                except BaseException:
                    self._changed.set()
                    raise
                self._written = text
        async with self._news:
            self._sure = said
            self._news.notify_all()
