"""How the server reads, writes and completes an object of its own kinds.

A Kubernetes API server decodes a body into Go structs and encodes it again. That drops nulls and empty optional fields,
adds the fields that are always written, spells quantities and times in one way, and refuses what does not fit a type.
`data/gotypes.json` says for each struct field what its type is and when it is written; this module does the same walk
over JSON values. Defaults hang on types, too (`reconciler.sandbox.defaults`).

A field's type is written `string`, `int32`, `bytes`, `time`, `quantity`, `any`, `[]T`, `map:T`, `either:T` (a T, or
anything that is not an object) or the name of a struct, "apps/v1.DeploymentSpec".
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupVersionKind
from reconciler.sandbox.goscalars import LIMITS, SCALARS, ZERO, Reader, Reading, TypeMismatch, kind_of

Defaulter = Callable[[dict[str, Any]], None]


_KEPT_EMPTY: Final = frozenset((("autoscaling/v2.HPAScalingRules", "policies"),))  # refused, not filled in


class Struct:
    """One Go struct, its fields compiled on first use."""

    __slots__ = (
        *("_always", "_defaulters", "_fields", "_lists", "_paths", "_settled"),
        *("fixed", "name", "numbers", "types"),
    )

    def __init__(self, name: str, encoded: dict[str, str], fixed: dict[str, Any]) -> None:
        self.name = name
        self.types: dict[str, tuple[str, str]] = {}
        self.numbers: dict[int, tuple[str, str]] = {}  # in protobuf; no name: the fields are this struct's own
        for field, text in encoded.items():
            if field.startswith("+"):
                self.numbers[int(field)] = ("", text)
                continue
            flags, kind, number = text.split("|")
            self.types[field] = (flags, kind)
            if number:
                self.numbers[int(number)] = (field, kind)
        self.fixed = fixed
        self._fields: dict[str, tuple[Reader, bool, bool]] | None = None
        self._always: list[tuple[str, Callable[[], Any]]] = []
        self._paths: list[tuple[str, Callable[[Any], None]]] | None = None
        self._defaulters: tuple[Defaulter, ...] = ()
        self._lists: list[str] | None = None
        self._settled: list[tuple[str, Callable[[Any], None]]] = []

    def _compile(self) -> dict[str, tuple[Reader, bool, bool]]:
        fields: dict[str, tuple[Reader, bool, bool]] = {}
        for field, (flags, kind) in self.types.items():
            is_struct = kind in _table()
            pointer = "p" in flags
            by_value = not pointer and (
                is_struct or kind in ("quantity", "intorstring", "time", "microtime", "duration")
            )
            drop_empty = "o" in flags and not pointer and not by_value and (self.name, field) not in _KEPT_EMPTY
            fields[field] = (_reader(kind), drop_empty, "z" in flags)
            if "z" in flags or (not by_value and "o" in flags):
                continue
            if is_struct and not pointer:
                self._always.append((field, _zero_struct(kind)))
            else:
                zero = (
                    None
                    if pointer or kind.startswith(("[]", "map:"))
                    else ZERO.get(kind, 0 if kind in LIMITS else None)
                )
                self._always.append((field, _constant(zero)))
        self._fields = fields
        return fields

    def read(self, value: Any, reading: Reading) -> dict[str, Any]:
        """A clean copy of `value`; the names of fields that do not exist are added to `reading`."""
        if type(value) is not dict:
            raise TypeMismatch(kind_of(value), self.name)
        fields = self._fields or self._compile()
        out: dict[str, Any] = {}
        for name, raw in value.items():
            field = fields.get(name)
            if field is None:
                reading.unknown.append(name)
                continue
            if raw is None:
                continue
            reader, drop_empty, drop_zero = field
            try:
                found = reader(raw, reading)
            except TypeMismatch as mismatch:
                mismatch.path.append(name)
                raise
            if (drop_empty or drop_zero) and not found:
                continue
            out[name] = found
        for name, zero in self._always:
            if name not in out:
                out[name] = zero()
        return out

    def default(self, value: dict[str, Any]) -> None:
        """Complete a clean value in place: its own defaults first, then its parts'."""
        if self._paths is None:
            self._compile_defaults()
        for name, fixed in self.fixed.items():
            if value.get(name) in (None, ""):
                value[name] = fixed
        for defaulter in self._defaulters:
            defaulter(value)
        for name, walk in self._paths or ():
            part = value.get(name)
            if part or (part is not None and type(part) is dict):
                walk(part)

    def _compile_defaults(self) -> None:
        from reconciler.sandbox.defaults import DEFAULTS

        self._paths = []
        if own := DEFAULTS.get(self.name):
            self._defaulters = (own,)
        for field, (_, kind) in self.types.items():
            if (walk := _default_walk(kind)) is not None:
                self._paths.append((field, walk))

    def settle(self, value: dict[str, Any]) -> None:
        """Make of a clean value in place what comes back from storage, which knows no empty list that must be there."""
        if self._lists is None:
            self._lists, self._settled = [], []
            for name, (flags, kind) in self.types.items():
                if kind.startswith("[]") and "o" not in flags:
                    self._lists.append(name)
                if (walk := _settle_walk(kind)) is not None:
                    self._settled.append((name, walk))
        for name in self._lists:
            if value.get(name) == []:
                value[name] = None
        for name, walk in self._settled:
            if part := value.get(name):
                walk(part)

    def unknown_paths(self, value: Any, prefix: str = "", *, applied: bool = False) -> list[str]:
        """Where fields are that do not exist: `spec.foo`, `spec.containers[0].bar`.

        To server-side apply (`applied`) a struct without fields may hold anything.
        """
        if type(value) is not dict or (applied and not self.types):
            return []
        found: list[str] = []
        for name, raw in value.items():
            path = f"{prefix}.{name}" if prefix else name
            if name not in self.types:
                found.append(path)
            else:
                found.extend(_unknown_paths(self.types[name][1], raw, path, applied=applied))
        return found


