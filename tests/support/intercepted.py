"""A transport that answers some requests itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from world import World

from reconciler.cluster.state import StateStore
from reconciler.http.transport import Request, Response, Stream, Transport

Answer = Callable[[Request], Awaitable[Response | None]]


class Ended:
    """A stream of one line."""

    def __init__(self, answer: Response) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._body = answer.body

    async def lines(self) -> AsyncIterator[bytes]:
        yield self._body


class Hooked:
    """Asks `answer` first; None lets the request through."""

    def __init__(self, inner: Transport, answer: Answer) -> None:
        self._inner = inner
        self._answer = answer

    async def send(self, request: Request) -> Response:
        return await self._answer(request) or await self._inner.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        answer = await self._answer(request)
        if answer is not None:
            yield Ended(answer)
        else:
            async with self._inner.stream(request) as stream:
                yield stream

    async def close(self) -> None:
        await self._inner.close()


def hook(w: World, answer: Answer) -> None:
    """Put `answer` between our client and the server. Before the first source."""
    inner = w.connect
    w.connect = lambda: Hooked(inner(), answer)
    w.cluster = w.new_cluster()
    w.store = StateStore(w.cluster, w.states, clock=w.clock)


def refusal(status: int, reason: str) -> Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": status,
        "reason": reason,
        "message": "no",
    }
    return Response(status, {"content-type": "application/json"}, msgspec.json.encode(body))
