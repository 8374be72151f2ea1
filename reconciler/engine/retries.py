"""When to try again what failed."""

from random import Random

from reconciler.clock import Clock

_FIRST = 2.0  # seconds
_LONGEST = 300.0


class Retries:
    """One source's. Pauses grow: what the watch shows meanwhile does not shorten them."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._failures = 0
        self._at = 0.0  # on the monotonic clock

    @property
    def delay(self) -> float | None:
        """Seconds until what failed is to be tried again; None where nothing failed."""
        return max(0.0, self._at - self._clock.monotonic()) if self._failures else None

    def failed(self) -> None:
        """Something is to be tried again."""
        pause = min(_LONGEST, _FIRST * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._at = self._clock.monotonic() + pause * self._random.uniform(0.8, 1.2)

    def succeeded(self) -> None:
        """Nothing is to be tried again."""
        self._failures = 0
