"""Time, passed in. Rooms take a Clock and never ask the machine what time it is.

`SystemClock` is the real one. For simulations and tests `run_virtual` runs a coroutine on a loop whose time jumps
to the next timer as soon as nothing is ready: an hour of watching costs milliseconds, and no test sleeps.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What a room may ask of time."""

    def now(self) -> datetime:
        """The time of day, timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class LoopClock:
    """A clock that follows the running event loop: real on a real loop, virtual under `run_virtual`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._zero: float | None = None

    def now(self) -> datetime:
        elapsed = self.monotonic()
        if self._zero is None:
            self._zero = elapsed
        return self._start + timedelta(seconds=elapsed - self._zero)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """What is left of a wait may be less than a sum of floats can tell: it is rounded up, or it would never end."""
        await asyncio.sleep(max(seconds, 1e-6) if seconds > 0 else 0.0)


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing while nothing but timers is pending: it tells the loop how far to jump instead."""

    def __init__(self) -> None:
        super().__init__()
        self.jump: Callable[[float], None] = lambda _seconds: None
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if ready := super().select(0):
            return ready
        if self.threads or timeout is None:  # a thread works for us (or nothing at all is planned): really wait
            return super().select(0.01 if self.threads else timeout)
        self.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. Work in executor threads is waited for; open sockets are not time's business."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        super().__init__(selector)
        self._virtual = 0.0
        self._jumping = selector
        selector.jump = self._advance

    def time(self) -> float:
        return self._virtual

    def _advance(self, seconds: float) -> None:
        self._virtual += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
