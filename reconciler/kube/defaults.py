"""What stands where a field is absent or null: its default, or nothing."""

import json
from typing import Any

from reconciler.kube.schema import Schema, Shape


def set_defaults(value: Any, schema: Schema) -> Any:
    """`value` with the schema's defaults where fields are absent; itself where there is nothing to fill in.

    A null in a field with a default that may not be null counts as absent.
    """
    if isinstance(value, dict):
        filled = value
        for name, member in value.items():
            child = schema.member(name)
            new = _default(child) if _defaulted(member, child) else set_defaults(member, child)
            if new is not member:
                filled = dict(value) if filled is value else filled
                filled[name] = new
        for name, child in schema.fields.items():
            if child.has_default and name not in value:
                filled = dict(value) if filled is value else filled
                filled[name] = _default(child)
        return filled
    if isinstance(value, list) and schema.element is not None:
        items = [set_defaults(item, schema.element) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def _defaulted(value: Any, schema: Schema) -> bool:
    return value is None and schema.has_default and not schema.nullable


def _default(schema: Schema) -> Any:
    """A fresh copy, with the defaults inside it."""
    return set_defaults(json.loads(json.dumps(schema.default)), schema)


def prune_nulls(value: Any, schema: Schema) -> Any:
    """`value` without the nulls in fields that may not be null and have no default; itself where it has none.

    A list's items stay: a server refuses the nulls among them.
    """
    if isinstance(value, dict) and schema.shape is Shape.SCALAR:
        return {} if value else value
    if isinstance(value, dict) and schema.shape is not Shape.UNTYPED:
        kept = {}
        for name, member in value.items():
            child = schema.member(name)
            if member is not None or child.nullable or child.has_default or child.shape is Shape.UNTYPED:
                kept[name] = prune_nulls(member, child)
        return kept if len(kept) != len(value) or any(kept[name] is not value[name] for name in kept) else value
    if isinstance(value, list) and schema.element is not None:
        items = [prune_nulls(item, schema.element) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
