"""What kinds there are and what each looks like: Kubernetes' own from the published OpenAPI description.

The data are made by tools/generate_openapi.py and read on first use; a kind's Schema is built when asked for.
"""

import lzma
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.resources import CATEGORIES, SHORT_NAMES, Resource, Subresource, version_rank
from reconciler.kube.schema import Schema, Shape
from reconciler.kube.structural import Reader

_DATA: Final = Path(__file__).parent / "data" / "kubernetes.json.xz"
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


_Subresource = tuple[str, str, str, str, list[str]]


class _Data(msgspec.Struct, frozen=True):
    version: str
    resources: list[tuple[str, str, str, str, bool, list[str], list[_Subresource]]]
    kinds: dict[str, str]  # "group/version/kind" → name of a definition
    definitions: dict[str, msgspec.Raw]


class Catalog:
    """Every kind of one Kubernetes release. `version` is that release."""

    def __init__(self, data: bytes) -> None:
        self._data = msgspec.json.decode(data, type=_Data)
        self._reader = Reader(self.definition)
        self._schemas: dict[GroupVersionKind, Schema] = {}
        self._resources: dict[GroupKind, Resource] = {}
        self._served: dict[GroupVersionKind, Resource] = {}
        self.version = self._data.version

    @property
    def definitions(self) -> tuple[str, ...]:
        """The names of all OpenAPI definitions."""
        return tuple(self._data.definitions)

    def definition(self, name: str) -> Mapping[str, Any]:
        """One OpenAPI definition as published, without descriptions. KeyError where there is none."""
        node: Mapping[str, Any] = msgspec.json.decode(self._data.definitions[name])
        return node

    def definition_of(self, gvk: GroupVersionKind) -> str | None:
        """The name of a kind's definition."""
        return self._data.kinds.get("/".join(gvk))

    def named(self, name: str) -> Schema:
        """The Schema of one OpenAPI definition. KeyError where there is none."""
        return self._reader.named(name)

    def knows(self, gvk: GroupVersionKind) -> bool:
        """Whether the kind is one of Kubernetes' own in that version."""
        return "/".join(gvk) in self._data.kinds

    def schema(self, gvk: GroupVersionKind) -> Schema:
        """The Schema of a kind. One that is not known is an object whose metadata is typed and the rest untyped."""
        schema = self._schemas.get(gvk)
        if schema is None:
            name = self.definition_of(gvk)
            schema = self._schemas[gvk] = self._reader.named(name) if name else self.untyped
        return schema

    @property
    def untyped(self) -> Schema:
        """The Schema of an object of which only the metadata are known."""
        unknown = GroupVersionKind("", "", "")
        if unknown not in self._schemas:
            self._schemas[unknown] = Schema(Shape.STRUCT, fields=self.object_fields(), preserve_unknown=True)
        return self._schemas[unknown]

    def object_fields(self) -> dict[str, Schema]:
        """The fields that every object has: apiVersion, kind and metadata."""
        text = self._reader.read({"type": "string"})
        return {"apiVersion": text, "kind": text, "metadata": self.named(OBJECT_META)}

    def resource(self, kind: GroupKind) -> Resource | None:
        """How the API serves a kind, in its preferred version."""
        return self._by_kind().get(kind)

    def at_version(self, resource: Resource, version: str) -> Resource:
        """The same kind as another of its versions serves it."""
        self._by_kind()
        return self._served[GroupVersionKind(resource.group, version, resource.kind)]

    def resources(self) -> tuple[Resource, ...]:
        """One Resource a kind, sorted by group and kind. Kinds that are only beta or alpha are among them."""
        return tuple(self._by_kind().values())

    def _by_kind(self) -> dict[GroupKind, Resource]:
        if not self._resources:
            served: dict[GroupKind, list[Resource]] = defaultdict(list)
            for row in self._data.resources:
                resource = _resource(*row)
                served[resource.group_kind].append(resource)
            for group_kind, candidates in sorted(served.items()):
                candidates.sort(key=lambda resource: version_rank(resource.version))
                versions = tuple(resource.version for resource in candidates)
                for resource in candidates:
                    self._served[resource.gvk] = replace(resource, versions=versions)
                self._resources[group_kind] = self._served[candidates[0].gvk]
        return self._resources


def _resource(
    group: str,
    version: str,
    kind: str,
    plural: str,
    namespaced: bool,
    verbs: list[str],
    subresources: list[_Subresource],
) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        short_names=SHORT_NAMES.get(kind, ()),
        namespaced=namespaced,
        subresources={sub[0]: Subresource(*sub[:4], verbs=tuple(sub[4])) for sub in subresources},
        verbs=tuple(verbs),
        categories=CATEGORIES.get(kind, ()),
    )


@cache
def catalog() -> Catalog:
    """The catalog that comes with this release of the product."""
    return Catalog(lzma.decompress(_DATA.read_bytes()))


def crd_resources(crd: Mapping[str, Any]) -> tuple[tuple[Resource, Schema], ...]:
    """What a CustomResourceDefinition adds: a Resource and a Schema for each served version, the preferred first.

    Each Resource's `version` is the version of its Schema. A version without a readable schema gets an untyped one.
    """
    spec = crd.get("spec") or {}
    names = spec.get("names") or {}
    served = [version for version in spec.get("versions") or () if version.get("served") and version.get("name")]
    served.sort(key=lambda version: version_rank(version["name"]))
    found = []
    for version in served:
        gvk = GroupVersionKind(spec.get("group", ""), version["name"], names.get("kind", ""))
        resource = Resource(
            group=gvk.group,
            version=gvk.version,
            kind=gvk.kind,
            plural=names.get("plural", ""),
            singular=names.get("singular") or gvk.kind.lower(),
            short_names=tuple(names.get("shortNames") or ()),
            namespaced=spec.get("scope") == "Namespaced",
            subresources=_custom_subresources(gvk, version.get("subresources") or {}),
            verbs=_VERBS,
            categories=tuple(names.get("categories") or ()),
            versions=tuple(other["name"] for other in served),
        )
        found.append((resource, _custom_schema(gvk, (version.get("schema") or {}).get("openAPIV3Schema") or {})))
    return tuple(found)


def _custom_subresources(gvk: GroupVersionKind, stated: Mapping[str, Any]) -> Mapping[str, Subresource]:
    verbs = ("get", "patch", "update")
    found = {}
    if stated.get("scale") is not None:
        found["scale"] = Subresource("scale", "autoscaling", "v1", "Scale", verbs)
    if stated.get("status") is not None:
        found["status"] = Subresource("status", *gvk, verbs=verbs)
    return found


def _custom_schema(gvk: GroupVersionKind, node: Mapping[str, Any]) -> Schema:
    fields = catalog().object_fields()
    untyped = replace(catalog().untyped, gvk=gvk)
    if not node:
        return untyped
    try:
        schema = Reader().read({"type": "object", "properties": {}, **node})
    except (AttributeError, KeyError, TypeError, ValueError):  # no OpenAPI: the API server would refuse the definition
        return untyped
    own = {name: member for name, member in schema.fields.items() if name not in fields}
    return replace(schema, fields={**fields, **own}, gvk=gvk)
