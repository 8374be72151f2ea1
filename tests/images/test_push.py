"""Pushing to Debian's docker-registry: whole, in pieces, mounted, broken off."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from registry_server import PASSWORD, USER, RegistryServer
from small_images import manifest_of, push_image, whole
from token_server import TokenServer

from reconciler.errors import ImageMissing, RegistryDenied, RegistryUnreachable
from reconciler.images.push import Pusher
from reconciler.images.reference import Repository, digest_of
from reconciler.images.registry import INDEX, MANIFEST, Registry
from reconciler.model.image import RegistryHost


def state(config: Path, server: RegistryServer, password: str) -> None:
    config.write_text(json.dumps({"auths": {server.host: {"username": USER, "password": password}}}))


def remove_tag(server: RegistryServer, repository: str, tag: str) -> None:
    """The registry's API deletes manifests only."""
    shutil.rmtree(server.folder / f"data/docker/registry/v2/repositories/{repository}/_manifests/tags/{tag}")


async def test_an_image_is_pushed_and_found_again(open_registry: RegistryServer, session) -> None:
    connected = session()
    pusher, registry = Pusher(connected, piece=1000), Registry(connected)
    repository = Repository.parse(open_registry.name("push/image"))
    large = bytes(range(256)) * 40  # eleven pieces
    digest = await push_image(pusher, repository, "1.0", b"small", large)
    assert (await registry.head(repository.at(tag="1.0"))).digest == digest
    assert (await registry.manifest(repository.at(digest=digest))).content == manifest_of(b"small", large)
    assert await registry.blob(repository, digest_of(large), 20_000) == large
    assert await registry.tags(repository) == ("1.0",)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    assert await pusher.manifest(repository.at(tag="all"), index, INDEX) == digest_of(index)
    assert (await registry.manifest(repository.at(tag="all"))).media_type == INDEX


async def test_what_the_registry_has_is_not_sent_again(open_registry: RegistryServer, session) -> None:
    connected = session()
    pusher = Pusher(connected)
    first, second = (Repository.parse(open_registry.name(f"push/{name}")) for name in ("first", "second"))
    digest = digest_of(b"shared layer")
    assert await pusher.blob(first, digest, 12, whole(b"shared layer"))
    assert not await pusher.blob(first, digest, 12, whole(b"never read"))
    assert not await pusher.blob(second, digest, 12, whole(b"never read"), mount=first)
    assert await Registry(connected).blob(second, digest, 100) == b"shared layer"
    unknown = Repository.parse(open_registry.name("push/unknown"))
    assert await pusher.blob(second, digest_of(b"other"), 5, whole(b"other"), mount=unknown)


async def test_a_wrong_blob_is_refused(open_registry: RegistryServer, session) -> None:
    pusher = Pusher(session())
    repository = Repository.parse(open_registry.name("push/wrong"))
    with pytest.raises(Exception, match="DIGEST_INVALID"):
        await pusher.blob(repository, digest_of(b"right"), 5, whole(b"wrong"))


async def test_a_manifest_whose_blobs_are_not_there_is_refused(open_registry: RegistryServer, session) -> None:
    pusher = Pusher(session())
    repository = Repository.parse(open_registry.name("push/early"))
    with pytest.raises(Exception, match="BLOB_UNKNOWN"):
        await pusher.manifest(repository.at(tag="1"), manifest_of(b"never pushed"), MANIFEST)


async def test_the_registry_goes_down_in_mid_push_and_comes_back(own_registry: RegistryServer, session) -> None:
    connected = session(deadline=20)
    pusher, registry = Pusher(connected, piece=1000), Registry(connected)
    repository = Repository.parse(own_registry.name("push/broken"))
    large = bytes(range(256)) * 40
    back: list[asyncio.Task[None]] = []

    async def read(offset: int, size: int) -> bytes:
        if offset >= 5000 and not back:
            own_registry.stop()
            back.append(asyncio.create_task(asyncio.to_thread(own_registry.start)))
        return large[offset : offset + size]

    assert await pusher.blob(repository, digest_of(large), len(large), read)
    assert back
    await back[0]
    assert await registry.blob(repository, digest_of(large), 20_000) == large


async def test_what_was_pushed_can_be_deleted(open_registry: RegistryServer, session) -> None:
    connected = session()
    pusher, registry = Pusher(connected), Registry(connected)
    repository = Repository.parse(open_registry.name("push/delete"))
    digest = await push_image(pusher, repository, "1", b"layer")
    assert await pusher.delete(repository.at(digest=digest))
    assert await registry.has(repository.at(tag="1")) == ""
    assert not await pusher.delete(repository.at(digest=digest))


