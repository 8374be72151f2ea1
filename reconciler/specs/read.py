"""Text to JSON values: strict YAML (and JSON), within limits, every fault with its place.

Reads the parser's events itself, because PyYAML's constructor accepts duplicate keys, follows alias bombs, makes dates
of texts, and refuses an anchor that is defined twice and a bare `=`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reconciler.specs import jsontext
from reconciler.specs.build import Builder, Stop
from reconciler.specs.fault import Fault
from reconciler.specs.limits import Limits
from reconciler.specs.place import Mark, Places

JSON = Any

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS: Final = {
    "mapping values are not allowed": 'a value that contains ": " needs quotes; or the indentation is wrong',
    "cannot start any token": "indent with spaces, not tabs; quote a value that begins with @, ` or %",
    "did not find expected key": "compare the indentation of this line with the lines above",
    "could not find expected ':'": "is this a key without a colon, or a text that needs quotes?",
    "did not find expected '-' indicator": "compare the indentation of this line with the items above",
    "found undefined tag handle": "a value that begins with ! needs quotes",
    "while scanning an alias": "a value that begins with * needs quotes",
    "while scanning an anchor": "a value that begins with & needs quotes",
}


@dataclass(frozen=True, slots=True)
class Doc:
    """One document of a file. `value` keeps its nulls.

    `line` is the first of its text, `text_hash` 16 hexadecimal digits over that text; `items` are the lines of what
    stands under a top-level `items`; `dubious` says whether it holds a plain scalar that readers disagree about.
    """

    value: JSON
    line: int
    text_hash: str
    faults: tuple[Fault, ...] = ()
    items: tuple[int, ...] = ()
    dubious: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A text: its documents without the empty ones and, where it could not be read to its end, why."""

    docs: tuple[Doc, ...]
    fault: Fault | None = None


def decode(content: bytes, limits: Limits) -> str | Fault:
    """The text of a file: UTF-8, with or without a byte order mark."""
    if len(content) > limits.file_bytes:
        return too_large(len(content), limits)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Fault("not-utf8", "the file is UTF-16", hint="save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Fault("not-utf8", "the file is not UTF-8", Mark(line, 0), hint="save it as UTF-8")


def too_large(size: int, limits: Limits) -> Fault:
    """Of a file with `size` bytes."""
    message = f"the file has {size:,} bytes, more than {limits.file_bytes:,}"
    return Fault("too-large", message, hint="split it, or list it in .reconcilerignore")


def read(text: str, limits: Limits, *, json: bool) -> Read:
    """Every document of `text`. Never raises: a fault of the whole text is in `Read.fault`."""
    docs: list[Doc] = []
    try:
        for builder in _documents(text, limits, json=json):
            value = builder.build()
            if len(docs) >= limits.documents_per_file:
                raise Stop(Fault("too-many-documents", f"more than {limits.documents_per_file:,} documents in a file"))
            if value is None and not builder.faults:
                continue
            docs.append(
                Doc(
                    value,
                    builder.start.line + 1,
                    text_hash(text[builder.start.index : builder.end.index]),
                    tuple(builder.faults),
                    tuple(builder.items),
                    builder.dubious,
                )
            )
    except Stop as stop:
        return Read(tuple(docs), stop.fault)
    except (yaml.YAMLError, ValueError) as error:
        return Read(tuple(docs), _syntax(error, text))
    return Read(tuple(docs))


def places(text: str, limits: Limits, *, json: bool) -> list[Places]:
    """Where everything stands, for each document that `read` gives of the same text. Slower: only for a failure."""
    found: list[Places] = []
    try:
        for builder in _documents(text, limits, json=json):
            builder.places = {}
            if builder.build() is not None or builder.faults:
                found.append(builder.places)
    except (Stop, yaml.YAMLError, ValueError):
        pass  # `read` has said it
    return found


def text_hash(text: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _documents(text: str, limits: Limits, *, json: bool) -> Iterator[Builder]:
    following: Callable[[], Any] = iter(jsontext.events(text)).__next__ if json else yaml.CSafeLoader(text).get_event
    while True:
        try:
            event = following()
        except StopIteration:
            return
        if event is None or isinstance(event, yaml.StreamEndEvent):
            return
        if isinstance(event, yaml.DocumentStartEvent):
            yield Builder(following, limits)


def _syntax(error: Exception, text: str) -> Fault:
    """The parser's complaint in our words."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem is not None:
        where = error.problem_mark or error.context_mark
        mark = Mark(where.line + 1, where.column + 1) if where else Mark(0, 0)
        context = f" {error.context}" if error.context else ""
        message = f"{error.problem}{context}"
        hint = next((hint for part, hint in _HINTS.items() if part in message), "")
        return Fault("syntax", message, mark, hint)
    if match := _UNPRINTABLE.search(text):
        line, column = _place(text, match.start())
        return Fault("syntax", f"a control character, U+{ord(match[0]):04X}", Mark(line, column), hint="remove it")
    return Fault("syntax", "this is not YAML")


def _place(text: str, index: int) -> tuple[int, int]:
    lines = split_lines(text[:index] + "x")
    return len(lines), len(lines[-1])


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them."""
    return re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
