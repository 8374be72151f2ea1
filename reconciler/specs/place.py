"""Places in a text."""

from dataclasses import dataclass
from typing import NamedTuple

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a text; both count from 1. (0, 0) is the whole text."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a text. `key` is the place of its key in a mapping, else its own.

    `plain` is the source of a scalar without quotes, None for any other value; `bare` says that the key has none.
    """

    key: Mark
    value: Mark
    plain: str | None = None
    bare: bool = False


Places = dict[Path, Place]
