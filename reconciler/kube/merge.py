"""The walks of structured merge: combine two values, compare two values, drop what nobody applies any more.

They follow structured-merge-diff, the library behind server-side apply. Results share all parts that did not change
with what they were made of, so "unchanged" is mostly an identity check; nothing is changed in place.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.kube.fieldset import SELF, FieldSet, Tree, is_member
from reconciler.kube.path import item_key
from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """`live` with everything that `applied` states.

    Items of granular lists keep their place in `live` as long as that does not contradict their order in `applied`.
    """
    if isinstance(applied, dict):
        if isinstance(live, dict) and _shared_by_field(schema):
            return _merge_fields(live, applied, schema) if applied or not live else live
    elif isinstance(applied, list):
        if isinstance(live, list) and live and _shared_by_item(schema):
            return _merge_items(live, applied, schema) if applied else live
    elif applied is None and _contents(live, schema):
        return live
    return live if identical(live, applied) else applied


def _merge_fields(live: dict[str, Any], applied: dict[str, Any], schema: Schema) -> dict[str, Any]:
    result = live
    for name, value in applied.items():
        if name in live:
            old = live[name]
            new = merge(old, value, _member(schema, name))
            if new is old:
                continue
        else:
            new = value
        if result is live:
            result = dict(live)
        result[name] = new
    return result


def _merge_items(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    element = schema.element or UNTYPED
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
    before, after = _contents(old, schema), _contents(new, schema)
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
            added["f:" + name] = _everything(value, _member(schema, name))
            continue
        before = old[name]
        if not identical(before, value):
            _compare(before, value, _member(schema, name), "f:" + name, removed, modified, added)
    for name, value in old.items():
        if name not in new:
            removed["f:" + name] = _everything(value, _member(schema, name))


def _compare_items(
    old: Sequence[Any], new: Sequence[Any], schema: Schema, removed: Tree, modified: Tree, added: Tree
) -> None:
    element = schema.element or UNTYPED
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
    contents = _contents(value, schema)
    if not contents:
        return {}
    tree: Tree = {SELF: {}}
    if isinstance(contents, dict):
        for name, member in contents.items():
            tree["f:" + name] = _everything(member, _member(schema, name))
    else:
        element = schema.element or UNTYPED
        for item in contents:
            key = item_key(item, schema)
            tree[key] = {} if key in tree else _everything(item, element)
    return tree


def prune(value: dict[str, Any], schema: Schema, last: Tree, owned: Sequence[Tree]) -> dict[str, Any]:
    """`value` without what an applier owned as of `last` and nobody, by the sets in `owned`, does any more.

    What goes takes with it everything below that is not in `owned` either; what somebody else owns below keeps the
    objects and items around it.
    """
    result: dict[str, Any] = _prune(value, schema, last, owned, covered=False, gone=False)
    return result


def _prune(value: Any, schema: Schema, last: Tree, owned: Sequence[Tree], *, covered: bool, gone: bool) -> Any:
    """`covered`: `last` has this or something around it. `gone`: so it has, and nobody owns that."""
    if isinstance(value, dict):
        result: Any = value
        for name, member in value.items():
            key = "f:" + name
            if (node := last.get(key)) is None:
                continue
            known = schema.fields.get(name) if schema.shape is Shape.STRUCT else None
            child = known if known is not None else _member(schema, name)
            kept = _prune_one(member, child, key, node, owned, covered=covered, gone=gone, named=known is not None)
            if kept is not member:
                if result is value:
                    result = dict(value)
                if kept is _DROPPED:
                    del result[name]
                else:
                    result[name] = kept
        return result
    if isinstance(value, list) and _shared_by_item(schema):
        element, items = schema.element or UNTYPED, []
        for item in value:
            key = item_key(item, schema)
            node = last.get(key)
            if node is not None:
                item = _prune_one(item, element, key, node, owned, covered=covered, gone=gone, named=False)
            if item is not _DROPPED:
                items.append(item)
        return value if len(items) == len(value) and all(map(_is, items, value)) else items
    return value


def _prune_one(
    value: Any, schema: Schema, key: str, last: Tree, owned: Sequence[Tree], *, covered: bool, gone: bool, named: bool
) -> Any:
    """The value at `key`, pruned, or _DROPPED. A `named` field of a struct counts as owned with anything below it."""
    nodes = _at(owned, key)
    claimed = named or is_member(last)
    covered = covered or claimed
    gone = gone or (covered and not _is_owned(nodes, named=named))
    if (
        claimed
        and (gone or (named and not _shows(value, schema, nodes)))
        and (not named or _shows(value, schema, None))
    ):
        return _DROPPED
    return _prune(value, schema, last, nodes, covered=covered, gone=gone) if last else value


def _at(owned: Sequence[Tree], key: str) -> list[Tree]:
    return [node for tree in owned if (node := tree.get(key)) is not None]


def _is_owned(nodes: Sequence[Tree], *, named: bool) -> bool:
    return bool(nodes) if named else any(map(is_member, nodes))


def _shows(value: Any, schema: Schema, owned: Sequence[Tree] | None) -> bool:
    """Whether a field of a struct shows in the field set of its object, were only that left of it which is `owned`.

    An empty granular list does not, nor a struct that holds nothing else. None: all of it is left.
    """
    contents = _contents(value, schema)
    if contents is None or value is None:
        return True
    if isinstance(contents, list):
        return any(owned is None or _is_owned(_at(owned, item_key(item, schema)), named=False) for item in contents)
    empty = True
    for name, member in contents.items():
        known = schema.fields.get(name) if schema.shape is Shape.STRUCT else None
        below = None if owned is None else _at(owned, "f:" + name)
        if known is None:
            if below is None or _is_owned(below, named=False):
                return True
        elif below is None or below or not _shows(member, known, None):
            if _shows(member, known, below):
                return True
            empty = False
    return empty


class _Dropped:
    pass


_DROPPED = _Dropped()


def _is(a: Any, b: Any) -> bool:
    return a is b


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


def _shared_by_field(schema: Schema) -> bool:
    return schema.merge is Merge.GRANULAR and schema.shape is not Shape.LIST


def _shared_by_item(schema: Schema) -> bool:
    return schema.merge is Merge.KEYED or schema.merge is Merge.SET


def _contents(value: Any, schema: Schema) -> Any:
    """The parts of an object or list that owners share, of which null has none; None for what has one owner."""
    if isinstance(value, dict):
        return value if _shared_by_field(schema) else None
    if isinstance(value, list):
        return value if _shared_by_item(schema) else None
    return [] if value is None and (_shared_by_item(schema) or _shared_by_field(schema)) else None


def _member(schema: Schema, name: str) -> Schema:
    if schema.shape is Shape.STRUCT:
        return schema.fields.get(name, UNTYPED)
    return schema.element or UNTYPED
