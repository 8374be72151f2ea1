"""Taking over an object that was made by hand or by `kubectl apply`."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.cluster.apply import apply
from reconciler.cluster.migration import migration
from reconciler.cluster.read import get
from reconciler.cluster.server import Server
from reconciler.errors import Conflict
from reconciler.kube.media import JSON_PATCH
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER

_ATTEMPTS: Final = 5


async def adopt(server: Server, obj: Mapping[str, Any], existing: Live | None = None) -> Live:
    """Make `obj` what its object is, and what kubectl stated of it ours.

    A field that kubectl stated would stay for ever once Git drops it, because kubectl never comes back to do so. So
    its fields become ours first, as `migration` says; the apply then drops what `kubectl apply` stated and Git leaves
    out. Fields that a controller or another tool set stay theirs, unless Git states them. `existing` saves a request;
    its metadata is enough. Raises as `apply` does; what the server refuses stays whole, as kubectl knows it.
    """
    identity = Identity.of(obj)
    for attempt in range(_ATTEMPTS):
        live = existing if existing is not None and not attempt else await get(server, identity)
        patch = migration(live.metadata, obj) if live is not None else []
        if live is None or not patch:
            break
        if not attempt:
            await apply(server, obj, manager=MANAGER, force=True, dry_run=True)
        place = await server.place(identity, GroupVersionKind.of(live.object).version)
        query = (("fieldManager", MANAGER),)
        try:
            await server.api.write("PATCH", place.path, patch, query, content=JSON_PATCH, subject=identity)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    return await apply(server, obj, manager=MANAGER, force=True)
