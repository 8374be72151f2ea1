"""JSON text as YAML events, so that one builder with one set of limits reads both.

JSON is not quite YAML: a YAML reader refuses surrogate pairs and long keys that JSON allows.
"""

import bisect
import json
import re
from collections.abc import Generator, Iterator
from typing import Final

import yaml

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_TOKEN: Final = re.compile(
    r'(?P<mark>[{}\[\],:])|(?P<text>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")'
    r"|(?P<atom>true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class JsonError(yaml.MarkedYAMLError):
    """The text is not JSON."""


class _Events:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def mark(self, index: int) -> yaml.Mark:
        line = bisect.bisect_right(self._lines, index) - 1
        return yaml.Mark("", index, line, index - self._lines[line], None, 0)

    def token(self, index: int) -> tuple[re.Match[str] | None, int]:
        """The token at or after `index` (None at the end of the text), and where it begins."""
        start = _BLANK.match(self._text, index).end()  # type: ignore[union-attr]
        if start == len(self._text):
            return None, start
        match = _TOKEN.match(self._text, start)
        if match is None:
            raise self.error("this is not JSON", start)
        return match, start

    def error(self, problem: str, index: int) -> JsonError:
        return JsonError(None, None, problem, self.mark(index))

    def scalar(self, match: re.Match[str], start: int) -> yaml.ScalarEvent:
        ends = self.mark(start), self.mark(match.end())
        if match["atom"]:
            return yaml.ScalarEvent(None, None, (True, False), match["atom"], *ends)
        value = json.loads(match["text"])
        if _SURROGATE.search(value):
            raise self.error("half of a surrogate pair", start)
        return yaml.ScalarEvent(None, None, (False, True), value, *ends, style='"')


def events(text: str) -> Iterator[yaml.Event]:
    """The events of each JSON value in `text`, one document each. Raises JsonError with its place."""
    reader = _Events(text)
    match, start = reader.token(0)
    while match is not None:
        yield yaml.DocumentStartEvent(reader.mark(start), reader.mark(start))
        index = yield from _value(reader, match, start)
        yield yaml.DocumentEndEvent(reader.mark(index), reader.mark(index))
        match, start = reader.token(index)


def _value(reader: _Events, match: re.Match[str] | None, start: int) -> Generator[yaml.Event, None, int]:
    """The events of the value that begins with the token `match`; returns the index after it."""
    closers: list[str] = []  # of the collections that are open
    expect = "value"
    while True:
        if match is None:
            raise reader.error("the text ends in the middle of a value", start)
        mark, ends = match["mark"], (reader.mark(start), reader.mark(match.end()))
        if mark and mark in "}]" and expect in ("value or end", "key or end", "comma or end") and mark == closers[-1]:
            closers.pop()
            yield (yaml.MappingEndEvent if mark == "}" else yaml.SequenceEndEvent)(*ends)
            expect = "comma or end"
        elif mark == "," and expect == "comma or end":
            expect = "key" if closers[-1] == "}" else "value"
        elif mark == ":" and expect == "colon":
            expect = "value"
        elif match["text"] and expect in ("key", "key or end"):
            yield reader.scalar(match, start)
            expect = "colon"
        elif not mark and expect in ("value", "value or end"):
            yield reader.scalar(match, start)
            expect = "comma or end"
        elif mark == "{" and expect in ("value", "value or end"):
            closers.append("}")
            yield yaml.MappingStartEvent(None, None, True, *ends, flow_style=True)
            expect = "key or end"
        elif mark == "[" and expect in ("value", "value or end"):
            closers.append("]")
            yield yaml.SequenceStartEvent(None, None, True, *ends, flow_style=True)
            expect = "value or end"
        else:
            raise reader.error(f"a {expect.replace(' or end', '')} is expected here", start)
        if not closers:
            return match.end()
        match, start = reader.token(match.end())
