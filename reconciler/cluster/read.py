"""Reading objects from the server itself, not from the cache."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from reconciler.cluster.api import decode, object_path
from reconciler.cluster.paging import read_pages
from reconciler.cluster.server import Server, live
from reconciler.errors import NotFound
from reconciler.kube.media import JSON, METADATA_LIST
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.model.change import Live

T = TypeVar("T")


async def get(server: Server, identity: Identity, version: str = "") -> Live | None:
    """The object in `version`, else in the one that its group prefers; None where it or its kind does not exist."""
    try:
        place = await server.place(identity, version)
        return live(await server.api.get(place.path, subject=str(identity)), identity)
    except NotFound:
        return None


async def list_objects(
    server: Server, kind: GroupKind, namespace: str | None = None, label_selector: str = ""
) -> list[Live]:
    """All objects of `kind` (in `namespace`) that match, sorted. Raises NotFound where the kind is not served."""
    return await _read(server, kind, namespace, label_selector, JSON)


async def list_metadata(
    server: Server, kind: GroupKind, namespace: str | None, label_selector: str = ""
) -> Mapping[Identity, Live]:
    """The metadata of all objects of `kind` (in `namespace`), managedFields included, without spec and status."""
    return {each.identity: each for each in await _read(server, kind, namespace, label_selector, METADATA_LIST)}


async def list_kept(server: Server, kind: GroupKind, keep: Callable[[Mapping[str, Any]], T | None]) -> list[T]:
    """What `keep` makes of all objects of `kind`, where that is something, sorted by object.

    A page of whole objects is in memory at a time.
    Raises NotFound where the kind is not served.
    """
    found = await _taken(server, kind, None, "", JSON, lambda live: (live.identity, keep(live.object)))
    return [kept for _, kept in sorted(found, key=lambda each: each[0]) if kept is not None]


async def _read(server: Server, kind: GroupKind, namespace: str | None, label_selector: str, accept: str) -> list[Live]:
    found = await _taken(server, kind, namespace, label_selector, accept, lambda live: live)
    return sorted(found, key=lambda each: each.identity)


async def _taken(
    server: Server,
    kind: GroupKind,
    namespace: str | None,
    label_selector: str,
    accept: str,
    keep: Callable[[Live], T],
) -> list[T]:
    resource = await server.discovery.require(GroupVersionKind(kind.group, "", kind.kind))
    path = object_path(resource.api_version, resource.plural, (namespace or "") if resource.namespaced else "")
    query = (("labelSelector", label_selector),) if label_selector else ()

    def take(item: msgspec.Raw) -> T:
        found = decode(item, dict[str, Any], str(kind))
        found.pop("apiVersion", None)
        found.pop("kind", None)
        if accept == METADATA_LIST:  # a server may answer with whole objects all the same
            found = {"metadata": found.get("metadata")}
        found = {"apiVersion": resource.api_version, "kind": kind.kind, **found}
        return keep(Live(Identity.of(found), found))

    items, _ = await read_pages(server.api, path, query, take, accept=accept, subject=f"list of {kind}")
    return items
