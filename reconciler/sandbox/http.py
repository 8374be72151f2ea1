"""A Sandbox on a loopback port: HTTP/1.1 with keep-alive, chunked streams for watches, nothing else.

A protocol of our own instead of a framework: a request costs some 50 µs here, so that the server's time goes into
Kubernetes. It takes what HTTP clients of Kubernetes send; anything odd is answered 400 and the connection closed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from reconciler.http.transport import Request, Response
from reconciler.sandbox.server import Sandbox

_HEAD_LIMIT: Final = 64 * 1024
_BODY_LIMIT: Final = 8 * 1024 * 1024
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_LOG: Final = logging.getLogger(__name__)
_FAULT: Final = Response(
    500,
    {"content-type": "application/json"},
    b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Internal error occurred",'
    b'"reason":"InternalError","code":500}',
)
_BAD: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Malformed(Exception):
    """Not HTTP as we take it; `answer` is sent and the connection closed."""

    def __init__(self, answer: bytes = _BAD) -> None:
        super().__init__(answer)
        self.answer = answer


class _Head:
    """The head of a request that was read in full."""

    __slots__ = ("headers", "method", "target")

    def __init__(self, text: bytes) -> None:
        lines = text.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _Malformed
        self.method, self.target = parts[0], parts[1]
        self.headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise _Malformed
            name, value = name.lower(), value.strip()
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    @property
    def close(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


class _Connection(asyncio.Protocol):
    """One connection; its requests are answered in turn."""

    def __init__(self, sandbox: Sandbox, connections: "set[_Connection]") -> None:
        self._sandbox = sandbox
        self._connections = connections
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._streaming: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._connections.add(self)
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)
        self._writable.set()
        if self._streaming is not None:
            self._streaming.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def close(self) -> None:
        """Close the connection when the stream on it, if any, has ended."""
        if self._streaming is not None:
            await asyncio.wait([self._streaming])
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._proceed()

    def _proceed(self) -> None:
        """Answer every request that is complete."""
        try:
            while self._streaming is None and self._open():
                request = self._take()
                if request is None:
                    return
                self._answer(*request)
        except _Malformed as malformed:
            self._write(malformed.answer)
            if self._transport is not None:
                self._transport.close()

    def _take(self) -> tuple[_Head, bytes] | None:
        """The next request, None until it has arrived in full. Raises _Malformed."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _HEAD_LIMIT:
                    raise _Malformed
                return None
            self._head = _Head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._body(self._head.headers)
        if body is None:
            return None
        head, self._head = self._head, None
        return head, body

    def _body(self, headers: Mapping[str, str]) -> bytes | None:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        text = headers.get("content-length", "0")
        if not text.isdigit():
            raise _Malformed
        length = int(text)
        if length > _BODY_LIMIT:
            raise _Malformed(_TOO_LARGE)
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _chunks(self) -> bytes | None:
        found, position = bytearray(), 0
        while True:
            end = self._buffer.find(b"\r\n", position)
            if end < 0:
                return None
            try:
                size = int(self._buffer[position:end].split(b";", 1)[0], 16)
            except ValueError:
                raise _Malformed from None
            if len(found) + size > _BODY_LIMIT:
                raise _Malformed(_TOO_LARGE)
            start = end + 2
            if len(self._buffer) < start + size + 2:
                return None
            found += self._buffer[start : start + size]
            position = start + size + 2
            if not size:
                del self._buffer[:position]
                return bytes(found)

    def _answer(self, head: _Head, body: bytes) -> None:
        path, _, query = head.target.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True)) if query else ()
        request = Request(head.method, path, pairs, head.headers, body)
        if self._sandbox.is_stream(request):
            self._streaming = asyncio.get_running_loop().create_task(self._stream(request))
            return
        try:
            response = self._sandbox.answer(request)
        except Exception:  # noqa: BLE001  a fault of ours costs one request, not the connections of others
            _LOG.exception("%s %s", request.method, request.path)
            response = _FAULT
        self._send(response, close=head.close, head_only=head.method == "HEAD")

    def _send(self, response: Response, *, close: bool, head_only: bool = False) -> None:
        head = _head(response.status, {**response.headers, "content-length": str(len(response.body))}, close=close)
        self._write(head if head_only else head + response.body)
        if close and self._transport is not None:
            self._transport.close()

    async def _stream(self, request: Request) -> None:
        try:
            async with self._sandbox.stream(request) as answer:
                headers = {**answer.headers, "transfer-encoding": "chunked"}
                self._write(_head(answer.status, headers, close=False))
                async for line in answer.lines():
                    self._write(b"%x\r\n%b\n\r\n" % (len(line) + 1, line))
                    await self._writable.wait()
                self._write(b"0\r\n\r\n")
        finally:
            self._streaming = None
        if self._transport is not None:
            self._proceed()

    def _open(self) -> bool:
        """Whether there is somebody to answer. A transport is told of the end of a connection a moment after it."""
        return self._transport is not None and not self._transport.is_closing()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _head(status: int, headers: Mapping[str, str], *, close: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    if close:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


@asynccontextmanager
async def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve on a loopback address; yields the URL. Port 0 takes a free one. Watches end when it is left."""
    loop = asyncio.get_running_loop()
    connections: set[_Connection] = set()
    server = await loop.create_server(lambda: _Connection(sandbox, connections), host, port)
    address = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{address[1]}"
    finally:
        server.close()
        sandbox.close()
        await asyncio.gather(*(connection.close() for connection in list(connections)))
        await server.wait_closed()
