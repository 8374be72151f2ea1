"""When to poll again."""

from random import Random
from typing import Final

LONGEST: Final = 600.0  # seconds


class Backoff:
    """Seconds until the next poll: about `interval` while all is well, twice as long after each failure in a row.

    Never above ten minutes (or the interval, if that is longer). Jittered, so that many sources of one server do not
    come at once: ±10 %, after a failure up to 20 % less.
    """

    def __init__(self, interval: float, random: Random) -> None:
        self._interval = interval
        self._random = random
        self.failures = 0

    def succeeded(self) -> float:
        self.failures = 0
        return self._interval * self._random.uniform(0.9, 1.1)

    def failed(self) -> float:
        self.failures += 1
        doubled = self._interval * 2.0 ** min(self.failures - 1, 60)
        return max(self._interval, min(LONGEST, doubled)) * self._random.uniform(0.8, 1.0)
