"""On which line of its file a document states a field: for people who ask who wanted it so.

The text is read again, but only that of the one document, and only when somebody asks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from reconciler.kube.names import Identity
from reconciler.kube.path import canonical_json
from reconciler.model.problem import Location
from reconciler.model.spec import Origin
from reconciler.specs.limits import Limits
from reconciler.specs.parts import File, Part, Text
from reconciler.specs.place import Path, Places
from reconciler.specs.read import places, split_lines

JSON = Any

_ENDS: Final = ("", ".", "[")  # what may follow an element of a path
_BRACKET: Final = re.compile(r"\[([^]]*)\]")
_PAIRS: Final = re.compile(r",(?=[A-Za-z]\w*=)")
_LIMITS: Final = Limits()


class Wish(NamedTuple):
    """A field that may be stated, as people read its path; with `whole` what is only around it does not count."""

    path: str
    whole: bool = False


class Found(NamedTuple):
    """Where a field is stated, and with what value. `exact`: the field itself, not only what is around it."""

    location: Location
    value: JSON
    exact: bool


@dataclass(slots=True)
class Layer:
    """One text that states a document."""

    path: str
    file: File
    part: Part
    places: "_Read | None" = field(default=None, repr=False)  # once somebody has asked


class _Read(NamedTuple):
    """Where everything stands in a piece of a file that holds a part."""

    places: Places
    before: int  # lines of the file before the piece
    path: Path  # to the part


def layers(document: Identity, origin: Origin, files: Mapping[str, File]) -> tuple[Layer, ...]:
    """The texts that state `document`, in the order in which they are merged. `files` are those that `origin` names.

    A text that is not found is left out: the file is another by now, or could not be read.
    """
    found = []
    for number, path in enumerate((origin.path, *origin.overlays)):
        if (file := files.get(path)) is None:
            continue
        parts = [part for part in file.parts if _states(part, document)]
        exact = [part for part in parts if str(part.value["metadata"].get("namespace") or "") == document.namespace]
        here = [part for part in parts if part.line == origin.line] if number == 0 else []
        if chosen := (here or exact or parts):
            found.append(Layer(path, file, chosen[0]))
    return tuple(found)


def locate(layers: Sequence[Layer], wishes: Sequence[Wish]) -> Found | None:
    """Where the first of `wishes` is stated that is stated at all; None where none is.

    Of several layers the last that states it. Where no field itself is stated, the nearest thing around it counts: a
    list whose item is missing, not the whole `spec`, and none of the maps of `metadata`.
    """
    for wish in wishes:
        for layer in reversed(layers):
            path, exact = follow(wish.path, layer.part.value)
            if exact:
                return _found(layer, path, exact=True)
    around = [(layer, follow(w.path, layer.part.value)[0]) for w in wishes if not w.whole for layer in reversed(layers)]
    worth = [one for one in around if len(one[1]) > 1 and one[1] not in _MAPS]
    return _found(*max(worth, key=lambda one: len(one[1])), exact=False) if worth else None


_MAPS: Final[tuple[Path, ...]] = (("metadata", "labels"), ("metadata", "annotations"))


def _found(layer: Layer, path: Path, *, exact: bool) -> Found:
    value = layer.part.value
    for step in path:
        value = value[step]  # type: ignore[index]
    return Found(Location(layer.path, _line(layer, path)), value, exact)


def follow(text: str, value: JSON) -> tuple[Path, bool]:
    """The path in `value` that `text` means, as far as it leads, and whether that is to its end.

    `text` is as people read it: `spec.containers[name=web].image`. Names may hold dots: the value tells what is meant.
    """
    return _follow(text if text.startswith("[") else f".{text}", value)


def _follow(text: str, value: JSON) -> tuple[Path, bool]:
    if not text:
        return (), True
    best: Path = ()
    for step, length in _steps(text, value):
        below, whole = _follow(text[length:], value[step])
        if whole:
            return (step, *below), True
        if len(below) >= len(best):
            best = (step, *below)
    return best, False


def _steps(text: str, value: JSON) -> Iterator[tuple[str | int, int]]:
    """What the beginning of `text` may mean in `value`, and how long that beginning is."""
    if isinstance(value, dict) and text[0] == ".":
        names = (name for name in value if isinstance(name, str) and text.startswith(name, 1))
        for name in sorted(names, key=len, reverse=True):
            if text[len(name) + 1 :][:1] in _ENDS:
                yield name, len(name) + 1
    elif isinstance(value, list) and (match := _BRACKET.match(text)) and (at := _item(match[1], value)) is not None:
        yield at, match.end()


def _item(key: str, items: list[JSON]) -> int | None:
    """The item that `[name=web]`, `[=value]` or `[0]` means."""
    if key.isdecimal():
        return int(key) if int(key) < len(items) else None
    if key.startswith("="):
        return next((at for at, item in enumerate(items) if _plain(item) == key[1:]), None)
    pairs = [pair.partition("=")[::2] for pair in _PAIRS.split(key)]
    best, most = None, 0
    for at, item in enumerate(items):
        if not isinstance(item, dict) or any(n in item and _plain(item[n]) != text for n, text in pairs):
            continue
        if (same := sum(name in item for name, _ in pairs)) > most:  # a key may be left out where it has a default
            best, most = at, same
    return best


def _plain(value: JSON) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _states(part: Part, document: Identity) -> bool:
    """Whether a text describes `document`; a namespace that it leaves out is filled in."""
    metadata = part.value.get("metadata")
    if not isinstance(metadata, dict) or str(metadata.get("name")) != document.name:
        return False
    group = str(part.value.get("apiVersion") or "").rpartition("/")[0]
    space = str(metadata.get("namespace") or "")
    return (group, part.value.get("kind")) == (document.group, document.kind) and space in ("", document.namespace)


def _line(layer: Layer, path: Path) -> int:
    """The line of the key at `path`, or of the nearest thing around it."""
    if layer.places is None:
        layer.places = _read(layer.file, layer.part)
    read = layer.places
    whole = (*read.path, *path)
    for end in range(len(whole), len(read.path), -1):
        if (place := read.places.get(whole[:end])) is not None:
            return place.key.line + read.before
    return layer.part.line


def _read(file: File, part: Part) -> _Read:
    """What is read of a file of thousands of documents, or of a List of thousands of items, is the one, if possible."""
    if not file.json and len(part.path) in (0, 2):
        lines = _lines(str(Text(file, _LIMITS)))
        beyond = (other.line for other in file.parts if (other.doc, other.path) > (part.doc, part.path))
        own = lines[part.line - 1 : next(beyond, len(lines) + 1) - 1]
        alone = not part.path or own[0].lstrip(" ").startswith("- ")  # an item may also begin within a line
        if alone and (found := places("\n".join(own), _LIMITS, json=False)):
            return _Read(found[0], part.line - 1, (0,) if part.path else ())
    documents = _whole(file)
    return _Read(documents[part.doc] if part.doc < len(documents) else {}, 0, part.path)


@lru_cache(maxsize=1)
def _whole(file: File) -> list[Places]:
    """Where everything stands in a file."""
    return places(str(Text(file, _LIMITS)), _LIMITS, json=file.json)


def _lines(text: str) -> list[str]:
    """As `split_lines`, which takes long for a long text."""
    text = text.replace("\r\n", "\n")
    return text.split("\n") if not any(odd in text for odd in "\r\x85\u2028\u2029") else split_lines(text)
