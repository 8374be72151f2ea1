"""One column of a table, and the small formats that many columns share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Value = dict[str, Any]
Cell = Callable[[Value, datetime], Any]
NONE = "<none>"
UNKNOWN = "<unknown>"


@dataclass(frozen=True, slots=True)
class Column:
    """`cell` makes the value of an object at a time. `wide` columns show with `-o wide` only."""

    name: str
    cell: Cell
    type: str = "string"
    wide: bool = False

    def definition(self) -> Value:
        plain_format = "name" if self.name == "Name" else ""
        return {
            "name": self.name,
            "type": self.type,
            "format": plain_format,
            "description": "",
            "priority": 1 if self.wide else 0,
        }


def dig(value: Any, *path: str | int) -> Any:
    """What lies at a path; None where anything on the way is missing."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and len(value) > part else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def at(*path: str | int, default: Any = "") -> Cell:
    """The value at a path, or `default` where it is absent or empty."""

    def cell(value: Value, _now: datetime) -> Any:
        found = dig(value, *path)
        return default if found in (None, "", [], {}) else found

    return cell


def number(*path: str | int) -> Cell:
    return at(*path, default=0)


def age(value: Value, now: datetime) -> str:
    return since(dig(value, "metadata", "creationTimestamp"), now)


def since(moment: str | None, now: datetime) -> str:
    """How long ago, in the server's short form."""
    return human((now - datetime.fromisoformat(moment)).total_seconds()) if moment else UNKNOWN


def human(seconds: float) -> str:
    """`45s`, `3m20s`, `12m`, `5h10m`, `9h`, `2d3h`, `30d`, `2y100d`: one unit or two, as is exact enough."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(0, total)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    years = days // 365
    if years < 2:
        return f"{days}d"
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large}{unit}{small}{smaller}" if small else f"{large}{unit}"


def joined(items: Sequence[str]) -> str:
    return ",".join(items) or NONE


def containers(*path: str | int) -> Cell:
    return lambda value, _now: ",".join(c.get("name", "") for c in dig(value, *path) or ())


def images(*path: str | int) -> Cell:
    return lambda value, _now: ",".join(c.get("image", "") for c in dig(value, *path) or ())


def labels_text(labels: Mapping[str, str] | None) -> str:
    return joined([f"{key}={labels[key]}" for key in sorted(labels)]) if labels else NONE


def selector(*path: str | int) -> Cell:
    """A label selector as its text."""
    words = {"Exists": "", "DoesNotExist": "!", "In": " in ", "NotIn": " notin "}

    def cell(value: Value, _now: datetime) -> str:
        found = dig(value, *path)
        if found is None:
            return NONE
        parts = [f"{key}={text}" for key, text in sorted((found.get("matchLabels") or {}).items())]
        for expression in found.get("matchExpressions") or ():
            key, operator = expression.get("key", ""), expression.get("operator", "")
            if operator in ("In", "NotIn"):
                parts.append(f"{key}{words[operator]}({','.join(sorted(expression.get('values') or ()))})")
            else:
                parts.append(f"{words.get(operator, '')}{key}")
        return joined(parts)

    return cell


NAME = Column("Name", at("metadata", "name"))
AGE = Column("Age", age)
