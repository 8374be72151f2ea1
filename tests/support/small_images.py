"""The smallest images there are, for tests that push."""

import json
from collections.abc import Awaitable, Callable

from reconciler.images.push import Pusher
from reconciler.images.reference import Repository, digest_of
from reconciler.images.registry import MANIFEST

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'


def whole(content: bytes) -> Callable[[int, int], Awaitable[bytes]]:
    """A blob's content, as a Pusher reads it."""

    async def read(offset: int, size: int) -> bytes:
        return content[offset : offset + size]

    return read


def manifest_of(*layers: bytes) -> bytes:
    """The manifest of an image whose configuration is CONFIG."""

    def described(kind: str, content: bytes) -> dict[str, object]:
        return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}

    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("application/vnd.oci.image.config.v1+json", CONFIG),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", layer) for layer in layers],
        }
    ).encode()


async def push_image(pusher: Pusher, repository: Repository, tag: str, *layers: bytes) -> str:
    """Push an image with these layers; its digest."""
    for content in (CONFIG, *layers):
        await pusher.blob(repository, digest_of(content), len(content), whole(content))
    return await pusher.manifest(repository.at(tag=tag), manifest_of(*layers), MANIFEST)
