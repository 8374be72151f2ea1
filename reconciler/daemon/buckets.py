"""How often somebody may ask: a bucket of tokens for each address, for a bounded number of addresses."""

from collections import OrderedDict
from typing import Final

from reconciler.clock import Clock

_MOST: Final = 1024  # addresses; who asked longest ago is forgotten, and begins with a full bucket again


class Buckets:
    """Each holds `burst` tokens and gets `rate` new ones a second."""

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def take(self, who: str) -> bool:
        """Whether there was a token."""
        now = self._clock.monotonic()
        tokens, since = self._left.pop(who, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - since) * self._rate)
        had = tokens >= 1
        self._left[who] = (tokens - 1 if had else tokens, now)
        if len(self._left) > _MOST:
            self._left.popitem(last=False)
        return had
