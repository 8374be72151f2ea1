"""Fields that Git states and leaves to others all the same: `reconciler.dev/ignore: /spec/replicas` (rule 5)."""

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.diff.paths import Path, keys_of, resolve, step
from reconciler.kube.schema import Merge, Schema

Object = Mapping[str, Any]


def yielded(pointers: Iterable[str], desired: Object, live: Object, schema: Schema) -> tuple[Path, ...]:
    """The paths that JSON `pointers` mean. An index counts in the list that Git states, else in the live one."""
    found = (resolve(pointer, desired, schema) or resolve(pointer, live, schema) for pointer in pointers)
    return tuple(path for path in found if path)


def without(desired: Object, live: Object, schema: Schema, owned: Object, paths: Iterable[Path]) -> Object:
    """What to apply to `live` instead of `desired`, so that the fields at `paths` stay as they are.

    A yielded field that we own (FieldsV1 `owned`) is applied with its live value: leaving it out would remove it. One
    that is not ours is left out: stating it would claim it.
    """
    for path in paths:
        value: Any = live
        inner = schema
        try:
            for part in path:
                value, inner = step(value, inner, part)
        except KeyError:
            value = None
        desired = _put(desired, path, value if _owns(owned, path, schema) else None, schema)
    return desired


def _owns(fields: Object, path: Path, schema: Schema) -> bool:
    """Whether FieldsV1 `fields` owns what is at `path`: the field, something in it, or the atomic value around it."""
    node: Any = fields
    for part in path:
        if not node and (schema.merge is Merge.ATOMIC or part.startswith("i:")):
            return True
        node = node.get(part)
        if node is None:
            return False
        schema = schema.member(part[2:]) if part.startswith("f:") else schema.item
    return True


def _put(parent: Any, path: Path, value: Any, schema: Schema) -> Any:
    """A copy of `parent` with `value` at `path`, or without it where `value` is None. What leads nowhere stays."""
    part, rest = path[0], path[1:]
    try:
        found, inner = step(parent, schema, part)
    except KeyError:
        found, inner = None, schema
    if rest:
        if found is None:
            return parent
        value = _put(found, rest, value, inner)
    if part.startswith("f:") and isinstance(parent, Mapping):
        kept = {name: old for name, old in parent.items() if name != part[2:]}
        return kept if value is None else {**kept, part[2:]: value}
    if isinstance(parent, list) and found is not None:
        changed = [value if item is found else item for item in parent]
        return [item for item in changed if item is not None]
    if isinstance(parent, list) and value is not None and part.startswith("k:"):
        return [*parent, {**value, **keys_of(part)}]
    return parent
