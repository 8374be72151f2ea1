"""The daemon: triggers add keys to a queue, workers turn keys into polls and passes, signals end it.

Three keys a source. `poll` asks Git whether there is a newer commit; it runs beside a pass, so that a newer commit wins
over one that waits. `sync` makes the pass that is due. `heal` looks at what was seen to drift, also beside a pass that
waits for something. Never two of the same key at a time.
"""

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from reconciler.clock import Clock
from reconciler.cluster.state import StateStore
from reconciler.daemon.metrics import Metrics
from reconciler.daemon.queue import WorkQueue
from reconciler.daemon.triggers import Triggers
from reconciler.engine.reconciler import Reconciler
from reconciler.model.result import SyncResult

# Git child processes at one time: each costs a process and, on a fetch, a core.
_POLLS_AT_ONCE: Final = 4
# Of the five seconds from the signal to the end of the process: writes in flight get the first, the state the second.
_WRITES_SECONDS: Final = 2.0
_STATE_SECONDS: Final = 0.8
_AFTER_FAULT: Final = 30.0  # seconds until a key is tried again whose worker failed in a way that nobody foresaw

_MANY: Final = 1000  # parsed blobs that are worth a full collection, some 100 ms

logger = logging.getLogger(__name__)


class Verb(StrEnum):
    POLL = "poll"
    SYNC = "sync"
    HEAL = "heal"


class Key(NamedTuple):
    verb: Verb
    source: str


class Daemon:
    """Keeps every source converged until told to stop."""

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        store: StateStore,
        triggers: Triggers,
        clock: Clock,
        metrics: Metrics,
        passed: Callable[[SyncResult], None] = lambda _result: None,
    ) -> None:
        self._reconcilers = reconcilers
        self._store = store
        self._triggers = triggers
        self._clock = clock
        self._metrics = metrics
        self._passed = passed
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        metrics.waiting(lambda: len(self._queue))
        self._polls = asyncio.Semaphore(_POLLS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def waiting_for(self) -> list[str]:
        """What keeps the daemon from being ready, in words; empty when it is."""
        return [
            f"source {name} has not been synced yet"
            for name, r in sorted(self._reconcilers.items())
            if not (r.synced or r.resting)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then end what is in flight, write the state, and return: within four seconds."""
        for name, reconciler in self._reconcilers.items():
            reconciler.on_suspect = partial(self._soon, Key(Verb.HEAL, name))
            await self._queue.add(Key(Verb.POLL, name))
        self._triggers.start()
        dispatching = asyncio.create_task(self._dispatch())
        following = asyncio.create_task(self._follow())
        try:
            await stop.wait()
        finally:
            following.cancel()
            self._triggers.hold()
            await self._queue.close()
            for reconciler in self._reconcilers.values():
                reconciler.supersede()
            await dispatching
            await self._end_tasks()
            await asyncio.gather(following, return_exceptions=True)
            self._triggers.stop()  # not before: what it is just calling back would be cancelled with a complaint
            for reconciler in self._reconcilers.values():
                await reconciler.close()
            await self._store.close(_STATE_SECONDS)

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            if task.get_name().startswith(Verb.POLL):  # Git is asked again by the next life
                task.cancel()
        if not self._tasks:
            return
        _done, late = await asyncio.wait(self._tasks, timeout=_WRITES_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_STATE_SECONDS / 2)

    async def _dispatch(self) -> None:
        while (key := await self._queue.get()) is not None:
            self._begin(asyncio.create_task(self._work(key), name=f"{key.verb} {key.source}"))

    def _begin(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: Key) -> None:
        try:
            match key.verb:
                case Verb.POLL:
                    await self._poll(key)
                case Verb.SYNC:
                    await self._sync(key)
                case Verb.HEAL:
                    await self._heal(key)
        except Exception:
            logger.exception("the %s of source %s failed; it is tried again", key.verb, key.source)
            await self._queue.add(key, delay=_AFTER_FAULT)
        finally:
            await self._queue.done(key)

    async def _poll(self, key: Key) -> None:
        reconciler = self._reconcilers[key.source]
        async with self._polls:
            poll = await reconciler.poll()
        self._metrics.polled(key.source, self._clock.now(), ok=poll.error is None, changed=poll.changed)
        if reconciler.due:
            await self._queue.add(Key(Verb.SYNC, key.source))
        await reconciler.watch_again()
        self._triggers.after(poll.delay, f"{key.verb}/{key.source}", partial(self._queue.add, key))

    async def _sync(self, key: Key) -> None:
        reconciler = self._reconcilers[key.source]
        result = await reconciler.work()
        if result is not None:
            self._metrics.synced(result)
            self._passed(result)
            if result.parsed > _MANY:
                # What was parsed stays for as long as the revision; walking it again and again is what makes a
                # one-line commit take 110 ms now and then, instead of 30.
                gc.collect()
                gc.freeze()
        if result is not None and reconciler.due:  # a newer commit came meanwhile
            await self._queue.add(key)
        elif (delay := reconciler.retry_delay) is not None:
            await self._queue.add(key, delay=delay)

    async def _heal(self, key: Key) -> None:
        reconciler = self._reconcilers[key.source]
        await reconciler.tend()
        if (delay := 0.0 if reconciler.due else reconciler.retry_delay) is not None:
            await self._queue.add(Key(Verb.SYNC, key.source), delay=delay)

    async def _follow(self) -> None:
        """What a person said to another process (suspend, resume, approve) is acted on at once."""
        try:
            await self._store.follow(self._told)
        except Exception:
            logger.exception("the stored state is not followed any more")

    def wake(self, source: str) -> None:
        """Have a source make a pass, whether or not there is a new commit. From a callback."""
        self._reconcilers[source].ask()
        self._soon(Key(Verb.SYNC, source), 0)

    def poll(self, source: str) -> None:
        """Have a source polled at once; after the poll that runs, if one does. From a callback."""
        self._soon(Key(Verb.POLL, source), 0)

    def _told(self, source: str) -> None:
        if (reconciler := self._reconcilers.get(source)) is None:
            return
        if self._store.get(source).suspended:
            reconciler.supersede()
        self.wake(source)

    def _soon(self, key: Key, delay: float) -> None:
        """From a callback, which cannot wait."""
        self._begin(asyncio.ensure_future(self._queue.add(key, delay=delay)))
