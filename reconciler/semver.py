"""Versions in the names of tags, and ranges over them: `>=1.2 <2`, `^1.4 || ~2.0`, `1.x`.

Versions are those of https://semver.org, with or without a "v" before them, always of three numbers: a tag `v1` that
is moved about is not a version. Ranges are those that package managers share:

    1.2.3  =1.2.3        that version               >1.2  >=1.2  <2  <=1.2.3    compared with it
    1.2  1.2.x  1.*  *   anything it begins         1.2 - 2.3                   from 1.2.0 up to any 2.3
    ~1.2.3               >=1.2.3 <1.3.0             ^1.2.3                      >=1.2.3 <2.0.0
    ^0.2.3               >=0.2.3 <0.3.0             ^0.0.3                      >=0.0.3 <0.0.4

Comparators side by side (or with commas) must all hold; `||` separates alternatives. A pre-release is in a range only
if asked for: a comparator names a pre-release of the same three numbers (`>=2.0.0-rc.1`), or names `-0`, which asks
for all of them (`>=1.0.0-0`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17})"
_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = re.compile(rf"[vV]?({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?")
_PART: Final = rf"(?:{_NUMBER}|[xX*])"
_PARTIAL: Final = rf"[vV]?{_PART}(?:\.{_PART}(?:\.{_PART}(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?)?)?"
_OPERATOR: Final = re.compile(r"(<=|>=|<|>|=|\^|~>?)\s+")
_COMPARATOR: Final = re.compile(rf"(<=|>=|<|>|=|\^|~>?|)({_PARTIAL})")
_HYPHEN: Final = re.compile(rf"\s*({_PARTIAL})\s+-\s+({_PARTIAL})\s*")
_MAX_LENGTH: Final = 256


class Version(NamedTuple):
    """A version; tuples of `rank()` are in the order of precedence. Build metadata plays no part."""

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    def rank(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """Pre-releases before the release; numeric identifiers before words and by value; the shorter list first."""
        parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.pre)
        return self.numbers, not self.pre, parts


def parse_version(tag: str) -> Version | None:
    """The version that a tag's name states, None if it states none."""
    match = _VERSION.fullmatch(tag) if len(tag) <= _MAX_LENGTH else None
    if match is None:
        return None
    numbers = int(match[1]), int(match[2]), int(match[3])
    return Version(numbers, _identifiers(match[4]))


def _identifiers(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


@dataclass(frozen=True, slots=True)
class _Comparator:
    """One of ">=", "<", ">", "<=", and with what. A derived bound (the 2.0.0 of ^1.2) asks for no pre-release."""

    operator: str
    version: Version
    stated: bool = True

    def holds(self, version: Version) -> bool:
        left, right = version.rank(), self.version.rank()
        match self.operator:
            case ">=":
                return left >= right
            case "<":
                return left < right
            case ">":
                return left > right
            case _:
                return left <= right

    def asks_for(self, version: Version) -> bool:
        """Whether the pre-release `version` is asked for by name, or all are."""
        if not self.stated or not self.version.pre:
            return False
        all_of_them = self.version.pre == ("0",) and self.operator.startswith(">")
        return all_of_them or self.version.numbers == version.numbers


@dataclass(frozen=True, slots=True)
class Range:
    """A set of versions: any of `alternatives`, all comparators of which hold."""

    text: str
    alternatives: tuple[tuple[_Comparator, ...], ...]

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Raises ValueError with a sentence that says which part is not a range."""
        if not text.strip():
            raise ValueError('the range is empty: "*" is any version')
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"the range is longer than {_MAX_LENGTH} characters")
        return cls(text, tuple(_alternative(part) for part in text.split("||")))

    def __contains__(self, version: Version) -> bool:
        return any(
            all(comparator.holds(version) for comparator in comparators)
            and (not version.pre or any(comparator.asks_for(version) for comparator in comparators))
            for comparators in self.alternatives
        )

    def highest(self, tags: Iterable[str]) -> str | None:
        """The tag of the highest version in the range; of two names for one version the later by name."""
        versions = ((parse_version(tag), tag) for tag in tags)
        found = [(version.rank(), tag) for version, tag in versions if version is not None and version in self]
        return max(found)[1] if found else None


def _alternative(text: str) -> tuple[_Comparator, ...]:
    if hyphen := _HYPHEN.fullmatch(text):
        return (*_compare(">=", hyphen[1]), *_compare("<=", hyphen[2]))
    tokens = _OPERATOR.sub(r"\1", text.replace(",", " ")).split()
    if not tokens:
        raise ValueError('an alternative is empty: "*" is any version')
    comparators: list[_Comparator] = []
    for token in tokens:
        match = _COMPARATOR.fullmatch(token)
        if match is None:
            raise ValueError(f"{token!r} is not a version or a comparison with one")
        comparators.extend(_compare(match[1], match[2]))
    return tuple(comparators)


def _compare(operator: str, partial: str) -> tuple[_Comparator, ...]:
    """The comparators that an operator and a version, perhaps an incomplete one, stand for."""
    core, _, pre = partial.lstrip("vV").split("+", 1)[0].partition("-")
    numbers: list[int] = []
    for part in core.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    whole = len(numbers) == 3
    first, second, third = (*numbers, 0, 0, 0)[:3]
    floor = Version((first, second, third), _identifiers(pre) if whole else ())
    if not numbers:
        impossible = operator in ("<", ">")
        return (_Comparator("<", Version((0, 0, 0), ("0",)), stated=False),) if impossible else (_from(floor),)
    after = _next(numbers, len(numbers))
    match operator:
        case ">=":
            return (_from(floor),)
        case "<":
            return (_Comparator("<", floor),) if whole else (_below(floor.numbers),)
        case ">":
            return (_Comparator(">", floor),) if whole else (_Comparator(">=", Version(after)),)
        case "<=":
            return (_Comparator("<=", floor),) if whole else (_below(after),)
        case "~" | "~>":
            return _from(floor), _below(_next(numbers, min(2, len(numbers))))
        case "^":
            leading = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
            return _from(floor), _below(_next(numbers, leading + 1))
        case _:
            return _from(floor), (_Comparator("<=", floor) if whole else _below(after))


def _next(numbers: list[int], count: int) -> tuple[int, int, int]:
    """The first version after all that begin with the first `count` numbers."""
    first, second, third = (*numbers[: count - 1], numbers[count - 1] + 1, 0, 0)[:3]
    return first, second, third


def _from(version: Version) -> _Comparator:
    return _Comparator(">=", version)


def _below(numbers: tuple[int, int, int]) -> _Comparator:
    """Before every pre-release of `numbers` too."""
    return _Comparator("<", Version(numbers, ("0",)), stated=False)
