"""A build's context as an OCI artifact: how a Job gets it.

Each part of the context is a layer, a tar file of some of its files, so neither side holds more than one in memory, and
parts that did not change are not pushed again. The artifact lies in the image's own repository, under the tag of the
inputs with `-context` behind it, and is asked for by its digest.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ImageError, ImageRefused
from reconciler.images.builder import Work
from reconciler.images.context import parts, unpack
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference, digest_of
from reconciler.images.registry import MANIFEST, Registry
from reconciler.model.snapshot import Blobs

TYPE: Final = "application/vnd.reconciler.context.v1"
_PART: Final = "application/vnd.reconciler.context.v1.tar"
_EMPTY: Final = "application/vnd.oci.empty.v1+json"
_SUFFIX: Final = "-context"
_MAX_PART: Final = 1024 * 1024 * 1024
_MAX_PARTS: Final = 10_000


async def push(work: Work, blobs: Blobs, pusher: Pusher) -> Reference:
    """Push the context of `work`; the reference has the digest."""
    repository = work.target.repository
    layers: list[dict[str, Any]] = []
    async for part in parts(work.inputs, blobs, bases=work.bases):
        layers.append(_described(_PART, part))
        await pusher.blob(repository, digest_of(part), len(part), _reader(part))
    empty = b"{}"
    await pusher.blob(repository, digest_of(empty), len(empty), _reader(empty))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": TYPE,
        "config": _described(_EMPTY, empty),
        "layers": layers,
        "annotations": {"reconciler.dev/image": str(work.target)},  # each build's context is deleted alone
    }
    target = repository.at(tag=f"{work.target.tag}{_SUFFIX}")
    return target.pinned(await pusher.manifest(target, json.dumps(manifest).encode("ascii"), MANIFEST))


async def fetch(registry: Registry, reference: Reference, folder: Path) -> None:
    """Unpack the context at `reference`, which has a digest, into `folder`. Raises ImageError."""
    if not reference.digest:
        raise ImageRefused("a context is asked for by its digest", where=str(reference))
    manifest = (await registry.manifest(reference)).json()
    layers = manifest.get("layers")
    if manifest.get("artifactType") != TYPE or not isinstance(layers, list) or len(layers) > _MAX_PARTS:
        raise ImageError("this is not a context", where=str(reference))
    for layer in layers:
        digest = layer.get("digest") if isinstance(layer, dict) else None
        unpack(await registry.blob(reference.repository, str(digest), _MAX_PART), folder)


def _described(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _reader(content: bytes) -> Callable[[int, int], Any]:
    async def read(offset: int, size: int) -> bytes:
        return content[offset : offset + size]

    return read
