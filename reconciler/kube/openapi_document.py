"""The OpenAPI documents that a server of these kinds publishes: `/openapi/v2`, `/openapi/v3` and its parts.

They hold what kubectl asks of them: structure for `explain` and client-side apply, and the query parameters of each
resource by which it tells whether the server can dry-run and validates fields.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import OBJECT_META, Catalog, crd_resources
from reconciler.kube.resources import Resource

Document = dict[str, Any]

_GVK: Final = "x-kubernetes-group-version-kind"
_ACTION: Final = "x-kubernetes-action"
_METHODS: Final = {"get": "get", "patch": "patch", "update": "put", "delete": "delete"}
_COLLECTION_METHODS: Final = {"list": "get", "create": "post", "deletecollection": "delete"}
_WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")


def document_v2(catalog: Catalog, crds: Iterable[Mapping[str, Any]] = ()) -> Document:
    """The whole API as Swagger 2.0, with the kinds of `crds`."""
    definitions = {name: catalog.definition(name) for name in catalog.definitions}
    paths: Document = {}
    for resource in _built_in(catalog):
        paths.update(_paths(resource, version=2))
    for resource, name, definition in _custom(crds):
        definitions[name] = definition
        paths.update(_paths(resource, version=2))
    info = {"title": "Kubernetes", "version": catalog.version}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def groups_v3(catalog: Catalog, crds: Iterable[Mapping[str, Any]] = ()) -> tuple[str, ...]:
    """The parts of the v3 description, as in `/openapi/v3/<part>`: `api/v1`, `apis/apps/v1`, …"""
    found = {_part(resource.group, resource.version) for resource in _built_in(catalog)}
    found.update(_part(resource.group, resource.version) for resource, _, _ in _custom(crds))
    return tuple(sorted(found))


def document_v3(catalog: Catalog, group: str, version: str, crds: Iterable[Mapping[str, Any]] = ()) -> Document:
    """One part of the API as OpenAPI 3.0: the kinds of a group and version and every definition they use."""
    schemas: Document = {}
    paths: Document = {}
    waiting = []
    for resource in _built_in(catalog):
        if (resource.group, resource.version) == (group, version):
            paths.update(_paths(resource, version=3))
            name = catalog.definition_of(resource.gvk)
            listed = catalog.definition_of(GroupVersionKind(group, version, f"{resource.kind}List"))
            waiting += [found for found in (name, listed) if found]
    for resource, name, custom in _custom(crds):
        if (resource.group, resource.version) == (group, version):
            paths.update(_paths(resource, version=3))
            schemas[name] = _v3(custom)
            waiting += _references(custom)
    while waiting:
        name = waiting.pop()
        if name not in schemas:
            definition = catalog.definition(name)
            schemas[name] = _v3(definition)
            waiting += _references(definition)
    info = {"title": "Kubernetes", "version": catalog.version}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": dict(sorted(schemas.items()))}}


def _part(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _built_in(catalog: Catalog) -> Iterator[Resource]:
    for resource in catalog.resources():
        for version in resource.versions:
            yield catalog.at_version(resource, version)


def _custom(crds: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Resource, str, Document]]:
    """Each served version of each definition: its Resource, the name of its schema, the schema."""
    for crd in crds:
        versions = {version["name"]: version for version in crd["spec"]["versions"]}
        for resource, _ in crd_resources(crd):
            node = (versions[resource.version].get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
            text = {"type": "string"}
            properties = {
                **node.get("properties", {}),
                "apiVersion": text,
                "kind": text,
                "metadata": {"$ref": f"#/definitions/{OBJECT_META}"},
            }
            group = ".".join(reversed(resource.group.split(".")))
            name = f"{group}.{resource.version}.{resource.kind}"
            yield resource, name, {**node, "properties": properties, _GVK: [resource.gvk._asdict()]}


def _paths(resource: Resource, *, version: int) -> Document:
    namespace = "{namespace}" if resource.namespaced else ""
    collection = _operations(resource, _COLLECTION_METHODS, version=version)
    paths = {resource.path(namespace): collection} if collection else {}
    if one := _operations(resource, _METHODS, version=version):
        paths[resource.path(namespace, "{name}")] = one
    return paths


def _operations(resource: Resource, methods: Mapping[str, str], *, version: int) -> Document:
    operations = {}
    for verb, method in methods.items():
        if verb in resource.verbs:
            names = ["dryRun", "fieldManager", "fieldValidation"] if verb in _WRITES else []
            operations[method] = {
                _ACTION: {"create": "post", "update": "put"}.get(verb, verb),
                _GVK: resource.gvk._asdict(),
                "parameters": [_parameter(name, version) for name in names],
                "responses": {"200": {"description": "OK"}},
            }
    return operations


def _parameter(name: str, version: int) -> Document:
    parameter: Document = {"name": name, "in": "query"}
    return {**parameter, "schema": {"type": "string"}} if version == 3 else {**parameter, "type": "string"}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def _v3(node: Any) -> Any:
    """A v2 schema as v3 writes it: other references, and beside a reference nothing else may stand."""
    if isinstance(node, list):
        return [_v3(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    changed = {key: _v3(value) for key, value in node.items() if key != "$ref"}
    if isinstance(node.get("$ref"), str):
        reference = {"$ref": f"#/components/schemas/{node['$ref'].rpartition('/')[2]}"}
        return {**changed, "allOf": [reference]} if changed else reference
    if "$ref" in node:
        changed["$ref"] = _v3(node["$ref"])  # a property of that name: JSONSchemaProps has one
    return changed
