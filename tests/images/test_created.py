"""When images were made, as they say themselves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from memory_registry import MemoryRegistry
from virtual import virtual

from reconciler.errors import ImageError
from reconciler.images.created import created
from reconciler.images.reference import Reference, digest_of
from reconciler.images.registry import INDEX, Registry
from reconciler.images.session import Session

IMAGE = Reference.parse("r.example.com/web:1")


@pytest.fixture
def registry(memory_session: Callable[..., Session]) -> Registry:
    return Registry(memory_session())


def put(shop: MemoryRegistry, tag: str, config: Any) -> str:
    content = json.dumps(config).encode()
    shop.blobs[digest_of(content)] = content
    return shop.put("web", tag, json.dumps({"config": {"digest": digest_of(content)}}).encode())


@virtual
async def test_an_image_for_one_platform(shop: MemoryRegistry, registry: Registry) -> None:
    put(shop, "1", {"os": "linux", "architecture": "arm64", "created": "2026-01-02T03:04:05.123456789Z"})
    assert await created(registry, IMAGE) == datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)


@virtual
async def test_of_an_index_the_latest_and_attestations_are_not_asked(shop: MemoryRegistry, registry: Registry) -> None:
    first = put(shop, "", {"os": "linux", "architecture": "amd64", "created": "2026-01-02T00:00:00Z"})
    second = put(shop, "", {"os": "linux", "architecture": "arm64", "created": "2026-01-01T00:00:00Z"})
    platform = {"os": "unknown", "architecture": "unknown"}
    listed = [{"digest": first}, {"digest": second}, {"digest": digest_of(b"never asked"), "platform": platform}]
    shop.put("web", "1", json.dumps({"manifests": listed}).encode(), INDEX)
    assert await created(registry, IMAGE) == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("stated", [None, "", "1970-01-01T00:00:00Z", "yesterday", "2026-01-01", 7])
def test_times_that_are_none(stated: object, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        put(shop, "1", {"created": stated})
        assert await created(registry, IMAGE) is None

    asked()


@pytest.mark.parametrize(
    "manifest", [{}, {"config": 7}, {"config": {"digest": "x"}}, {"manifests": [{"digest": "../x"}]}, []]
)
def test_manifests_that_cannot_be_read(manifest: object, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        shop.put("web", "1", json.dumps(manifest).encode())
        with pytest.raises(ImageError):
            await created(registry, IMAGE)

    asked()
