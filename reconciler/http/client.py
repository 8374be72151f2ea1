"""HTTP over sockets: one server, pooled connections, long streams apart from short requests.

aiohttp takes 0.1 s and 9 MB to import, so this module is imported where a connection is made, not before.
"""

import asyncio
import contextlib
import io
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode
from weakref import WeakSet

import aiohttp
import yarl
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response

LINE_LIMIT: Final = 8 * 1024 * 1024  # bytes of one line of a stream: etcd stores 1.5 MiB, so this is generous
_WHOLE: Final = 512 * 1024  # bytes
_KEEPALIVE: Final = 30  # seconds of silence before the kernel asks whether the peer is still there

Headers = Callable[[bool], Awaitable[Mapping[str, str]]]
"""Gives the credentials' headers for one request; True when the server refused the last ones (401)."""

Tls = Callable[[], ssl.SSLContext | None]
"""Gives the context for one request's connection, the same object as long as nothing has changed."""


class Hints(NamedTuple):
    """What to do about a server that cannot be reached, is not trusted, or is silent too long; "" for no advice."""

    reach: str = "is the server running, and is its address right?"
    trust: str = "is the server's certificate from a certificate authority that is trusted here?"
    silent: str = ""


GENERAL: Final = Hints()
_TURNS: Final = 10  # of the loop
_MADE: ContextVar[list[socket.socket] | None] = ContextVar("sockets of the connection that is being made", default=None)


async def _no_headers(_refused: bool) -> Mapping[str, str]:
    return {}


