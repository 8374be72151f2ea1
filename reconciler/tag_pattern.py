"""Patterns for tags: the part of regular expressions that never takes long. Pure.

    v(?P<n>\\d+)-alpine     main-[0-9a-f]{7,40}-(\\d+)     (?:release|stable)-(\\d{8})(?:-fix)?

Letters, digits, `_` and `-` stand for themselves, `\\.` for a dot, `.` for any character, `\\d`, `\\w` and `[…]` for
one of a kind; each of them may repeat (`*`, `+`, `?`, `{m,n}`). Groups and `|` may not repeat, but be left out (`?`).

Patterns come from a repository that strangers may write to, and Python's engine tries every way to divide a tag among
repetitions that can match the same characters. So at most two may also match what follows them: that costs 0.3 ms for
a tag of 128 characters at the very worst; with three it would be 30 ms, and a repository may have 10,000 tags.
"""

import re
from typing import Final

_MAX_LENGTH: Final = 256
_MAX_AMBIGUOUS: Final = 2
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"  # of tags
_TOKEN: Final = re.compile(
    r"(?P<atom>\\[dwDW._-]|\[\^?(?:[A-Za-z0-9_.]|\\[dw._-]|(?<=[A-Za-z0-9])-(?=[A-Za-z0-9])|-(?=\]))+\]|[A-Za-z0-9_.-])"
    r"(?P<times>(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??)?"
    r"|(?P<open>\((?:\?:|\?P<[A-Za-z_][A-Za-z0-9_]{0,31}>)?)|(?P<close>\)\??)|(?P<other>\|)"
)
_OPTIONAL: Final = re.compile(r"[*?]|\{0")
_FIXED: Final = re.compile(r"(?:\{\d+\})?\??|\?")


def compiled(text: str) -> re.Pattern[str]:
    """The pattern, for `fullmatch`. Raises ValueError with a sentence that says what is wrong with it."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"the pattern is longer than {_MAX_LENGTH} characters")
    body = text.removeprefix("^")
    body = body.removesuffix("$")
    parts: list[re.Match[str]] = []
    position = 0
    while position < len(body):
        match = _TOKEN.match(body, position)
        if match is None:
            raise ValueError(f"{body[position:][:20]!r} is not a part of a pattern for tags")
        parts.append(match)
        position = match.end()
    ambiguous = sum(_repeats(part) and _overlaps(part["atom"], parts[index + 1 :]) for index, part in enumerate(parts))
    if ambiguous > _MAX_AMBIGUOUS:
        raise ValueError(f"more than {_MAX_AMBIGUOUS} repetitions could match what follows them as well")
    try:
        return re.compile(body, re.ASCII)
    except (re.error, OverflowError) as error:
        raise ValueError(f"the pattern is not a regular expression: {error}") from None


def _repeats(part: re.Match[str]) -> bool:
    return part["atom"] is not None and _FIXED.fullmatch(part["times"] or "") is None


def _overlaps(atom: str, following: list[re.Match[str]]) -> bool:
    """Whether some character fits `atom` and also what may come next. Where that is not plain, the answer is yes."""
    branches = any(part["other"] or part["close"] == ")?" for part in following)
    for part in following:
        if part["atom"] is None:
            if part[0] != ")" and branches:
                return True
            continue
        if _meet(atom, part["atom"]):
            return True
        if not _OPTIONAL.match(part["times"] or ""):
            return False
    return False


def _meet(first: str, second: str) -> bool:
    try:
        one, other = re.compile(first, re.ASCII), re.compile(second, re.ASCII)
    except re.error:
        return True  # a range the wrong way round: compiling the whole says so
    return any(one.fullmatch(letter) and other.fullmatch(letter) for letter in _ALPHABET)
