"""What an image says of itself: who it runs as, when it was made, for which platforms."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.images.reference import Reference
from reconciler.images.registry import Manifest, Registry

_MAX_CONFIG: Final = 4 * 1024 * 1024
_MAX_PLATFORMS: Final = 20
_EPOCH: Final = datetime(1970, 1, 2, tzinfo=UTC)  # what is older has a fixed time, and no age


@dataclass(frozen=True, slots=True)
class Description:
    """`users` are what the images of all platforms state as USER ("" where one states none), each once.

    `created` is the latest of their times, None where they state none or a fixed one.
    """

    users: tuple[str, ...]
    created: datetime | None
    platforms: tuple[str, ...]

    @property
    def may_be_root(self) -> bool:
        """Whether a kubelet that must not run root would refuse it: no user, root, or a name that it cannot look up."""
        return any(not _number(user) for user in self.users)


async def describe(registry: Registry, image: Reference) -> Description:
    """Describe the image with `image.digest`, or what its tag means now. Raises ImageError."""
    manifest = await registry.manifest(image)
    listed = manifest.json().get("manifests")
    if isinstance(listed, list):
        found = [one for one in listed if isinstance(one, dict) and _is_image(one)][:_MAX_PLATFORMS]
        references = [Reference.parse(f"{image.repository}@{one.get('digest')}") for one in found]
        manifests = list(await asyncio.gather(*(registry.manifest(one) for one in references)))
    else:
        manifests = [manifest]
    configs = await asyncio.gather(*(_config(registry, image, one) for one in manifests))
    times = [time for config in configs if (time := _time(config.get("created"))) is not None]
    return Description(
        tuple(sorted({_user(config) for config in configs})),
        max(times, default=None),
        tuple(sorted({_platform(config) for config in configs})),
    )


async def _config(registry: Registry, image: Reference, manifest: Manifest) -> Mapping[str, Any]:
    described = manifest.json().get("config")
    digest = described.get("digest") if isinstance(described, dict) else None
    content = await registry.blob(image.repository, str(digest), _MAX_CONFIG)
    return Manifest(str(digest), "", content).json()


def _is_image(descriptor: Mapping[str, Any]) -> bool:
    """Builders list attestations beside images, for the platform unknown/unknown."""
    platform = descriptor.get("platform")
    return not isinstance(platform, dict) or platform.get("os") != "unknown"


def _user(config: Mapping[str, Any]) -> str:
    stated = config.get("config")
    user = stated.get("User") if isinstance(stated, dict) else None
    return user.partition(":")[0] if isinstance(user, str) else ""


def _number(user: str) -> bool:
    return user.isascii() and user.isdigit() and int(user) != 0


def _platform(config: Mapping[str, Any]) -> str:
    parts = (config.get("os"), config.get("architecture"), config.get("variant"))
    return "/".join(part for part in parts if isinstance(part, str) and part)


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return None
    return found if found > _EPOCH else None
