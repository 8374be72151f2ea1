"""The structural schema of a value: what server-side apply, diff and validation need to know of its shape.

One `Schema` describes one node of a JSON document. The built-in kinds come from the published OpenAPI description of
Kubernetes (`reconciler.kube.openapi`), custom resources from their CustomResourceDefinition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Shape(Enum):
    """What a node may hold."""

    SCALAR = "scalar"
    STRUCT = "struct"  # an object with named fields
    MAP = "map"  # an object whose values all have the schema `element`
    LIST = "list"
    UNTYPED = "untyped"  # anything: x-kubernetes-preserve-unknown-fields, JSON, RawExtension, FieldsV1


class Merge(Enum):
    """How appliers share a node: an atomic one has one owner, a granular one an owner for each part."""

    GRANULAR = "granular"  # struct and map: by field
    ATOMIC = "atomic"
    SET = "set"  # list of scalars, by value
    KEYED = "keyed"  # list of objects, by the fields in `keys`


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One node. Fields that do not concern its shape keep their defaults.

    `type` is the JSON type of a scalar ("string", "integer", "number", "boolean"), "int-or-string" or "quantity";
    `merge_key` and `merge_strategy` are for strategic merge patches (`patchMergeKey`, `patchStrategy`), which differ
    from `keys` in a few places. `default` is Kubernetes' own and counts where `has_default`. `key_defaults` are what a
    key of a KEYED list stands for where an item leaves it out (`protocol: TCP`). `always` are the structs among the
    fields that a server writes even when nothing in them is set. `keeps_empty`: an empty list or map is stored, as in
    custom resources; Kubernetes' own kinds drop it. An UNTYPED node is shared by field like a map of
    UNTYPED, its lists are atomic; with Merge.ATOMIC it has one owner as a whole.

    Recursive schemas hold cycles: compare them with `is`, not with `==`.
    """

    shape: Shape
    type: str = ""
    format: str = ""
    merge: Merge = Merge.GRANULAR
    keys: tuple[str, ...] = ()
    merge_key: str = ""
    merge_strategy: str = ""
    fields: Mapping[str, "Schema"] = field(default_factory=dict)
    element: "Schema | None" = None
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    nullable: bool = False
    preserve_unknown: bool = False
    embedded_resource: bool = False
    default: Any = None
    has_default: bool = False
    constraints: Mapping[str, Any] = field(default_factory=dict)  # minimum, maxLength, pattern, … of custom resources
    gvk: tuple[str, str, str] | None = None
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    always: frozenset[str] = frozenset()
    keeps_empty: bool = False

    def member(self, name: str) -> "Schema":
        """The schema of a field of an object; UNTYPED where the field is not known."""
        if self.shape is Shape.STRUCT:
            return self.fields.get(name, UNTYPED)
        return self.element or UNTYPED

    @property
    def item(self) -> "Schema":
        """The schema of a list's items."""
        return self.element or UNTYPED

    @property
    def shared_by_field(self) -> bool:
        """Whether an object here has an owner for each field."""
        return self.merge is Merge.GRANULAR and self.shape is not Shape.LIST

    @property
    def shared_by_item(self) -> bool:
        """Whether a list here has an owner for each item."""
        return self.merge is Merge.KEYED or self.merge is Merge.SET

    def __repr__(self) -> str:
        of = "/".join(self.gvk) if self.gvk else self.type or ", ".join(self.fields)
        return f"Schema({self.shape.value}, {self.merge.value}, {of})"


UNTYPED = Schema(Shape.UNTYPED)
