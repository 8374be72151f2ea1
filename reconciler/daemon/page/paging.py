"""A long list, some of it at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reconciler.daemon.page.markup import Html, tag
from reconciler.daemon.page.parts import query

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Page `number` (from 1) of `pages`; `total` items in all."""

    items: tuple[T, ...]
    number: int
    pages: int
    total: int

    @classmethod
    def of(cls, items: Sequence[T], number: int, size: int) -> "Slice[T]":
        """The page `number`, or the nearest that there is."""
        pages = max(1, -(-len(items) // size))
        number = min(max(1, number), pages)
        return cls(tuple(items[(number - 1) * size : number * size]), number, pages, len(items))


def links(part: Slice[T], path: str, **words: str) -> Html | None:
    """The way to the other pages; None where there is only one."""
    if part.pages == 1:
        return None

    def to(number: int, label: str, rel: str) -> Html | None:
        if not 1 <= number <= part.pages:
            return None
        return tag("a", label, href=query(path, **words, page=number if number > 1 else None), rel=rel)

    here = tag("span", f"page {part.number} of {part.pages:,}")
    return tag(
        "nav",
        to(part.number - 1, "← Previous", "prev"),
        " ",
        here,
        " ",
        to(part.number + 1, "Next →", "next"),
        class_="paging",
        aria_label="More of the list",
    )