async def test_a_registry_that_forgets_an_upload(open_registry: RegistryServer, session) -> None:
    """As one does that is cleaned up, or whose requests go to several machines that share nothing."""
    pusher = Pusher(session(), piece=1000)
    repository = Repository.parse(open_registry.name("push/forgotten"))
    uploads = open_registry.folder / "data/docker/registry/v2/repositories/push/forgotten/_uploads"
    large = bytes(range(256)) * 40
    forgotten: list[int] = []

    async def read(offset: int, size: int) -> bytes:
        if offset >= 5000 and not forgotten:
            forgotten.append(offset)
            await asyncio.to_thread(shutil.rmtree, uploads)
        return large[offset : offset + size]

    assert await pusher.blob(repository, digest_of(large), len(large), read)
    assert forgotten


async def test_a_push_that_fails_shows_nothing_of_it(own_registry: RegistryServer, session) -> None:
    connected = session(deadline=0.2)
    pusher, registry = Pusher(connected), Registry(connected)
    repository = Repository.parse(own_registry.name("push/half"))
    await push_image(pusher, repository, "good", b"layer")

    async def read(offset: int, size: int) -> bytes:
        own_registry.stop()
        return b"other"

    with pytest.raises(RegistryUnreachable, match="gave no usable answer"):
        await pusher.blob(repository, digest_of(b"other"), 5, read)
    own_registry.start()
    assert await registry.tags(repository) == ("good",)


async def test_a_tag_that_was_deleted(open_registry: RegistryServer, session) -> None:
    connected = session()
    pusher, registry = Pusher(connected), Registry(connected)
    repository = Repository.parse(open_registry.name("push/deleted"))
    await push_image(pusher, repository, "1.0", b"layer")
    remove_tag(open_registry, "push/deleted", "1.0")
    with pytest.raises(ImageMissing) as caught:
        await registry.head(repository.at(tag="1.0"))
    assert f"{repository}:1.0" in str(caught.value)


async def test_a_registry_with_a_password(locked_registry: RegistryServer, session, tmp_path: Path) -> None:
    repository = Repository.parse(locked_registry.name("push/locked"))
    with pytest.raises(RegistryDenied, match="refuses our credentials"):
        await push_image(Pusher(session()), repository, "1", b"layer")
    config = tmp_path / "config.json"
    state(config, locked_registry, "wrong")
    connected = session(config_file=config)
    with pytest.raises(RegistryDenied):
        await push_image(Pusher(connected), repository, "1", b"layer")
    state(config, locked_registry, PASSWORD)
    digest = await push_image(Pusher(connected, piece=3), repository, "1", b"layer")
    assert (await Registry(connected).head(repository.at(tag="1"))).digest == digest


async def test_a_registry_that_asks_for_tokens(
    token_registry: tuple[RegistryServer, TokenServer], session, tmp_path: Path
) -> None:
    server, tokens = token_registry
    public, private = (Repository.parse(server.name(f"{name}/web")) for name in ("public", "private"))
    config = tmp_path / "config.json"
    state(config, server, PASSWORD)
    ada, anybody = session(config_file=config), session()
    digests = [await push_image(Pusher(ada), one, "1", b"layer") for one in (public, private)]
    assert len(tokens.sold) == 2  # one for each repository, for all its blobs
    assert not await Pusher(ada).blob(private, digest_of(b"layer"), 5, whole(b"never read"), mount=public)
    assert (await Registry(anybody).head(public.at(tag="1"))).digest == digests[0]
    for refused in (Registry(anybody).head(private.at(tag="1")), push_image(Pusher(anybody), public, "2", b"other")):
        with pytest.raises(RegistryDenied, match="refuses our credentials"):
            await refused
    tokens.sold.clear()
    moved = Repository.parse(server.name("private/moved"))
    assert not await Pusher(ada).blob(moved, digest_of(b"layer"), 5, whole(b"never read"), mount=public)
    assert tokens.sold[-1] == ["repository:private/moved:pull,push", "repository:public/web:pull"]
    state(config, server, "wrong")
    with pytest.raises(RegistryDenied, match="refuses us a token"):
        await Registry(ada).head(private.at(tag="1"))


async def test_a_registry_with_an_authority_of_its_own(
    tls_registry: RegistryServer, certificate: tuple[Path, Path], session
) -> None:
    repository = Repository.parse(tls_registry.name("push/tls"))
    with pytest.raises(RegistryUnreachable, match="TLS failed") as caught:
        await Registry(session(RegistryHost(tls_registry.host, plain_http=False), deadline=0.2)).tags(repository)
    assert "caFile" in caught.value.hint
    connected = session(RegistryHost(tls_registry.host, ca_file=str(certificate[0])))
    digest = await push_image(Pusher(connected), repository, "1", b"layer")
    assert (await Registry(connected).head(repository.at(tag="1"))).digest == digest
    with pytest.raises(Exception, match="authority cannot be used"):
        await Registry(session(RegistryHost(tls_registry.host, ca_file="/dev/null"))).tags(repository)
