"""What a pool's limit or a namespace's quota has left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ENDLESS: Final = 1 << 60


@dataclass(slots=True)
class Allowance:
    """`most` of each resource, None where none was stated, what is `used`, and what was `before` changes that may be
    taken back. What runs stays, also where that is too much."""

    most: Sequence[int | None]
    used: list[int]
    before: list[int]

    @classmethod
    def of(cls, most: Sequence[int | None]) -> "Allowance":
        """One of which nothing is used."""
        return cls(most, [0] * len(most), [0] * len(most))

    @property
    def exceeded(self) -> bool:
        """Whether more is used than may be, and than was before."""
        each = zip(self.most, self.used, self.before, strict=True)
        return any(most is not None and used > max(most, before) for most, used, before in each)

    def holds(self, amounts: Sequence[int]) -> bool:
        """Whether so much of each is no more than may be used in all."""
        return all(most is None or amount <= most for most, amount in zip(self.most, amounts, strict=True))

    def left(self, request: Sequence[int]) -> int:
        """How many replicas more that ask for so much."""
        return min(
            (
                max(most - used, 0) // asked
                for most, used, asked in zip(self.most, self.used, request, strict=True)
                if most is not None and asked
            ),
            default=ENDLESS,
        )

    def add(self, request: Sequence[int], count: int) -> None:
        """So many replicas more; fewer where negative."""
        for resource, asked in enumerate(request):
            self.used[resource] += count * asked

    def copy(self) -> "Allowance":
        return Allowance(self.most, list(self.used), list(self.used))

    def keep(self) -> None:
        """What is used is what was before the next change."""
        self.before[:] = self.used
