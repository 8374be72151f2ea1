"""All drift of one daemon: what is open, what ended lately, and the telling of it."""

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import Final

from reconciler.clock import Clock
from reconciler.drift.attributing import Attribution
from reconciler.kube.names import Identity
from reconciler.model.drift import Drift, Wanted
from reconciler.model.event import Event, EventType, Sink

_ENDED: Final = 100  # drifts that are remembered after their end
_AT_ONCE: Final = 8  # that are attributed side by side
_PATIENCE: Final = 5.0  # seconds that a drift waits for its attribution
_BACKLOG: Final = 5000  # events that wait; beyond, they are told without

logger = logging.getLogger(__name__)


class Drifts:
    """Shared by the wardens of all sources. Where there is an `attribution`, close it.

    Events go to `emit` in the order in which they happened, each with its drift; with an attribution they wait for it.
    """

    def __init__(self, emit: Sink, clock: Clock, attribution: Attribution | None = None) -> None:
        self.version = 0  # changes whenever what is open does
        self._emit = emit
        self._clock = clock
        self._attribution = attribution
        self._open: dict[tuple[str, Identity], Drift] = {}
        self._ended: deque[Drift] = deque(maxlen=_ENDED)
        self._wanted: dict[tuple[str, Identity], tuple[Wanted, ...]] = {}
        self._waiting: deque[Event] = deque()
        self._telling: asyncio.Task[None] | None = None

    def open(self) -> tuple[Drift, ...]:
        """What is not as Git states it at present, by source and object."""
        return tuple(drift for _key, drift in sorted(self._open.items(), key=lambda item: item[0]))

    def ended(self) -> tuple[Drift, ...]:
        """The last that ended, the latest first."""
        return tuple(reversed(self._ended))

    async def close(self) -> None:
        """Tell what waits, without waiting for attributions."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        while self._waiting:
            self._emit(self._waiting.popleft())

    # Below: for the wardens.

    def put(self, drift: Drift) -> None:
        """This is so now."""
        self.version += 1
        key = (drift.source, drift.identity)
        self._open[key] = replace(drift, wanted=self._wanted.get(key, drift.wanted))

    def end(self, drift: Drift) -> None:
        """It is over, as `drift.state` says, at `drift.ended`."""
        self.version += 1
        key = (drift.source, drift.identity)
        self._open.pop(key, None)
        self._ended.append(replace(drift, wanted=self._wanted.pop(key, drift.wanted)))

    def drop(self, source: str, identity: Identity) -> None:
        """It was none, or nobody need know."""
        self.version += 1
        self._open.pop((source, identity), None)

    def tell(self, kind: EventType, drift: Drift, message: str, *, revision: str = "", hint: str = "") -> None:
        """Say what happened."""
        event = Event(kind, self._clock.now(), drift.source, message, drift.identity, revision, hint, drift=drift)
        if self._attribution is None:
            self._emit(event)
            return
        self._waiting.append(event)
        if len(self._waiting) > _BACKLOG:
            self._emit(self._waiting.popleft())
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(self._attribution), name="telling drift")

    async def _tell(self, attribution: Attribution) -> None:
        while self._waiting:
            some = [self._waiting[at] for at in range(min(_AT_ONCE, len(self._waiting)))]
            asked = {(event.source, event.identity): event.drift for event in some if event.drift is not None}
            found = await asyncio.gather(*(self._attributed(attribution, drift) for drift in asked.values()))
            known = dict(zip(asked, found, strict=True))
            for event in some:
                if self._waiting and self._waiting[0] is event:
                    self._waiting.popleft()
                    self._emit(self._with(event, known.get((event.source, event.identity), ())))

    async def _attributed(self, attribution: Attribution, drift: Drift) -> tuple[Wanted, ...]:
        key = (drift.source, drift.identity)
        if known := self._wanted.get(key) or drift.wanted:
            return known
        try:
            async with asyncio.timeout(_PATIENCE):
                return await attribution.wanted(drift.source, drift)
        except TimeoutError:
            logger.warning("who wanted %s otherwise is not known after %.0f s", drift.identity, _PATIENCE)
        except Exception:
            logger.exception("who wanted %s otherwise could not be found", drift.identity)
        return ()

    def _with(self, event: Event, wanted: tuple[Wanted, ...]) -> Event:
        drift = event.drift
        if drift is None or not wanted:
            return event
        key = (drift.source, drift.identity)
        if (still := self._open.get(key)) is not None and still.noticed == drift.noticed:
            self._wanted[key] = wanted
            self._open[key] = replace(still, wanted=wanted)
        for at, past in enumerate(self._ended):
            if (past.source, past.identity, past.noticed) == (*key, drift.noticed):
                self._ended[at] = replace(past, wanted=wanted)
        return replace(event, drift=replace(drift, wanted=wanted))
