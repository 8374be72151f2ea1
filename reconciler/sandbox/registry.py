"""Which kinds are served: Kubernetes' own and those that CustomResourceDefinitions add."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.openapi import Catalog, crd_resources
from reconciler.kube.resources import Resource, Subresource, version_rank
from reconciler.kube.schema import Schema
from reconciler.sandbox import gotypes
from reconciler.sandbox.codec import BuiltinCodec, Codec, CustomCodec
from reconciler.sandbox.goscalars import Reading
from reconciler.sandbox.kinds import RULES
from reconciler.sandbox.kinds.crds import instance_gone
from reconciler.sandbox.rules import PLAIN, Rules

Value = dict[str, Any]

_NOT_SERVED = frozenset(("apiregistration.k8s.io", "internal.apiserver.k8s.io"))  # there is nothing behind them here


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind in one version, as it is served. `crd` is the CustomResourceDefinition's version that describes it."""

    resource: Resource
    version: str
    storage_version: str
    rules: Rules
    catalog: Catalog
    columns: tuple[Mapping[str, Any], ...] = ()  # a custom resource's additionalPrinterColumns
    selectable: tuple[str, ...] = ()  # a custom resource's selectableFields, as ".spec.color"
    custom_schema: Schema | None = None
    custom_scale: Mapping[str, Any] | None = None
    _made: dict[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.resource.group

    @property
    def plural(self) -> str:
        return self.resource.plural

    @property
    def namespaced(self) -> bool:
        return self.resource.namespaced

    @property
    def group_kind(self) -> GroupKind:
        return self.resource.group_kind

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.resource.group, self.version, self.resource.kind)

    @property
    def api_version(self) -> str:
        return self.gvk.api_version

    @property
    def custom(self) -> bool:
        return self.custom_schema is not None

    @property
    def subresources(self) -> Mapping[str, Subresource]:
        return self.resource.subresources

    @property
    def has_status(self) -> bool:
        return "status" in self.resource.subresources

    @property
    def schema(self) -> Schema:
        """For server-side apply and strategic merge patches."""
        if self.custom_schema is not None:
            return self.custom_schema
        return self.catalog.schema(self.gvk)

    @property
    def codec(self) -> Codec:
        made: Codec | None = self._made.get("codec")
        if made is None:
            struct = None if self.custom else gotypes.struct_of(self.gvk)
            made = self._made["codec"] = BuiltinCodec(struct) if struct else CustomCodec(self.schema)
        return made

    def reset_status(self, value: Value) -> None:
        """Give a new object the status of one that nothing has looked at yet."""
        value.pop("status", None)
        codec = self.codec
        if isinstance(codec, BuiltinCodec) and "status" in codec.struct.types:
            value["status"] = codec.struct.read({}, Reading()).get("status")
            if value["status"] is None:
                del value["status"]

    @property
    def list_kind(self) -> str:
        return self.resource.kind + "List"


class Registry:
    """All served kinds."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.generation = 0  # grows with each change, for caches of what is made of the whole
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._versions: dict[GroupKind, tuple[Kind, ...]] = {}
        for resource in catalog.resources():
            stable = [version for version in resource.versions if version.startswith("v") and version[1:].isdigit()]
            if stable and resource.group not in _NOT_SERVED:
                self._add_builtin(resource, stable)

    def _add_builtin(self, resource: Resource, versions: list[str]) -> None:
        rules = RULES.get(resource.group_kind, PLAIN)
        kinds = [Kind(resource, version, versions[0], rules, self.catalog) for version in versions]
        self._versions[resource.group_kind] = tuple(kinds)
        for kind in kinds:
            self._by_path[kind.group, kind.version, kind.plural] = kind

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def kind(self, group_kind: GroupKind) -> Kind | None:
        """In its preferred version."""
        versions = self._versions.get(group_kind)
        return versions[0] if versions else None

    def storage(self, kind: Kind) -> Kind:
        """The same kind in the version that objects are stored in."""
        if kind.version == kind.storage_version:
            return kind
        return next((k for k in self._versions[kind.group_kind] if k.version == k.storage_version), kind)

    def kinds(self) -> Iterator[Kind]:
        """In every version, by group, version and plural."""
        for key in sorted(self._by_path):
            yield self._by_path[key]

    def groups(self) -> dict[str, list[str]]:
        """Each group's versions, the preferred first; groups sorted, the core group ("") first."""
        found: dict[str, set[str]] = {}
        for group, version, _ in self._by_path:
            found.setdefault(group, set()).add(version)
        return {group: sorted(found[group], key=version_rank) for group in sorted(found)}

    def serves(self, group: str, version: str) -> bool:
        return any(key[:2] == (group, version) for key in self._by_path)

    def in_version(self, group: str, version: str) -> list[Kind]:
        return [self._by_path[key] for key in sorted(self._by_path) if key[:2] == (group, version)]

    def add_crd(self, crd: Value) -> None:
        """Serve what an accepted CustomResourceDefinition describes, in place of what it described before."""
        self.remove_crd(crd)
        spec = crd["spec"]
        stated = {version["name"]: version for version in spec["versions"]}
        storage = next(name for name, version in stated.items() if version.get("storage"))
        kinds = []
        for resource, schema in crd_resources(crd):
            version = stated[resource.version]
            has_status = (version.get("subresources") or {}).get("status") is not None
            kinds.append(
                Kind(
                    resource,
                    resource.version,
                    storage,
                    Rules(
                        generation=True,
                        generation_ignores_status=has_status,
                        unconditional_update=False,
                        plain_finalizers=True,
                        after_delete=instance_gone,
                    ),
                    self.catalog,
                    columns=tuple(version.get("additionalPrinterColumns") or ()),
                    selectable=tuple(field["jsonPath"] for field in version.get("selectableFields") or ()),
                    custom_schema=schema,
                    custom_scale=(version.get("subresources") or {}).get("scale"),
                )
            )
        if kinds:
            self._versions[kinds[0].group_kind] = tuple(kinds)
        for kind in kinds:
            self._by_path[kind.group, kind.version, kind.plural] = kind
        self.generation += 1

    def remove_crd(self, crd: Value) -> None:
        spec = crd["spec"]
        group, plural = spec["group"], spec["names"]["plural"]
        gone = [key for key in self._by_path if key[0] == group and key[2] == plural and self._by_path[key].custom]
        for key in gone:
            self._versions.pop(self._by_path.pop(key).group_kind, None)
        self.generation += 1
