"""Server-side apply."""

import re
from collections.abc import Mapping
from typing import Any

from reconciler.cluster.server import Server, live
from reconciler.errors import Conflict, NotFound
from reconciler.kube.media import APPLY
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.change import Live

_MANAGER = re.compile(r'conflict with "([^"]*)"')


async def apply(
    server: Server,
    obj: Mapping[str, Any],
    *,
    manager: str,
    force: bool = False,
    dry_run: bool = False,
    patience: float = 0.0,
) -> Live:
    """State the fields of `obj` as `manager`'s and return the object that came of it.

    A field that the kind does not have is refused, as by kubectl, not dropped. Raises Conflict naming each other
    manager and its fields unless `force`; NotFound where the namespace or (after `patience` seconds) the kind is
    missing; Invalid where the object is refused.
    """
    identity = Identity.of(obj)
    place = await server.place(identity, GroupVersionKind.of(obj).version, patience=patience)
    query = (
        ("fieldManager", manager),
        ("force", "true" if force else "false"),
        ("fieldValidation", "Strict"),
        *((("dryRun", "All"),) if dry_run else ()),
    )
    try:
        body = await server.api.write("PATCH", place.path, obj, query, content=APPLY, subject=identity)
    except Conflict as conflict:
        raise _explained(conflict, identity) from None
    except NotFound as missing:
        if place.resource.namespaced and not missing.hint:
            missing.hint = f"namespaces are never created implicitly: is there a Namespace/{identity.namespace}?"
        raise
    return live(body, identity)


def _explained(conflict: Conflict, identity: Identity) -> Conflict:
    """The same conflict in words: who owns what."""
    owned: dict[str, list[str]] = {}
    for cause in conflict.causes:
        if found := _MANAGER.match(str(cause.get("message") or "")):
            owned.setdefault(found[1], []).append(str(cause.get("field") or "").removeprefix("."))
    if not owned:
        return conflict
    who = "; ".join(f"{manager} owns {', '.join(sorted(fields))}" for manager, fields in sorted(owned.items()))
    return Conflict(
        who,
        status=conflict.status,
        reason=conflict.reason,
        causes=conflict.causes,
        where=str(identity),
        hint="leave these fields out of Git, or take them from the other manager",
    )
