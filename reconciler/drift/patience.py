"""How long an object is left alone before it is healed again, where somebody keeps changing it back.

The first two times an object is healed at once: a person who tries twice is no controller. After that the pauses
double, whatever fields change, until nobody has touched the object for a while. So nobody can make us write much:
within the first minute an object is written five times, after some hours once an hour.
"""

from dataclasses import dataclass
from typing import Final

from reconciler.clock import Clock
from reconciler.kube.names import Identity

AT_ONCE: Final = 2  # times that are healed without a pause
FIRST_PAUSE: Final = 5.0  # seconds
LONGEST_PAUSE: Final = 3600.0
CALM: Final = 600.0  # an object that nobody had to touch for this long is forgiven, or for twice its pause
_KEPT: Final = 100  # pasts that are not worth looking through for calm ones


@dataclass(slots=True)
class _Past:
    last: float  # when it was tried last, on the monotonic clock
    times: int


class Patience:
    """One source's memory of its tries, bounded by what was tried lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._past: dict[Identity, _Past] = {}
        self._kept = _KEPT

    def tried(self, identity: Identity) -> None:
        """Something was done about `identity` just now, with or without success."""
        now = self._clock.monotonic()
        past = self._past.get(identity)
        if past is None or self._calm_at(past) <= now:
            past = self._past[identity] = _Past(now, 0)
        past.last = now
        past.times += 1
        if len(self._past) > 2 * self._kept:
            self._past = {each: known for each, known in self._past.items() if self._calm_at(known) > now}
            self._kept = max(_KEPT, len(self._past))

    def times(self, identity: Identity) -> int:
        """How often in a row."""
        past = self._past.get(identity)
        return past.times if past is not None and self._calm_at(past) > self._clock.monotonic() else 0

    def pause(self, identity: Identity) -> float:
        """Seconds until it may be tried again; 0 for now."""
        past = self._past.get(identity)
        if past is None:
            return 0.0
        now = self._clock.monotonic()
        return 0.0 if self._calm_at(past) <= now else max(0.0, past.last + _wait(past.times) - now)

    def calm(self, identity: Identity) -> float:
        """Seconds until it is forgiven, if nothing happens to it; 0 where there is nothing to forgive."""
        past = self._past.get(identity)
        return max(0.0, self._calm_at(past) - self._clock.monotonic()) if past is not None else 0.0

    def forgive(self, identity: Identity) -> None:
        """Begin anew: Git states something else now."""
        self._past.pop(identity, None)

    def _calm_at(self, past: _Past) -> float:
        return past.last + max(CALM, 2 * _wait(past.times))


def _wait(times: int) -> float:
    return 0.0 if times < AT_ONCE else min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - AT_ONCE, 20))
