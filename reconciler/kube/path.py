"""Paths to fields: their elements, how people and the API read them, and how items of lists are known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from reconciler.kube.schema import Merge, Schema


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object by name."""

    name: str


@dataclass(frozen=True, slots=True, init=False)
class Key:
    """An item of a keyed list by its key fields, sorted by name: `Key({"name": "web"})`."""

    fields: tuple[tuple[str, Any], ...]

    def __init__(self, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "fields", tuple(sorted(fields.items())))


@dataclass(frozen=True, slots=True)
class Value:
    """An item of a set by its value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Index:
    """An item of an atomic list by its place."""

    index: int


Element: TypeAlias = Field | Key | Value | Index
Path: TypeAlias = tuple[Element, ...]


def render(path: Path, *, quoted: bool = False) -> str:
    """A path as people read it: `spec.template.spec.containers[name=web].image`.

    `quoted` as the API server writes it in a conflict, less the dot before it: `…containers[name="web"].image`.
    """
    show = canonical_json if quoted else _plain
    parts = []
    for element in path:
        match element:
            case Field(name):
                parts.append(f".{name}")
            case Key(fields):
                parts.append(f"[{','.join(f'{name}={show(value)}' for name, value in fields)}]")
            case Value(value):
                parts.append(f"[={show(value)}]")
            case Index(index):
                parts.append(f"[{index}]")
    return "".join(parts).removeprefix(".")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def encode(element: Element) -> str:
    """An element as a key of FieldsV1."""
    match element:
        case Field(name):
            return f"f:{name}"
        case Key(fields):
            return f"k:{canonical_json(dict(fields))}"
        case Value(value):
            return f"v:{canonical_json(value)}"
        case Index(index):
            return f"i:{index}"


@lru_cache(maxsize=8192)
def decode(text: str) -> Element | None:
    """The element of a key of FieldsV1; None for a type that we do not know. ValueError where malformed."""
    kind, rest = text[:2], text[2:]
    if kind == "f:":
        return Field(rest)
    if kind == "k:":
        fields = json.loads(rest)
        if not isinstance(fields, dict):
            raise ValueError(f"not a key: {text!r}")
        return Key(fields)
    if kind == "v:":
        return Value(json.loads(rest))
    if kind == "i:":
        return Index(int(rest))
    if kind[1:] != ":":
        raise ValueError(f"not an element of a path: {text!r}")
    return None


def canonical_json(value: Any) -> str:
    """As Go writes it: compact, sorted, with the characters escaped that are special in HTML."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    if not _ESCAPED.isdisjoint(text):
        for character in _ESCAPED:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


_ESCAPED: Final = frozenset("<>&\u2028\u2029")


@lru_cache(maxsize=8192, typed=True)
def _key(*parts: Any) -> str:
    """The key of an item from alternating names and values."""
    return f"k:{canonical_json(dict(zip(parts[::2], parts[1::2], strict=True)))}"


@lru_cache(maxsize=8192, typed=True)
def _value(value: Any) -> str:
    return f"v:{canonical_json(value)}"


def item_key(item: Any, schema: Schema) -> str:
    """How an item of a granular list is known, as a key of FieldsV1. A key field left out counts by its default."""
    try:
        if schema.merge is Merge.SET or not isinstance(item, dict):
            return _value(item)
        if len(schema.keys) == 1:
            name = schema.keys[0]
            if name in item:
                return _key(name, item[name])
        parts: list[Any] = []
        for name in schema.keys:
            if name in item:
                parts += (name, item[name])
            elif name in schema.key_defaults:
                parts += (name, schema.key_defaults[name])
        return _key(*parts)
    except TypeError:  # a list or an object where a scalar belongs: it does not pass validation, but it has a name
        return f"v:{canonical_json(item)}"


@lru_cache(maxsize=8192)
def rank(text: str) -> tuple[Any, ...]:
    """The API server's order: fields, keys, values, places; numbers before texts before booleans."""
    element = decode(text) if text != "." else None
    match element:
        case Field(name):
            return (1, name)
        case Key(fields):
            return (2, *((name, *_order(value)) for name, value in fields))
        case Value(value):
            return (3, *_order(value))
        case Index(index):
            return (4, index)
    return (0,)


def _order(value: Any) -> tuple[int, Any]:
    if isinstance(value, bool):
        return (3, value)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (4, canonical_json(value))
