"""Requests to one forge: the token, redirects, pages, and what a refusal means."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from reconciler.clock import Clock
from reconciler.errors import (
    ForgeDenied,
    ForgeError,
    ForgeMissing,
    ForgeRefused,
    ForgeUnreachable,
    ReconcilerError,
    TransportError,
)
from reconciler.http.retry import RetryingTransport, retry_after
from reconciler.http.transport import Connect, Request, Response, Transport
from reconciler.model.forging import ForgeConfig
from reconciler.secret_file import read_secret, without

T = TypeVar("T")

_LARGEST: Final = 16 * 1024 * 1024  # bytes of one answer
_TIMEOUT: Final = 20.0  # seconds
_DEADLINE: Final = 20.0  # seconds of trying again; whoever asked has a queue of his own
_PAGE: Final = 100  # items of one answer, the most that GitHub and GitLab give
_PAGES: Final = 100  # a forge that never ends is not followed for ever
_REDIRECTS: Final = (301, 302, 307, 308)
_HOPS: Final = 3
_BLOCKED: Final = 60.0  # seconds to wait after a limit that does not say for how long
_LONGEST_WAIT: Final = 3600.0
_NEXT: Final = re.compile(r'rel="?next"?')
_LIMITED: Final = re.compile(r"rate limit|abuse detection", re.IGNORECASE)
_EXCERPT: Final = 200

Authorize = Callable[[str], Mapping[str, str]]
"""The headers that show a token."""


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Raises ValueError."""
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        return cls(parts.scheme, (parts.hostname or "").lower(), port)


