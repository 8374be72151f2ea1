"""Reading an object of a kind: type checks, what is unknown, one canonical form, defaults."""

from copy import deepcopy
from typing import Any, Final, Protocol

from reconciler.kube import defaults, validate
from reconciler.kube.schema import Schema
from reconciler.sandbox import gotypes
from reconciler.sandbox.goscalars import Reading, TypeMismatch, kind_of
from reconciler.sandbox.gotypes import Struct

Value = dict[str, Any]


class Codec(Protocol):
    kept_empty: tuple[str, ...]  # maps that a clean value holds even when they are empty, though nobody owns them then

    def read(self, value: Any, unknown: list[str], *, applied: bool = False, converted: bool = False) -> Value:
        """A clean copy; paths of unknown fields are added to `unknown`. Raises TypeMismatch.

        What an apply makes never was JSON: nulls in a custom resource are kept then, to be refused. The numbers of
        what is `converted` are read as `Reading` says.
        """
        ...

    def default(self, value: Value) -> None:
        """Complete a clean value in place."""
        ...

    def empty(self) -> Value | None:
        """An object in which nothing is stated; None where there is no such thing."""
        ...

    def settle(self, value: Value) -> None:
        """Make of a value in place what comes back from storage: protobuf knows no empty list and no null in a map."""
        ...


_KEPT_EMPTY: Final = {"core/v1.ConfigMap": ("binaryData",), "core/v1.Secret": ("data",)}
"""Of what may be immutable: the maps in which something empty is another thing than nothing."""


def _keep_reset(stated: Value | None, clean: Value) -> None:
    """An empty list of managedFields has a meaning: forget all owners."""
    if stated and stated.get("managedFields") == []:
        clean["managedFields"] = []


class BuiltinCodec:
    """For the kinds that the server compiles in."""

    def __init__(self, struct: Struct) -> None:
        self.struct = struct
        self.kept_empty: tuple[str, ...] = _KEPT_EMPTY.get(struct.name, ())

    def read(self, value: Any, unknown: list[str], *, applied: bool = False, converted: bool = False) -> Value:
        reading = Reading(converted=converted)
        try:
            clean = self.struct.read(value, reading)
        except TypeMismatch:
            unknown.extend(self.struct.unknown_paths(value, applied=applied))
            raise
        if reading.unknown:
            unknown.extend(self.struct.unknown_paths(value, applied=applied))
        if "metadata" in clean:
            _keep_reset(value["metadata"], clean["metadata"])
        clean.update({name: {} for name in self.kept_empty if value.get(name) == {}})
        return clean

    def default(self, value: Value) -> None:
        self.struct.default(value)

    def empty(self) -> Value | None:
        return {name: part for name, part in self.struct.read({}, Reading()).items() if part is not None}

    def settle(self, value: Value) -> None:
        self.struct.settle(value)
        for name in self.kept_empty:
            if value.get(name) == {}:
                del value[name]
        for name, (_, kind) in self.struct.types.items():
            if kind == "map:bytes" and None in (value.get(name) or {}).values():
                value[name] = {key: part or "" for key, part in value[name].items()}


def _typed(value: Value, prefix: str) -> None:
    """A resource's version and kind are text."""
    for name in ("apiVersion", "kind"):
        if not isinstance(value.get(name, ""), str):
            wrong = TypeMismatch(kind_of(value[name]), "string")
            wrong.path.append(prefix + name)
            raise wrong


class CustomCodec:
    """For kinds that are known by a schema only: custom resources. Types are checked later, as a 422."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.kept_empty: tuple[str, ...] = ()
        self._metadata = gotypes.struct("meta/v1.ObjectMeta")

    def read(self, value: Any, unknown: list[str], *, applied: bool = False, converted: bool = False) -> Value:
        if not isinstance(value, dict):
            raise TypeMismatch(kind_of(value), "map[string]interface {}")
        clean_metadata = self._read_metadata(value.get("metadata") or {}, "metadata", unknown)
        body = {name: part for name, part in value.items() if name != "metadata"}
        clean = validate.prune_unknown(body, self.schema)
        if clean is not body:
            unknown.extend(validate.unknown_fields(body, self.schema, applied=applied))
        if not applied:
            clean = defaults.prune_nulls(clean, self.schema)
        _typed(value, "")
        if any(True for _ in validate.embedded(clean, self.schema)):
            clean = deepcopy(clean)
            for path, resource in validate.embedded(clean, self.schema):
                _typed(resource, f"{path}.")
                if "metadata" in resource:
                    where = f"{path}.metadata"
                    resource["metadata"] = self._read_metadata(resource["metadata"], where, unknown)
        return {**clean, "metadata": clean_metadata}

    def _read_metadata(self, value: Any, where: str, unknown: list[str]) -> Value:
        unknown.extend(self._metadata.unknown_paths(value, where))
        try:
            clean = self._metadata.read(value, Reading())
        except TypeMismatch as mismatch:
            mismatch.path.append(where)
            raise
        return clean

    def default(self, value: Value) -> None:
        filled = defaults.set_defaults(value, self.schema)
        if filled is not value:
            value.update(filled)

    def empty(self) -> Value | None:
        return None

    def settle(self, value: Value) -> None:
        """Custom resources are stored as JSON."""
