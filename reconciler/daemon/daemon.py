"""The daemon: triggers add keys to a queue, workers turn keys into polls and passes, signals end it.

Two keys a source. `poll` asks Git whether there is a newer commit; it runs beside a pass, so that a newer commit wins
over one that waits. `sync` makes a pass, or heals what was seen to drift; never two at a time for one source.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from reconciler.clock import Clock
from reconciler.daemon.metrics import Metrics
from reconciler.engine.queue import WorkQueue
from reconciler.engine.reconciler import Reconciler

# Git child processes at one time: each costs a process and, on a fetch, a core.
_POLLS_AT_ONCE = 4
# From the signal to the end of the process: writes in flight get this long before they are cancelled.
_GRACE_SECONDS = 3.0


class Verb(StrEnum):
    POLL = "poll"
    SYNC = "sync"


class Key(NamedTuple):
    verb: Verb
    source: str


class Daemon:
    """Keeps every source converged until told to stop."""

    def __init__(self, reconcilers: Mapping[str, Reconciler], *, clock: Clock, metrics: Metrics) -> None:
        self._reconcilers = reconcilers
        self._clock = clock
        self._metrics = metrics
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._polls = asyncio.Semaphore(_POLLS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def waiting_for(self) -> list[str]:
        """What keeps the daemon from being ready, in words; empty when it is."""
        return [
            f"source {name} has not been synced yet" for name, r in sorted(self._reconcilers.items()) if not r.synced
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end what is in flight, keep the state, and return."""
        for name, reconciler in self._reconcilers.items():
            reconciler.on_suspect = partial(self._soon, Key(Verb.SYNC, name))
            await self._queue.add(Key(Verb.POLL, name))
        self._scheduler.start()
        dispatching = asyncio.create_task(self._dispatch())
        try:
            await stop.wait()
        finally:
            self._scheduler.shutdown(wait=False)
            await self._queue.close()
            for reconciler in self._reconcilers.values():
                reconciler.supersede()
            await dispatching
            await self._end_tasks()
            for reconciler in self._reconcilers.values():
                await reconciler.close()

    async def _end_tasks(self) -> None:
        if not self._tasks:
            return
        _done, late = await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1)

    async def _dispatch(self) -> None:
        while (key := await self._queue.get()) is not None:
            self._metrics.queued(len(self._queue))
            task = asyncio.create_task(self._work(key), name=f"{key.verb} {key.source}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, key: Key) -> None:
        try:
            if key.verb is Verb.POLL:
                await self._poll(key)
            else:
                await self._sync(key)
        finally:
            await self._queue.done(key)

    async def _poll(self, key: Key) -> None:
        reconciler = self._reconcilers[key.source]
        async with self._polls:
            poll = await reconciler.poll()
        self._metrics.polled(key.source, ok=poll.error is None, changed=poll.changed)
        if reconciler.due:
            await self._queue.add(Key(Verb.SYNC, key.source))
        self._scheduler.add_job(
            self._queue.add,
            "date",
            run_date=self._clock.now() + timedelta(seconds=poll.delay),
            args=[key],
            id=f"{key.verb}/{key.source}",
            replace_existing=True,
            misfire_grace_time=None,
        )

    async def _sync(self, key: Key) -> None:
        reconciler = self._reconcilers[key.source]
        result = await reconciler.work()
        if result is not None:
            self._metrics.synced(result)
        if reconciler.due or reconciler.retry_delay is not None:
            await self._queue.add(key, delay=0 if reconciler.due else reconciler.retry_delay or 0)

    def _soon(self, key: Key, delay: float) -> None:
        """From a watch event's callback, which cannot wait."""
        task = asyncio.ensure_future(self._queue.add(key, delay=delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
