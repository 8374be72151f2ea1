"""When an image was made, as it says itself."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.images.reference import Reference
from reconciler.images.registry import Manifest, Registry

_MAX_CONFIG: Final = 4 * 1024 * 1024
_MAX_PLATFORMS: Final = 20
_EPOCH: Final = datetime(1970, 1, 2, tzinfo=UTC)  # what is older has a fixed time, and no age


async def created(registry: Registry, image: Reference) -> datetime | None:
    """When the image with `image.digest`, or what its tag means now, was made; of several platforms, the latest.

    None where none states it, or states a fixed time. Raises ImageError.
    """
    manifest = await registry.manifest(image)
    listed = manifest.json().get("manifests")
    if isinstance(listed, list):
        found = [one for one in listed if isinstance(one, dict) and _is_image(one)][:_MAX_PLATFORMS]
        references = [Reference.parse(f"{image.repository}@{one.get('digest')}") for one in found]
        manifests = list(await asyncio.gather(*(registry.manifest(one) for one in references)))
    else:
        manifests = [manifest]
    configs = await asyncio.gather(*(_config(registry, image, one) for one in manifests))
    return max((time for config in configs if (time := _time(config.get("created"))) is not None), default=None)


async def _config(registry: Registry, image: Reference, manifest: Manifest) -> Mapping[str, Any]:
    described = manifest.json().get("config")
    digest = described.get("digest") if isinstance(described, dict) else None
    content = await registry.blob(image.repository, str(digest), _MAX_CONFIG)
    return Manifest(str(digest), "", content).json()


def _is_image(descriptor: Mapping[str, Any]) -> bool:
    """Builders list attestations beside images, for the platform unknown/unknown."""
    platform = descriptor.get("platform")
    return not isinstance(platform, dict) or platform.get("os") != "unknown"


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return None
    return found if found > _EPOCH else None
