"""Answers that take longer than who asks can wait: builds, and registries that are slow.

Who asks the same question again gets the answer that is there, or goes on waiting for the one that is under way; who
asks another question in its place cancels it. An answer that came when nobody waited any more is told as news. One that
is an error stands for a while, so that a build that fails is not tried again with every commit.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from reconciler.clock import Clock

RETRY: Final = 600.0  # seconds for which an error stands

A = TypeVar("A")
Key = tuple[str, Hashable]
"""A source, and what in it is asked about."""


@dataclass(slots=True)
class _Asked(Generic[A]):
    question: object
    task: asyncio.Task[A]
    told: bool = False  # somebody is to be told when it ends
    until: float | None = None  # when an error is asked for again


class Pending(Generic[A]):
    """Tasks by key. `lasting` says of an answer that it stands for `RETRY` seconds; `news` is told a source's name."""

    def __init__(self, clock: Clock, lasting: Callable[[A], bool], news: Callable[[str], None]) -> None:
        self._clock = clock
        self._lasting = lasting
        self._news = news
        self._asked: dict[Key, _Asked[A]] = {}
        self._ending: set[asyncio.Task[A]] = set()

    def ask(self, key: Key, question: object, make: Callable[[], Coroutine[Any, Any, A]]) -> asyncio.Task[A]:
        """The task that answers `question`: the one there is, or a new one in place of another question's."""
        asked = self._asked.get(key)
        now = self._clock.monotonic()
        if asked is not None and asked.question == question and (asked.until is None or now < asked.until):
            return asked.task
        self._cancel(key)
        task = asyncio.create_task(make())
        self._asked[key] = _Asked(question, task)
        return task

    async def wait(self, keys: Collection[Key], patience: float | None) -> None:
        """Wait until all of `keys` have an answer, or `patience` seconds; who has none then is told later."""
        waiting = {key: self._asked[key] for key in keys}
        if waiting:
            await asyncio.wait([asked.task for asked in waiting.values()], timeout=patience)
        for key, asked in waiting.items():
            if self._asked.get(key) is not asked:  # closed meanwhile
                continue
            if asked.task.done():
                self._settle(key, asked)
            elif not asked.told:
                asked.told = True
                asked.task.add_done_callback(partial(self._tell, key[0]))

    def keep(self, source: str, subjects: Iterable[Hashable]) -> None:
        """End what is asked about anything else of `source`."""
        kept = {(source, subject) for subject in subjects}
        for key in [key for key in self._asked if key[0] == source and key not in kept]:
            self._cancel(key)

    async def close(self) -> None:
        for key in tuple(self._asked):
            self._cancel(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _tell(self, source: str, task: asyncio.Task[A]) -> None:
        if not task.cancelled():
            self._news(source)

    def _settle(self, key: Key, asked: _Asked[A]) -> None:
        """A good answer is not asked for again by this way; an error that lasts is remembered."""
        if asked.task.cancelled() or asked.task.exception() is not None or not self._lasting(asked.task.result()):
            del self._asked[key]
        elif asked.until is None:
            asked.until = self._clock.monotonic() + RETRY

    def _cancel(self, key: Key) -> None:
        asked = self._asked.pop(key, None)
        if asked is not None and not asked.task.done():
            asked.task.cancel()
            self._ending.add(asked.task)
            asked.task.add_done_callback(self._ending.discard)
