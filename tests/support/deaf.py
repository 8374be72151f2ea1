"""A transport whose watches tell nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reconciler.http.transport import Request, Response, Stream, Transport


class Silent:
    """A stream that stays open and says nothing."""

    def __init__(self, inner: Stream) -> None:
        self.status = inner.status
        self.headers = inner.headers

    async def lines(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


class Deaf:
    """Watches that are opened and tell nothing: a proxy that has lost them, an API server's cache that is stuck."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def send(self, request: Request) -> Response:
        return await self._inner.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        async with self._inner.stream(request) as stream:
            yield Silent(stream)

    async def close(self) -> None:
        await self._inner.close()
