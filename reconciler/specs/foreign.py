"""What is wrong with an object of a kind that Kubernetes (or a CustomResourceDefinition) defines."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.schema import UNTYPED, Schema, Shape
from reconciler.model.problem import Severity
from reconciler.model.reference import ImageReference
from reconciler.specs.candidate import is_secret
from reconciler.specs.finding import MOST, Finding, did_you_mean, shown
from reconciler.specs.place import Path

if TYPE_CHECKING:
    from reconciler.kube.validate import Violation

JSON = Any

_NESTED: Final = (dict, list)
_TYPES: Final[Mapping[Shape, str]] = {Shape.STRUCT: "a mapping", Shape.MAP: "a mapping", Shape.LIST: "a list"}
_SCALARS: Final[Mapping[str, str]] = {
    "boolean": "true or false",
    "int-or-string": "an integer or a string",
    "integer": "an integer",
    "number": "a number",
    "quantity": "a quantity such as 250m or 1Gi",
    "string": "a string",
}


def misfits(value: dict[str, JSON], schema: Schema) -> list[Finding]:
    """Wrong types are errors, fields that the schema does not have are warnings: the server drops them."""
    from reconciler.kube.validate import validate

    found = [_worded(value, schema, violation) for violation in validate(value, schema)[:MOST]]
    return [*found, *islice(_unknown_fields(value, schema, ()), MOST)]


def _worded(value: dict[str, JSON], schema: Schema, violation: "Violation") -> Finding:
    """What `validate` found, in our words: it speaks those of the API server, and repeats values of Secrets."""
    path, missing = path_of(value, violation.path)
    node, stated = _node(schema, path), _value(value, path)
    bad = "the value" if is_secret(value) else shown(stated)
    match violation.reason:
        case "FieldValueRequired":
            return Finding("missing-field", path, f'the required field "{missing.strip(".[]")}" is missing', key=True)
        case "FieldValueTypeInvalid":
            wanted = _TYPES.get(node.shape) or _SCALARS.get(node.type, "valid here")
            return Finding("wrong-type", path, f"{bad} is not {wanted}")
        case "FieldValueNotSupported":
            known = [str(one) for one in node.enum]
            hint = did_you_mean(stated, known) if isinstance(stated, str) else ""
            return Finding("bad-value", path, f"{bad} is not one of {', '.join(known)}", hint)
        case "FieldValueDuplicate":
            twice = violation.message.partition(": ")[2]
            return Finding("duplicate-item", path, f"this item is in the list twice: {twice}")
    if node.type == "quantity":
        return Finding("bad-value", path, f"{bad} is not {_SCALARS['quantity']}")
    if node.format == "byte":
        return Finding("bad-value", path, f"{bad} is not base64", "in a Secret, stringData takes plain text")
    limit = violation.message.partition(" in body ")[2] or violation.message.rpartition(": ")[2]
    return Finding("bad-value", path, f"{bad} {limit}")


def _node(schema: Schema, path: Path) -> Schema:
    for step in path:
        field = schema.fields.get(step) if isinstance(step, str) else None
        schema = field or schema.element or UNTYPED
    return schema


def _value(value: JSON, path: Path) -> JSON:
    for step in path:
        value = value[step]
    return value


def _unknown_fields(value: JSON, schema: Schema, path: Path) -> Iterator[Finding]:
    if schema.shape is Shape.UNTYPED:
        return
    if isinstance(value, list):
        if schema.element is not None:
            for at, item in enumerate(value):
                if item.__class__ in _NESTED:
                    yield from _unknown_fields(item, schema.element, (*path, at))
    elif isinstance(value, dict):
        for name, child in value.items():
            below = schema.fields.get(name, schema.element)
            if below is None and schema.embedded_resource and name in ("apiVersion", "kind", "metadata"):
                continue
            if below is not None:
                if child.__class__ in _NESTED:
                    yield from _unknown_fields(child, below, (*path, name))
            elif schema.shape is Shape.STRUCT and not schema.preserve_unknown:
                hint = did_you_mean(name, schema.fields) or "the API server drops it"
                message = f"unknown field {shown(name)}"
                yield Finding("unknown-field", (*path, name), message, hint, key=True, severity=Severity.WARNING)


def path_of(value: JSON, text: str) -> tuple[Path, str]:
    """The path that `spec.containers[0].image` stands for in `value`, and the part of the text that is not there.

    Keys may hold dots themselves, so the value tells where one ends.
    """
    path: Path = ()
    rest = text if text.startswith("[") else f".{text}"
    while rest:
        for step, written in _steps(value):
            after = rest.removeprefix(written)
            if after != rest and (not after or after[0] in ".["):
                value, rest, path = value[step], after, (*path, step)
                break
        else:
            return path, rest
    return path, ""


def _steps(value: JSON) -> Iterator[tuple[str | int, str]]:
    """The ways on from a value, and how they are written."""
    if isinstance(value, list):
        yield from ((at, f"[{at}]") for at in range(len(value)))
    elif isinstance(value, dict):
        for key in sorted(value, key=len, reverse=True):
            yield key, f".{key}"
            yield key, f"[{key}]"


def images_of(value: dict[str, JSON]) -> Iterator[tuple[Path, str]]:
    """Where a built-in kind of workload names images."""
    for path in _TEMPLATES:
        pods: JSON = value
        for step in path:
            pods = pods.get(step) if isinstance(pods, dict) else None
        for field in ("initContainers", "containers"):
            containers = pods.get(field) if isinstance(pods, dict) else None
            for at, container in enumerate(containers if isinstance(containers, list) else ()):
                if isinstance(container, dict) and isinstance(container.get("image"), str):
                    yield (*path, field, at, "image"), container["image"]


_TEMPLATES: Final[tuple[Path, ...]] = (
    ("spec",),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("template", "spec"),
)
"""Where pods are described; the kinds that have them do not share one path."""


def image_warnings(value: dict[str, JSON]) -> Iterator[Finding]:
    """Images that no registry can have. The server would take them, and the pods never start."""
    for path, image in images_of(value):
        try:
            ImageReference.parse(image)
        except ValueError as error:
            message = f"{shown(image)} is not an image reference: {error}"
            yield Finding("bad-image", path, message, severity=Severity.WARNING)
