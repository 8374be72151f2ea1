"""Reading from registries: manifests, tags, blobs, referrers.

The distribution specification, https://github.com/opencontainers/distribution-spec, over our own Transport. Whatever
is asked for by its digest is compared with that digest before anybody sees it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from reconciler.errors import ImageError, ImageMissing, ImageUntrusted
from reconciler.http.transport import Request, Response
from reconciler.images import words
from reconciler.images.endpoint import locate
from reconciler.images.reference import Reference, Repository, digest_of, is_digest, is_tag, matches
from reconciler.images.session import PULL, Session, get, scope

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
MEDIA_TYPES: Final = (INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)

MAX_MANIFEST: Final = 4 * 1024 * 1024  # bytes: what registries must accept, so what may be expected
MAX_TAGS: Final = 200_000
_MAX_PAGE: Final = 32 * 1024 * 1024  # bytes; a registry that does not page says everything at once
_PAGE: Final = 1000
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;\s*(?:[^,]*;\s*)?rel="?next"?')


class Described(NamedTuple):
    """A manifest, by what its registry says of it. `size` is -1 where it does not."""

    digest: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, whose content has the digest."""

    digest: str
    media_type: str
    content: bytes = field(repr=False)

    def json(self) -> Mapping[str, Any]:
        """Raises ImageError for what is no object of JSON."""
        return _object(self.content, self.digest)


class Registry:
    """Reads with the connections and credentials of `session`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def head(self, reference: Reference) -> Described:
        """Which manifest `reference` means now, for one HEAD. Raises ImageMissing and its kin."""
        repository = reference.repository
        where = str(reference)
        request = get(repository, "manifests", reference.name, accept=MEDIA_TYPES, limit=0)
        answer = await self._send(repository, Request("HEAD", request.path, (), request.headers), where)
        digest = answer.headers.get("docker-content-digest", "")
        if not digest:  # the header is only recommended
            manifest = await self.manifest(reference)
            return Described(manifest.digest, manifest.media_type, len(manifest.content))
        if not is_digest(digest) or (reference.digest and digest != reference.digest):
            raise _wrong(where, digest)
        size = answer.headers.get("content-length", "")
        return Described(digest, _media_type(answer), int(size) if size.isdecimal() else -1)

    async def manifest(self, reference: Reference) -> Manifest:
        """The manifest that `reference` names. Raises ImageUntrusted when it is not what its digest says."""
        repository = reference.repository
        where = str(reference)
        request = get(repository, "manifests", reference.name, accept=MEDIA_TYPES, limit=MAX_MANIFEST)
        answer = await self._send(repository, request, where)
        stated = answer.headers.get("docker-content-digest", "")
        wanted = reference.digest or stated or digest_of(answer.body)
        if not is_digest(wanted) or not matches(wanted, answer.body):
            raise _wrong(where, digest_of(answer.body))
        return Manifest(wanted, _media_type(answer), answer.body)

    async def has(self, reference: Reference) -> str:
        """The digest of `reference`, "" when the registry does not have it."""
        try:
            return (await self.head(reference)).digest
        except ImageMissing:
            return ""

    async def tags(self, repository: Repository) -> tuple[str, ...]:
        """All tags, in the registry's order. Names that are no tags by the grammar are left out."""
        where = str(repository)
        request = get(repository, "tags", "list", query={"n": str(_PAGE)}, limit=_MAX_PAGE)
        answer = await self._send(repository, request, where)
        found: dict[str, None] = {}
        asked: set[str] = set()
        while True:
            listed = _object(answer.body, where).get("tags") or []
            if not isinstance(listed, list):
                raise ImageError("the registry's list of tags cannot be read", where=where)
            found.update((tag, None) for tag in listed if isinstance(tag, str) and is_tag(tag))
            if len(found) > MAX_TAGS:
                raise ImageError(f"the repository has more than {MAX_TAGS:,} tags", where=where)
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return tuple(found)
            if following[1] in asked:
                raise ImageError("the registry's list of tags has no end", where=where)
            asked.add(following[1])
            # Beside the registry nobody else has its tags: a link to another host is not followed.
            place = self._session.endpoint(repository)
            origin, target = locate(following[1], place.origin, plain=place.plain)
            if origin != place.origin:
                raise ImageError(f"the registry's list of tags goes on at {origin}", where=where)
            answer = await self._send(repository, Request("GET", target, limit=_MAX_PAGE), where)

    async def blob(self, repository: Repository, digest: str, limit: int) -> bytes:
        """A small blob. Raises ImageUntrusted when it is not what its digest says."""
        where = f"{repository}@{digest}"
        if not is_digest(digest):
            raise _wrong(where, digest)
        request = get(repository, "blobs", digest, limit=limit)
        answer = await self._session.follow(repository, request, frozenset((scope(repository, PULL),)))
        if answer.status != 200:
            raise words.refusal(answer, where, repository.registry)
        if not matches(digest, answer.body):
            raise _wrong(where, digest_of(answer.body))
        return answer.body

    async def referrers(self, reference: Reference) -> tuple[Mapping[str, Any], ...]:
        """Descriptors of the manifests that refer to the one with `reference.digest`.

        From the referrers API, or where the registry has none from the index under the fallback tag.
        """
        repository = reference.repository
        request = get(repository, "referrers", reference.digest, accept=(INDEX,), limit=MAX_MANIFEST)
        try:
            answer = await self._send(repository, request, str(reference))
            content = answer.body
        except ImageMissing:
            try:
                fallback = repository.at(tag=reference.digest.replace(":", "-"))
                content = (await self.manifest(fallback)).content
            except ImageMissing:
                return ()
        listed = _object(content, str(reference)).get("manifests") or []
        if not isinstance(listed, list):
            raise ImageError("the registry's list of referrers cannot be read", where=str(reference))
        return tuple(one for one in listed if isinstance(one, dict))

    async def _send(self, repository: Repository, request: Request, where: str) -> Response:
        answer = await self._session.send(repository, request, frozenset((scope(repository, PULL),)))
        if answer.status != 200:
            raise words.refusal(answer, where, repository.registry)
        return answer


def _media_type(answer: Response) -> str:
    return answer.headers.get("content-type", "").partition(";")[0].strip()


def _wrong(where: str, digest: str) -> ImageUntrusted:
    return ImageUntrusted(
        "the registry gave something else than was asked for",
        where=where,
        why=f"its digest is {words.printable(digest)}",
        hint="the registry or a cache before it is damaged, or somebody is in between",
    )


def _object(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError):
        loaded = None
    if not isinstance(loaded, dict):
        raise ImageError("the registry's answer is not an object of JSON", where=where)
    return loaded
