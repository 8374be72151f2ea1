"""Text to JSON values: strict YAML (and JSON), within limits, every fault with its place.

Reads the parser's events itself, because PyYAML's constructor accepts duplicate keys, follows alias bombs, makes dates
of texts, and refuses an anchor that is defined twice and a bare `=`.
"""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from reconciler.specs import jsontext
from reconciler.specs.fault import Fault, Mark
from reconciler.specs.limits import Limits
from reconciler.specs.scalars import NotJson, dubious, resolve

JSON = Any
Path = tuple[str | int, ...]

_MOST: Final = 100  # faults of one document that are told
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAG: Final = "tag:yaml.org,2002:"
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a text. `key` is the place of its key in a mapping, else its own.

    `plain` is the source of a scalar without quotes, None for any other value.
    """

    key: Mark
    value: Mark
    plain: str | None = None


Places = dict[Path, Place]


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
                raise _Stop(Fault("too-many-documents", f"more than {limits.documents_per_file:,} documents in a file"))
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
    except _Stop as stop:
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
    except (_Stop, yaml.YAMLError, ValueError):
        pass  # `read` has said it
    return found


def text_hash(text: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Stop(Exception):
    """Nothing more of this text is read."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def _documents(text: str, limits: Limits, *, json: bool) -> Iterator["_Builder"]:
    following: Callable[[], Any] = iter(jsontext.events(text)).__next__ if json else yaml.CSafeLoader(text).get_event
    while True:
        try:
            event = following()
        except StopIteration:
            return
        if event is None or isinstance(event, yaml.StreamEndEvent):
            return
        if isinstance(event, yaml.DocumentStartEvent):
            yield _Builder(following, limits)