class HttpTransport:
    """A Transport to the server at `base_url`, which may have a path of its own.

    `headers` is asked before every request, so a token that is refreshed is used at once; after a 401 it is asked for
    new ones and, if they differ, the request is sent once more. So it is where `ssl` gives another context than before:
    a client certificate was renewed, and connections with the old one are not used again. `limit` is the number of
    pooled connections for whole answers; each stream has one of its own beside them. A redirect is an answer like any
    other: credentials never follow one. `hints` are the advice in TransportErrors.
    """

    def __init__(
        self,
        base_url: str,
        *,
        ssl: ssl.SSLContext | Tls | None = None,
        headers: Headers = _no_headers,
        limit: int = 16,
        server_hostname: str | None = None,
        proxy: str | None = None,
        hints: Hints = GENERAL,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._ssl: Tls = ssl if callable(ssl) else lambda: ssl
        self._headers = headers
        self._limit = limit
        self._server_hostname = server_hostname
        self._proxy = proxy
        self._hints = hints
        self._short: aiohttp.ClientSession | None = None
        self._long: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """The whole answer. Raises TransportError when there is none within `request.timeout`."""
        if self._short is None:
            self._short = self._session(request, self._limit)
        try:
            async with asyncio.timeout(request.timeout):
                answer = await self._open(self._short, request)
                async with answer:
                    return Response(answer.status, _lower(answer), await _body(answer, request.limit))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise _failed(request, error, self._hints) from error

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator["HttpStream"]:
        """An answer that goes on. Raises TransportError when its head is not there within `request.timeout`."""
        if self._long is None:
            self._long = self._session(request, 0)
        try:
            async with asyncio.timeout(request.timeout):
                answer = await self._open(self._long, request)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(request, error, self._hints) from error
        try:
            yield HttpStream(request, answer, self._hints)
        finally:
            if (opened := answer.connection) is not None and opened.transport is not None:
                opened.transport.abort()  # a polite end of TLS waits half a minute for the server's, which goes on
            answer.close()

    async def close(self) -> None:
        """For good: who sends anything after that is refused."""
        self._closed = True
        sessions, self._short, self._long = (self._short, self._long), None, None
        for session in filter(None, sessions):
            await session.close()

    def _session(self, request: Request, limit: int) -> aiohttp.ClientSession:
        if self._closed:
            raise TransportError("the transport is closed", where=f"{request.method} {request.path}")
        timeout = aiohttp.ClientTimeout(total=None)
        return aiohttp.ClientSession(connector=_Connector(limit), timeout=timeout, trust_env=False)

    async def _open(self, session: aiohttp.ClientSession, request: Request) -> aiohttp.ClientResponse:
        used = (await self._headers(False), self._ssl())
        answer = await self._attempt(session, request, *used)
        if answer.status == 401 and (renewed := (await self._headers(True), self._ssl())) != used:
            answer.close()
            answer = await self._attempt(session, request, *renewed)
        return answer

    async def _attempt(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        credentials: Mapping[str, str],
        context: ssl.SSLContext | None,
    ) -> aiohttp.ClientResponse:
        query = f"?{urlencode(request.query, quote_via=quote)}" if request.query else ""
        return await session.request(
            request.method,
            yarl.URL(f"{self._base}{request.path}{query}", encoded=True),
            # Compressing costs an API server more than a network inside a cluster does.
            headers={"accept-encoding": "identity", **request.headers, **credentials},
            # aiohttp sends a large body piece by piece only if it is a file's.
            data=(io.BytesIO(request.body) if len(request.body) > _WHOLE else request.body) or None,
            ssl=context if context is not None else True,  # connections are pooled by context
            server_hostname=self._server_hostname,
            proxy=self._proxy,
            allow_redirects=False,
        )


class _Connector(aiohttp.TCPConnector):
    """Leaves no connection behind when it is closed, one of a request that was given up neither.

    aiohttp forgets such a one after a polite close. With TLS that waits for the server's, for half a minute. So does
    asyncio with one that is given up at the end of its handshake: aiohttp never had it, and it is hung up at once.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit, socket_factory=_socket)
        self._opened: WeakSet[asyncio.Transport] = WeakSet()
        self._given_up: WeakSet[socket.socket] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        made: list[socket.socket] = []
        token = _MADE.set(made)
        try:
            connection = await super().connect(req, traces, timeout)
        except BaseException:
            self._given_up.update(made)
            for each in made:
                with contextlib.suppress(OSError):  # it is closed, or was never connected
                    each.shutdown(socket.SHUT_RDWR)
            raise
        finally:
            _MADE.reset(token)
        if connection.transport is not None:
            self._opened.add(connection.transport)
        return connection

    async def close(self, *, abort_ssl: bool = False) -> None:
        for transport in self._opened:
            transport.abort()
        await super().close(abort_ssl=abort_ssl)
        for _ in range(_TURNS):
            await asyncio.sleep(0)  # the loop ends what was aborted at its next turn, what was hung up a few later
            if all(each.fileno() < 0 for each in self._given_up):
                break


class HttpStream:
    """The Stream of an HttpTransport."""

    def __init__(self, request: Request, answer: aiohttp.ClientResponse, hints: Hints) -> None:
        self._request = request
        self._answer = answer
        self._hints = hints
        self._headers = _lower(answer)

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def lines(self) -> AsyncIterator[bytes]:
        """Each line without its end; the last may lack one. Raises TransportError when the connection breaks."""
        begun: list[bytes] = []  # of a line whose end has not come
        size = 0
        try:
            async for chunk in self._answer.content.iter_any():
                first, *rest = chunk.split(b"\n")
                begun.append(first)
                size += len(first)
                for part in rest:
                    yield b"".join(begun)
                    begun, size = [part], len(part)
                if size > LINE_LIMIT:
                    raise TransportError("the answer cannot be read", why=f"a line is longer than {LINE_LIMIT} bytes")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(self._request, error, self._hints) from error
        if size:
            yield b"".join(begun)


async def _body(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    if not limit:
        return await answer.read()
    parts: list[bytes] = []
    size = 0
    async for chunk in answer.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TransportError("the answer cannot be read", why=f"it has more than {limit:,} bytes")
    return b"".join(parts)


def _lower(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _socket(address: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
    """A socket that notices a peer which vanished without a word: a watch may be silent for minutes."""
    family, kind, protocol, _name, _address = address
    made = socket.socket(family, kind, protocol)
    if (those := _MADE.get()) is not None:
        those.append(made)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE // 3)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return made


def _failed(request: Request, error: Exception, hints: Hints) -> TransportError:
    """Say what happened to `request`, in words that hold no header."""
    hint = ""
    match error:
        case TimeoutError():
            why = f"no answer within {request.timeout:g} s"
            hint = hints.silent
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            why = f"TLS failed: {error}"
            hint = hints.trust
        case aiohttp.ClientConnectorError():
            why = f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
            hint = hints.reach
        case aiohttp.ServerDisconnectedError():
            why = "the server closed the connection"
        case aiohttp.ClientPayloadError():
            why = "the answer broke off"
        case aiohttp.ClientResponseError():
            why = "the answer is not HTTP"
        case _:
            why = type(error).__name__
    return TransportError("no usable answer", where=f"{request.method} {request.path}", why=why, hint=hint)
