"""What was asked of a workload over time, small enough to be kept for all of them.

An amount is held as a level: the nearest power of 1.01, so to half a percent, in two bytes.
"""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

RATIO: Final = 1.01
GAP: Final = -32768  # nothing was measured
ZERO: Final = -32767
_LARGEST: Final = 32767
_SMALLEST: Final = -32766  # of a level that is an amount: no number is that small


def level(value: float) -> int:
    """The level of an amount; GAP for what is none: negative, infinite, NaN."""
    if not (math.isfinite(value) and value >= 0):
        return GAP
    if value == 0:
        return ZERO
    return min(max(round(math.log(value) / math.log(RATIO)), _SMALLEST), _LARGEST)


@lru_cache(maxsize=8192)
def amount(level: int) -> float:
    """What a level stands for; NaN for GAP."""
    if level == GAP:
        return math.nan
    return 0.0 if level == ZERO else RATIO**level


@dataclass(frozen=True, slots=True)
class Demand:
    """What was asked of a workload in all, at each of its steps of `step` seconds: the highest that was measured.

    Cores, summed over its pods; or, where `query` is not "", what that said. `levels` are two bytes each, as the
    machine has them. The last is of the step that began at `latest`, which may not have ended.
    """

    step: float
    latest: datetime
    levels: bytes
    query: str = ""

    @classmethod
    def of(cls, values: Iterable[float], *, step: float, latest: datetime, query: str = "") -> "Demand":
        """From amounts; what is none is a gap."""
        return cls(step, latest, array("h", map(level, values)).tobytes(), query)

    @property
    def values(self) -> tuple[float, ...]:
        """The amounts; NaN where nothing was measured."""
        return tuple(amount(each) for each in array("h", self.levels))

    def last(self, count: int) -> tuple[float, ...]:
        """The amounts of the last `count` steps."""
        return tuple(amount(each) for each in array("h", self.levels[-2 * count :]))

    @property
    def highest(self) -> float | None:
        """The highest amount; None where nothing was measured."""
        most = max(array("h", self.levels), default=GAP)
        return None if most == GAP else amount(most)
