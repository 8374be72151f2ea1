"""What a JSON Schema refuses, in words for people."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from reconciler.specs import later
from reconciler.specs.finding import MOST, Finding, did_you_mean, dotted, shown
from reconciler.specs.place import Path
from reconciler.specs.schemas import acceptor, validator

JSON = Any

_TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}


def refusals(value: JSON, kind: str) -> list[Finding]:
    """Everything that the schema of `kind` has against `value`; nothing where it is valid."""
    if acceptor(kind)(value):
        return []
    found: dict[tuple[Path, str], Finding] = {}
    worded = (finding for error in validator(kind).iter_errors(value) for finding in _word(error, kind))
    for finding in islice(worded, MOST):
        found.setdefault((finding.path, finding.message), finding)
    return list(found.values()) or [Finding("invalid", (), f"this is not a valid {kind}")]


def _word(error: Any, kind: str) -> Iterator[Finding]:
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance))
    stated = error.schema if isinstance(error.schema, dict) else {}
    hint = str(stated.get("x-hint", ""))
    match error.validator:
        case "additionalProperties":
            for name in sorted(error.instance.keys() - error.schema["properties"].keys()):
                yield _unknown((*path, name), name, error.schema["properties"], kind)
        case "required":
            for name in error.validator_value:
                if name not in error.instance:
                    lacking = "" if "x-message" in stated else hint  # which is then about something else
                    yield Finding("missing-field", path, f'the required field "{name}" is missing', lacking, key=True)
        case "enum":
            yield _not_among(error, path, kind, hint)
        case "dependentRequired":
            for name, needed in error.validator_value.items():
                for other in needed:
                    if name in error.instance and other not in error.instance:
                        yield Finding("missing-field", (*path, name), f'needs the field "{other}" beside it', key=True)
        case "not" | "oneOf" | "anyOf" if "x-message" in stated:
            yield Finding("bad-value", path, stated["x-message"], hint, key=error.validator == "not")
        case "type" if "x-is" not in stated:
            types = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            wanted = " or ".join(_TYPES[name] for name in types)
            yield Finding("wrong-type", path, f"{_value(error, stated)} is not {wanted}", hint)
        case "type" | "pattern" | "minProperties" | "maxProperties" | "minLength" if "x-is" in stated:
            code = "wrong-type" if error.validator == "type" else "bad-value"
            key = "propertyNames" in error.absolute_schema_path
            yield Finding(code, path, f"{_value(error, stated)} is not {stated['x-is']}", hint, key=key)
        case _:
            yield Finding("bad-value", path, _bound(error, stated), hint)


def _value(error: Any, stated: dict[str, JSON]) -> str:
    return "the value" if stated.get("x-secret") else shown(error.instance)


def _unknown(path: Path, name: str, known: dict[str, JSON], kind: str) -> Finding:
    if re.sub(r"\[\d+\]", "[]", dotted(path)) in later.FIELDS.get(kind, ()):
        return Finding("not-yet", path, f'the field "{name}" is not supported yet', later.HINT, key=True)
    hint = did_you_mean(name, known) or f"known here: {', '.join(sorted(known))}"
    return Finding("unknown-field", path, f'unknown field "{name}"', hint, key=True)


def _not_among(error: Any, path: Path, kind: str, hint: str) -> Finding:
    if error.instance in later.VALUES.get((kind, dotted(path)), ()):
        return Finding("not-yet", path, f"{shown(error.instance)} is not supported yet", later.HINT)
    known = [value for value in error.validator_value if isinstance(value, str)]
    suggestion = did_you_mean(error.instance, known) if isinstance(error.instance, str) else ""
    return Finding("bad-value", path, f"{shown(error.instance)} is not one of {', '.join(known)}", suggestion or hint)


_BOUNDS: Final[dict[str, Callable[[JSON], str]]] = {
    "const": lambda limit: f"is not {shown(limit)}",
    "exclusiveMinimum": lambda limit: f"is not more than {limit}",
    "maxItems": lambda limit: f"has more than {limit} items",
    "maxLength": lambda limit: f"is longer than {limit} characters",
    "maximum": lambda limit: f"is more than {limit}",
    "minItems": lambda limit: f"has fewer than {limit} items",
    "minLength": lambda limit: f"is shorter than {limit} characters" if limit > 1 else "is empty",
    "minimum": lambda limit: f"is less than {limit}",
    "uniqueItems": lambda _limit: "has an item twice",
}


def _bound(error: Any, stated: dict[str, JSON]) -> str:
    bound = _BOUNDS.get(error.validator)
    return f"{_value(error, stated)} {bound(error.validator_value) if bound else 'is not valid here'}"
