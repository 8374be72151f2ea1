"""What makes the daemon act at a time: a poll is due again some seconds from now."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from reconciler.clock import Clock


class Triggers(Protocol):
    """Calls back later, on the loop that it was started on. A later wish under the same name replaces the earlier."""

    def start(self) -> None: ...

    def after(self, seconds: float, name: str, call: Callable[[], Awaitable[None]]) -> None: ...

    def hold(self) -> None:
        """Forget all wishes; what is just being called back goes on."""
        ...

    def stop(self) -> None:
        """End. What is just being called back is cancelled, with a complaint."""
        ...


class ScheduledTriggers:
    """By APScheduler, which reads the machine's clock itself: `clock` must agree with that."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone="UTC")

    def start(self) -> None:
        self._scheduler.start()

    def after(self, seconds: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        self._scheduler.add_job(
            call,
            "date",
            run_date=self._clock.now() + timedelta(seconds=seconds),
            id=name,
            replace_existing=True,
            misfire_grace_time=None,
        )

    def hold(self) -> None:
        self._scheduler.remove_all_jobs()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
