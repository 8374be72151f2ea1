"""The caches of one simulation: an informer a kind, made when somebody first asks for it."""

import asyncio
import logging
from collections.abc import Callable
from random import Random

from reconciler.clock import Clock
from reconciler.http.transport import Transport
from reconciler.sandbox.client import Key, Object, Resource, key_of
from reconciler.sandbox.informer import Informer, whole

_log = logging.getLogger(__name__)


class Informers:
    """One informer a kind, made on demand, all run as tasks of one group."""

    def __init__(self, transport: Transport, *, clock: Clock, random: Random) -> None:
        self._transport = transport
        self._clock = clock
        self._random = random
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._running = False

    def of(self, resource: Resource, trim: Callable[[Object], Object] = whole) -> Informer:
        """The informer of a kind; the first caller decides what it keeps of each object."""
        informer = self._informers.get(resource)
        if informer is None:
            informer = Informer(resource, self._transport, clock=self._clock, random=self._random, trim=trim)
            self._informers[resource] = informer
            if self._running:
                self._start(resource, informer)
        return informer

    def has(self, resource: Resource) -> bool:
        """Whether somebody reads the kind already."""
        return resource in self._informers

    def observe(self, resource: Resource, obj: Object) -> None:
        """A write returned `obj`."""
        if (informer := self._informers.get(resource)) is not None:
            informer.observe(obj)

    def forget(self, resource: Resource, key: Key, uid: str) -> None:
        """A delete removed the object."""
        if (informer := self._informers.get(resource)) is not None:
            informer.forget(key, uid)

    async def start(self) -> None:
        """Begin to list and watch; returns when every kind has been listed once."""
        self._running = True
        for resource, informer in self._informers.items():
            self._start(resource, informer)
        for informer in list(self._informers.values()):
            await informer.synced.wait()

    def close(self, resource: Resource) -> None:
        """Stop watching a kind that the server no longer serves; its objects are gone."""
        informer = self._informers.pop(resource, None)
        task = self._tasks.pop(resource, None)
        if task is not None:
            task.cancel()
        if informer is not None:
            for obj in informer.all():
                informer.forget(key_of(obj), obj["metadata"]["uid"])

    async def stop(self) -> None:
        self._running = False
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, resource: Resource, informer: Informer) -> None:
        task = asyncio.create_task(informer.run(), name=f"watch {resource.plural}")
        task.add_done_callback(_report)
        self._tasks[resource] = task


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s ended", task.get_name(), exc_info=error)
