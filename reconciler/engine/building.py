"""Builds, told as they run: when one begins, how far it is, how it ended."""

import asyncio
from typing import Final, Protocol

from reconciler.clock import Clock
from reconciler.images.builder import Builder, Log, Work
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.snapshot import Blobs

_PACE: Final = 30.0  # seconds between two words on a build that runs
_LINE: Final = 120  # characters


class Observer(Protocol):
    """Counts. `result` is built, failed or cancelled."""

    def building(self, change: int) -> None:
        """So many builds more, or fewer, run now."""
        ...

    def built(self, result: str, seconds: float) -> None: ...


class Announced:
    """A Builder: `inner`, and what is said about it. That a build failed is said by those who wanted it."""

    def __init__(self, inner: Builder, clock: Clock, emit: Sink, observer: Observer) -> None:
        self._inner = inner
        self._clock = clock
        self._emit = emit
        self._observer = observer

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        """As Builder says."""
        begun = self._clock.monotonic()
        lines = [""]

        def heard(line: str) -> None:
            lines[0] = line.strip()[:_LINE] or lines[0]
            log(line)

        self._say(EventType.BUILDING, work, "begins")
        self._observer.building(1)
        telling = asyncio.create_task(self._tell(work, begun, lines))
        result = "failed"
        try:
            digest = await self._inner.build(work, blobs, heard)
            result = "built"
        except asyncio.CancelledError:
            result = "cancelled"
            raise
        finally:
            telling.cancel()
            seconds = self._clock.monotonic() - begun
            self._observer.building(-1)
            self._observer.built(result, seconds)
        self._say(EventType.BUILT, work, f"is {digest} after {seconds:.0f} s")
        return digest

    async def _tell(self, work: Work, begun: float, lines: list[str]) -> None:
        while True:
            await self._clock.sleep(_PACE)
            seconds = self._clock.monotonic() - begun
            self._say(EventType.BUILDING, work, f"runs for {seconds:.0f} s: {lines[0] or 'nothing was said yet'}")

    def _say(self, kind: EventType, work: Work, text: str) -> None:
        self._emit(Event(kind, self._clock.now(), "", f"{work.target} {text}", subject=str(work.target)))
