"""The question that is asked of every object in every pass: is it already as Git states it?

One walk through the stated fields, the live object, the schema and our own entry in managedFields, side by side. It
makes no list and no set, and stops at the first doubt. `False` means: look closer (`reconciler.diff.fields`).
"""

from collections.abc import Mapping
from typing import Any

from reconciler.diff.atomic import holds
from reconciler.diff.fields import left_out
from reconciler.diff.paths import is_items, is_map
from reconciler.kube.fieldset import item_key
from reconciler.kube.schema import Schema

Object = Mapping[str, Any]

_SCALARS = frozenset({str, int, bool, float})


def unchanged(desired: Object, live: Object, schema: Schema, owned: Object) -> bool:
    """Whether `live` holds every field of `desired`, and our FieldsV1 `owned` holds these fields and no other.

    The object's own name (apiVersion, kind, metadata.name and .namespace) is nobody's field and is passed over.
    """
    seen = 0
    for name, value in desired.items():
        if name in ("apiVersion", "kind"):
            continue
        seen += 1
        if name == "metadata":
            nameless = {key: part for key, part in value.items() if key not in ("name", "namespace")}
            ours = owned.get("f:metadata", {})
            if not _map(nameless, live.get(name) or {}, schema.member(name), ours):
                return False
        elif not _node(value, live.get(name), schema.member(name), owned.get("f:" + name)):
            return False
    return _all_seen(seen, owned)


def _map(desired: Object, live: Object, schema: Schema, owned: Object) -> bool:
    for name, value in desired.items():
        ours = owned.get("f:" + name)
        if ours is None:
            return False
        there = live.get(name)
        if type(value) in _SCALARS and value == there and type(value) is type(there):
            continue  # nearly every field takes this way, so it is kept short
        if not _node(value, there, schema.member(name), ours):
            return False
    return _all_seen(len(desired), owned)


def _node(value: Any, live: Any, schema: Schema, owned: Object | None) -> bool:
    if owned is None or value is None:
        return False
    if live is None:
        return left_out(value, schema, owned)
    if not value and isinstance(value, dict | list):
        return not live and type(value) is type(live)
    if is_map(schema, value):
        return isinstance(live, dict) and _map(value, live, schema, owned)
    if is_items(schema, value):
        return isinstance(live, list) and _items(value, live, schema, owned)
    return holds(value, live, schema)


def _items(desired: list[Any], live: list[Any], schema: Schema, owned: Object) -> bool:
    there = {item_key(item, schema): item for item in live}
    if len(there) != len(live):
        return False
    inner = schema.item
    stated: list[str] = []
    for item in desired:
        name = item_key(item, schema)
        ours = owned.get(name)
        if ours is None or name not in there:
            return False
        stated.append(name)
        if is_map(inner, item):
            if not _map(item, there[name], inner, ours):
                return False
        elif not holds(item, there[name], inner):
            return False
    if len(there) > len(stated):
        there = {name: item for name, item in there.items() if name in stated}
    return list(there) == stated and _all_seen(len(desired), owned)


def _all_seen(seen: int, owned: Object) -> bool:
    """Whether we own no more than the `seen` parts that Git states; "." stands for the node itself."""
    extra = len(owned) - seen
    return not extra or (extra == 1 and "." in owned)
