"""Whether a value fits a schema, in the words of the API server; unknown fields."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from reconciler.kube import quantity
from reconciler.kube.path import item_key
from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape
from reconciler.kube.structural import Reader


class Violation(NamedTuple):
    """One thing that is wrong. `reason` is a cause of the API's Status: "FieldValueRequired", "FieldValueInvalid", …"""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def validate(value: Any, schema: Schema) -> list[Violation]:
    """Everything that is wrong with `value`, in the order of the document. Unknown fields are not: see unknown_fields.

    Null counts as absent. What Kubernetes checks beyond types and required fields, custom resources declare.
    """
    return list(_violations(value, schema, ""))


def unknown_fields(value: Any, schema: Schema, *, applied: bool = False) -> list[str]:
    """The paths of fields that the schema does not know: `spec.template.spec.containers[0].imag`.

    For server-side apply (`applied`) a field that may be a number or text has no type: it may hold anything.
    """
    return list(_unknown(value, schema, "", applied=applied))


def prune_unknown(value: Any, schema: Schema) -> Any:
    """`value` without the fields that the schema does not know; itself where it has none."""
    if isinstance(value, dict) and schema.shape in (Shape.SCALAR, Shape.LIST):
        return {} if value else value
    if isinstance(value, dict) and schema.shape is not Shape.UNTYPED:
        kept = {}
        changed = False
        for name, member in value.items():
            child = _member(schema, name)
            if child is None:
                changed = True
                continue
            kept[name] = known = prune_unknown(member, child)
            changed = changed or known is not member
        return kept if changed else value
    if isinstance(value, list) and (element := _items(schema)) is not UNTYPED:
        items = [prune_unknown(item, element) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def embedded(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects within a custom resource that are resources themselves, with their paths."""
    if isinstance(value, dict):
        if schema.embedded_resource:
            yield path, value
        for name, member in value.items():
            yield from embedded(member, schema.member(name), _dotted(path, name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from embedded(item, schema.item, f"{path}[{i}]")


def mistyped(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """The paths that server-side apply cannot take for what the schema says: it knows maps, lists and three scalars."""
    if value is None or schema.shape is Shape.UNTYPED or schema.type == "int-or-string":
        return
    if schema.shape in (Shape.STRUCT, Shape.MAP):
        fits = isinstance(value, dict)
    elif schema.shape is Shape.LIST:
        fits = isinstance(value, list)
    else:
        fits = isinstance(value, _SCALARS.get(schema.type, (str, int, float)))
        fits = fits and (schema.type == "boolean" or not isinstance(value, bool) or schema.type not in _SCALARS)
    if not fits:
        yield path
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from mistyped(member, schema.member(name), _below(path, name, schema))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from mistyped(item, schema.item, f"{path}[{i}]")


_SCALARS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
}


def refused_nulls(value: Any, schema: Schema, path: str = "") -> Iterator[Violation]:
    """The nulls that a custom resource may not hold, which `validate` takes for absent fields."""
    if value is None:
        if schema.shape is not Shape.UNTYPED and not schema.nullable:
            expected = _expected(value, schema)
            message = f'Invalid value: "null": {path} in body must be of type {expected}: "null"'
            yield Violation(path, "FieldValueTypeInvalid", message)
        yield from _unlisted(value, schema, path)
    elif isinstance(value, dict) and schema.shape not in (Shape.LIST, Shape.SCALAR):
        for name, member in value.items():
            yield from refused_nulls(member, schema.member(name), _dotted(path, name))
    elif isinstance(value, list) and schema.shape in (Shape.LIST, Shape.UNTYPED):
        for i, item in enumerate(value):
            yield from refused_nulls(item, schema.item, f"{path}[{i}]")


def _member(schema: Schema, name: str) -> Schema | None:
    """The schema of a field, None where it is unknown."""
    if schema.shape is Shape.STRUCT:
        known = schema.fields.get(name)
        if known is None and (schema.preserve_unknown or (schema.embedded_resource and name in _EMBEDDED)):
            return UNTYPED
        return known
    return schema.item


def _items(schema: Schema) -> Schema:
    """The schema of the items of a list here; where none belongs, nothing is known of them."""
    if schema.shape in (Shape.LIST, Shape.UNTYPED) or schema.preserve_unknown:
        return schema.item
    return _NOTHING


_NOTHING: Final = Schema(Shape.STRUCT)
_EMBEDDED: Final = ("apiVersion", "kind", "metadata")


def _unknown(value: Any, schema: Schema, path: str, *, applied: bool) -> Iterator[str]:
    if applied and schema.type == "int-or-string":
        return
    if isinstance(value, dict) and schema.shape in (Shape.SCALAR, Shape.LIST):
        yield from (_dotted(path, name) for name in value)
    elif isinstance(value, dict) and schema.shape is not Shape.UNTYPED:
        for name, member in value.items():
            child = _member(schema, name)
            if child is None:
                yield _below(path, name, schema)
            else:
                yield from _unknown(member, child, _below(path, name, schema), applied=applied)
    elif isinstance(value, list) and (element := _items(schema)) is not UNTYPED:
        for i, item in enumerate(value):
            yield from _unknown(item, element, f"{path}[{i}]", applied=applied)


def _below(path: str, name: str, schema: Schema) -> str:
    if schema.shape is Shape.MAP:
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _violations(value: Any, schema: Schema, path: str) -> Iterator[Violation]:
    expected = _expected(value, schema)
    if expected:
        shown = _shown(value)
        message = f"Invalid value: {shown}: {path} in body must be of type {expected}: {shown}"
        yield Violation(path, "FieldValueTypeInvalid", message)
        yield from _unlisted(value, schema, path)
        if schema.type in ("integer", "number") and type(value) in (int, float):
            yield from _limits(value, schema.constraints, path)
        return
    if schema.format == "byte" and not _is_base64(value):
        yield Violation(path, "FieldValueInvalid", f"Invalid value: {_shown(value)}: must be base64-encoded")
    if schema.type == "quantity":
        try:
            quantity.parse(value)
        except ValueError:
            message = f"Invalid value: {_shown(value)}: quantities must match the regular expression '{_QUANTITY}'"
            yield Violation(path, "FieldValueInvalid", message)
    yield from _unlisted(value, schema, path)
    if schema.constraints:
        yield from _limits(value, schema.constraints, path)
    if isinstance(value, dict):
        for name in schema.required:
            if name not in schema.always and value.get(name) is None and not _is_null(value, name, schema):
                yield Violation(_below(path, name, schema), "FieldValueRequired", "Required value")
        for name, member in value.items():
            child = _member(schema, name)
            if child is not None and member is not None:
                yield from _violations(member, child, _below(path, name, schema))
    elif isinstance(value, list):
        yield from _item_violations(value, schema, path)


def _is_null(value: dict[str, Any], name: str, schema: Schema) -> bool:
    """Whether a field is stated as null, and may be."""
    return name in value and name in schema.fields and schema.fields[name].nullable


def _unlisted(value: Any, schema: Schema, path: str) -> Iterator[Violation]:
    if schema.enum and value not in schema.enum:
        supported = ", ".join(json.dumps(known) for known in schema.enum)
        shown = "null" if value is None else _shown(value)
        yield Violation(path, "FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {supported}")


def _item_violations(items: list[Any], schema: Schema, path: str) -> Iterator[Violation]:
    element = schema.item
    seen = set()
    for i, item in enumerate(items):
        if item is not None:
            yield from _violations(item, element, f"{path}[{i}]")
        if schema.merge is Merge.KEYED and item is not None and not isinstance(item, dict):
            why = "must be an object for an array of list-type map"
            yield Violation(f"{path}[{i}]", "FieldValueInvalid", f"Invalid value: {_shown(item)}: {why}")
        elif schema.shared_by_item:
            key = item_key(item, schema)
            if key in seen:
                yield Violation(f"{path}[{i}]", "FieldValueDuplicate", f"Duplicate value: {key[2:]}")
            seen.add(key)


_QUANTITY: Final = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_INTEGERS: Final = {"int32": 2**31, "int64": 2**63}


def _expected(value: Any, schema: Schema) -> str:
    """The name of the type that `value` should have had; "" where it fits."""
    match schema.shape:
        case Shape.STRUCT | Shape.MAP:
            return "" if isinstance(value, dict) else "object"
        case Shape.LIST:
            return "" if isinstance(value, list) else "array"
        case Shape.UNTYPED:
            return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match schema.type:
        case "string":
            return "" if isinstance(value, str) else "string"
        case "boolean":
            return "" if isinstance(value, bool) else "boolean"
        case "integer":
            bound = _INTEGERS.get(schema.format, 2**63)
            return "" if number and float(value).is_integer() and -bound <= value < bound else "integer"
        case "number":
            return "" if number else "number"
        case "int-or-string":
            return "" if isinstance(value, str) or (number and isinstance(value, int)) else "integer,string"
        case "quantity":
            return "" if isinstance(value, str) or number else "string"
    return ""


def _shown(value: Any) -> str:
    """A value in a message: scalars as they are, the rest by the name of its type, as the API server does."""
    if value is None:
        return '"null"'
    if isinstance(value, dict):
        return '"object"'
    if isinstance(value, list):
        return '"array"'
    if isinstance(value, bool):
        return '"boolean"'
    return json.dumps(value, ensure_ascii=False)


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _limits(value: Any, limits: Any, path: str) -> Iterator[Violation]:
    """What a CustomResourceDefinition asks of a value beyond its type."""

    def invalid(what: str) -> Violation:
        return Violation(path, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {path} in body {what}")

    if isinstance(value, str):
        if len(value) > limits.get("maxLength", len(value)):
            message = f"Too long: may not be more than {limits['maxLength']} bytes"
            yield Violation(path, "FieldValueTooLong", message)
        if len(value) < limits.get("minLength", 0):
            yield invalid(f"should be at least {limits['minLength']} chars long")
        if "pattern" in limits and not _matches(limits["pattern"], value):
            yield invalid(f"should match '{limits['pattern']}'")
    elif isinstance(value, int | float):
        yield from map(invalid, _range(value, limits))
    elif isinstance(value, list):
        if len(value) > limits.get("maxItems", len(value)):
            message = f"Too many: {len(value)}: must have at most {limits['maxItems']} items"
            yield Violation(path, "FieldValueTooMany", message)
        if len(value) < limits.get("minItems", 0):
            yield invalid(f"should have at least {limits['minItems']} items")
    elif isinstance(value, dict):
        if len(value) > limits.get("maxProperties", len(value)):
            message = f"Too many: {len(value)}: must have at most {limits['maxProperties']} items"
            yield Violation(path, "FieldValueTooMany", message)
        if len(value) < limits.get("minProperties", 0):
            yield invalid(f"should have at least {limits['minProperties']} properties")
    yield from map(invalid, _alternatives(value, limits))


def _range(value: float, limits: Any) -> Iterator[str]:
    low, high, step = limits.get("minimum"), limits.get("maximum"), limits.get("multipleOf")
    if low is not None and (value <= low if limits.get("exclusiveMinimum") else value < low):
        yield f"should be greater than {'' if limits.get('exclusiveMinimum') else 'or equal to '}{low}"
    if high is not None and (value >= high if limits.get("exclusiveMaximum") else value > high):
        yield f"should be less than {'' if limits.get('exclusiveMaximum') else 'or equal to '}{high}"
    if step and value % step:
        yield f"should be a multiple of {step}"


def _alternatives(value: Any, limits: Any) -> Iterator[str]:
    def fitting(key: str) -> int:
        return sum(not validate(value, _part(json.dumps(part))) for part in limits[key])

    if "anyOf" in limits and not fitting("anyOf"):
        yield "must validate at least one schema (anyOf)"
    if "oneOf" in limits and fitting("oneOf") != 1:
        yield "must validate one and only one schema (oneOf)"
    if "allOf" in limits and fitting("allOf") != len(limits["allOf"]):
        yield "must validate all the schemas (allOf)"
    if "not" in limits and not validate(value, _part(json.dumps(limits["not"]))):
        yield "must not validate the schema (not)"


@lru_cache(maxsize=256)
def _part(text: str) -> Schema:
    return Reader().read(json.loads(text))


def _matches(pattern: str, value: str) -> bool:
    """Go's patterns are close to Python's; one that is not never refuses a value."""
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True
