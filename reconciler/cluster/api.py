"""One call to a Kubernetes API server: paths, JSON in and out, failures as `reconciler.errors`."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from reconciler.cluster.refusals import UNDECLARED, advice
from reconciler.errors import ApiError, TransportError, api_error
from reconciler.http.transport import Request, Stream, Transport
from reconciler.kube.kinds import SECRET
from reconciler.kube.media import JSON
from reconciler.kube.names import Identity

T = TypeVar("T")
Query = tuple[tuple[str, str], ...]


# Seconds for a write. Admission webhooks may take 30 s each, and an API server ends by itself what takes longer than
# its --request-timeout, 60 s by default: its answer says which webhook is slow, our own deadline would not.
WRITE_TIMEOUT: Final = 65.0

_PLAIN: Final = re.compile(r"[-.0-9A-Za-z]*").fullmatch  # as nearly all names are
_ECHOING = (400, 422, 500)  # answers whose message may repeat what was sent


class Api:
    """Requests with JSON bodies over a Transport. `subject` names in errors whom a request is about."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, path: str, query: Query = (), *, accept: str = JSON, subject: str = "") -> bytes:
        request = Request("GET", path, query, {"accept": accept})
        return await self.call(request, subject)

    async def write(
        self, method: str, path: str, body: object, query: Query = (), *, content: str = JSON, subject: Identity
    ) -> bytes:
        """Send `body` as JSON and return the answer's bytes."""
        headers = {"accept": JSON, "content-type": content}
        try:
            request = Request(method, path, query, headers, msgspec.json.encode(body), WRITE_TIMEOUT)
            return await self.call(request, str(subject))
        except ApiError as error:
            if subject.group_kind == SECRET and error.status in _ECHOING:
                raise _without_values(error, subject) from None
            raise

    async def call(self, request: Request, subject: str = "") -> bytes:
        """The body of a good answer. Raises ApiError for any other, TransportError for none."""
        response = await self._transport.send(request)
        if response.status >= 300:
            raise failure(response.status, response.headers, response.body, subject)
        return response.body

    @asynccontextmanager
    async def stream(self, path: str, query: Query, *, subject: str = "") -> AsyncIterator[Stream]:
        """A stream that began well. Raises as `call` does."""
        async with self._transport.stream(Request("GET", path, query, {"accept": JSON})) as stream:
            if stream.status >= 300:
                body = b"\n".join([line async for line in stream.lines()])
                raise failure(stream.status, stream.headers, body, subject)
            yield stream


def decode(body: bytes | msgspec.Raw, shape: type[T], subject: str = "") -> T:
    """`body` as `shape`. Raises TransportError for anything else: what a broken proxy says is no answer."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransportError("the API server's answer cannot be read", where=subject, why=str(error)) from None


def failure(status: int, headers: Mapping[str, str], body: bytes, subject: str = "") -> ApiError:
    """The error for an answer that is not a success."""
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    if not isinstance(said, dict):
        said = {}
    if status == 500 and UNDECLARED in body:
        status, said["reason"] = 422, "Invalid"
    after = headers.get("retry-after", "")
    error = api_error(status, said, where=subject, retry_after=float(after) if after.isdecimal() else None)
    error.hint = advice(status, error.what)
    return error


def object_path(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of an object, or of a collection where `name` is ""; cluster-wide where `namespace` is ""."""
    parts = ["/apis" if "/" in api_version else "/api", *api_version.split("/")]
    if namespace:
        parts += ["namespaces", _quoted(namespace)]
    parts += [part for part in (plural, _quoted(name), subresource) if part]
    return "/".join(parts)


def _quoted(name: str) -> str:
    return name if _PLAIN(name) else quote(name, safe="")


def _without_values(error: ApiError, subject: Identity) -> ApiError:
    fields = sorted({str(cause["field"]) for cause in error.causes if cause.get("field")})
    return type(error)(
        f"the API server refused the Secret ({error.reason or error.status})",
        status=error.status,
        reason=error.reason,
        causes=[{"field": field} for field in fields],
        retry_after=error.retry_after,
        where=str(subject),
        why=", ".join(fields),
        hint="its message is left out because it may repeat values; `kubectl apply --dry-run=server` shows it",
    )
