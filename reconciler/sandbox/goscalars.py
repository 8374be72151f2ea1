"""The scalar Go types of fields: what JSON each takes, and the one form that it is stored in."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from reconciler.kube import quantity


@dataclass(frozen=True, slots=True)
class Reading:
    """How a value is read, and the names of fields in it that do not exist.

    `converted`: the server does not decode JSON but converts what a merge left in its memory, and takes numbers as Go's
    conversions do: any whole one, of which as many bits are kept as the type has.
    """

    unknown: list[str] = field(default_factory=list)
    converted: bool = False


Reader = Callable[[Any, Reading], Any]
"""Makes a clean copy of a value. Raises TypeMismatch."""

LIMITS: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "int": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
ZERO: Final[dict[str, Any]] = {
    "string": "",
    "bool": False,
    "float64": 0,
    "quantity": "0",
    "intorstring": 0,
    "duration": "0s",
}


class TypeMismatch(Exception):
    """A value that its field's Go type cannot hold. `path` is filled from the inside outwards."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(found, wanted)
        self.found = found
        self.wanted = wanted
        self.path: list[str | int] = []

    def where(self) -> str:
        """`spec.template.spec.containers[0].name`, as field errors write it."""
        text = ""
        for part in reversed(self.path):
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.removeprefix(".")


def kind_of(value: Any) -> str:
    """What Go's JSON decoder calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "null"


def _string(value: Any, _reading: Reading) -> Any:
    if type(value) is not str:
        raise TypeMismatch(kind_of(value), "string")
    return value


def _bool(value: Any, _reading: Reading) -> Any:
    if type(value) is not bool:
        raise TypeMismatch(kind_of(value), "bool")
    return value


def _integer(name: str) -> Reader:
    low, high = LIMITS[name]
    size = high - low + 1

    def read(value: Any, reading: Reading) -> Any:
        if reading.converted and type(value) in (int, float) and value == value // 1:
            if type(value) is float or not -(2**63) <= value < 2**63:  # a float in the server's memory
                value = int(value) if -(2.0**63) <= value < 2.0**63 else -(2**63)
            return (value - low) % size + low
        if type(value) is not int:
            raise TypeMismatch(f"number {value}" if type(value) is float else kind_of(value), name)
        if not low <= value <= high:
            raise TypeMismatch(f"number {value}", name)
        return value

    return read


def _float(value: Any, _reading: Reading) -> Any:
    if type(value) not in (int, float):
        raise TypeMismatch(kind_of(value), "float64")
    return int(value) if type(value) is float and value.is_integer() else value


def _any(value: Any, _reading: Reading) -> Any:
    return value


def _bytes(value: Any, reading: Reading) -> Any:
    if type(value) is list:  # in Go, bytes are a list of numbers, too
        return base64.b64encode(bytes(_BYTE(0 if item is None else item, reading) for item in value)).decode()
    if type(value) is not str:
        raise TypeMismatch(kind_of(value), "[]uint8")
    try:
        return base64.b64encode(base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)).decode()
    except (binascii.Error, ValueError):
        raise TypeMismatch("illegal base64 data", "[]uint8") from None


_BYTE: Final = _integer("uint8")


def _time(value: Any, _reading: Reading) -> Any:
    return _moment(value, "seconds")


def _microtime(value: Any, _reading: Reading) -> Any:
    return _moment(value, "microseconds")


def _moment(value: Any, precision: str) -> str:
    try:
        when = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise TypeMismatch(kind_of(value), "time.Time") from None
    if when.tzinfo is None:
        raise TypeMismatch(kind_of(value), "time.Time")
    return when.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _int_or_string(value: Any, _reading: Reading) -> Any:
    if type(value) not in (int, str):
        raise TypeMismatch(kind_of(value), "int32")
    return value


@lru_cache(maxsize=4096)
def _canonical(value: str | float) -> str:
    return quantity.canonical(value)


def _quantity(value: Any, _reading: Reading) -> Any:
    if type(value) not in (str, int, float):
        raise TypeMismatch(kind_of(value), "resource.Quantity")
    try:
        return _canonical(value)
    except ValueError:
        raise TypeMismatch("a string that is not a quantity", "resource.Quantity") from None


_DURATION: Final = re.compile(r"[-+]?(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+|0")


def _duration(value: Any, _reading: Reading) -> Any:
    if type(value) is not str or not _DURATION.fullmatch(value):
        raise TypeMismatch(kind_of(value), "time.Duration")
    return value


SCALARS: Final[dict[str, Reader]] = {
    "string": _string,
    "bool": _bool,
    "float64": _float,
    "any": _any,
    "bytes": _bytes,
    "time": _time,
    "microtime": _microtime,
    "intorstring": _int_or_string,
    "quantity": _quantity,
    "duration": _duration,
    **{name: _integer(name) for name in LIMITS},
}
