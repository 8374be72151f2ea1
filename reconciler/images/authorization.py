"""Who we are, to one registry: nothing at first, then what it asks for in its first 401.

    Basic                       user and password with every request from then on
    Bearer realm, service       a token for each scope, bought at the realm with user and password, an identity token,
                                or nothing (public images), and kept until shortly before it expires

Source: https://distribution.github.io/distribution/spec/auth/ (token, oauth and scope).
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from reconciler.clock import Clock
from reconciler.errors import RegistryDenied, TransportError
from reconciler.http.transport import Request, Response, Transport
from reconciler.images import words
from reconciler.images.challenge import Challenge, parse
from reconciler.images.credentials import Credentials
from reconciler.images.endpoint import Endpoint, Origin, locate

_LEAST_LIFE: Final = 60.0  # seconds: what a token lives at least, and where its life is not stated
_AHEAD: Final = 10.0  # seconds before its end that a token is no longer used
_MAX_TOKEN: Final = 256 * 1024
_CLIENT: Final = "reconciler"

Scopes = frozenset[str]


class _Token(NamedTuple):
    value: str
    expires: float  # of the clock's monotonic time


class Authorization:
    """The Authorization header for requests to one repository's registry.

    `to` gives the Transport to an origin: the realm is often another host. One request for a token serves all who wait
    for the same.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials | None,
        to: Callable[[Origin], Transport],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._to = to
        self._clock = clock
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._buying: dict[Scopes, asyncio.Lock] = {}

    async def header(self, scopes: Scopes) -> str:
        """The header's value for a request that needs `scopes`, "" as long as the registry has asked for nothing."""
        return await self._answer(self._challenge, scopes) if self._challenge else ""

    async def refused(self, answer: Response, scopes: Scopes, sent: str) -> str:
        """The value to try after a 401 to `sent`, "" when there is nothing new to try.

        Raises RegistryDenied when the token's seller refuses us.
        """
        offered = {challenge.scheme: challenge for challenge in parse(answer.headers.get("www-authenticate", ""))}
        challenge = offered.get("bearer") or offered.get("basic")
        if challenge is None:
            return ""
        if challenge.scheme == "bearer" and not challenge.parameters.get("realm"):
            return ""
        self._challenge = challenge
        known = self._tokens.get(scopes)
        if known is not None and sent == f"Bearer {known.value}":
            del self._tokens[scopes]
        value = await self._answer(challenge, scopes)
        return value if value != sent else ""

    async def _answer(self, challenge: Challenge, scopes: Scopes) -> str:
        if challenge.scheme == "basic":
            found = self._credentials
            return found.basic() if found and found.username else ""
        async with self._buying.setdefault(scopes, asyncio.Lock()):
            token = self._tokens.get(scopes)
            if token is None or token.expires <= self._clock.monotonic():
                token = self._tokens[scopes] = await self._buy(challenge.parameters, scopes)
        return f"Bearer {token.value}"

    async def _buy(self, parameters: Mapping[str, str], scopes: Scopes) -> _Token:
        host = self._endpoint.origin.netloc
        origin, path = locate(parameters["realm"], self._endpoint.origin, plain=self._endpoint.plain)
        service = parameters.get("service", "")
        request = _request(path, service, scopes, self._credentials)
        try:
            answer = await self._to(origin).send(request)
        except TransportError as error:
            raise words.no_answer(error, f"token for {host}", origin.netloc) from None
        if answer.status in (400, 401, 403):
            raise RegistryDenied(
                f"{origin.netloc} refuses us a token for {host}",
                why=f"it answered {answer.status}",
                hint="check the credentials in registries.configFile",
            )
        if answer.status != 200:
            raise words.refusal(answer, f"token for {host}", origin.netloc)
        return self._read(answer, origin)

    def _read(self, answer: Response, origin: Origin) -> _Token:
        try:
            said: Any = json.loads(answer.body)
        except ValueError:
            said = None
        said = said if isinstance(said, dict) else {}
        value, life = said.get("token") or said.get("access_token"), said.get("expires_in")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise RegistryDenied(f"{origin.netloc} answered without a token")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else _LEAST_LIFE
        return _Token(value, self._clock.monotonic() + max(seconds, _LEAST_LIFE) - _AHEAD)


def _request(path: str, service: str, scopes: Scopes, credentials: Credentials | None) -> Request:
    if credentials and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": _CLIENT,
            "scope": " ".join(sorted(scopes)),
            "refresh_token": credentials.identity_token,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return Request("POST", path, headers=headers, body=urlencode(form).encode("ascii"), limit=_MAX_TOKEN)
    query = [("service", service)] if service else []
    query += [("scope", scope) for scope in sorted(scopes)]
    whole = f"{path}{'&' if '?' in path else '?'}{urlencode(query, quote_via=quote)}"
    headers = {"authorization": credentials.basic()} if credentials and credentials.username else {}
    return Request("GET", whole, headers=headers, limit=_MAX_TOKEN)
