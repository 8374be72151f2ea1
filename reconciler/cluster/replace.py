"""Deleting an object and making it anew, because a field that cannot change has to."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from reconciler.cluster.api import decode
from reconciler.cluster.apply import apply
from reconciler.cluster.delete import delete
from reconciler.cluster.events import Event, follow
from reconciler.cluster.read import get
from reconciler.cluster.server import Place, Server
from reconciler.errors import ApiError, Conflict, Invalid, TransportError
from reconciler.kube.kinds import DAEMON_SET, DEPLOYMENT, JOB, PRECIOUS, REPLICA_SET, STATEFUL_SET
from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER

# Their pods must be gone before new ones with the same names or selectors come.
_FOREGROUND: Final = frozenset({DEPLOYMENT, REPLICA_SET, STATEFUL_SET, DAEMON_SET, JOB})
_PAUSE: Final = 1.0  # seconds before a watch that ended early is opened again


class _Meta(msgspec.Struct):
    uid: str = ""


class _Object(msgspec.Struct):
    metadata: _Meta


async def replace(
    server: Server, obj: Mapping[str, Any], *, uid: str, resource_version: str, timeout: float = 300.0
) -> Live:
    """Delete the object with `uid`, wait until its finalizers have let it go, then apply `obj`.

    Raises Invalid for kinds whose deletion would take everything in them along (rule 8); Conflict when the object
    changed, is still there after `timeout` seconds, or somebody else made one of its name meanwhile.
    """
    identity = Identity.of(obj)
    if identity.group_kind in PRECIOUS:
        raise Invalid(
            f"a {identity.kind} is never recreated",
            status=422,
            where=str(identity),
            hint="change the immutable field back, or migrate to an object with another name",
        )
    propagation = "Foreground" if identity.group_kind in _FOREGROUND else "Background"
    await delete(server, identity, uid=uid, resource_version=resource_version, propagation=propagation)
    await gone(server, identity, uid, timeout)
    return await apply(server, obj, manager=MANAGER)


async def gone(server: Server, identity: Identity, uid: str, timeout: float) -> None:
    """Wait until the object with `uid` is not there any more: by watching, not by asking again and again."""
    last: Live | None = None
    try:
        async with asyncio.timeout(timeout):
            place = await server.place(identity)
            while (last := await get(server, identity)) is not None:
                if last.uid != uid:
                    raise Conflict(
                        "somebody else made an object of this name meanwhile",
                        status=409,
                        reason="Conflict",
                        where=str(identity),
                    )
                if await _deleted(server, place, last, int(timeout) + 1):
                    return
                await server.clock.sleep(_PAUSE * server.random.uniform(0.5, 1.0))
    except TimeoutError:
        finalizers = ", ".join((last.metadata.get("finalizers") if last else None) or ()) or "unknown reasons"
        raise Conflict(
            f"it is not gone {timeout:.0f} s after its deletion",
            status=409,
            reason="Conflict",
            where=str(identity),
            why=f"waiting for {finalizers}",
            hint="is the controller running that has to remove the finalizer?",
        ) from None


async def _deleted(server: Server, place: Place, last: Live, seconds: int) -> bool:
    """Watch one object; whether its deletion was seen before the watch ended."""
    seen = False

    def take(event: Event) -> bool:
        nonlocal seen
        if event.type == "DELETED":
            seen = decode(event.object, _Object).metadata.uid == last.uid
        return seen

    query = (("fieldSelector", f"metadata.name={place.identity.name}"),)
    try:
        await follow(
            server.api,
            place.collection,
            query,
            take,
            version=last.resource_version,
            seconds=seconds,
            subject=str(place.identity),
        )
    except (ApiError, TransportError):
        return False
    return seen
