"""Writing to registries: blobs, whole or in pieces, and manifests.

A blob that the registry has is not sent. One that another repository of the same registry has may be mounted. What is
larger than a piece goes piece by piece, and when the connection breaks it goes on where the registry says that it got
to. A manifest goes last: until then nobody sees anything of a push that failed.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from reconciler.errors import ImageError, ImageUntrusted, RegistryUnreachable
from reconciler.http.transport import Request, Response
from reconciler.images import words
from reconciler.images.endpoint import locate
from reconciler.images.reference import Reference, Repository, digest_of, is_digest
from reconciler.images.session import DELETE, PULL, PUSH, Session, path, scope

PIECE: Final = 8 * 1024 * 1024  # bytes that are in memory at a time
TRIES: Final = 5  # of one blob; and how often its upload may break off
_PAUSE: Final = 0.5  # seconds before the second try; doubles
_TIMEOUT: Final = 300.0  # seconds for one piece
_RANGE: Final = re.compile(r"(?:bytes=)?0-(\d+)")

Read = Callable[[int, int], Awaitable[bytes]]
"""Gives the bytes of a blob from an offset, at most so many."""


class Pusher:
    """Pushes with the connections and credentials of `session`."""

    def __init__(self, session: Session, *, piece: int = PIECE, tries: int = TRIES) -> None:
        self._session = session
        self._piece = piece
        self._tries = tries

    async def blob(
        self, repository: Repository, digest: str, size: int, read: Read, *, mount: Repository | None = None
    ) -> bool:
        """Bring a blob into the registry; whether anything had to be sent.

        `mount` is a repository of the same registry that may have it. Raises RegistryUnreachable after several tries.
        """
        if await self._has(repository, digest):
            return False
        pause = _PAUSE
        for attempt in range(1, self._tries + 1):
            try:
                return await self._upload(repository, digest, size, read, mount)
            except RegistryUnreachable:
                if attempt == self._tries:
                    raise
            await self._session.clock.sleep(pause * self._session.random.uniform(0.5, 1.0))
            pause *= 2
            if await self._has(repository, digest):  # the answer to the last piece was lost
                return True
        raise AssertionError("unreachable")

    async def manifest(self, reference: Reference, content: bytes, media_type: str) -> str:
        """Put a manifest under the tag of `reference`, or without one under its digest. Returns its digest."""
        digest = digest_of(content)
        repository = reference.repository
        request = Request(
            "PUT",
            path(repository, "manifests", reference.tag or digest),
            headers={"content-type": media_type},
            body=content,
        )
        answer = await self._session.send(repository, request, _push(repository))
        self._expect(answer, (201,), repository)
        stated = answer.headers.get("docker-content-digest", digest)
        if is_digest(stated) and stated.startswith("sha256:") and stated != digest:
            raise ImageUntrusted(
                "the registry stored something else than was pushed", where=str(reference), why=f"it says {stated}"
            )
        return digest

    async def delete(self, reference: Reference) -> bool:
        """Delete the manifest with `reference.digest`; whether the registry did. Many allow it to nobody."""
        request = Request("DELETE", path(reference.repository, "manifests", reference.digest))
        scopes = frozenset((scope(reference.repository, DELETE),))
        answer = await self._session.send(reference.repository, request, scopes)
        return answer.status in (200, 202)

    async def _has(self, repository: Repository, digest: str) -> bool:
        request = Request("HEAD", path(repository, "blobs", digest))
        answer = await self._session.send(repository, request, _push(repository))
        if answer.status == 404:
            return False
        if answer.status in (301, 302, 303, 307, 308):
            return True  # it tells where the content is
        self._expect(answer, (200,), repository)
        return True

    async def _upload(
        self, repository: Repository, digest: str, size: int, read: Read, mount: Repository | None
    ) -> bool:
        scopes = _push(repository)
        query: tuple[tuple[str, str], ...] = ()
        if mount is not None and mount.registry == repository.registry:
            query = (("mount", digest), ("from", mount.path))
            scopes |= {scope(mount, PULL)}
        begin = Request("POST", f"{path(repository, 'blobs', 'uploads')}/", query, {"content-length": "0"})
        answer = await self._session.send(repository, begin, scopes)
        self._expect(answer, (201, 202), repository)
        if answer.status == 201:
            return False  # mounted
        location = self._location(repository, answer)
        if size <= self._piece:
            last = await read(0, size)
        else:
            location = await self._pieces(repository, location, size, read)
            last = b""
        finish = Request(
            "PUT",
            "/",
            headers={"content-type": "application/octet-stream", "content-length": str(len(last))},
            body=last,
            timeout=_TIMEOUT,
        )
        separator = "&" if "?" in location else "?"
        answer = await self._session.elsewhere(
            repository, f"{location}{separator}digest={digest.replace(':', '%3A')}", finish, _push(repository)
        )
        if answer.status == 404:  # this session of the upload is gone: another one may succeed
            raise RegistryUnreachable("the registry forgot the upload", where=str(repository))
        self._expect(answer, (201, 204), repository)
        return True

    async def _pieces(self, repository: Repository, location: str, size: int, read: Read) -> str:
        offset, failures = 0, 0
        while offset < size:
            piece = await read(offset, min(self._piece, size - offset))
            if not piece:
                raise ImageError("the blob is shorter than stated", where=str(repository))
            request = Request(
                "PATCH",
                "/",
                headers={
                    "content-type": "application/octet-stream",
                    "content-range": f"{offset}-{offset + len(piece) - 1}",
                    "content-length": str(len(piece)),
                },
                body=piece,
                timeout=_TIMEOUT,
            )
            try:
                answer = await self._session.elsewhere(repository, location, request, _push(repository))
            except RegistryUnreachable:
                answer = None
            if answer is not None and answer.status == 202:
                location = self._location(repository, answer)
                offset += len(piece)
                continue
            if answer is not None and answer.status == 404:  # a new session of the upload may succeed
                raise RegistryUnreachable("the registry forgot the upload", where=str(repository))
            if answer is not None and answer.status < 500 and answer.status != 416:
                self._expect(answer, (202,), repository)
            failures += 1
            if failures >= self._tries:
                raise RegistryUnreachable("the registry broke off the upload several times", where=str(repository))
            await self._session.clock.sleep(_PAUSE * 2**failures * self._session.random.uniform(0.5, 1.0))
            offset, location = await self._reached(repository, location, size)
        return location

    async def _reached(self, repository: Repository, location: str, size: int) -> tuple[int, str]:
        """How much of an upload the registry has, and where it goes on."""
        answer = await self._session.elsewhere(repository, location, Request("GET", "/"), _push(repository))
        if answer.status == 404:
            raise RegistryUnreachable("the registry forgot the upload", where=str(repository))
        self._expect(answer, (200, 202, 204), repository)
        match = _RANGE.fullmatch(answer.headers.get("range", ""))
        # "0-0" is one byte, and also what registries say that have none: sending the byte again would be refused,
        # so an upload that got no further than that begins anew.
        reached = int(match[1]) + 1 if match and match[1] != "0" else 0
        return min(reached, size), self._location(repository, answer, location)

    def _location(self, repository: Repository, answer: Response, otherwise: str = "") -> str:
        found = answer.headers.get("location", otherwise)
        place = self._session.endpoint(repository)
        locate(found, place.origin, plain=place.plain)  # refuses what is no URL
        return found

    def _expect(self, answer: Response, statuses: tuple[int, ...], repository: Repository) -> None:
        if answer.status not in statuses:
            raise words.refusal(answer, str(repository), repository.registry)


def _push(repository: Repository) -> frozenset[str]:
    return frozenset((scope(repository, PUSH),))
