"""Whether two values mean the same to an API server, however they are spelled."""

from datetime import datetime
from typing import Any, Final

from reconciler.kube import quantity
from reconciler.kube.path import item_key
from reconciler.kube.schema import Merge, Schema, Shape

_WRAPPING: Final = {ord("\r"): None, ord("\n"): None}  # the base64 decoder of a server passes over line ends


def same(a: Any, b: Any, schema: Schema) -> bool:
    """Whether `a` and `b` mean the same.

    Null is absent, and so are empty lists and maps where the server does not keep them; quantities, times and bytes
    are compared by value, int-or-string by text, sets without regard to order. The order of keyed lists counts: it is
    the order in which init containers run and environment variables see each other.
    """
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return _same_objects(a, b, schema)
    if isinstance(a, list) and isinstance(b, list):
        return _same_lists(a, b, schema)
    if schema.shape is Shape.SCALAR:
        return _same_scalars(a, b, schema)
    if is_absent(a, schema) and is_absent(b, schema):
        return True
    return isinstance(a, bool) is isinstance(b, bool) and bool(a == b)


def is_absent(value: Any, schema: Schema) -> bool:
    """Whether a server that stores `value` in a field of that schema stores nothing."""
    if value is None:
        return not schema.nullable
    return value in ([], {}) and (schema.shape is Shape.LIST or schema.shape is Shape.MAP) and not schema.keeps_empty


def as_stored(value: Any, schema: Schema) -> Any:
    """`value` as a server of typed objects stores it: absent fields left out, quantities in their canonical spelling.

    What does not fit the schema is left as it is. Returns `value` itself where nothing changes.
    """
    if isinstance(value, dict):
        kept = {}
        changed = False
        for name, member in value.items():
            child = schema.member(name)
            if is_absent(member, child) and child.shape is not Shape.UNTYPED:
                changed = True
                continue
            kept[name] = stored = as_stored(member, child)
            changed = changed or stored is not member
        return kept if changed else value
    if isinstance(value, list):
        items = [as_stored(item, schema.item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if schema.type == "quantity" and isinstance(value, str | int | float):
        try:
            spelling = quantity.canonical(value)
        except ValueError:
            return value
        return value if spelling == value else spelling
    return value


def _same_objects(a: dict[str, Any], b: dict[str, Any], schema: Schema) -> bool:
    for name, value in a.items():
        child = schema.member(name)
        if name in b:
            if not same(value, b[name], child):
                return False
        elif not is_absent(value, child):
            return False
    return all(name in a or is_absent(value, schema.member(name)) for name, value in b.items())


def _same_lists(a: list[Any], b: list[Any], schema: Schema) -> bool:
    if len(a) != len(b):
        return False
    if schema.merge is Merge.SET:
        return sorted(item_key(item, schema) for item in a) == sorted(item_key(item, schema) for item in b)
    element = schema.item
    return all(same(left, right, element) for left, right in zip(a, b, strict=True))


def _same_scalars(a: Any, b: Any, schema: Schema) -> bool:
    if a is None or b is None:
        return a is b
    if isinstance(a, bool) is not isinstance(b, bool):
        return False
    if a == b:
        return True
    if schema.type == "quantity":
        return quantity.equal(a, b)
    if schema.type == "int-or-string":
        return str(a) == str(b)
    if schema.format == "byte" and isinstance(a, str) and isinstance(b, str):
        return a.translate(_WRAPPING) == b.translate(_WRAPPING)
    if schema.format == "date-time" and isinstance(a, str) and isinstance(b, str):
        try:
            return datetime.fromisoformat(a) == datetime.fromisoformat(b)
        except (ValueError, TypeError):  # no times, or one of them without a zone
            return False
    return False
