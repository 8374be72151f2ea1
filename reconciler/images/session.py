"""Requests to registries: connections, credentials, redirects and retries, for all repositories of the daemon."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote, urljoin

from reconciler.clock import Clock
from reconciler.errors import ImageRefused, TransportError
from reconciler.http.retry import RetryingTransport
from reconciler.http.transport import Request, Response, Transport
from reconciler.images import endpoint, words
from reconciler.images.authorization import Authorization
from reconciler.images.credentials import Credentials, Keychain
from reconciler.images.endpoint import Connect, Endpoint, Origin
from reconciler.images.reference import Repository
from reconciler.model.image import Registries

MAX_REDIRECTS: Final = 5
DEADLINE: Final = 60.0  # seconds of trying again
_REDIRECTS: Final = (301, 302, 303, 307, 308)

PULL: Final = "pull"
PUSH: Final = "pull,push"
DELETE: Final = "delete"


def scope(repository: Repository, actions: str) -> str:
    """What a token must allow, as token servers write it."""
    return f"repository:{repository.path}:{actions}"


class Session:
    """Shared by everything that speaks to registries. `close` it.

    `connect` makes connections: tests pass their own.
    """

    def __init__(
        self,
        settings: Registries,
        clock: Clock,
        random: Random,
        *,
        connect: Connect = endpoint.connect,
        deadline: float = DEADLINE,
    ) -> None:
        self._hosts = {host.host: host for host in settings.hosts}
        self.keychain = Keychain(
            Path(settings.config_file) if settings.config_file else None, frozenset(settings.helpers)
        )
        self.clock = clock
        self.random = random
        self._connect = connect
        self._deadline = deadline
        self._transports: dict[tuple[Origin, str | None], Transport] = {}
        self._authorizations: dict[tuple[str, Credentials | None], Authorization] = {}

    def endpoint(self, repository: Repository) -> Endpoint:
        return endpoint.endpoint(repository, self._hosts)

    async def send(self, repository: Repository, request: Request, scopes: frozenset[str]) -> Response:
        """The answer to a request to the registry of `repository`, after what it takes to be let in.

        Raises RegistryUnreachable, RegistryDenied, ImageRefused. A redirect is an answer.
        """
        place = self.endpoint(repository)
        who = await self.keychain.find(repository)
        authorization = self._authorizations.get((repository.registry, who))
        if authorization is None:
            authorization = Authorization(place, who, lambda origin: self._to(origin, place), self.clock)
            self._authorizations[repository.registry, who] = authorization
        transport = self._to(place.origin, place)
        try:
            value = await authorization.header(scopes)
            answer = await transport.send(_authorized(request, value))
            if answer.status == 401 and (renewed := await authorization.refused(answer, scopes, value)):
                answer = await transport.send(_authorized(request, renewed))
        except TransportError as error:
            raise words.no_answer(error, str(repository), place.origin.netloc) from None
        return answer

    async def elsewhere(self, repository: Repository, url: str, request: Request, scopes: frozenset[str]) -> Response:
        """The answer to `request` at a `url` that the registry gave: with credentials only at the registry itself."""
        place = self.endpoint(repository)
        origin, path = endpoint.locate(url, place.origin, plain=place.plain)
        moved = Request(request.method, path, (), request.headers, request.body, request.timeout, request.limit)
        if origin == place.origin:
            return await self.send(repository, moved, scopes)
        try:
            return await self._to(origin, place).send(moved)
        except TransportError as error:
            raise words.no_answer(error, str(repository), origin.netloc) from None

    async def follow(self, repository: Repository, request: Request, scopes: frozenset[str]) -> Response:
        """Like `send`, but goes where the registry says that the content is."""
        answer = await self.send(repository, request, scopes)
        base = str(self.endpoint(repository).origin) + request.path
        for _ in range(MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                return answer
            try:
                base = urljoin(base, answer.headers.get("location", ""))
            except ValueError:
                raise ImageRefused("the registry redirects to what is no URL", where=str(repository)) from None
            answer = await self.elsewhere(repository, base, request, scopes)
        raise ImageRefused("the registry redirects in circles", where=str(repository))

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
        self._transports.clear()

    def _to(self, origin: Origin, place: Endpoint) -> Transport:
        key = (origin, place.ca_file)
        if key not in self._transports:
            inner = self._connect(origin, place.ca_file)
            self._transports[key] = RetryingTransport(inner, self.clock, self.random, deadline=self._deadline)
        return self._transports[key]


def path(repository: Repository, *parts: str) -> str:
    """The path of a request: the grammar of names leaves nothing to escape but in digests and tags."""
    return "/".join(("/v2", repository.path, *(quote(part, safe=":") for part in parts)))


def get(
    repository: Repository, *parts: str, accept: Sequence[str] = (), query: Mapping[str, str] | None = None, limit: int
) -> Request:
    headers = {"accept": ", ".join(accept)} if accept else {}
    return Request("GET", path(repository, *parts), tuple((query or {}).items()), headers, limit=limit)


def _authorized(request: Request, value: str) -> Request:
    if not value:
        return request
    headers = {**request.headers, "authorization": value}
    return Request(request.method, request.path, request.query, headers, request.body, request.timeout, request.limit)
