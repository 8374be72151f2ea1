"""Structured merge: one value over another, and what changed between two.

It follows structured-merge-diff, the library behind server-side apply. Results share all parts that did not change
with what they were made of, so "unchanged" is mostly an identity check; nothing is changed in place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.kube.fieldset import SELF, FieldSet, Tree
from reconciler.kube.path import item_key
from reconciler.kube.schema import Schema, Shape


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """`live` with everything that `applied` states.

    Items of granular lists keep their place in `live` as long as that does not contradict their order in `applied`.
    """
    if isinstance(applied, dict):
        if isinstance(live, dict) and schema.shared_by_field:
            return _merge_fields(live, applied, schema) if applied or not live else live
    elif isinstance(applied, list):
        if isinstance(live, list) and live and schema.shared_by_item:
            return _merge_items(live, applied, schema) if applied else live
    elif applied is None and parts(live, schema):
        return live
    return live if identical(live, applied) else applied


def _merge_fields(live: dict[str, Any], applied: dict[str, Any], schema: Schema) -> dict[str, Any]:
    result = live
    for name, value in applied.items():
        if name in live:
            old = live[name]
            new = merge(old, value, schema.member(name))
            if new is old:
                continue
        else:
            new = value
        if result is live:
            result = dict(live)
        result[name] = new
    return result


def _merge_items(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    element = schema.item
    wanted = {item_key(item, schema): item for item in applied}
    current: dict[str, Any] = {}
    keys = [item_key(item, schema) for item in live]
    for key, item in zip(keys, live, strict=True):
        current[key] = None if key in current else item  # of duplicates none is merged: they are replaced
    order = iter(wanted)
    shared = iter([key for key in wanted if key in current])
    following = next(shared, None)
    result = []

    def take_through(last: str | None) -> None:
        for key in order:
            old = current.get(key)
            result.append(wanted[key] if old is None else merge(old, wanted[key], element))
            if key == last:
                return

    for key, item in zip(keys, live, strict=True):
        if key not in wanted:
            result.append(item)
        elif key == following:
            take_through(key)
            following = next(shared, None)
        # else it comes where the applied list has it
    take_through(None)
    if len(result) == len(live) and all(new is old for new, old in zip(result, live, strict=True)):
        return live
    return result


class Comparison(NamedTuple):
    """What changed between two values; no member is in more than one of the sets."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    def without(self, reset: FieldSet) -> "Comparison":
        """Leaving out everything at and below the members of `reset`."""
        if not reset:
            return self
        return Comparison(self.removed.without(reset), self.modified.without(reset), self.added.without(reset))


def compare(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema) -> Comparison:
    """What changed from object `old` to object `new`. Objects and lists that came or went are members too."""
    removed: Tree = {}
    modified: Tree = {}
    added: Tree = {}
    _compare_fields(old, new, schema, removed, modified, added)
    return Comparison(FieldSet(removed), FieldSet(modified), FieldSet(added))


def _compare(old: Any, new: Any, schema: Schema, key: str, removed: Tree, modified: Tree, added: Tree) -> None:
    """Put what changed at `key` into the three parents' nodes."""
    before, after = parts(old, schema), parts(new, schema)
    if before is None or after is None or not (before or after):
        if not identical(old, new):
            modified[key] = {}
        if not before and not after:
            return
    below: tuple[Tree, Tree, Tree] = ({}, {}, {})
    if schema.shape is Shape.LIST:
        _compare_items(before or [], after or [], schema, *below)
    else:
        _compare_fields(before or {}, after or {}, schema, *below)
    for parent, node in zip((removed, modified, added), below, strict=True):
        if node:
            parent[key] = node


def _compare_fields(
    old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema, removed: Tree, modified: Tree, added: Tree
) -> None:
    for name, value in new.items():
        if name not in old:
            added["f:" + name] = _everything(value, schema.member(name))
            continue
        before = old[name]
        if not identical(before, value):
            _compare(before, value, schema.member(name), "f:" + name, removed, modified, added)
    for name, value in old.items():
        if name not in new:
            removed["f:" + name] = _everything(value, schema.member(name))


def _compare_items(
    old: Sequence[Any], new: Sequence[Any], schema: Schema, removed: Tree, modified: Tree, added: Tree
) -> None:
    element = schema.item
    before, after = _by_key(old, schema), _by_key(new, schema)
    for key, items in after.items():
        others = before.get(key, [])
        if len(items) > 1 and len(others) > 1:
            if not identical(others, items):
                modified[key] = {}
        elif len(items) > 1:
            if others:
                removed[key] = _everything(others[0], element)
            added[key] = {}
        elif len(others) > 1:
            added[key] = _everything(items[0], element)
            removed[key] = {}
        elif not others:
            added[key] = _everything(items[0], element)
        elif not identical(others[0], items[0]):
            _compare(others[0], items[0], element, key, removed, modified, added)
    for key, items in before.items():
        if key not in after:
            removed[key] = _everything(items[0], element) if len(items) == 1 else {}


def _by_key(items: Sequence[Any], schema: Schema) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(item_key(item, schema), []).append(item)
    return found


def _everything(value: Any, schema: Schema) -> Tree:
    """The node of a value that came or went as a whole: everything in it is a member, objects and lists too."""
    contents = parts(value, schema)
    if not contents:
        return {}
    tree: Tree = {SELF: {}}
    if isinstance(contents, dict):
        for name, member in contents.items():
            tree["f:" + name] = _everything(member, schema.member(name))
    else:
        element = schema.item
        for item in contents:
            key = item_key(item, schema)
            tree[key] = {} if key in tree else _everything(item, element)
    return tree


def identical(a: Any, b: Any) -> bool:
    """Whether two JSON values are the same. Unlike Python, true and 1 are not."""
    return a is b or (a == b and _strictly(a, b))


def _strictly(a: Any, b: Any) -> bool:
    """Of equal values."""
    if isinstance(a, dict):
        return all(_strictly(value, b[name]) for name, value in a.items())
    if isinstance(a, list):
        return all(map(_strictly, a, b))
    return isinstance(a, bool) is isinstance(b, bool)


def parts(value: Any, schema: Schema) -> Any:
    """The parts of an object or list that owners share, of which null has none; None for what has one owner."""
    if isinstance(value, dict):
        return value if schema.shared_by_field else None
    if isinstance(value, list):
        return value if schema.shared_by_item else None
    return [] if value is None and (schema.shared_by_item or schema.shared_by_field) else None
