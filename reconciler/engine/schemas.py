"""The structural schema of any kind: built in, from a CustomResourceDefinition, or untyped."""

from collections.abc import Mapping
from typing import Any

from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog, crd_resources
from reconciler.kube.schema import Schema


class Schemas:
    """Looks up schemas; learns those of custom resources from the definitions it is shown."""

    def __init__(self) -> None:
        self._custom: dict[GroupVersionKind, Schema] = {}
        self._learned: dict[str, int] = {}

    def learn(self, definition: Mapping[str, Any]) -> None:
        """Take in a CustomResourceDefinition. One that is broken teaches nothing: the server will refuse it."""
        name = str((definition.get("metadata") or {}).get("name"))
        if self._learned.get(name) == id(definition):
            return
        try:
            for resource, schema in crd_resources(dict(definition)):
                self._custom[GroupVersionKind(resource.group, resource.version, resource.kind)] = schema
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        self._learned[name] = id(definition)

    def of(self, gvk: GroupVersionKind) -> Schema:
        """The schema of `gvk`; what is not known compares by structure alone."""
        return self._custom.get(gvk) or catalog().schema(gvk)
