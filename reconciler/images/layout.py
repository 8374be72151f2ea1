"""From an OCI image layout on disk to a registry: blobs, then manifests, then the tag.

Builders list platforms in the order in which they happen to be done. So an index is written anew with its images in the
order of their platforms: the same images, the same digest.

Source: https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import BuildFailed
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference, Repository, is_digest, matches

_MAX_MANIFEST = 4 * 1024 * 1024


async def push_layout(layout: Path, target: Reference, pusher: Pusher, *, mount: Repository | None = None) -> str:
    """Push the one image of `layout` to `target`, and return its digest. Raises BuildFailed for a strange layout."""
    return await _Layout(layout, target, pusher, mount).push()


class _Layout:
    def __init__(self, layout: Path, target: Reference, pusher: Pusher, mount: Repository | None) -> None:
        self._layout = layout
        self._target = target
        self._pusher = pusher
        self._mount = mount

    async def push(self) -> str:
        index = _object(await asyncio.to_thread((self._layout / "index.json").read_bytes))
        listed = index.get("manifests")
        if not isinstance(listed, list) or len(listed) != 1:
            raise _strange("it does not hold exactly one image")
        return await self._manifest(listed[0], self._target)

    async def _manifest(self, descriptor: Mapping[str, Any], reference: Reference) -> str:
        digest, media_type = _described(descriptor)
        content = await asyncio.to_thread(self._read, digest)
        manifest = _object(content)
        below = manifest.get("manifests")
        if isinstance(below, list):
            for child in below:
                await self._manifest(child, self._target.repository.at())
            ordered = {**manifest, "manifests": sorted(below, key=_platform)}
            content = json.dumps(ordered, sort_keys=True, separators=(",", ":")).encode()
        else:
            layers = manifest.get("layers")
            for blob in (manifest.get("config"), *(layers if isinstance(layers, list) else ())):
                await self._blob(blob)
        return await self._pusher.manifest(reference, content, media_type)

    async def _blob(self, descriptor: Any) -> None:
        digest, _ = _described(descriptor)
        place = self._place(digest)
        size = (await asyncio.to_thread(place.stat)).st_size

        async def read(offset: int, count: int) -> bytes:
            return await asyncio.to_thread(_slice, place, offset, count)

        await self._pusher.blob(self._target.repository, digest, size, read, mount=self._mount)

    def _read(self, digest: str) -> bytes:
        with self._place(digest).open("rb") as file:
            content = file.read(_MAX_MANIFEST + 1)
        if len(content) > _MAX_MANIFEST or not matches(digest, content):
            raise _strange(f"the manifest {digest} is too large or not what its name says")
        return content

    def _place(self, digest: str) -> Path:
        algorithm, _, value = digest.partition(":")
        return self._layout / "blobs" / algorithm / value


def _platform(descriptor: Mapping[str, Any]) -> str:
    """What images of an index are ordered by: their platforms, then their digests."""
    return json.dumps([descriptor.get("platform"), descriptor.get("digest")], sort_keys=True)


def _slice(place: Path, offset: int, count: int) -> bytes:
    with place.open("rb") as file:
        file.seek(offset)
        return file.read(count)


def _described(descriptor: Any) -> tuple[str, str]:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    media_type = descriptor.get("mediaType") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not is_digest(digest) or not isinstance(media_type, str):
        raise _strange("a descriptor lacks its digest or media type")
    return digest, media_type


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        loaded = json.loads(content)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict):
        raise _strange("a manifest is not an object of JSON")
    return loaded


def _strange(why: str) -> BuildFailed:
    return BuildFailed("the builder's result cannot be read", why=why)
