"""What the schema of a CustomResourceDefinition may say."""

import re
from typing import Any, Final

from reconciler.kube import validate as structural
from reconciler.kube.structural import Reader
from reconciler.sandbox.kinds import checks
from reconciler.sandbox.refusals import Cause
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_LISTS: Final = ("atomic", "map", "set")


def validate_schema(schema: Value, field: str, causes: Causes, *, root: bool = False) -> None:
    """The structural rules: every node has a type, and no node mixes what excludes each other."""
    kind = schema.get("type", "")
    preserve = schema.get("x-kubernetes-preserve-unknown-fields")
    if root and kind != "object":
        if kind:
            causes.invalid(f"{field}.type", kind, "must be object at the root")
        else:
            causes.required(f"{field}.type", "must not be empty at the root")
    elif kind and kind not in _TYPES:
        causes.unsupported(f"{field}.type", kind, _TYPES)
    elif not kind and not preserve and not schema.get("x-kubernetes-int-or-string"):
        causes.required(f"{field}.type", "must not be empty for specified object fields")
    if (pattern := schema.get("pattern")) is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            causes.invalid(f"{field}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")
    if preserve is False:
        causes.invalid(f"{field}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if schema.get("x-kubernetes-embedded-resource") and not preserve and not schema.get("properties"):
        why = "must not be empty if x-kubernetes-embedded-resource is true without preserve-unknown-fields"
        causes.required(f"{field}.properties", why)
    if schema.get("uniqueItems"):
        causes.forbidden(
            f"{field}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if schema.get("properties") and schema.get("additionalProperties") not in (None, False):
        causes.forbidden(f"{field}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if "default" in schema and kind in _TYPES:
        for found in structural.validate(schema["default"], Reader().read(schema)):
            path = f"{field}.default.{found.path}" if found.path else f"{field}.default"
            causes.append(Cause(found.reason, found.message, path))
    _list(schema, field, causes)
    _map(schema, field, causes)
    for name, part in (schema.get("properties") or {}).items():
        if not (root and name in ("metadata", "apiVersion", "kind")):
            validate_schema(part, f"{field}.properties[{name}]", causes)
    if isinstance(items := schema.get("items"), dict):
        validate_schema(items, f"{field}.items", causes)
    elif kind == "array":
        causes.required(f"{field}.items", "must be specified")
    if isinstance(extra := schema.get("additionalProperties"), dict):
        validate_schema(extra, f"{field}.additionalProperties", causes)


def _list(schema: Value, field: str, causes: Causes) -> None:
    """How appliers share a list: by value, or by keys that every item has."""
    listed = schema.get("x-kubernetes-list-type")
    if listed is None:
        return
    items = schema.get("items") or {}
    kind = items.get("type", "")
    if schema.get("type") != "array":
        causes.invalid(f"{field}.type", schema.get("type", ""), "must be array if x-kubernetes-list-type is specified")
    checks.supported(causes, f"{field}.x-kubernetes-list-type", listed, _LISTS)
    if listed in ("map", "set") and items.get("nullable"):
        causes.forbidden(f"{field}.items.nullable", "cannot be nullable when x-kubernetes-list-type is map or set")
    if listed == "set" and kind == "object" and items.get("x-kubernetes-map-type") != "atomic":
        why = "must be atomic as item of a list with x-kubernetes-list-type=set"
        causes.invalid(f"{field}.items.x-kubernetes-map-type", items.get("x-kubernetes-map-type"), why)
    if listed == "set" and kind == "array" and items.get("x-kubernetes-list-type", "atomic") != "atomic":
        why = "must be atomic as item of a list with x-kubernetes-list-type=set"
        causes.invalid(f"{field}.items.x-kubernetes-list-type", items.get("x-kubernetes-list-type"), why)
    if listed != "map":
        return
    if kind and kind != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        causes.invalid(f"{field}.items.type", kind, why)
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if not keys:
        causes.required(f"{field}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    for key in keys if kind == "object" else ():
        _key(key, items, field, causes)


def _key(key: str, items: Value, field: str, causes: Causes) -> None:
    property_ = (items.get("properties") or {}).get(key)
    if property_ is None:
        why = "entries must all be names of item properties"
        causes.invalid(f"{field}.x-kubernetes-list-map-keys", key, why)
        return
    if property_.get("type") in ("array", "object"):
        why = "must be a scalar type if parent array's x-kubernetes-list-type is map"
        causes.invalid(f"{field}.items.properties[{key}].type", property_["type"], why)
    elif "default" not in property_ and key not in (items.get("required") or ()):
        why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
        causes.required(f"{field}.items.properties[{key}].default", why)


def _map(schema: Value, field: str, causes: Causes) -> None:
    shared = schema.get("x-kubernetes-map-type")
    if shared is None:
        return
    if schema.get("type") != "object":
        causes.invalid(f"{field}.type", schema.get("type", ""), "must be object if x-kubernetes-map-type is specified")
    checks.supported(causes, f"{field}.x-kubernetes-map-type", shared, ("atomic", "granular"))
