"""A file as the objects it holds: documents one by one, Lists taken apart."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from reconciler.specs.fault import Fault
from reconciler.specs.finding import cut
from reconciler.specs.limits import Limits
from reconciler.specs.place import Mark, Path, Places
from reconciler.specs.read import Doc, decode, places, read, split_lines, text_hash

JSON = Any


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One object of a file. `value` keeps its nulls; `doc` and `path` lead to it: an item of a List has a path.

    `line` is its first. `text_hash` covers its own text; that of an item, its JSON.
    """

    value: dict[str, JSON]
    doc: int
    path: Path
    line: int
    text_hash: str
    faults: tuple[Fault, ...] = ()
    dubious: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A file that was read. `fault` says why it could not be read to its end; its parts may not be all, then.

    The text is kept in a packed form, to say where things stand if something turns out to be wrong.
    """

    parts: tuple[Part, ...]
    fault: Fault | None = None
    json: bool = False
    definitions: tuple[dict[str, JSON], ...] = ()  # its CustomResourceDefinitions
    packed: bytes = field(default=b"", repr=False)


def read_file(content: bytes, limits: Limits, *, json: bool) -> File:
    """Never raises."""
    text = decode(content, limits)
    if isinstance(text, Fault):
        return File((), text, json)
    found = read(text, limits, json=json)
    parts = tuple(part for number, doc in enumerate(found.docs) for part in _parts(number, doc))
    fault = found.fault
    if fault is None and len(parts) > limits.documents_per_file:
        fault = Fault("too-many-documents", f"more than {limits.documents_per_file:,} documents in a file")
    definitions = tuple(part.value for part in parts if part.value.get("kind") == "CustomResourceDefinition")
    return File(parts, fault, json, definitions, zlib.compress(text.encode(), 1))


class Text:
    """The text of a file, for saying what is wrong in it."""

    def __init__(self, file: File, limits: Limits) -> None:
        self._text = zlib.decompress(file.packed).decode() if file.packed else ""
        self._json = file.json
        self._limits = limits
        self._lines: list[str] | None = None
        self._places: list[Places] | None = None

    def places(self, part: Part) -> Places:
        """Where everything in the part's document stands; paths begin at the document."""
        if self._places is None:
            self._places = places(self._text, self._limits, json=self._json)
        return self._places[part.doc] if part.doc < len(self._places) else {}

    def mark(self, part: Part, path: Path, *, key: bool) -> Mark:
        """The place of the value (or key) at `path` in `part`, or of the nearest thing around it."""
        found = self.places(part)
        whole = (*part.path, *path)
        for end in range(len(whole), 0, -1):
            if (place := found.get(whole[:end])) is not None:
                return place.key if key or end < len(whole) else place.value
        return Mark(part.line, 1)

    def __str__(self) -> str:
        return self._text

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether the text has a match of `pattern` anywhere."""
        return pattern.search(self._text) is not None

    def line(self, number: int) -> str:
        """A line as a terminal can show it, cut where it is very long."""
        if self._lines is None:
            self._lines = split_lines(self._text)
        return cut(self._lines[number - 1].rstrip(), 160) if 0 < number <= len(self._lines) else ""


def _parts(number: int, doc: Doc) -> Iterator[Part]:
    if not isinstance(doc.value, dict):
        what = "a list" if isinstance(doc.value, list) else "a single value"
        fault = Fault("no-kind", f"this document is {what}, not a mapping", Mark(doc.line, 0), NO_KIND)
        yield Part({}, number, (), doc.line, doc.text_hash, (*doc.faults, fault), doc.dubious)
    elif not is_list(doc.value):
        yield Part(doc.value, number, (), doc.line, doc.text_hash, doc.faults, doc.dubious)
    else:
        whole = [fault for fault in doc.faults if fault.item < 0]
        if whole:  # a fault of the List itself concerns all that is in it
            yield Part({}, number, (), doc.line, doc.text_hash, tuple(whole), doc.dubious)
        for part in _items(number, doc, doc.value, ()):
            at = part.path[1]
            yield replace(part, faults=(*part.faults, *(fault for fault in doc.faults if fault.item == at)))


NO_KIND = "if this is not for Kubernetes, list the file in .reconcilerignore"


def is_list(value: dict[str, JSON]) -> bool:
    """Whether an object is a List, RoleList and so on: its items count, not itself."""
    kind, items = value.get("kind"), value.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in value or "spec" in value:
        return False
    metadata = value.get("metadata")
    return (items is None or isinstance(items, list)) and not (isinstance(metadata, dict) and metadata.get("name"))


def _items(number: int, doc: Doc, value: dict[str, JSON], path: Path) -> Iterator[Part]:
    kind = value["kind"].removesuffix("List")
    for at, item in enumerate(value["items"] or ()):
        below = (*path, "items", at)
        line = doc.items[below[1]] if isinstance(below[1], int) and below[1] < len(doc.items) else doc.line
        if not isinstance(item, dict):
            fault = Fault("no-kind", f"item {at} of this list is not a mapping", Mark(line, 0))
            yield Part({}, number, below, line, doc.text_hash, (fault,))
            continue
        if kind and "kind" not in item:  # a typed list need not repeat what its items are
            item = {"apiVersion": value.get("apiVersion"), "kind": kind, **item}
        if is_list(item):
            yield from _items(number, doc, item, below)
        else:
            hashed = text_hash(msgspec.json.encode(item, order="sorted").decode())
            yield Part(item, number, below, line, hashed, dubious=doc.dubious)