def _unknown_paths(kind: str, value: Any, path: str, *, applied: bool) -> list[str]:
    parts: list[tuple[str, Any, str]] = []
    if kind.startswith("[]") and isinstance(value, list):
        parts = [(kind[2:], item, f"{path}[{i}]") for i, item in enumerate(value)]
    elif kind.startswith("map:") and isinstance(value, dict):
        parts = [(kind[4:], item, f"{path}.{key}") for key, item in value.items()]
    elif (struct := _table().get(kind.removeprefix("either:"))) is not None:
        return struct.unknown_paths(value, path, applied=applied)
    return [found for part in parts for found in _unknown_paths(*part, applied=applied)]


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _zero_struct(kind: str) -> Callable[[], Any]:
    def zero() -> Any:
        return _table()[kind].read({}, Reading())

    return zero


def _null(kind: str) -> Any:
    """What a null element of a list or map becomes."""
    if kind in _table():
        return _table()[kind].read({}, Reading())
    return ZERO.get(kind, 0 if kind in LIMITS else None)


@cache
def _reader(kind: str) -> Reader:
    if kind.startswith("[]"):
        return _list_reader(kind[2:])
    if kind.startswith("map:"):
        return _map_reader(kind[4:])
    if kind.startswith("either:"):
        struct = _table()[kind.removeprefix("either:")]
        return lambda value, reading: struct.read(value, reading) if type(value) is dict else value
    if (struct_or_none := _table().get(kind)) is not None:
        return struct_or_none.read
    return SCALARS[kind]


def _list_reader(kind: str) -> Reader:
    element: Reader | None = None

    def read(value: Any, reading: Reading) -> Any:
        nonlocal element
        if type(value) is not list:
            raise TypeMismatch(kind_of(value), f"[]{kind}")
        if element is None:
            element = _reader(kind)
        out = []
        for index, item in enumerate(value):
            try:
                out.append(element(item, reading) if item is not None else _null(kind))
            except TypeMismatch as mismatch:
                mismatch.path.append(index)
                raise
        return out

    return read


def _map_reader(kind: str) -> Reader:
    element: Reader | None = None

    def read(value: Any, reading: Reading) -> Any:
        nonlocal element
        if type(value) is not dict:
            raise TypeMismatch(kind_of(value), f"map[string]{kind}")
        if element is None:
            element = _reader(kind)
        out = {}
        for key, item in value.items():
            try:
                out[key] = element(item, reading) if item is not None else _null(kind)
            except TypeMismatch as mismatch:
                mismatch.path.append(key)
                raise
        return out

    return read


def _inner(kind: str) -> str:
    """What a type holds, or is."""
    return re.sub(r"^(\[\]|map:|either:)+", "", kind)


def _within(kind: str) -> Iterator[Struct]:
    """The structs that a value of a type can hold, each once; the type's own first."""
    seen: set[str] = set()
    open_types = [kind]
    while open_types:
        struct = _table().get(_inner(open_types.pop()))
        if struct is not None and struct.name not in seen:
            yield struct
            seen.add(struct.name)
            open_types.extend(part for _, part in struct.types.values())


@cache
def _has_defaults(kind: str) -> bool:
    """Whether a type or anything that it can hold has defaults."""
    from reconciler.sandbox.defaults import DEFAULTS

    return any(struct.name in DEFAULTS or struct.fixed for struct in _within(kind))


def _default_walk(kind: str) -> Callable[[Any], None] | None:
    if not _has_defaults(kind):
        return None
    if kind.startswith("[]"):
        return _each_default(kind[2:])
    if kind.startswith("map:"):
        each = _each_default(kind[4:])
        return lambda value: each(value.values())
    return _table()[kind.removeprefix("either:")].default


def _each_default(kind: str) -> Callable[[Any], None]:
    element: Callable[[Any], None] | None = None

    def walk(values: Any) -> None:
        nonlocal element
        if element is None:
            element = _default_walk(kind)
        if element is not None:
            for value in values:
                element(value)

    return walk


@cache
def _settles(kind: str) -> bool:
    """Whether a type holds lists that are there even when they are empty."""
    kinds = (each for struct in _within(kind) for each in struct.types.values())
    return any(part.startswith("[]") and "o" not in flags for flags, part in kinds)


def _settle_walk(kind: str) -> Callable[[Any], None] | None:
    if not _settles(kind):
        return None
    inner = _inner(kind)
    table = _table()

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif kind.startswith("map:"):
            for item in value.values():
                table[inner].settle(item)
        elif isinstance(value, dict):
            table[inner].settle(value)

    return walk


@lru_cache(maxsize=1)
def _table() -> dict[str, Struct]:
    text = resources.files("reconciler.sandbox").joinpath("data/gotypes.json").read_bytes()
    data = msgspec.json.decode(text)
    defaults = data["defaults"]
    return {name: Struct(name, fields, defaults.get(name, {})) for name, fields in data["structs"].items()}


def struct_of(gvk: GroupVersionKind) -> Struct | None:
    """The Go struct of a built-in kind; None for kinds that are not described."""
    package = gvk.group.split(".", 1)[0] or "core"
    if gvk.group == "meta.k8s.io":
        package = "meta"
    return _table().get(f"{package}/{gvk.version}.{gvk.kind}")


def struct(name: str) -> Struct:
    """By its own name, as "meta/v1.ObjectMeta"."""
    return _table()[name]
