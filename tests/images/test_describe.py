"""What images say of themselves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from memory_registry import MemoryRegistry
from virtual import virtual

from reconciler.errors import ImageError
from reconciler.images.describe import Description, describe
from reconciler.images.reference import Reference, digest_of
from reconciler.images.registry import INDEX, Registry
from reconciler.images.session import Session

NAME = "r.example.com/web"


@pytest.fixture
def registry(memory_session: Callable[..., Session]) -> Registry:
    return Registry(memory_session())


def put(shop: MemoryRegistry, tag: str, config: Any) -> str:
    content = json.dumps(config).encode()
    shop.blobs[digest_of(content)] = content
    return shop.put("web", tag, json.dumps({"config": {"digest": digest_of(content)}}).encode())


@virtual
async def test_an_image_for_one_platform(shop: MemoryRegistry, registry: Registry) -> None:
    stated = {"os": "linux", "architecture": "arm64", "variant": "v8", "created": "2026-01-02T03:04:05.123456789Z"}
    put(shop, "1", {**stated, "config": {"User": "65532:65532"}})
    found = await describe(registry, Reference.parse(f"{NAME}:1"))
    assert found == Description(("65532",), datetime(2026, 1, 2, 3, 4, 5, 123456, UTC), ("linux/arm64/v8",))
    assert not found.may_be_root


@virtual
async def test_an_index(shop: MemoryRegistry, registry: Registry) -> None:
    first = put(shop, "", {"os": "linux", "architecture": "amd64", "created": "2026-01-01T00:00:00Z"})
    config = {"User": "1000"}
    second = put(
        shop, "", {"os": "linux", "architecture": "arm64", "created": "2026-01-02T00:00:00Z", "config": config}
    )
    platform = {"os": "unknown", "architecture": "unknown"}
    listed = [{"digest": first}, {"digest": second}, {"digest": digest_of(b"never asked"), "platform": platform}]
    shop.put("web", "1", json.dumps({"manifests": listed}).encode(), INDEX)
    found = await describe(registry, Reference.parse(f"{NAME}:1"))
    assert found == Description(("", "1000"), datetime(2026, 1, 2, tzinfo=UTC), ("linux/amd64", "linux/arm64"))
    assert found.may_be_root


@pytest.mark.parametrize(
    ("user", "root"),
    [
        ("", True),
        ("root", True),
        ("0", True),
        ("00", True),
        ("0:0", True),
        ("web", True),
        ("1000", False),
        ("1:0", False),
    ],
)
def test_who_may_be_root(user: str, root: bool, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        put(shop, "1", {"config": {"User": user}})
        assert (await describe(registry, Reference.parse(f"{NAME}:1"))).may_be_root is root

    asked()


@pytest.mark.parametrize("created", [None, "", "1970-01-01T00:00:00Z", "yesterday", "2026-01-01", 7])
def test_times_that_are_none(created: object, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        put(shop, "1", {"created": created, "config": 7, "os": 7})
        assert await describe(registry, Reference.parse(f"{NAME}:1")) == Description(("",), None, ("",))

    asked()


@pytest.mark.parametrize(
    "manifest", [{}, {"config": 7}, {"config": {"digest": "x"}}, {"manifests": [{"digest": "../x"}]}, []]
)
def test_manifests_that_cannot_be_read(manifest: object, shop: MemoryRegistry, registry: Registry) -> None:
    @virtual
    async def asked() -> None:
        shop.put("web", "1", json.dumps(manifest).encode())
        with pytest.raises(ImageError):
            await describe(registry, Reference.parse(f"{NAME}:1"))

    asked()
