"""A Transport between ours and the server that fails as ordered."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import NamedTuple

from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response, Stream, Transport


class Fault(Enum):
    BUSY = "429"  # with Retry-After
    BROKEN = "500"
    UNAVAILABLE = "503"  # a load balancer's page, not JSON
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    GARBAGE = "garbage"  # 200 with something else
    TRUNCATED = "truncated"  # 200 with the first half of the answer; a stream ends in the middle of a line
    TIMEOUT = "timeout"  # the server does nothing and never answers
    RESET = "reset"  # before the server saw the request
    LOST = "lost"  # the server acted; its answer never arrives


FAULTS = tuple(Fault)
RETRY_AFTER = 7


class Seen(NamedTuple):
    time: float
    request: Request
    fault: Fault | None


class FaultTransport:
    """Asks `fault_of` about each request. `seen` holds all of them."""

    def __init__(self, inner: Transport, fault_of: Callable[[Request], Fault | None] = lambda _request: None) -> None:
        self.inner = inner
        self.fault_of = fault_of
        self.seen: list[Seen] = []

    def _fault(self, request: Request) -> Fault | None:
        fault = self.fault_of(request)
        self.seen.append(Seen(asyncio.get_running_loop().time(), request, fault))
        return fault

    async def send(self, request: Request) -> Response:
        fault = self._fault(request)
        if fault is None:
            return await self.inner.send(request)
        if (answer := await _refusal(fault, request)) is not None:
            return answer
        real = await self.inner.send(request)
        if fault is Fault.LOST:
            raise _no_answer(request, "the connection was reset")
        return Response(real.status, real.headers, real.body[: len(real.body) // 2])

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        fault = self._fault(request)
        if fault is None:
            async with self.inner.stream(request) as stream:
                yield stream
        elif (answer := await _refusal(fault, request)) is not None:
            yield Broken(answer.status, answer.headers, iter([answer.body]))
        elif fault is Fault.LOST:
            yield Broken(200, {"content-type": "application/json"}, iter([]), _no_answer(request, "it broke off"))
        else:
            half = b'{"type":"MODIFIED","object":{"kind":"Config'
            yield Broken(200, {"content-type": "application/json"}, iter([half]))

    async def close(self) -> None:
        await self.inner.close()


class Broken:
    """A stream of some lines, and then an end, or an error."""

    def __init__(self, status: int, headers: object, lines: object, error: TransportError | None = None) -> None:
        self.status = status
        self.headers = headers
        self._lines = lines
        self._error = error

    async def lines(self) -> AsyncIterator[bytes]:
        for line in self._lines:
            yield line
        if self._error is not None:
            raise self._error


async def _refusal(fault: Fault, request: Request) -> Response | None:
    """What the server, or something in front of it, says instead of acting; None for faults after it acted."""
    match fault:
        case Fault.BUSY:
            status = _status(429, "TooManyRequests", "too many requests, please try again later")
            return Response(429, {**status.headers, "retry-after": str(RETRY_AFTER)}, status.body)
        case Fault.BROKEN:
            return _status(500, "InternalError", "etcdserver: leader changed")
        case Fault.UNAVAILABLE:
            return Response(503, {"content-type": "text/html"}, b"<html>no healthy upstream</html>")
        case Fault.UNAUTHORIZED:
            return _status(401, "Unauthorized", "Unauthorized")
        case Fault.FORBIDDEN:
            return _status(403, "Forbidden", f'User "reconciler" cannot {request.method} {request.path}')
        case Fault.GARBAGE:
            return Response(200, {"content-type": "text/html"}, b"<html>please log in</html>")
        case Fault.TIMEOUT:
            await asyncio.sleep(request.timeout)
            raise _no_answer(request, f"no answer within {request.timeout:g} s")
        case Fault.RESET:
            raise _no_answer(request, "the connection was reset")
    return None


def _status(code: int, reason: str, message: str) -> Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    content = json.dumps({**body, "message": message}).encode()
    return Response(code, {"content-type": "application/json"}, content)


def _no_answer(request: Request, why: str) -> TransportError:
    return TransportError("no usable answer", where=f"{request.method} {request.path}", why=why)
