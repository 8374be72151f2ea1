"""When pull requests are looked at: on a webhook, every few minutes, and again after what went wrong.

A key is a pull request of a desk, or with number 0 all of a desk. A key that waits is there once, so what happens many
times costs one look; where too many wait, one look at everything takes their place.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from reconciler.clock import Clock
from reconciler.daemon.queue import WorkQueue
from reconciler.daemon.reviews.desk import Desk
from reconciler.errors import ForgeUnreachable, ReconcilerError
from reconciler.forge.webhooks import Event, PlanAsked, Push, StatusSet
from reconciler.source.place import place_of

ALL: Final = 0
SWEEP: Final = 300.0  # seconds between two looks at everything
_AGAIN: Final = (1.0, 60.0)  # seconds until a merge is looked at again whose sync has not ended: doubles up to
_TIMES: Final = 20  # so often; after that with everything else
_AFTER_FAULT: Final = 60.0
_WORKERS: Final = 2  # a plan costs a core
_MOST: Final = 500  # keys that wait
_ASKING: Final = 20  # people of whom it is asked whether they may, at one look

logger = logging.getLogger(__name__)


class Key(NamedTuple):
    desk: int
    number: int


class Runner:
    """Looks after `desks`; `places` are the addresses, as `place_of` has them, by which events name each of them."""

    def __init__(self, desks: Sequence[Desk], places: Mapping[int, frozenset[str]], clock: Clock) -> None:
        self._desks = desks
        self._places = places
        self._clock = clock
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._asked: dict[Key, set[str]] = {}  # who asked for a plan, until it is made
        self._quiet: dict[str, float] = {}  # forges that are left alone, and until when
        self._said: dict[Key, str] = {}  # what was last wrong: it is said once
        self._failures: dict[Key, int] = {}  # in a row
        self._times: dict[Key, int] = {}  # merges whose sync has not ended
        self._swept: set[int] = set()
        self._coming: dict[Key, asyncio.Task[None]] = {}  # on their way into the queue

    def __len__(self) -> int:
        """Keys that wait."""
        return len(self._queue) + len(self._coming)

    def waiting_for(self) -> list[str]:
        """What keeps us from being ready, in words."""
        return [
            f"pull requests of {desk.repository} into {desk.base} have not been read yet"
            for at, desk in enumerate(self._desks)
            if at not in self._swept
        ]

    def take(self, event: Event) -> bool:
        """Look at what an event is about; whether it is about any desk. From a callback."""
        places = {place for address in event.addresses if (place := place_of(address))}
        desks = [at for at in range(len(self._desks)) if places & self._places[at]]
        if isinstance(event, Push):
            moved = [at for at in desks if event.ref == f"refs/heads/{self._desks[at].base}"]
            for at in moved:
                self._soon(Key(at, ALL))
            return bool(moved)
        if isinstance(event, StatusSet):
            keys = [Key(at, number) for at in desks for number in self._desks[at].disowned(event)]
            for key in keys:
                self._soon(key)
            return bool(keys)
        for at in desks:
            key = Key(at, event.number)
            if len(self) >= _MOST:
                key = Key(at, ALL)
            elif isinstance(event, PlanAsked):
                asking = self._asked.setdefault(key, set())
                if len(asking) < _ASKING:
                    asking.add(event.login)
            self._soon(key)
        return bool(desks)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        for at in range(len(self._desks)):
            await self._queue.add(Key(at, ALL))
        workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS)]
        try:
            await stop.wait()
        finally:
            await self._queue.close()
            for task in (*workers, *self._coming.values()):
                task.cancel()
            await asyncio.gather(*workers, *self._coming.values(), return_exceptions=True)

    async def _work(self) -> None:
        while (key := await self._queue.get()) is not None:
            delay: float | None = None
            try:
                delay = await self._look(key)
                self._said.pop(key, None)
                self._failures.pop(key, None)
            except ForgeUnreachable as error:
                delay = error.retry_after or _AFTER_FAULT
                if error.retry_after is not None:
                    self._quiet[self._desks[key.desk].forge.name] = self._clock.monotonic() + delay
                self._complain(key, error)
            except ReconcilerError as error:
                self._complain(key, error)
                failures = self._failures.get(key, 0)
                if len(self._failures) < _MOST:
                    self._failures[key] = failures + 1
                delay = min(SWEEP, _AFTER_FAULT * 2**failures)
            except Exception:
                logger.exception("a look at pull requests of %s failed", self._desks[key.desk].repository)
                delay = SWEEP
            if delay is not None:
                await self._queue.add(key, delay=delay)
            await self._queue.done(key)

    async def _look(self, key: Key) -> float | None:
        """Seconds until the same is to be done again; None where nothing calls for it. Raises ReconcilerError."""
        desk = self._desks[key.desk]
        if (left := self._quiet.get(desk.forge.name, 0.0) - self._clock.monotonic()) > 0:
            return left
        if key.number == ALL:
            for number in await desk.numbers():
                await self._queue.add(Key(key.desk, number))
            self._swept.add(key.desk)
            return SWEEP
        who = self._asked.pop(key, set())
        try:
            again = await desk.look(key.number, asked_by=who)
        except ForgeUnreachable:
            if who:
                self._asked.setdefault(key, set()).update(who)
            raise
        times = self._times.pop(key, 0) + 1
        if again and len(self._times) < _MOST:
            self._times[key] = times
        return min(_AGAIN[1], _AGAIN[0] * 2 ** (times - 1)) if again and times <= _TIMES else None

    def _complain(self, key: Key, error: ReconcilerError) -> None:
        said = str(error)
        if self._said.get(key) == said:
            return
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[key] = said
        desk = self._desks[key.desk]
        what = f"pull request {key.number}" if key.number else "the pull requests"
        logger.warning("%s of %s: %s", what, desk.repository, said)

    def _soon(self, key: Key) -> None:
        if key not in self._coming:
            self._coming[key] = asyncio.ensure_future(self._queue.add(key))
            self._coming[key].add_done_callback(lambda _task: self._coming.pop(key, None))
