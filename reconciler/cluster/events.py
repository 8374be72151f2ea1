"""The events of one watch request."""

import asyncio
from collections.abc import Callable

import msgspec

from reconciler.cluster.api import Api, Query, decode, failure
from reconciler.errors import TransportError

GRACE = 30.0  # seconds after which a watch that should have ended is given up


class Event(msgspec.Struct):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK; a bookmark's object has a resourceVersion only."""

    type: str
    object: msgspec.Raw


class _Status(msgspec.Struct):
    code: int = 500


async def follow(
    api: Api,
    path: str,
    query: Query,
    take: Callable[[Event], bool | None],
    *,
    version: str,
    seconds: int,
    subject: str = "",
    opened: Callable[[], None] = lambda: None,
) -> None:
    """Give `take` every event after resourceVersion `version`, until it says True or the watch ends.

    The server is asked to end it after `seconds`. `opened` is called once it answers. Raises ApiError, also for an
    error among the events (Gone: `version` is too old), and TransportError for lost connections and garbage.
    """
    query += (
        ("watch", "1"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", version),
        ("timeoutSeconds", str(seconds)),
    )
    try:
        async with asyncio.timeout(seconds + GRACE), api.stream(path, query, subject=subject) as stream:
            opened()
            async for line in stream.lines():
                if not line.strip():
                    continue
                event = decode(line, Event, subject)
                if event.type == "ERROR":
                    code = decode(event.object, _Status, subject).code
                    raise failure(code, {}, bytes(event.object), subject)
                if take(event):
                    return
    except TimeoutError:
        raise TransportError("the watch did not end when it should", where=subject) from None
