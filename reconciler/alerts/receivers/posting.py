"""One POST to a receiver: where to, with which credentials, and what its answer means."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from reconciler.alerts.receivers.secret import read_secret
from reconciler.clock import Clock
from reconciler.errors import Refused, TransportError, Undelivered
from reconciler.http.retry import retry_after
from reconciler.http.transport import Connect, Request, Response, Transport
from reconciler.secret_file import without

TIMEOUT: Final = 10.0  # seconds for the whole answer
_PATIENT: Final = (408, 425, 429)  # refusals that are meant for now
_WORD: Final = 3  # characters of a word of a URL that is no secret
_EXCERPT: Final = 100  # characters of an answer that are shown


class _Target(NamedTuple):
    base: str
    path: str


class Poster:
    """Posts to one URL, which a file holds (`url_file`) or the configuration states (`url`).

    Files are read at each message. What fails is said without the URL, the token and whatever else is a secret.
    """

    def __init__(
        self,
        connect: Connect,
        clock: Clock,
        *,
        url: str = "",
        url_file: str = "",
        token_file: str | None = None,
        ca_file: str | None = None,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._url = url
        self._url_file = url_file
        self._token_file = token_file
        self._ca_file = ca_file
        self._transport: tuple[tuple[str, str], Transport] | None = None

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, *secrets: str) -> None:
        """POST to `path` below the URL. Raises Undelivered and Refused. `secrets` are told to nobody either."""
        url = read_secret(self._url_file) if self._url_file else self._url
        token = read_secret(self._token_file) if self._token_file else ""
        target = _target(url, self._url_file)
        headers = {**headers, **({"authorization": f"Bearer {token}"} if token else {})}
        request = Request("POST", target.path.rstrip("/") + path if path else target.path, (), headers, body, TIMEOUT)
        private = (token, *secrets, *(_parts(url) if self._url_file else ()))
        transport = await self._transport_to(target.base)
        try:
            answer = await transport.send(request)
        except TransportError as error:
            raise Undelivered("there is no answer", why=without(error.why, *private), hint=error.hint) from None
        self._judge(answer, private)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport[1].close()
            self._transport = None

    async def _transport_to(self, base: str) -> Transport:
        authorities = read_secret(self._ca_file) if self._ca_file else ""
        if self._transport is not None and self._transport[0] != (base, authorities):
            await self.close()
        if self._transport is None:
            self._transport = (base, authorities), self._connect(base, authorities)
        return self._transport[1]

    def _judge(self, answer: Response, private: tuple[str, ...]) -> None:
        if 200 <= answer.status < 300:
            return
        text = re.sub(r"\s+", " ", answer.body[: 4 * _EXCERPT].decode("utf-8", "replace")).strip()
        said = "".join(c for c in without(text, *private) if c.isprintable())[:_EXCERPT]
        what = f"it answered {answer.status}"
        if answer.status in _PATIENT or answer.status >= 500:
            raise Undelivered(what, retry_after=retry_after(answer, self._clock.now()), why=said)
        hint = "a redirect is not followed: state the address it leads to" if answer.status < 400 else ""
        raise Refused(what, why=said, hint=hint)


def _parts(url: str) -> tuple[str, ...]:
    """Whatever of a secret URL somebody might repeat."""
    parts = urlsplit(url)
    words = [word for word in re.split(r"[/&=]", f"{parts.path}/{parts.query}") if len(word) > _WORD]
    return (url, parts.netloc, parts.hostname or "", *words)


def _target(url: str, where: str) -> _Target:
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
        fit = fit and (parts.port is None or parts.port > 0) and parts.username is None
    except ValueError:
        fit = False
    if not fit:
        raise Undelivered(f"{where or 'its URL'} holds no http or https URL without a password")
    path = parts.path or "/"
    return _Target(f"{parts.scheme}://{parts.netloc}", f"{path}?{parts.query}" if parts.query else path)