class _Builder:
    """Builds one document. With `places` set it also records where everything stands."""

    def __init__(self, following: Callable[[], Any], limits: Limits) -> None:
        self._next = following
        self._limits = limits
        # value, weight and height; None while it is being built
        self._anchors: dict[str, tuple[JSON, int, int] | None] = {}
        self._weight = 0
        self._deepest = 0
        self._aliases = 0
        self._item = -1
        self.places: Places | None = None
        self.faults: list[Fault] = []
        self.items: list[int] = []
        self.dubious = False
        self.start: Any = None
        self.end: Any = None

    def build(self) -> JSON:
        event = self._next()
        self.start = event.start_mark
        value = self._value(event, (), 0)
        self._next()  # the end of the document
        return value

    def _value(self, event: Any, path: Path, depth: int) -> JSON:
        kind = type(event)
        if kind is yaml.AliasEvent:
            self.end = event.end_mark
            return self._alias(event, depth)
        anchor = event.anchor
        weight, deepest = self._weight, self._deepest
        if anchor:
            self._anchors[anchor] = None
            self._deepest = depth
        value: JSON
        if kind is yaml.ScalarEvent:
            value = self._scalar(event, path)
            self.end = event.end_mark
        else:
            self._descend(depth + 1, event)
            self._add(1, event)
            if event.tag is not None and event.tag not in (
                "!",
                _TAG + ("map" if kind is yaml.MappingStartEvent else "seq"),
            ):
                self._custom_tag(event)
            value = self._mapping(path, depth) if kind is yaml.MappingStartEvent else self._sequence(path, depth)
        if anchor:
            self._anchors[anchor] = (value, self._weight - weight, self._deepest - depth)
            self._deepest = max(self._deepest, deepest)
        return value

    def _descend(self, depth: int, event: Any) -> None:
        if depth > self._limits.depth:
            raise _Stop(_fault("too-deep", f"nested more than {self._limits.depth} deep", event))
        if depth > self._deepest:
            self._deepest = depth

    def _alias(self, event: Any, depth: int) -> JSON:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise _Stop(_fault("too-many-aliases", f"more than {self._limits.aliases:,} aliases in a document", event))
        if event.anchor not in self._anchors:
            raise _Stop(_fault("syntax", f"the alias *{event.anchor} has no anchor before it", event))
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise _Stop(_fault("syntax", f"the alias *{event.anchor} contains itself", event))
        value, weight, height = anchored
        self._add(weight, event)
        self._descend(depth + height, event)
        return value

    def _add(self, weight: int, event: Any) -> None:
        self._weight += weight
        if self._weight > self._limits.expanded_nodes:
            limit = f"{self._limits.expanded_nodes:,}"
            raise _Stop(_fault("too-many-values", f"more than {limit} values in a document, aliases followed", event))

    def _scalar(self, event: Any, path: Path) -> JSON:
        text: str = event.value
        self._add(1 + len(text) // 100, event)
        plain, _ = event.implicit
        if event.tag is None:
            if not plain:
                return text
        elif event.tag in ("!", _TAG + "str", _TAG + "timestamp"):
            return text
        elif event.tag not in (_TAG + "int", _TAG + "float", _TAG + "bool", _TAG + "null"):
            self._custom_tag(event)
            return text
        if self.places is not None:
            self.places[path] = Place(mark := _mark(event), mark, text)
        try:
            value = resolve(text)
        except NotJson:
            self._note("not-json", f"{text} is not a JSON value", event, hint=f'as a text: "{text}"')
            return text
        if value.__class__ is str:
            if len(text) <= 32:
                text = sys.intern(text)
            if ":" not in text or not dubious(text):
                return text
        if dubious(text):
            self.dubious = True
        return value

    def _sequence(self, path: Path, depth: int) -> list[JSON]:
        values: list[JSON] = []
        listed = depth == 1 and path == ("items",)
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            if listed:
                self._item = len(values)
                self.items.append(event.start_mark.line + 1)
            below = (*path, len(values))
            if self.places is not None:
                self.places[below] = Place(mark := _mark(event), mark)
            values.append(self._value(event, below, depth + 1))
        if listed:
            self._item = -1
        self._close(event)
        return values

    def _mapping(self, path: Path, depth: int) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        keys: dict[str, Any] = {}
        merged: list[JSON] = []
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event, depth)
            following = self._next()
            if key == "<<" and event.implicit[0]:
                merged.append((self._value(following, (*path, "<<"), depth + 1), following))
                continue
            if key is None:
                self._value(following, (*path, ""), depth + 1)
                continue
            below = (*path, key)
            if key in keys:
                first = _mark(keys[key])
                self._note("duplicate-key", f'the key "{key}" is stated twice', event, also=first)
                self._value(following, (*path, "", key), depth + 1)
                continue
            keys[key] = event
            if self.places is not None:
                self.places[below] = Place(_mark(event), _mark(following))
            value = self._value(following, below, depth + 1)
            if self.places is not None:
                self.places[below] = Place(_mark(event), _mark(following), self._plain(below))
            values[key] = value
        self._close(event)
        for value, start in merged:
            self._merge(values, value, start)
        return values

    def _close(self, event: Any) -> None:
        if event.end_mark.index > event.start_mark.index:  # a bracket; else it is the place of what comes next
            self.end = event.end_mark

    def _plain(self, path: Path) -> str | None:
        return self.places[path].plain if self.places else None

    def _key(self, event: Any, depth: int) -> str | None:
        """A key as the text that was written: `on`, `1` and `true` are names like any other."""
        if type(event) is yaml.ScalarEvent:
            self._add(1 + len(event.value) // 100, event)
            if event.anchor:
                self._anchors[event.anchor] = (event.value, 1, 0)
            if event.implicit[0] and event.value in ("", "~", "null"):
                self._note("bad-key", "a key is empty", event, hint="remove it, or quote it")
                return None
            if event.tag not in (None, "!") and not event.tag.startswith(_TAG):
                self._custom_tag(event)
            return sys.intern(event.value)
        value = self._value(event, ("",), depth + 1)
        if isinstance(value, str):
            return value
        self._note(
            "bad-key", "a key must be a text, not a list or a mapping", event, hint='quote a value like "{{ x }}"'
        )
        return None

    def _merge(self, values: dict[str, JSON], sources: JSON, event: Any) -> None:
        """The YAML 1.1 merge key: what is stated beside it wins, then the earlier of several."""
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, dict):
                self._note("bad-key", "<< merges mappings only", event)
                return
            for key, value in source.items():
                values.setdefault(key, value)

    def _custom_tag(self, event: Any) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self._note("custom-tag", f"the tag {tag} means nothing here", event, hint="remove it, or quote the value")

    def _note(self, code: str, message: str, event: Any, *, hint: str = "", also: Mark | None = None) -> None:
        if len(self.faults) < _MOST:
            self.faults.append(Fault(code, message, _mark(event), hint, also, self._item))


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _fault(code: str, message: str, event: Any) -> Fault:
    return Fault(code, message, _mark(event))


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
