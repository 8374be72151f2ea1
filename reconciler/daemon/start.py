"""The daemon before its first pass: the API server may not be there yet, or the namespace for the state."""

import asyncio
from collections.abc import Awaitable
from random import Random
from typing import Final, TypeVar

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.errors import ApiError, ReconcilerError
from reconciler.http.retry import pauses
from reconciler.model.config import DaemonConfig
from reconciler.model.event import Event, EventType, Sink

T = TypeVar("T")

_FIRST_PAUSE: Final = 1.0  # seconds; doubles
_LONGEST_PAUSE: Final = 30.0


class Start:
    """Finds out who we are, however long that takes."""

    def __init__(
        self, config: DaemonConfig, cluster: Cluster, store: StateStore, emit: Sink, *, clock: Clock, random: Random
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._store = store
        self._emit = emit
        self._clock = clock
        self._random = random
        self._missing = "the API server has not answered yet"

    def waiting_for(self) -> list[str]:
        """What is missing, in words."""
        return [self._missing]

    async def install(self) -> str:
        """Our install uid, as soon as the cluster can be asked. What is missing is said once, and when it came."""
        backoff = pauses(self._random, _FIRST_PAUSE, _LONGEST_PAUSE)
        said = ""
        while True:
            try:
                # Without the retries of other requests: what is wrong is to be said at once.
                await Api(self._cluster.transport).get("/version", subject="the API server")
                install = await self._store.install(self._config.install, [s.name for s in self._config.sources])
            except ReconcilerError as error:
                self._missing = error.advised
                if self._missing != said:
                    said = self._missing
                    self._say(EventType.NOT_READY, f"{said}; trying again")
                asked = error.retry_after if isinstance(error, ApiError) else None
                await self._clock.sleep((asked or 0) + next(backoff))
            else:
                self._say(EventType.READY, f"the cluster answers; this is install {install}")
                return install

    def _say(self, kind: EventType, message: str) -> None:
        self._emit(Event(kind, self._clock.now(), "", message))


async def unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What `work` returns, or None where `stop` was set first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
