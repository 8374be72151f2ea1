"""The health of everything that we own, kept from the watch.

Assessing an object costs its unpacking, 0.1 ms for a Deployment, and a roll-out touches one a dozen times: objects are
looked at once they have been quiet for a moment.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reconciler.clock import Clock
from reconciler.cluster.cache import LiveCache, Packed
from reconciler.cluster.health.assess import assess, degrades_at
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.health import Health, Status
from reconciler.model.ownership import owner_of

if TYPE_CHECKING:
    from datetime import datetime

_QUIET: Final = 0.5  # seconds
_PATIENCE: Final = 5.0  # seconds after which what is never quiet is looked at all the same
_BREATH: Final = 50  # objects that are assessed before others have their turn


class Healths:
    """Says when an object of one of our sources begins not to do what it is for, and when it does again.

    `follow` runs until it is cancelled. What it says it knows for sure of no object that changed in the last seconds.
    """

    def __init__(self, cache: LiveCache, install: str, clock: Clock, emit: Sink) -> None:
        self._cache = cache
        self._install = install
        self._clock = clock
        self._emit = emit
        self._sources: dict[str, dict[Identity, Health]] = {}
        self._owners: dict[Identity, str] = {}
        self._degraded: dict[Identity, str] = {}  # and what was said of it
        self._changed: dict[Identity, None] = {}
        self._due: dict[Identity, datetime] = {}  # when to look again, though nothing changes
        self._events = 0
        self.version = 0  # changes whenever something here does
        self._wake = asyncio.Event()

    def of(self, source: str) -> Mapping[Identity, Health]:
        """A view of what `source` owns, in no order."""
        return MappingProxyType(self._sources.get(source, {}))

    async def follow(self) -> None:
        stop = self._cache.subscribe(self._seen)
        try:
            while True:
                await self._something()
                await self._quiet()
                self._wake.clear()
                changed, self._changed = self._changed | self._overdue(), {}
                for number, identity in enumerate(changed):
                    self._look(identity)
                    if number % _BREATH == _BREATH - 1:
                        await asyncio.sleep(0)
        finally:
            stop()

    def _seen(self, identity: Identity, old: Packed | None, new: Packed | None) -> None:
        if (new is not None and new.source) or identity in self._owners or identity in self._changed:
            self._events += 1
            self._changed[identity] = None
            self._wake.set()

    async def _something(self) -> None:
        """Wait for a change, or for the time to look at something again."""
        first = min(self._due.values(), default=None)
        pause = None if first is None else max(0.0, (first - self._clock.now()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    def _overdue(self) -> dict[Identity, None]:
        now = self._clock.now()
        return {identity: None for identity, due in self._due.items() if due <= now}

    async def _quiet(self) -> None:
        end = self._clock.monotonic() + _PATIENCE
        events = -1
        while events != self._events and self._clock.monotonic() < end:
            events = self._events
            await self._clock.sleep(_QUIET)

    def _look(self, identity: Identity) -> None:
        self.version += 1
        self._due.pop(identity, None)
        live = self._cache.get(identity)
        source = self._source_of(live) if live is not None else None
        before = self._owners.pop(identity, None)
        if before is not None and before != source:
            del self._sources[before][identity]
            self._well(before, identity, "it is gone" if live is None else "no longer ours")
        if live is None or source is None:
            return
        now = self._clock.now()
        health = assess(live.object, now)
        due = degrades_at(live.object, health)
        if due is not None and due > now:
            self._due[identity] = due
        self._owners[identity] = source
        self._sources.setdefault(source, {})[identity] = health
        if health.status is Status.DEGRADED:
            if self._degraded.get(identity) != health.message:
                self._degraded[identity] = health.message
                self._say(EventType.DEGRADED, source, identity, health.message)
        elif health.ready:
            self._well(source, identity, health.message)

    def _source_of(self, live: Live) -> str | None:
        owner = owner_of(live)
        return owner.source if owner is not None and owner.install == self._install else None

    def _well(self, source: str, identity: Identity, message: str) -> None:
        if self._degraded.pop(identity, None) is not None:
            self._say(EventType.HEALTHY, source, identity, message)

    def _say(self, kind: EventType, source: str, identity: Identity, message: str) -> None:
        self._emit(Event(kind, self._clock.now(), source, message or "as it should be", identity))
