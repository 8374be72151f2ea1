"""How much of something is used, how often: histograms that forget slowly and never grow.

The method is the Vertical Pod Autoscaler's: buckets that grow by 5 %, so that a percentile is known to 5 % whatever
its size, and weights that halve with age, so that old days count less and less.
https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/docs/components.md

Weights are kept as of a reference time: a sample that comes `age` after it weighs `2 ** (age / half_life)`, which
leaves all earlier ones as they are. The reference moves before the numbers grow too large.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

HALF_LIFE: Final = timedelta(hours=24)
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_RATIO: Final = 1.05
_LARGEST: Final = 100.0  # half-lives between the reference and a sample: weights up to 1e30 add up exactly enough
_SMALLEST: Final = 1e-4  # of the heaviest bucket: lighter ones no longer count
_PRECISION: Final = 10_000  # steps of a weight at rest


@dataclass(frozen=True, slots=True)
class Buckets:
    """Bucket 0 holds what is below `first`, each later one is 5 % wider than the one before; the last holds the rest.

    Bucket i begins at `first * (1.05**i - 1) / 0.05`.
    """

    first: float
    count: int

    @classmethod
    def up_to(cls, first: float, largest: float) -> "Buckets":
        """As many as reach from `first` to `largest`."""
        return cls(first, 1 + math.ceil(math.log(largest * (_RATIO - 1) / first + 1, _RATIO)))

    def index(self, value: float) -> int:
        """The bucket of `value`, which must not be negative."""
        if value < self.first:
            return 0
        return int(min(math.log(value * (_RATIO - 1) / self.first + 1, _RATIO), self.count - 1))

    def begin(self, index: int) -> float:
        return self.first * (_RATIO**index - 1) / (_RATIO - 1)

    def end(self, index: int) -> float:
        """Where the next one begins; the last has no end of its own, its beginning stands for it."""
        return self.begin(index + 1 if index + 1 < self.count else index)


CPU: Final = Buckets.up_to(0.01, 1000.0)  # cores
MEMORY: Final = Buckets.up_to(10e6, 1e12)  # bytes


class Stored(msgspec.Struct, frozen=True, array_like=True, rename="camel"):
    """A histogram at rest: some 300 characters of JSON. Weights are parts of the heaviest one's, in 10,000ths."""

    reference: Moment
    heaviest: float
    weights: dict[int, int]


class Histogram:
    """Not frozen: it takes samples. `value`s are in the unit of its buckets."""

    def __init__(self, buckets: Buckets, half_life: timedelta = HALF_LIFE) -> None:
        self.buckets = buckets
        self._half_life = half_life
        self._reference: datetime | None = None
        self._weights: dict[int, float] = {}
        self._total = 0.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it that still counts."""
        return not self._weights

    def add(self, value: float, when: datetime, weight: float = 1.0) -> None:
        """Take in one sample. Raises ValueError for a value that is no amount: negative, infinite, NaN."""
        self._put(value, when, weight)

    def remove(self, value: float, when: datetime, weight: float = 1.0) -> None:
        """Take back a sample that was added with these very arguments."""
        self._put(value, when, -weight)

    def _put(self, value: float, when: datetime, weight: float) -> None:
        if not (math.isfinite(value) and value >= 0 and math.isfinite(weight)):
            raise ValueError(f"not an amount: {value!r} with weight {weight!r}")
        if self._reference is None:
            self._reference = when
        age = (when - self._reference) / self._half_life
        if age > _LARGEST:
            self._move(when)
            age = 0.0
        index = self.buckets.index(value)
        became = self._weights.get(index, 0.0) + weight * 2.0 ** max(age, -_LARGEST)
        if became > 0:
            self._weights[index] = became
        else:
            self._weights.pop(index, None)
        self._total = math.fsum(self._weights.values())

    def _move(self, reference: datetime) -> None:
        assert self._reference is not None  # noqa: S101 - there are weights, so there is a reference
        factor = 2.0 ** ((self._reference - reference) / self._half_life)
        kept = {index: weight * factor for index, weight in self._weights.items()}
        self._weights = {index: weight for index, weight in kept.items() if weight > 0}
        self._reference = reference

    def percentile(self, part: float) -> float | None:
        """The end of the bucket in which the lightest `part` (0 to 1) of all weight ends; None where it is empty."""
        if not self._weights:
            return None
        heaviest = max(self._weights.values())
        wanted = part * self._total
        found, sum_ = None, 0.0
        for index, weight in self._ordered():
            if weight < heaviest * _SMALLEST:
                continue
            found = index
            sum_ += weight
            if sum_ >= wanted * (1 - 1e-12):
                break
        return None if found is None else self.buckets.end(found)

    def _ordered(self) -> Iterator[tuple[int, float]]:
        return iter(sorted(self._weights.items()))

    def stored(self) -> Stored | None:
        """At rest; None where it is empty. What is lost is below a 10,000th of the heaviest bucket."""
        if self._reference is None or not self._weights:
            return None
        heaviest = max(self._weights.values())
        weights = {index: round(weight / heaviest * _PRECISION) for index, weight in self._ordered()}
        return Stored(self._reference, heaviest, {index: weight for index, weight in weights.items() if weight})

    @classmethod
    def of(cls, stored: Stored, buckets: Buckets, half_life: timedelta = HALF_LIFE) -> "Histogram":
        """As it was stored. What is not an amount is left out: others can write to where it is stored."""
        made = cls(buckets, half_life)
        if math.isfinite(stored.heaviest) and 0 < stored.heaviest < 1e300:
            made._reference = stored.reference
            made._weights = {
                index: stored.heaviest * (weight / _PRECISION)  # exact for the heaviest: at rest again it is the same
                for index, weight in stored.weights.items()
                if 0 <= index < buckets.count and 0 < weight <= _PRECISION
            }
            made._total = math.fsum(made._weights.values())
        return made
