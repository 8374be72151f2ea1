"""The JSON Schemas under schemas/, the authority for fields: to accept, to word, and as a structure for merging."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind
from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape

KINDS: Final = ("Deployment", "Image", "Task")
_FILES: Final = ("common", "config", "deployment", "image", "repository", "task")
_PACKAGE: Final = Path(__file__).parents[1]
_FOLDERS: Final = (_PACKAGE / "_schemas", _PACKAGE.parent / "schemas")  # installed; in a checkout

JSON = Any
Node = Mapping[str, JSON]


@cache
def schema(kind: str) -> dict[str, JSON]:
    """The schema of `Deployment`, `Image`, `Task`, `config`, `repository` or `common`, as it stands in schemas/."""
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    found: dict[str, JSON] = json.loads((folder / f"{kind.lower()}.json").read_text("utf-8"))
    return found


@cache
def acceptor(kind: str) -> Callable[[JSON], bool]:
    """A fast function that says whether a value is valid."""
    import jsonschema_rs

    registry = jsonschema_rs.Registry([(f"json-schema:///{name}.json", schema(name)) for name in _FILES])
    validator = jsonschema_rs.validator_for(schema(kind), registry=registry, base_uri="json-schema:///")
    accepts: Callable[[JSON], bool] = validator.is_valid
    return accepts


@cache
def validator(kind: str) -> Any:
    """The `jsonschema` validator of a kind: slow, and it tells what is wrong."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    resources = [(f"{name}.json", Resource.from_contents(schema(name))) for name in _FILES]
    registry: Any = Registry().with_resources(resources)
    return Draft202012Validator(schema(kind), registry=registry)


def resolved(node: Node, document: Node) -> tuple[Node, Node]:
    """`node` with its `$ref` followed (what stands beside it wins), and the document that its own refs are of."""
    while "$ref" in node:
        name, _, pointer = node["$ref"].partition("#/")
        document = schema(name.removesuffix(".json")) if name else document
        target: Node = document
        for part in pointer.split("/"):
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node, document


@cache
def structure(kind: str) -> Schema:
    """The structure of one of our kinds, for overlays and for the parts that Kubernetes defines."""
    from reconciler.kube.openapi import catalog

    fields = catalog().object_fields()
    return _structure(schema(kind), schema(kind), fields)


def _structure(node: Node, document: Node, known: Mapping[str, Schema]) -> Schema:
    node, document = resolved(node, document)
    part = _part(node["x-kubernetes-part"]) if "x-kubernetes-part" in node else None
    strategy = node.get("x-kubernetes-patch-strategy", "")
    if "properties" in node:
        inherited = dict(part.fields) if part else {}
        own = {name: _structure(child, document, {}) for name, child in node["properties"].items()}
        # Where Kubernetes defines the field too, it knows the type in full.
        fields = {**inherited, **{name: inherited.get(name, child) for name, child in own.items()}, **known}
        return Schema(Shape.STRUCT, fields=fields, merge_strategy=strategy)
    if part is not None:
        return replace(part, merge_strategy=strategy) if strategy else part
    if node.get("type") == "array":
        element = _structure(node.get("items", {}), document, {})
        key = node.get("x-kubernetes-patch-merge-key", "")
        return Schema(Shape.LIST, merge=Merge.ATOMIC, merge_key=key, merge_strategy=strategy, element=element)
    if node.get("type") == "object":
        values = node.get("additionalProperties", {})
        return Schema(Shape.MAP, element=_structure(values, document, {}) if isinstance(values, Mapping) else UNTYPED)
    if node.get("type") == "string" or "enum" in node or "const" in node:
        return Schema(Shape.SCALAR, type="string")
    return UNTYPED


def _part(path: str) -> Schema:
    """A part of Kubernetes' pod template: `spec.containers[].resources`, "" for the whole."""
    from reconciler.kube.openapi import catalog

    found = catalog().schema(GroupVersionKind("", "v1", "PodTemplate")).fields["template"]
    for step in path.split(".") if path else ():
        found = found.fields[step.removesuffix("[]")]
        if step.endswith("[]"):
            found = found.element or UNTYPED
    return found
