"""Tables of any kind: built-in columns, or those that a CustomResourceDefinition states."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from reconciler.sandbox.registry import Kind
from reconciler.sandbox.tables.column import NAME, Column, dig, since
from reconciler.sandbox.tables.columns import COLUMNS, DEFAULT

Value = dict[str, Any]

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\?\(@\.([\w.]+)\s*==\s*[\"']([^\"']*)[\"']\)\]|\['([^']+)'\]")


def table_of(kind: Kind, rows: list[Value], revision: str) -> Value:
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": revision} if revision else {},
        "columnDefinitions": [column.definition() for column in _columns(kind)],
        "rows": rows,
    }


def row_of(kind: Kind, value: Value, now: datetime) -> list[Any]:
    """The cells of one object."""
    return [column.cell(value, now) for column in _columns(kind)]


def _columns(kind: Kind) -> tuple[Column, ...]:
    if not kind.custom:
        return COLUMNS.get(kind.group_kind, DEFAULT)
    if not kind.columns:
        return DEFAULT
    made = [_custom(c["name"], c["jsonPath"], c["type"], c.get("priority", 0) > 0) for c in kind.columns]
    return (NAME, *made)


@lru_cache(maxsize=1024)
def _custom(name: str, path: str, kind: str, wide: bool) -> Column:
    steps = tuple(_STEP.findall(path))

    def cell(value: Value, now: datetime) -> Any:
        found = _follow(value, steps)
        if found is None:
            return None
        if kind == "date":
            return since(found, now)
        return found if kind in ("integer", "number", "boolean") else str(found)

    return Column(name, cell, kind, wide)


def _follow(value: Any, steps: tuple[tuple[str, str, str, str, str], ...]) -> Any:
    """A JSON path of names, indexes and `[?(@.type=="Ready")]` filters: the first value that it finds."""
    for name, index, filter_path, wanted, quoted in steps:
        if index:
            value = dig(value, int(index))
        elif filter_path:
            items = value if isinstance(value, list) else []
            value = next((item for item in items if dig(item, *filter_path.split(".")) == wanted), None)
        else:
            value = dig(value, quoted or name.replace("\\", ""))
    return value
