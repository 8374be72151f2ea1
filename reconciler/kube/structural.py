"""From OpenAPI schemas, as JSON, to `Schema`: for Kubernetes' own definitions and for CustomResourceDefinitions.

How lists and maps are shared follows the published rules: `x-kubernetes-list-type`, else the patch strategy, else
atomic; `x-kubernetes-map-type`, else granular.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape

Node = Mapping[str, Any]

_META: Final = "io.k8s.apimachinery.pkg."
SPECIAL: Final[Mapping[str, Schema]] = {
    _META + "api.resource.Quantity": Schema(Shape.SCALAR, type="quantity"),
    _META + "util.intstr.IntOrString": Schema(Shape.SCALAR, type="int-or-string"),
    _META + "runtime.RawExtension": Schema(Shape.UNTYPED, merge=Merge.ATOMIC),
    _META + "apis.meta.v1.FieldsV1": Schema(Shape.MAP, element=UNTYPED),
    _META + "apis.meta.v1.Patch": UNTYPED,
}
"""Definitions whose OpenAPI form does not say what they are."""

_CONSTRAINTS: Final = frozenset(
    ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
     "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "anyOf", "oneOf", "allOf", "not")
)  # fmt: skip
_ZERO: Final[tuple[Any, ...]] = ("", 0, False, {})


class Reader:
    """Makes Schemas of nodes. Definitions are read once and shared, so recursive ones become cycles.

    `definition` gives the node that a `$ref` names. Kubernetes' own definitions state the zero values of Go as
    defaults: they count for the keys of lists only. Without `definition` every default is meant.
    """

    def __init__(self, definition: Callable[[str], Node] | None = None) -> None:
        self._definition = definition
        self._named: dict[str, Schema] = dict(SPECIAL)
        self._scalars: dict[tuple[str, str], Schema] = {}

    def named(self, name: str) -> Schema:
        """The Schema of the definition `name`. KeyError where there is none."""
        known = self._named.get(name)
        if known is not None:
            return known
        if self._definition is None:
            raise KeyError(name)
        node = self._definition(name)
        if "properties" not in node:
            made = self._named[name] = self.read(node)
            return made
        fields: dict[str, Schema] = {}
        self._named[name] = made = self._struct(node, fields)
        self._fill(fields, node)
        return made

    def read(self, node: Node) -> Schema:
        """The Schema of any node."""
        if "$ref" in node:
            return self._reference(node)
        kind = node.get("type", "")
        if node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
            return self._limited(Schema(Shape.SCALAR, type="int-or-string"), node)
        if kind == "array":
            return self._list(node)
        if kind == "object" or "properties" in node or "required" in node:
            return self._object(node)
        if not kind:
            return self._limited(UNTYPED, node)
        return self._scalar(kind, node)

    def _reference(self, node: Node) -> Schema:
        schema = self.named(node["$ref"].rpartition("/")[2])
        changes: dict[str, Any] = {}
        if node.get("x-kubernetes-map-type") == "atomic":
            changes["merge"] = Merge.ATOMIC
        if "x-kubernetes-patch-strategy" in node:
            changes["merge_strategy"] = node["x-kubernetes-patch-strategy"]
        return replace(schema, **changes) if changes else schema

    def _scalar(self, kind: str, node: Node) -> Schema:
        key = (kind, node.get("format", ""))
        shared = self._scalars.get(key)
        if shared is None:
            shared = self._scalars[key] = Schema(Shape.SCALAR, type=kind, format=key[1])
        return self._limited(shared, node)

    def _object(self, node: Node) -> Schema:
        extra = node.get("additionalProperties")
        preserve = node.get("x-kubernetes-preserve-unknown-fields") is True
        if "properties" in node or preserve or extra is None or extra is False:
            fields: dict[str, Schema] = {}
            schema = self._struct(node, fields)
            self._fill(fields, node)
            return schema
        element = UNTYPED if extra is True else self.read(extra)
        schema = Schema(Shape.MAP, merge=_map_merge(node), element=element, keeps_empty=self._definition is None)
        return self._limited(schema, node)

    def _struct(self, node: Node, fields: dict[str, Schema]) -> Schema:
        preserve = node.get("x-kubernetes-preserve-unknown-fields") is True
        members: Mapping[str, Node] = node.get("properties", {})
        gvks = node.get("x-kubernetes-group-version-kind", ())
        built_in = self._definition is not None
        always: frozenset[str] = frozenset()
        required = tuple(node.get("required", ()))
        if built_in:
            always = frozenset(
                name for name in members if "$ref" in members[name] and members[name].get("default") == {}
            )
            required = tuple(name for name in required if members[name].get("type") != "boolean")  # absent is false
        schema = Schema(
            Shape.STRUCT,
            merge=_map_merge(node),
            fields=fields,
            required=required,
            preserve_unknown=preserve,
            embedded_resource=node.get("x-kubernetes-embedded-resource") is True,
            gvk=(gvks[0]["group"], gvks[0]["version"], gvks[0]["kind"]) if len(gvks) == 1 else None,
            always=always,
        )
        return self._limited(schema, node)

    def _fill(self, fields: dict[str, Schema], node: Node) -> None:
        for name, member in node.get("properties", {}).items():
            fields[name] = self.read(member)

    def _list(self, node: Node) -> Schema:
        merge, keys = _list_merge(node)
        items = node.get("items") or {}
        schema = Schema(
            Shape.LIST,
            merge=merge,
            keys=keys,
            merge_key=node.get("x-kubernetes-patch-merge-key", ""),
            merge_strategy=node.get("x-kubernetes-patch-strategy", ""),
            element=self.read(items),
            key_defaults=self._key_defaults(items, keys) if keys else {},
            keeps_empty=self._definition is None,
        )
        return self._limited(schema, node)

    def _key_defaults(self, items: Node, keys: tuple[str, ...]) -> Mapping[str, Any]:
        if "$ref" in items and self._definition is not None:
            items = self._definition(items["$ref"].rpartition("/")[2])
        members = items.get("properties", {})
        return {key: members[key]["default"] for key in keys if "default" in members.get(key, ())}

    def _limited(self, schema: Schema, node: Node) -> Schema:
        """`schema` with what a node says beside its shape; itself where that is nothing, so that scalars are shared."""
        changes: dict[str, Any] = {}
        if "default" in node and (self._definition is None or node["default"] not in _ZERO):
            changes.update(default=node["default"], has_default=True)
        if "enum" in node:
            changes["enum"] = tuple(node["enum"])
        if node.get("nullable"):
            changes["nullable"] = True
        if not _CONSTRAINTS.isdisjoint(node):
            changes["constraints"] = {key: node[key] for key in node if key in _CONSTRAINTS}
        return replace(schema, **changes) if changes else schema


def _map_merge(node: Node) -> Merge:
    return Merge.ATOMIC if node.get("x-kubernetes-map-type") == "atomic" else Merge.GRANULAR


def _list_merge(node: Node) -> tuple[Merge, tuple[str, ...]]:
    kind = node.get("x-kubernetes-list-type")
    if kind == "map":
        return Merge.KEYED, tuple(node.get("x-kubernetes-list-map-keys", ()))
    if kind == "set":
        return Merge.SET, ()
    if kind is None and node.get("x-kubernetes-patch-strategy", "").startswith("merge"):
        key = node.get("x-kubernetes-patch-merge-key")
        return (Merge.KEYED, (key,)) if key else (Merge.SET, ())
    return Merge.ATOMIC, ()
