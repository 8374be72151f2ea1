"""Sets of fields, as `metadata.managedFields` records who owns what.

A set is kept as the tree that FieldsV1 is: nested dicts whose keys are path elements (`f:spec`, `k:{"name":"web"}`,
`v:"x"`, `i:0`). A node is a member of the set if it is empty or holds the key "."; its other keys are its children.
So reading and writing FieldsV1 costs one walk, and union, difference and intersection compare strings.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from reconciler.kube.path import Field, Index, Key, Path, Value, decode, encode, item_key, rank, render
from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape

__all__ = [
    "EMPTY",
    "Field",
    "FieldSet",
    "Index",
    "Key",
    "Path",
    "Tree",
    "Value",
    "decode",
    "encode",
    "item_key",
    "render",
]

Tree: TypeAlias = dict[str, Any]
"""A node of FieldsV1. Trees are shared between sets: never change one that you did not make."""

SELF: Final = "."


class FieldSet:
    """An immutable set of paths. A path is a tuple of elements; the empty path is never a member."""

    __slots__ = ("tree",)

    def __init__(self, tree: Tree | None = None) -> None:
        """Of a tree in normal form: "." is never a node's only key, nor one of the root's. Use the methods below."""
        self.tree: Final[Tree] = tree if tree is not None else {}

    @classmethod
    def of(cls, value: Mapping[str, Any], schema: Schema) -> "FieldSet":
        """All fields that an applier of `value` owns, by the structured merge of Kubernetes.

        Scalars, atomic and empty objects, atomic lists, items of lists and entries of maps are members; objects and
        lists around them are not.
        """
        return cls(_children(value, schema))

    @classmethod
    def from_v1(cls, fields: Mapping[str, Any] | None) -> "FieldSet":
        """Of the JSON of FieldsV1. Elements of an unknown type are left out; ValueError where malformed."""
        return cls(_read(fields or {}, root=True))

    @classmethod
    def from_paths(cls, *paths: Path) -> "FieldSet":
        """Of single members."""
        tree: Tree = {}
        for path in paths:
            node: Tree = {}
            for element in reversed(path):
                node = {encode(element): node}
            tree = union(tree, node) if tree else node
        return cls(tree)

    def to_v1(self) -> Tree:
        """The JSON of FieldsV1, in the order in which the API server writes it."""
        return _sorted(self.tree)

    def __or__(self, other: "FieldSet") -> "FieldSet":
        if not self.tree:
            return other
        if not other.tree:
            return self
        return FieldSet(union(self.tree, other.tree))

    def __sub__(self, other: "FieldSet") -> "FieldSet":
        """Members of self that are not members of other; a parent and its children are different members."""
        if not self.tree or not other.tree:
            return self
        return FieldSet(difference(self.tree, other.tree) or {})

    def __and__(self, other: "FieldSet") -> "FieldSet":
        if not self.tree or not other.tree:
            return EMPTY
        return FieldSet(intersection(self.tree, other.tree) or {})

    def without(self, other: "FieldSet") -> "FieldSet":
        """Members of self that neither are members of other nor lie below one."""
        if not self.tree or not other.tree:
            return self
        return FieldSet(_without(self.tree, other.tree) or {})

    def __bool__(self) -> bool:
        return bool(self.tree)

    def __eq__(self, other: object) -> bool:
        return self.tree == other.tree if isinstance(other, FieldSet) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, path: Path) -> bool:
        node = self.tree
        for element in path:
            child = node.get(encode(element))
            if child is None:
                return False
            node = child
        return bool(path) and is_member(node)

    def __repr__(self) -> str:
        return f"FieldSet({', '.join(render(path) for path in self.paths())})"

    def paths(self) -> Iterator[Path]:
        """Every member, parents before children, in the order of to_v1."""
        return _paths((), self.to_v1(), every=True)

    def leaves(self) -> Iterator[Path]:
        """The members that have no member below them, in the order of to_v1."""
        return _paths((), self.to_v1(), every=False)


EMPTY: Final = FieldSet()


def is_member(node: Tree) -> bool:
    """Whether a node, as a child of another, belongs to the set itself."""
    return not node or SELF in node


def _children(value: Mapping[str, Any], schema: Schema) -> Tree:
    """What is owned below an object that has `value`."""
    tree: Tree = {}
    if schema.shape is Shape.STRUCT:
        fields = schema.fields
        for name, member in value.items():
            known = fields.get(name)
            if known is not None:
                node = _node(member, known)
                if node is not None:
                    tree["f:" + name] = node
            else:
                tree["f:" + name] = _entry(_node(member, UNTYPED))
    else:
        element = schema.item
        for name, member in value.items():
            tree["f:" + name] = _entry(_node(member, element))
    return tree


def _entry(node: Tree | None) -> Tree:
    """A node that is a member whatever is in it: items of lists and entries of maps."""
    if node:
        node[SELF] = {}
        return node
    return {}


def _node(value: Any, schema: Schema) -> Tree | None:
    """The node of a value; None where it holds nothing that can be owned (an empty granular list)."""
    if isinstance(value, dict):
        if value and schema.merge is not Merge.ATOMIC and schema.shape is not Shape.LIST:
            return _children(value, schema) or None
    elif isinstance(value, list) and (schema.merge is Merge.KEYED or schema.merge is Merge.SET):
        element = schema.item
        tree: Tree = {}
        for item in value:
            key = item_key(item, schema)
            tree[key] = {} if key in tree else _entry(_node(item, element))
        return tree or None
    return {}


def union(a: Tree, b: Tree) -> Tree:
    """Of two nodes of one place, neither of them an empty root."""
    if a is b:
        return a
    if not a or not b:
        tree = a or b
        return tree if not tree or SELF in tree else {SELF: {}, **tree}
    tree = dict(a)
    for key, node in b.items():
        tree[key] = union(tree[key], node) if key in tree else node
    return tree


def difference(a: Tree, b: Tree) -> Tree | None:
    """`a` less `b`, two nodes of one place; None where nothing is left."""
    if not a:
        return None if is_member(b) else a
    if not b:
        return {key: node for key, node in a.items() if key != SELF}
    tree = {}
    for key, node in a.items():
        if key not in b:
            tree[key] = node
        elif key != SELF:
            rest = difference(node, b[key])
            if rest is not None:
                tree[key] = rest
    if len(tree) == 1 and SELF in tree:
        return {}
    return tree or None


def intersection(a: Tree, b: Tree) -> Tree | None:
    """What two nodes of one place share; None where that is nothing."""
    if a is b:
        return a
    tree = {}
    for key, node in a.items():
        if key in b and key != SELF:
            shared = intersection(node, b[key])
            if shared is not None:
                tree[key] = shared
    if is_member(a) and is_member(b):
        return {SELF: {}, **tree} if tree else {}
    return tree or None


def _without(a: Tree, b: Tree) -> Tree | None:
    tree = {}
    for key, node in a.items():
        if key not in b:
            tree[key] = node
        elif key != SELF and b[key] and SELF not in b[key]:
            rest = _without(node, b[key]) if node else node
            if rest is not None:
                tree[key] = rest
    if len(tree) == 1 and SELF in tree:
        return {}
    return tree or None


def _read(fields: Mapping[str, Any], *, root: bool) -> Tree:
    tree: Tree = {}
    for text, below in fields.items():
        if text == SELF:
            continue
        if not isinstance(below, dict):
            raise ValueError(f"not a field set: {text!r}")
        if not text.startswith("f:"):
            element = decode(text)
            if element is None:
                continue
            text = encode(element)
        tree[text] = _read(below, root=False) if below else {}
    if tree and not root and SELF in fields:
        tree[SELF] = {}
    return tree


def _sorted(tree: Tree) -> Tree:
    if len(tree) < 2:
        return {key: _sorted(node) if node else {} for key, node in tree.items()}
    keys = sorted(tree)
    if keys[-1] > "f;":  # there are more than field names
        keys.sort(key=rank)
    return {key: _sorted(tree[key]) if tree[key] else {} for key in keys}


def _paths(prefix: Path, tree: Tree, *, every: bool) -> Iterator[Path]:
    for text, node in tree.items():
        if text == SELF:
            continue
        element = decode(text)
        if element is None:
            continue
        path = (*prefix, element)
        if not node or (every and SELF in node):
            yield path
        if node:
            yield from _paths(path, node, every=every)
