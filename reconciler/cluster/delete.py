"""Deleting an object, and only that object in that state."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from reconciler.cluster.api import decode
from reconciler.cluster.read import get
from reconciler.cluster.server import Server
from reconciler.errors import Conflict, NotFound
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.manifest import ANNOTATION_PRUNE, Owner
from reconciler.model.ownership import owner_of

_ATTEMPTS: Final = 5


class _Answer(msgspec.Struct):
    """A Status, or the object as it was: a JSON object in any case."""


async def delete(
    server: Server,
    identity: Identity,
    *,
    uid: str,
    resource_version: str,
    propagation: str = "Background",
    owner: Owner | None = None,
) -> None:
    """Delete the object with `uid` as of `resource_version` (rule 10); that it is gone already is success.

    When the object changed since, it is read again, and deleted only if it still is the same one, owned (by `owner`
    where given) and not marked to be kept. Raises Conflict otherwise, or when it never holds still.
    """
    if not uid:
        raise ValueError(f"deleting {identity} without its uid")
    for _ in range(_ATTEMPTS):
        try:
            place = await server.place(identity)
            body = options(uid, resource_version, propagation)
            answer = await server.api.write("DELETE", place.path, body, subject=identity)
            decode(answer, _Answer, str(identity))  # a login page in between answers 200 too
        except NotFound:
            return
        except Conflict:
            live = await get(server, identity)
            if live is None or live.uid != uid or live.metadata.get("deletionTimestamp"):
                return
            _check(live, owner)
            resource_version = live.resource_version
        else:
            return
    raise Conflict("it changes faster than it can be deleted", status=409, reason="Conflict", where=str(identity))


def options(uid: str, resource_version: str, propagation: str) -> Mapping[str, Any]:
    """The body of a DELETE with preconditions; `resource_version` may be ""."""
    preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": preconditions,
        "propagationPolicy": propagation,
    }


def _check(live: Live, owner: Owner | None) -> None:
    found = owner_of(live)
    if found is None or (owner is not None and found != owner):
        why = "it is no longer ours"
    elif live.annotations.get(ANNOTATION_PRUNE) == "false":
        why = f"it has {ANNOTATION_PRUNE}: false now"
    else:
        return
    raise Conflict("it changed and is kept", status=409, reason="Conflict", where=str(live.identity), why=why)
