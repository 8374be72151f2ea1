"""Our own ConfigMaps: one namespace, optimistic concurrency, no field managers."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec

from reconciler.cluster.api import Api, decode, object_path
from reconciler.cluster.paging import read_pages
from reconciler.errors import ConfigError, NotFound
from reconciler.kube.media import METADATA_LIST
from reconciler.kube.names import Identity
from reconciler.kube.resources import Resource


class Stored(NamedTuple):
    """One ConfigMap. `version` is its resourceVersion."""

    data: Mapping[str, str]
    version: str


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str = ""
    creation_timestamp: str = ""


class _ConfigMap(msgspec.Struct):
    metadata: _Meta
    data: dict[str, str] | None = None


class ConfigMaps:
    """ConfigMaps of one namespace."""

    RESOURCE: ClassVar = Resource("", "v1", "ConfigMap", "configmaps", "configmap", ("cm",), True, {})

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def read(self, name: str) -> Stored | None:
        """One ConfigMap, None where it does not exist."""
        try:
            body = await self._api.get(self._path(name), subject=str(self._identity(name)))
        except NotFound:
            return None
        return _stored(body)

    async def create(self, name: str, data: Mapping[str, str], labels: Mapping[str, str]) -> Stored:
        """Make one. Raises AlreadyExists; ConfigError where the namespace is missing."""
        try:
            body = await self._api.write(
                "POST", self._path(), self._object(name, data, labels, ""), subject=self._identity(name)
            )
        except NotFound as missing:
            raise ConfigError(
                f"there is no namespace {self._namespace} to keep the state in",
                why=missing.what,
                hint=f"namespaces are never created implicitly: kubectl create namespace {self._namespace}, or name "
                "another one (stateNamespace in the configuration, --state-namespace on the command line)",
            ) from None
        return _stored(body)

    async def replace(self, name: str, data: Mapping[str, str], labels: Mapping[str, str], version: str) -> Stored:
        """Write one that is at resourceVersion `version`. Raises Conflict when it is not, NotFound when it is gone."""
        written = self._object(name, data, labels, version)
        return _stored(await self._api.write("PUT", self._path(name), written, subject=self._identity(name)))

    async def delete(self, name: str) -> None:
        """Delete one; that it is gone is success."""
        try:
            await self._api.write("DELETE", self._path(name), {}, subject=self._identity(name))
        except NotFound:
            return

    async def names(self, selector: str) -> Mapping[str, str]:
        """The names of those whose labels match `selector`, each with its creationTimestamp."""
        items, _ = await read_pages(
            self._api,
            self._path(),
            (("labelSelector", selector),),
            lambda item: decode(item, _ConfigMap).metadata,
            accept=METADATA_LIST,
            subject=f"ConfigMaps in {self._namespace}",
        )
        return {meta.name: meta.creation_timestamp for meta in items}

    def _path(self, name: str = "") -> str:
        return object_path("v1", "configmaps", self._namespace, name)

    def _identity(self, name: str) -> Identity:
        return Identity("", "ConfigMap", self._namespace, name)

    def _object(self, name: str, data: Mapping[str, str], labels: Mapping[str, str], version: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "namespace": self._namespace, "labels": labels}
        if version:
            metadata["resourceVersion"] = version
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _stored(body: bytes) -> Stored:
    found = decode(body, _ConfigMap, "ConfigMap")
    return Stored(found.data or {}, found.metadata.resource_version)
