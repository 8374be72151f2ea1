"""`.containerignore` and `.dockerignore`: which files of a context are left out. Pure.

Patterns are relative to the context, `*` and `?` stop at "/", `**` does not, `[a-z]` is one character of a set, a
backslash takes the next character as it is. A pattern matches a folder with all that is in it; "!" brings back what an
earlier line left out; the last line that matches decides. Source: https://docs.docker.com/build/concepts/context/.

Patterns are a stranger's, so none may take long: `*` is matched without going back, and `**` may stand twice in a line.
"""

import re
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from reconciler.errors import ImageRefused

FILES: Final = (".containerignore", ".dockerignore")  # the first that is there counts
MAX_BYTES: Final = 64 * 1024
_MAX_LINES: Final = 1000
_MAX_DEEP: Final = 2
_MAX_SECONDS: Final = 5.0
_SET: Final = re.compile(r"\[(\^?)((?:\\.|[^\\\]/])+)\]")
_SET_PART: Final = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?")


class _Rule(NamedTuple):
    regex: re.Pattern[str]
    ignores: bool


class Ignored:
    """The rules of one ignore file. Raises ImageRefused with file:line for a line that cannot be read as a pattern."""

    def __init__(self, content: bytes = b"", where: str = "") -> None:
        lines = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
        if len(content) > MAX_BYTES or len(lines) > _MAX_LINES:
            raise ImageRefused(f"the file has more than {MAX_BYTES:,} bytes or {_MAX_LINES:,} lines", where=where)
        found = (_rule(line, f"{where}:{number}") for number, line in enumerate(lines, start=1))
        self._rules = tuple(rule for rule in found if rule is not None)[::-1]
        self._where = where
        self._spent = 0.0  # seconds of a thread's work, not of a day

    def __call__(self, path: str) -> bool:
        """Whether the file at `path` (relative to the context) is left out."""
        if not self._rules:
            return False
        begun = time.thread_time()
        rule = next((rule for rule in self._rules if rule.regex.fullmatch(path)), None)
        self._spent += time.thread_time() - begun
        if self._spent > _MAX_SECONDS:
            raise ImageRefused(
                f"matching the patterns takes longer than {_MAX_SECONDS:g} s",
                where=self._where,
                hint="use fewer patterns",
            )
        return rule is not None and rule.ignores


def _rule(line: str, where: str) -> _Rule | None:
    text = line.strip()
    if not text or line.startswith("#"):
        return None
    ignores = not text.startswith("!")
    text = text.removeprefix("!").strip()
    segments = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in segments:
        raise ImageRefused(f"{text!r} leads out of the context", where=where)
    if not segments:
        if ignores and text:
            return None  # "." and "/" match nothing, as for docker
        raise ImageRefused(f"{line.strip()!r} is not a pattern", where=where)
    if text.count("**") > _MAX_DEEP:
        raise ImageRefused(f"the pattern has more than {_MAX_DEEP} of **", where=where, hint="split it")
    try:
        return _Rule(re.compile("".join(_parts(segments)) + "(?:/.*)?", re.DOTALL), ignores)
    except re.error:
        raise ImageRefused(f"{text!r} is not a pattern", where=where) from None


def _parts(segments: list[str]) -> Iterator[str]:
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "**":
            yield ".+" if last else "(?:[^/]+/)*"
        else:
            yield _segment(segment) + ("" if last else "/")


def _segment(text: str) -> str:
    """A part of a path between slashes. What follows a `*` is taken where it comes first: that is as good as any."""
    chunks: list[str] = [""]
    stars: list[str] = []
    position = 0
    while position < len(text):
        letter = text[position]
        if text.startswith("**", position):
            stars.append(".*")
            chunks.append("")
            position += 2
        elif letter == "*":
            stars.append("[^/]*")
            chunks.append("")
            position += 1
        else:
            piece, position = _one(text, position)
            chunks[-1] += piece
    found = chunks[0]
    for index, star in enumerate(stars):
        chunk = chunks[index + 1]
        alone = index == len(stars) - 1 or star == ".*"
        found += f"{star}{chunk}" if alone else f"(?>{star}?{chunk})"
    return found


def _one(text: str, position: int) -> tuple[str, int]:
    """The expression for one character, and where the next begins. Raises re.error."""
    letter = text[position]
    if letter == "?":
        return "[^/]", position + 1
    if letter == "\\":
        if position + 1 == len(text):
            raise re.error("a backslash at the end")
        return re.escape(text[position + 1]), position + 2
    if letter == "[":
        match = _SET.match(text, position)
        if match is None:
            raise re.error("a set without an end")
        parts = "".join(_range(part[1], part[2]) for part in _SET_PART.finditer(match[2]))
        return f"(?!/)[{match[1]}{parts}]", match.end()
    return re.escape(letter), position + 1


def _range(first: str, last: str | None) -> str:
    low = re.escape(first.removeprefix("\\") or "\\")
    return low if last is None else f"{low}-{re.escape(last.removeprefix(chr(92)) or chr(92))}"
