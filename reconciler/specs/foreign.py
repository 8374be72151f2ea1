"""What is wrong with an object of a kind that Kubernetes (or a CustomResourceDefinition) defines."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.schema import UNTYPED, Schema, Shape
from reconciler.model.problem import Severity
from reconciler.model.reference import ImageReference
from reconciler.specs.candidate import is_secret
from reconciler.specs.finding import Finding, did_you_mean, shown
from reconciler.specs.read import Path

if TYPE_CHECKING:
    from reconciler.kube.validate import Violation

JSON = Any

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

    found = [_worded(value, schema, violation) for violation in validate(value, schema)]
    return [*found, *_unknown_fields(value, schema, ())]


def _worded(value: dict[str, JSON], schema: Schema, violation: "Violation") -> Finding:
    """What `validate` found, in our words: it speaks those of the API server, and repeats values of Secrets."""
    path, missing = path_of(value, violation.path)
    if violation.reason == "FieldValueRequired":
        return Finding("missing-field", path, f'the required field "{missing.strip(".[]")}" is missing', key=True)
    node = _node(schema, path)
    bad = "the value" if is_secret(value) else shown(_value(value, path))
    if violation.reason == "FieldValueTypeInvalid":
        return Finding(
            "wrong-type", path, f"{bad} is not {_TYPES.get(node.shape) or _SCALARS.get(node.type, 'valid here')}"
        )
    if violation.reason == "FieldValueNotSupported":
        known = [str(one) for one in node.enum]
        return Finding(
            "bad-value", path, f"{bad} is not one of {', '.join(known)}", did_you_mean(str(_value(value, path)), known)
        )
    if violation.reason == "FieldValueDuplicate":
        return Finding(
            "duplicate-item", path, f"this item is in the list twice: {violation.message.partition(': ')[2]}"
        )
    if node.type == "quantity":
        return Finding("bad-value", path, f"{bad} is not {_SCALARS['quantity']}")
    if node.format == "byte":
        return Finding("bad-value", path, f"{bad} is not base64", "in a Secret, stringData takes plain text")
    limit = violation.message.partition(" in body ")[2] or violation.message.rpartition(": ")[2]
    return Finding("bad-value", path, f"{bad} {limit}")


def _node(schema: Schema, path: Path) -> Schema:
    for step in path:
        schema = (
            schema.fields.get(step) or schema.element or UNTYPED if isinstance(step, str) else schema.element or UNTYPED
        )
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
                yield from _unknown_fields(item, schema.element, (*path, at))
    elif isinstance(value, dict):
        for name, child in value.items():
            below = schema.fields.get(name, schema.element)
            if below is None and schema.embedded_resource and name in ("apiVersion", "kind", "metadata"):
                continue
            if below is not None:
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
    rest = text
    while rest:
        step: str | int | None = None
        length = 0
        if isinstance(value, list) and rest.startswith("["):
            number = rest[1:].partition("]")[0]
            if number.isdigit() and int(number) < len(value):
                step, length = int(number), len(number) + 2
        elif isinstance(value, dict):
            for key in sorted(value, key=len, reverse=True):
                for written in (f"[{key}]", f".{key}", key if not path else f".{key}"):
                    after = rest[len(written) :]
                    if rest.startswith(written) and (not after or after[0] in ".["):
                        step, length = key, len(written)
                        break
                if step is not None:
                    break
        if step is None:
            return path, rest
        value, rest, path = value[step], rest[length:], (*path, step)
    return path, ""


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
