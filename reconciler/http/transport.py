"""How rooms speak HTTP: one request, one answer, or a stream of lines.

A Transport is passed in. `reconciler.http.client` has the real one; the sandbox has one without a socket; tests have
ones that fail on purpose.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to the server a Transport stands for.

    `path` begins with "/" and is percent-encoded already; `query` is not. Header names are lower case. `timeout` is
    the deadline in seconds for the whole answer, or for a stream the longest silence before the head of the answer.
    `limit` is how many bytes the body of a whole answer may have, 0 for any; a longer one is no usable answer.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 30.0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream(Protocol):
    """An answer that goes on: `lines()` yields each line without its end until the server or the caller stops."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def lines(self) -> AsyncIterator[bytes]: ...


class Transport(Protocol):
    """Sends requests to one server. Raises `reconciler.errors.TransportError` when there is no usable answer.

    An HTTP error status is an answer, not an exception.
    """

    async def send(self, request: Request) -> Response: ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]: ...

    async def close(self) -> None: ...


Connect = Callable[[str, str], Transport]
"""Gives a transport to a base URL, trusting the certificate authorities of a PEM text ("" for the machine's)."""
