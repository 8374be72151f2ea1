"""Plain scalars where a text is wanted, keys among them: taken as they are written, with a warning.

YAML makes false of `no`, 511 of `0777` and 1.1 of `1.10`. Where the schema wants a text, what was written is known, so
the document can be used; a warning says to quote it, because other readers take it otherwise.
"""

from typing import Any

from reconciler.kube.schema import Schema, Shape
from reconciler.model.problem import Severity
from reconciler.model.spec import GROUP
from reconciler.specs.candidate import Candidate, is_secret
from reconciler.specs.finding import Finding
from reconciler.specs.parts import Text
from reconciler.specs.place import Path
from reconciler.specs.scalars import dubious, dubious_key

JSON = Any
_WARNING = Severity.WARNING


def settled(candidate: Candidate, schema: Schema, text: Text) -> tuple[dict[str, JSON], list[Finding]]:
    """The candidate's value with such scalars as texts, and a warning for each of them."""
    part, value, findings = candidate.part, candidate.part.value, []
    for whole, place in text.places(part).items():
        path = whole[len(part.path) :]
        if not path or whole[: len(part.path)] != part.path:
            continue
        if place.bare and isinstance(path[-1], str) and dubious_key(path[-1]):
            findings.append(_bare_key(path, path[-1]))
        if place.plain is None:
            continue
        scalar = _at(value, path)
        doubt = dubious(place.plain)
        if scalar is None or isinstance(scalar, dict | list) or (isinstance(scalar, str) and not doubt):
            continue
        if not (wants_text(schema, path) or (doubt and _is_variable(candidate, path))):
            continue
        shown = "a value" if is_secret(value) else place.plain
        taken = "a Boolean" if isinstance(scalar, bool) else "a number"
        message = f"{shown} without quotes is {taken} to YAML 1.1; it is taken as a text here"
        hint = "quote it" if is_secret(value) else f'write "{place.plain}"'
        findings.append(Finding("unquoted", path, message, hint, severity=_WARNING))
        if not isinstance(scalar, str):
            value = _with(value, path, place.plain)
    return value, findings


def _bare_key(path: Path, key: str) -> Finding:
    message = f"the key {key} without quotes is no text to YAML 1.1; it is taken as one here"
    hint = f'write "{key}": kubectl and others make another key of it'
    return Finding("unquoted", path, message, hint, key=True, severity=_WARNING)


def wants_text(schema: Schema, path: Path) -> bool:
    """Whether a string, and nothing else, may stand at `path`."""
    for step in path:
        if isinstance(step, str) and step in schema.fields:
            schema = schema.fields[step]
        elif schema.element is not None and isinstance(step, int) is (schema.shape is Shape.LIST):
            schema = schema.element
        else:
            return False
    return schema.shape is Shape.SCALAR and schema.type == "string"


def _is_variable(candidate: Candidate, path: Path) -> bool:
    """Whether `path` leads into `env` of our kinds, where numbers are fine but become texts in the end."""
    group = str(candidate.part.value.get("apiVersion")).partition("/")[0]
    return group == GROUP and len(path) == 3 and path[:2] == ("spec", "env")


def _at(value: JSON, path: Path) -> JSON:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _with(value: JSON, path: Path, new: JSON) -> JSON:
    if not path:
        return new
    step, rest = path[0], path[1:]
    copy = value.copy()
    copy[step] = _with(value[step], rest, new)
    return copy
