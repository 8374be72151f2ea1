"""Which kinds there are and which of them live in namespaces: Kubernetes' own, the snapshot's CRDs, the cluster's."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.kube.schema import Schema
from reconciler.model.spec import GROUP
from reconciler.specs.overlay import without_nulls

if TYPE_CHECKING:
    from reconciler.kube.resources import Resource

_BROKEN: Final = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


class Kinds:
    """What is known of kinds, and the namespace of objects that state none."""

    def __init__(
        self, scopes: Mapping[GroupKind, bool], definitions: Iterable[Mapping[str, Any]], namespace: str
    ) -> None:
        from reconciler.kube.openapi import catalog, crd_resources

        self._catalog = catalog()
        self._scopes = scopes
        self._namespace = namespace
        self._custom: dict[GroupVersionKind, tuple[Resource, Schema]] = {}
        for definition in definitions:
            try:
                for resource, schema in crd_resources(without_nulls(definition)):
                    self._custom.setdefault(resource.gvk, (resource, schema))
            except _BROKEN:
                continue  # its own validation says what is wrong with it
        self._custom_scopes = {gvk.group_kind: resource.namespaced for gvk, (resource, _) in self._custom.items()}

    def namespaced(self, kind: GroupKind) -> bool | None:
        """Whether objects of the kind live in a namespace; None where nobody knows."""
        if kind.group == GROUP:
            return True
        if (resource := self._catalog.resource(kind)) is not None:
            return resource.namespaced
        found = self._custom_scopes.get(kind)
        return found if found is not None else self._scopes.get(kind)

    def schema(self, gvk: GroupVersionKind) -> Schema | None:
        """The structure of a kind in one version; None where it is not known offline."""
        if self._catalog.knows(gvk):
            return self._catalog.schema(gvk)
        found = self._custom.get(gvk)
        return found[1] if found else None

    @property
    def untyped(self) -> Schema:
        """The structure of an object of which only the metadata are known."""
        return self._catalog.untyped

    def live(self, kind: GroupKind) -> bool:
        """Whether the cluster has the kind."""
        return kind in self._scopes

    def versions(self, kind: GroupKind) -> tuple[str, ...]:
        """The versions in which the kind is known offline."""
        resource = self._catalog.resource(kind)
        if resource is not None:
            return resource.versions
        return tuple(gvk.version for gvk in self._custom if gvk.group_kind == kind)

    def everything(self) -> list[GroupVersionKind]:
        """Every kind that is known offline, in its preferred version."""
        return [*(resource.gvk for resource in self._catalog.resources()), *self._custom]

    def identity(self, value: Mapping[str, Any]) -> Identity | None:
        """What object a document describes, the source's namespace filled in; None where that cannot be told."""
        api_version, kind, metadata = value.get("apiVersion"), value.get("kind"), value.get("metadata")
        if not (
            isinstance(api_version, str)
            and api_version
            and isinstance(kind, str)
            and kind
            and isinstance(metadata, dict)
        ):
            return None
        name, stated = metadata.get("name"), metadata.get("namespace")
        if not (isinstance(name, str) and name and (stated is None or isinstance(stated, str))):
            return None
        group_kind = GroupVersionKind.parse(api_version, kind).group_kind
        within = "" if self.namespaced(group_kind) is False else stated or self._namespace
        return Identity(*group_kind, within, name)
