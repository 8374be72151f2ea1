"""Reading bodies in Kubernetes' protobuf form, which kubectl sends for the kinds that it knows.

Bytes become the same JSON value that a JSON body would; answers are always JSON, which every client takes. The numbers
of fields come with the Go types (`reconciler.sandbox.gotypes`).
"""

import base64
import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind
from reconciler.sandbox import gotypes
from reconciler.sandbox.gotypes import Struct

Value = dict[str, Any]

MEDIA: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Malformed(ValueError):
    """Not protobuf, or not Kubernetes' envelope, or of a kind that is not known."""


def decode(body: bytes) -> Value:
    """The object of an envelope of apiVersion, kind and a message. Raises Malformed."""
    if not body.startswith(_MAGIC):
        raise Malformed("the body does not begin with the protobuf envelope")
    try:
        envelope = dict(_fields(body[4:]))
        about = dict(_fields(envelope[1]))
        gvk = GroupVersionKind.parse(about.get(1, b"").decode(), about.get(2, b"").decode())
        found = gotypes.struct_of(gvk)
        if found is None and gvk.kind == "DeleteOptions":
            found = gotypes.struct("meta/v1.DeleteOptions")
        if found is None:
            raise Malformed(f"no kind {gvk.kind} in {gvk.api_version}")
        return {"kind": gvk.kind, "apiVersion": gvk.api_version, **_message(found, envelope.get(2, b""))}
    except (KeyError, IndexError, UnicodeDecodeError, struct.error, TypeError, AttributeError) as error:
        raise Malformed(f"malformed protobuf: {error}") from None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise Malformed("a number is too long")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field: int for varints, bytes for the rest."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            yield number, data[position : position + size]
            position += size
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise Malformed("a field is cut off")
            yield number, data[position : position + length]
            position += length
        else:
            raise Malformed(f"unknown wire type {wire}")


def _message(of: Struct, data: bytes) -> Value:
    found: Value = {}
    for number, raw in _fields(data):
        if number not in of.numbers:
            continue
        name, kind = of.numbers[number]
        if not name:
            found.update(_message(gotypes.struct(kind), raw))
        elif kind.startswith("[]"):
            found.setdefault(name, []).extend(_items(kind[2:], raw))
        elif kind.startswith("map:"):
            entry = dict(_fields(raw))
            found.setdefault(name, {})[entry.get(1, b"").decode()] = _map_value(kind[4:], entry.get(2))
        else:
            found[name] = _value(kind, raw)
    return found


def _items(kind: str, raw: Any) -> list[Any]:
    """One element of a repeated field, or several numbers packed into one."""
    if isinstance(raw, bytes) and kind in ("int32", "int64", "bool"):
        numbers, position = [], 0
        while position < len(raw):
            number, position = _varint(raw, position)
            numbers.append(_value(kind, number))
        return numbers
    return [_value(kind, raw)]


def _map_value(kind: str, raw: Any) -> Any:
    if kind.startswith("[]"):  # a list as a map's value is a message of items
        return [_value(kind[2:], item) for number, item in _fields(raw or b"") if number == 1]
    return _value(kind, b"" if raw is None else raw)


def _value(kind: str, raw: Any) -> Any:
    match kind:
        case "string":
            return raw.decode()
        case "bool":
            return bool(raw)
        case "int32" | "int64" | "int" | "uint16" | "uint32" | "uint64":
            return raw - 2**64 if raw >= 2**63 else raw
        case "float64":
            return struct.unpack("<d", raw)[0]
        case "bytes":
            return base64.b64encode(raw).decode()
        case "time" | "microtime":
            return _moment(raw, precise=kind == "microtime")
        case "quantity":
            return dict(_fields(raw)).get(1, b"0").decode()
        case "intorstring":
            parts = dict(_fields(raw))
            return parts.get(3, b"").decode() if parts.get(1) else _value("int64", parts.get(2, 0))
        case "duration":
            return f"{_value('int64', dict(_fields(raw)).get(1, 0)) / 1e9:g}s"
        case "any":
            text = dict(_fields(raw)).get(1, b"")
            return json.loads(text) if text else None
    if kind.startswith("either:"):
        return _either(gotypes.struct(kind.removeprefix("either:")), raw)
    return _message(gotypes.struct(kind), raw)


def _moment(raw: bytes, *, precise: bool) -> str | None:
    parts = dict(_fields(raw))
    if not parts:
        return None
    when = _EPOCH + timedelta(seconds=_value("int64", parts.get(1, 0)), microseconds=parts.get(2, 0) // 1000)
    return when.isoformat(timespec="microseconds" if precise else "seconds").replace("+00:00", "Z")


def _either(of: Struct, raw: bytes) -> Any:
    """A schema, or a boolean in place of one: the message has one or the other."""
    parts = list(_fields(raw))
    for _, part in parts:
        if isinstance(part, bytes):
            return _message(of, part)
    return bool(dict(parts).get(1))
