"""Waiting for an object to become usable or ready: by watch events, never by polling."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from reconciler.cluster.cache import LiveCache, Packed
from reconciler.cluster.health.assess import assess
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.health import Health, Status

Condition = Callable[[Live | None], Health]

_TAKEN_INTO_SERVICE: Final = frozenset({"Namespace", "CustomResourceDefinition"})  # a moment after they are made


def usable(live: Live | None) -> Health:
    """Whether what refers to an object may be applied: it exists, and Kubernetes has taken it into service."""
    if live is not None and live.identity.kind not in _TAKEN_INTO_SERVICE:
        return Health(Status.HEALTHY)
    return ready(live)


def is_there(cache: LiveCache, identity: Identity) -> bool:
    """Whether an object is `usable` because it exists, and no more is asked of it. Unpacks nothing."""
    return identity in cache and identity.kind not in _TAKEN_INTO_SERVICE


def ready(live: Live | None) -> Health:
    """Whether an object does what it is for."""
    return Health(Status.MISSING, "it is not there") if live is None else assess(live.object)


class Readiness:
    """Wakes those who wait for objects of a cache. Use as a context manager: it listens while it is open."""

    def __init__(self, cache: LiveCache) -> None:
        self._cache = cache
        self._waiters: dict[Identity, list[asyncio.Event]] = {}
        self._met: dict[tuple[Identity, Condition], str] = {}  # and at which resourceVersion
        self._stop: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._stop = self._cache.subscribe(self._seen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def met(self, identity: Identity, condition: Condition) -> bool:
        """Whether `condition` holds for `identity` now. Many ask the same of one Namespace: it is unpacked once."""
        version = self._cache.version(identity)
        if version and self._met.get((identity, condition)) == version:
            return True
        met = condition(self._cache.get(identity)).ready
        if met:
            self._met[identity, condition] = version
        return met

    def _seen(self, identity: Identity, _old: Packed | None, _new: Packed | None) -> None:
        for event in self._waiters.get(identity, ()):
            event.set()

    async def wait(self, identity: Identity, condition: Condition) -> Health:
        """Wait until `condition` holds for `identity` or can no longer hold (degraded); its health then."""
        event = asyncio.Event()
        self._waiters.setdefault(identity, []).append(event)
        try:
            while True:
                health = condition(self._cache.get(identity))
                if health.ready or health.status is Status.DEGRADED:
                    return health
                event.clear()
                await event.wait()
        finally:
            self._waiters[identity].remove(event)
            if not self._waiters[identity]:
                del self._waiters[identity]
