"""Which of a repository's tags is meant. Pure.

    {semver: ">=7.2 <8"}                                the highest version in the range; pre-releases only as it asks
    {tag: "7.2"}                                        this tag, wherever it points
    {pattern: '7\\.2\\.(?P<n>\\d+)', order: numeric}       of the tags that match, that with the highest number
    {pattern: 'main-(\\d{8})-.*', order: alphabetical}   or with the text that comes last

A pattern decides by its first group, or by the whole tag where it has none. Equals are decided by the tag's name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from reconciler.errors import ImageRefused
from reconciler.images.reference import is_tag
from reconciler.model.image import Follow, Order
from reconciler.semver import Range
from reconciler.tag_pattern import compiled


@dataclass(frozen=True, slots=True)
class Selection:
    """A policy that was checked. `tag` is the one tag it names, "" where a repository's tags must be listed."""

    why: str  # in words: "follows semver >=7.2 <8"
    tag: str = ""
    range: Range | None = None
    pattern: re.Pattern[str] | None = None
    order: Order = Order.NUMERIC

    @classmethod
    def of(cls, follow: Follow, where: str = "") -> "Selection":
        """Raises ImageRefused for a policy that cannot be used."""
        return _selection(follow, where)

    def accepts(self, tag: str) -> bool:
        """Whether the policy allows `tag`, whatever other tags there are."""
        return self.best((tag,)) == tag

    def best(self, tags: Iterable[str]) -> str | None:
        """The tag that is meant among `tags`, None when the policy allows none of them."""
        if self.tag:
            return self.tag if self.tag in tags else None
        if self.range is not None:
            return self.range.highest(tags)
        ranked = [(key, tag) for tag in tags if (key := self._key(tag)) is not None]
        return max(ranked)[1] if ranked else None

    def _key(self, tag: str) -> tuple[int, str] | None:
        match = self.pattern.fullmatch(tag) if self.pattern else None
        if match is None:
            return None
        text = match[1] if match.re.groups else match[0]
        if text is None:  # the group is in a part that was left out
            return None
        if self.order is Order.ALPHABETICAL:
            return 0, text
        return (int(text), "") if text.isascii() and text.isdigit() else None


@lru_cache(maxsize=4096)  # the same few hundred, in every pass
def _selection(follow: Follow, where: str) -> Selection:
    stated = [value for value in (follow.semver, follow.tag, follow.pattern) if value is not None]
    if len(stated) != 1:
        raise ImageRefused("state exactly one of semver, tag and pattern", where=where)
    if follow.order is not None and follow.pattern is None:
        raise ImageRefused("order is only for a pattern", where=where)
    try:
        if follow.tag is not None:
            if not is_tag(follow.tag):
                raise ValueError("letters, digits, dots, dashes and underscores, at most 128")
            return Selection(f"follows tag {follow.tag}", tag=follow.tag)
        if follow.semver is not None:
            return Selection(f"follows semver {follow.semver}", range=Range.parse(follow.semver))
        order = follow.order or Order.NUMERIC
        matching = compiled(follow.pattern or "")
    except ValueError as error:
        raise ImageRefused(f"{stated[0][:100]!r} cannot be followed", where=where, why=str(error)) from None
    return Selection(f"follows pattern {follow.pattern}, {order.value}", pattern=matching, order=order)
