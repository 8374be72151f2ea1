"""Telling one receiver, whatever becomes of the others: when something is due, until it is taken."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from random import Random
from typing import Final, Protocol

from reconciler.alerts.batch import Batch, Phase
from reconciler.alerts.message import Message
from reconciler.alerts.outbox import Outbox
from reconciler.alerts.receivers.receiver import Receiver
from reconciler.alerts.waiting import either
from reconciler.clock import Clock
from reconciler.errors import AlertError, Refused, Undelivered

FIRST_PAUSE: Final = 1.0  # seconds; doubles with each attempt
LONGEST_PAUSE: Final = 300.0
_LONGEST_WISH: Final = 3_600.0  # of a receiver that asks for patience
_OFTEN: Final = 600.0  # seconds between two looks for what expired

logger = logging.getLogger(__name__)


class Result(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"  # tried again
    REFUSED = "refused"  # never tried again
    EXPIRED = "expired"  # it was over for so long that nobody wants to know


class Observer(Protocol):
    """Counts, for the metrics."""

    def delivered(self, receiver: str, result: str) -> None: ...

    def alerting(self, receiver: str, depth: int) -> None: ...


class Delivery:
    """The task of one receiver.

    A message that does not arrive is made anew for the next attempt, of what is so then: what ended meanwhile is told
    as one thing. `sure` returns once it is written down what is to be told, `changed` is called when something was.
    """

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        outbox: Outbox,
        compose: Callable[[Batch], Message],
        *,
        clock: Clock,
        random: Random,
        observer: Observer,
        sure: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.outbox = outbox
        self._receiver = receiver
        self._compose = compose
        self._clock = clock
        self._random = random
        self._observer = observer
        self._sure = sure
        self._changed = changed
        self._wake = asyncio.Event()
        self._pause = 0.0
        self._looked = clock.monotonic()
        self._failed = 0  # attempts in a row
        self._failing = ""  # how, as it was last said

    def wake(self) -> None:
        """The outbox has changed."""
        self._observer.alerting(self.name, self.outbox.depth)
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell what there is to tell until `stop` is set; what is being told then is told to its end."""
        self._observer.alerting(self.name, self.outbox.depth)
        try:
            while not stop.is_set():
                self._wake.clear()
                due = self.outbox.due()
                pause = _OFTEN if due is None else min(_OFTEN, due - self._clock.monotonic())
                if pause > 0:
                    await either(self._wake.wait(), self._clock.sleep(pause), stop.wait())
                elif (batch := self.outbox.batch(self._clock.monotonic())) is not None:
                    await self._tell(batch, stop)
                self._expire()
        finally:
            await self._receiver.close()

    async def _tell(self, batch: Batch, stop: asyncio.Event) -> None:
        if any(item.phase is not Phase.LASTS for item in batch.items):
            await self._sure()
        result, pause = await self._attempt(self._compose(batch))
        now = self._clock.monotonic()
        match result:
            case Result.DELIVERED:
                self.outbox.delivered(batch, now)
            case Result.REFUSED:
                self.outbox.refused(batch, now)
            case _:
                self.outbox.failed()
        self._observer.delivered(self.name, result)
        self._observer.alerting(self.name, self.outbox.depth)
        if result is Result.FAILED:
            await either(self._clock.sleep(pause), stop.wait())
        else:
            self._changed()

    async def _attempt(self, message: Message) -> tuple[Result, float]:
        """What became of it, and the seconds to wait where it is to be tried again."""
        try:
            await self._receiver.deliver(message)
        except Refused as error:
            hint = f" ({error.hint})" if error.hint else ""
            logger.warning("receiver %s will not take a message, which is dropped: %s%s", self.name, error, hint)
            self._pause = 0.0
            return Result.REFUSED, 0.0
        except Undelivered as error:
            self._say(error)
            return Result.FAILED, min(error.retry_after or 0.0, _LONGEST_WISH) + self._backoff()
        except Exception:
            logger.exception("telling receiver %s failed; it is tried again", self.name)
            return Result.FAILED, LONGEST_PAUSE
        if self._failing:
            logger.warning("receiver %s takes messages again", self.name)
        self._pause, self._failed, self._failing = 0.0, 0, ""
        return Result.DELIVERED, 0.0

    def _backoff(self) -> float:
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        return self._pause * self._random.uniform(0.5, 1.0)

    def _say(self, error: AlertError) -> None:
        """One attempt that fails is nothing: the next one follows at once."""
        self._failed += 1
        if self._failed > 1 and self._failing != str(error):
            self._failing = str(error)
            logger.warning("receiver %s was not told, it is tried again: %s", self.name, error.advised)

    def _expire(self) -> None:
        if self._clock.monotonic() < self._looked + _OFTEN:
            return
        self._looked = self._clock.monotonic()
        for _ in range(self.outbox.expire(self._clock.now())):
            self._observer.delivered(self.name, Result.EXPIRED)
