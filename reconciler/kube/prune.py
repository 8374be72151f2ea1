"""What goes when an applier no longer states what it stated before."""

from collections.abc import Sequence
from typing import Any

from reconciler.kube.fieldset import Tree, is_member
from reconciler.kube.merge import parts
from reconciler.kube.path import item_key
from reconciler.kube.schema import Schema, Shape


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
            kept = _prune_one(
                member, schema.member(name), key, node, owned, covered=covered, gone=gone, named=_named(schema, name)
            )
            if kept is not member:
                if result is value:
                    result = dict(value)
                if kept is _DROPPED:
                    del result[name]
                else:
                    result[name] = kept
        return result or None  # what holds nothing any more is nothing
    if isinstance(value, list) and schema.shared_by_item:
        element, items = schema.item, []
        for item in value:
            key = item_key(item, schema)
            node = last.get(key)
            if node is not None:
                item = _prune_one(item, element, key, node, owned, covered=covered, gone=gone, named=False)
            if item is not _DROPPED:
                items.append(item)
        return value if len(items) == len(value) and all(map(_is, items, value)) else items or None
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


def _named(schema: Schema, name: str) -> bool:
    """Whether `name` is a field of a struct, not an entry of a map or an unknown field."""
    return schema.shape is Shape.STRUCT and name in schema.fields


def _at(owned: Sequence[Tree], key: str) -> list[Tree]:
    return [node for tree in owned if (node := tree.get(key)) is not None]


def _is_owned(nodes: Sequence[Tree], *, named: bool) -> bool:
    return bool(nodes) if named else any(map(is_member, nodes))


def _shows(value: Any, schema: Schema, owned: Sequence[Tree] | None) -> bool:
    """Whether a field of a struct shows in the field set of its object, were only that left of it which is `owned`.

    An empty granular list does not, nor a struct that holds nothing else. None: all of it is left.
    """
    contents = parts(value, schema)
    if contents is None or value is None:
        return True
    if isinstance(contents, list):
        return any(owned is None or _is_owned(_at(owned, item_key(item, schema)), named=False) for item in contents)
    empty = True
    for name, member in contents.items():
        child = schema.member(name)
        below = None if owned is None else _at(owned, "f:" + name)
        if not _named(schema, name):
            if below is None or _is_owned(below, named=False):
                return True
        elif below is None or below or not _shows(member, child, None):
            if _shows(member, child, below):
                return True
            empty = False
    return empty


class _Dropped:
    pass


_DROPPED = _Dropped()


def _is(a: Any, b: Any) -> bool:
    return a is b
