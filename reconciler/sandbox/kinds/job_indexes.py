"""The indexes of a Job's pods as text: "1,3-5,7"."""

import re
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?\d+")


def read_indexes(text: str, completions: int) -> list[tuple[int, int]]:
    """First and last index of each part, in rising order, all below `completions`. ValueError where they are not."""
    found: list[tuple[int, int]] = []
    for part in text.split(",") if text else ():
        first, last = read_part(part, completions)
        if found and found[-1][1] >= first:
            raise ValueError(f"non-increasing order, previous: {found[-1][1]}, current: {first}")
        found.append((first, last))
    return found


def read_part(part: str, completions: int) -> tuple[int, int]:
    """ "3" or "3-5". ValueError where it is neither."""
    bounds = part.split("-")
    if len(bounds) > 2:
        raise ValueError(f"{part!r} is not one index or two with a '-' between them")
    numbers = []
    for bound in bounds:
        if not _NUMBER.fullmatch(bound):
            raise ValueError(f"cannot convert string to integer for index: {bound!r}")
        if int(bound) >= completions:
            raise ValueError(f"too large index: {bound!r}")
        numbers.append(int(bound))
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise ValueError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def overlap(completed: str, failed: str, completions: int) -> bool:
    """Whether an index stands in both texts; parts that cannot be read count for nothing."""

    def readable(text: str) -> list[tuple[int, int]]:
        found = []
        for part in text.split(",") if text else ():
            try:
                found.append(read_part(part, completions))
            except ValueError:
                continue
        return found

    return any(
        first <= other_last and other_first <= last
        for first, last in readable(completed)
        for other_first, other_last in readable(failed)
    )
