"""What we ask of an API server: how much at a time, and how often."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from reconciler.http.retry import APPLY_PATCH
from reconciler.http.transport import Request, Response, Stream, Transport


class RequestKind(NamedTuple):
    """`verb` is Kubernetes' own word, with "apply" for a server-side apply; `resource` reads `deployments.apps/scale`.

    `code` is the HTTP status, 0 when there was no usable answer. Discovery is ("get", "discovery").
    """

    verb: str
    resource: str
    code: int


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


def kind_of(request: Request, code: int) -> RequestKind:
    """What `request` asks for, read from its method and path."""
    _, root, *rest = request.path.split("/")
    group = rest.pop(0) if root == "apis" and rest else ""
    if len(rest) < 2:  # no resource after the version
        return RequestKind("get", "discovery", code)
    names = rest[1:]
    if names[0] == "namespaces" and len(names) > 2 and names[2] not in ("status", "finalize"):
        names = names[2:]
    verb = _VERBS.get(request.method, request.method.lower())
    if verb == "get" and len(names) == 1:
        verb = "watch" if ("watch", "1") in request.query else "list"
    elif verb == "patch" and request.headers.get("content-type") in APPLY_PATCH:
        verb = "apply"
    resource = f"{names[0]}.{group}" if group else names[0]
    return RequestKind(verb, f"{resource}/{names[2]}" if len(names) > 2 else resource, code)


class Traffic:
    """A Transport that lets `limit` requests through at a time and counts all of them. Streams are not limited.

    A request waits here, not in the pool of connections, so that waiting costs nothing of its deadline.
    """

    def __init__(self, inner: Transport, limit: int) -> None:
        self._inner = inner
        self._slots = asyncio.Semaphore(limit)
        self.requests: Counter[RequestKind] = Counter()

    async def send(self, request: Request) -> Response:
        async with self._slots:
            code = 0
            try:
                response = await self._inner.send(request)
                code = response.status
            finally:
                self.requests[kind_of(request, code)] += 1
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        code = 0
        try:
            async with self._inner.stream(request) as stream:
                code = stream.status
                self.requests[kind_of(request, code)] += 1
                yield stream
        finally:
            if not code:
                self.requests[kind_of(request, code)] += 1

    async def close(self) -> None:
        await self._inner.close()