class Session:
    """Speaks to the API at `api`, as the file of `config` says who we are.

    The token goes to that origin and to no other: a redirect is followed only where it stays there.
    """

    def __init__(
        self, config: ForgeConfig, api: str, connect: Connect, clock: Clock, random: Random, authorize: Authorize
    ) -> None:
        parts = urlsplit(api)
        self.name = config.name
        self._config = config
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self._origin = Origin.of(api)
        self._connect = connect
        self._clock = clock
        self._random = random
        self._authorize = authorize
        self._transport: tuple[str, Transport] | None = None

    async def get(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> T:
        """The answer to a GET of `path`, below the API's, as `kind`."""
        return self._read(await self._send("GET", path, tuple((query or {}).items())), kind, path)

    async def some(self, path: str, kind: type[T], query: Mapping[str, str], count: int, *, size: str) -> list[T]:
        """The first `count` items of a list."""
        asked = {**query, size: str(count), "page": "1"}
        return await self.get(path, list[kind], asked)  # type: ignore[valid-type]

    async def send(self, method: str, path: str, body: Mapping[str, Any], kind: type[T]) -> T:
        """The answer to a request with a body."""
        return self._read(await self._send(method, path, (), msgspec.json.encode(body)), kind, path)

    async def pages(
        self, path: str, kind: type[T], query: Mapping[str, str] | None = None, *, size: str = "per_page"
    ) -> AsyncIterator[T]:
        """Every item of a list, page by page. The next page's number is ours; its address is not taken from them.

        Some of Gitea's lists name no next page, only how many items there are in all. An item that we may not see is
        among those, so a page without any is the last one, too.
        """
        seen = 0
        for number in range(1, _PAGES + 1):
            asked = (*(query or {}).items(), (size, str(_PAGE)), ("page", str(number)))
            answer = await self._send("GET", path, asked)
            items = self._read(answer, list[kind], path)  # type: ignore[valid-type]
            for item in items:
                yield item
            seen += len(items)
            total = answer.headers.get("x-total-count", "")
            more = bool(items) and total.isdecimal() and seen < int(total)
            if not (_NEXT.search(link) if (link := answer.headers.get("link", "")) else more):
                return
        raise ForgeRefused(f"the list has more than {_PAGE * _PAGES:,} items", where=self._where(path))

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport[1].close()
            self._transport = None

    async def _send(self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes = b"") -> Response:
        where = self._where(path)
        try:
            token = read_secret(self._config.token_file)
            transport = await self._to()
        except ReconcilerError as error:  # a file that is not there yet, or holds no certificates
            raise ForgeUnreachable(error.what, where=where, why=error.why) from None
        headers = {"user-agent": "reconciler", **({"content-type": "application/json"} if body else {})}
        headers |= self._authorize(token)
        request = Request(method, self._path + path, query, headers, body, _TIMEOUT, _LARGEST)
        for _ in range(_HOPS + 1):
            try:
                answer = await transport.send(request)
            except TransportError as error:
                why = without(error.why, token)
                raise ForgeUnreachable(
                    "the forge gave no usable answer", where=where, why=why, hint=error.hint
                ) from None
            if answer.status not in _REDIRECTS:
                break
            target = self._moved(request, answer, where)
            request = Request(method, target, (), headers, body, _TIMEOUT, _LARGEST)
        else:
            raise ForgeRefused("the forge redirects in circles", where=where)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, where, token)
        return answer

    def _moved(self, request: Request, answer: Response, where: str) -> str:
        """Where a repository went that was renamed: a path and query at the same origin. Raises ForgeRefused."""
        hint = "the repository was renamed or moved: state its new name"
        if answer.status == 302 and request.method != "GET":
            raise ForgeRefused("the forge redirects a change", where=where, hint=hint)
        try:
            url = urljoin(self._base + request.path, answer.headers.get("location", ""))
            same = Origin.of(url) == self._origin and urlsplit(url).username is None and url.isascii()
        except ValueError:
            same = False
        if not same:
            raise ForgeRefused("the forge redirects to another host", where=where, hint=hint)
        parts = urlsplit(url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _refusal(self, answer: Response, where: str, token: str) -> ForgeError:
        said = _said(answer, token)
        what = f"the forge answered {answer.status}"
        if (wait := self._limited(answer, said)) is not None:
            what = "the forge asks us to come later"
            return ForgeUnreachable(what, retry_after=wait, where=where, why=f"{answer.status}: {said}".rstrip(": "))
        match answer.status:
            case 401:
                hint = "has the token of tokenFile expired, or been withdrawn?"
                return ForgeDenied("the forge does not know our token", where=where, why=said, hint=hint)
            case 403:
                hint = "docs/webhooks.md lists what the token must allow"
                return ForgeDenied("the token does not allow it", where=where, why=said, hint=hint)
            case 404 | 410:
                hint = "a forge says so too where the token may not see it"
                return ForgeMissing("the forge has no such thing", where=where, why=said, hint=hint)
            case 408 | 409 | 425:
                return ForgeUnreachable(what, where=where, why=said)
            case status if status >= 500:
                return ForgeUnreachable(what, retry_after=retry_after(answer, self._clock.now()), where=where, why=said)
            case _:
                return ForgeRefused(what, where=where, why=said)

    def _limited(self, answer: Response, said: str) -> float | None:
        """Seconds to leave the forge alone, where this answer is about how often we ask.

        GitHub answers 403 as well as 429, for the limit by the hour and for the one on bursts:
        https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
        """
        if answer.status not in (403, 429):
            return None
        asked = retry_after(answer, self._clock.now())
        left = answer.headers.get("x-ratelimit-remaining") or answer.headers.get("ratelimit-remaining") or ""
        reset = answer.headers.get("x-ratelimit-reset") or answer.headers.get("ratelimit-reset") or ""
        if asked is None and left == "0" and reset.isdecimal():
            asked = float(reset) - self._clock.now().timestamp()
        if asked is None and (answer.status == 429 or left == "0" or _LIMITED.search(said)):
            asked = _BLOCKED
        return None if asked is None else min(max(1.0, asked), _LONGEST_WAIT)

    def _read(self, answer: Response, kind: type[T], path: str) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = str(error)[:_EXCERPT]
            raise ForgeUnreachable("the forge's answer cannot be read", where=self._where(path), why=why) from None

    def _where(self, path: str) -> str:
        return f"{self.name} {path}"

    async def _to(self) -> Transport:
        """Raises ReconcilerError."""
        authorities = read_secret(self._config.ca_file) if self._config.ca_file else ""
        if self._transport is not None and self._transport[0] != authorities:
            await self.close()
        if self._transport is None:
            inner = self._connect(self._base, authorities)
            retrying = RetryingTransport(inner, self._clock, self._random, deadline=_DEADLINE)
            self._transport = authorities, retrying
        return self._transport[1]


def _said(answer: Response, token: str) -> str:
    """The forge's own words, on one line, without the token."""
    try:
        body = msgspec.json.decode(answer.body)
        found = body.get("message") or body.get("error") if isinstance(body, dict) else ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = ""
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    line = " ".join(without(text, token).split())
    return "".join(letter for letter in line if letter.isprintable())[:_EXCERPT]
