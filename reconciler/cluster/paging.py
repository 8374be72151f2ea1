"""A whole collection, read in pages."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from reconciler.cluster.api import Api, Query, decode
from reconciler.errors import Gone, TransportError
from reconciler.kube.media import JSON

T = TypeVar("T")

PAGE: Final = 500  # objects
_ATTEMPTS: Final = 3


class ItemMeta(msgspec.Struct, rename="camel", gc=False):
    """The part of an object's metadata that tells which object it is."""

    name: str
    namespace: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None


class Item(msgspec.Struct, gc=False):
    metadata: ItemMeta


class _ListMeta(msgspec.Struct, rename={"resource_version": "resourceVersion", "token": "continue"}):
    resource_version: str
    token: str = ""


class _Page(msgspec.Struct):
    kind: str
    metadata: _ListMeta
    items: list[msgspec.Raw] | None


async def read_pages(
    api: Api,
    path: str,
    query: Query,
    take: Callable[[msgspec.Raw], T],
    *,
    accept: str = JSON,
    subject: str = "",
) -> tuple[list[T], str]:
    """What `take` makes of every item, and the resourceVersion of the whole.

    A page is let go as soon as its items are taken. Where the server forgets the list before its end (410) it is read
    from the start, the last time in one piece. Raises ApiError; TransportError for an answer that is not a list.
    """
    for _ in range(1, _ATTEMPTS):
        try:
            return await _read(api, path, query, take, PAGE, accept, subject)
        except Gone:
            continue
    return await _read(api, path, query, take, 0, accept, subject)


async def _read(
    api: Api, path: str, query: Query, take: Callable[[msgspec.Raw], T], limit: int, accept: str, subject: str
) -> tuple[list[T], str]:
    taken: list[T] = []
    token = ""
    while True:
        paged = query
        if limit:
            paged += (("limit", str(limit)),)
        if token:
            paged += (("continue", token),)
        page = decode(await api.get(path, paged, accept=accept, subject=subject), _Page, subject)
        if not page.kind.endswith("List") or not page.metadata.resource_version:
            raise TransportError("the API server's answer is not a list", where=subject)
        taken.extend(take(item) for item in page.items or ())
        if not page.metadata.token:
            return taken, page.metadata.resource_version
        if page.metadata.token == token:
            raise TransportError("the API server's list does not come to an end", where=subject)
        token = page.metadata.token
