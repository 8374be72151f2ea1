"""Signatures by key pair, made with the openssl command: found in each of the three ways, and what does not count."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from memory_registry import MemoryRegistries, MemoryRegistry
from registry_server import RegistryServer
from signing import Pair, payload_of, simple, tag_of
from small_images import push_image, whole
from virtual import virtual

from reconciler.errors import ImageRefused, ImageUntrusted, RegistryUnreachable
from reconciler.http.transport import Response
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference, Repository, digest_of
from reconciler.images.registry import INDEX, MANIFEST, Registry
from reconciler.images.session import Session
from reconciler.images.signatures import ARTIFACT, BUNDLE, Key, verify

WEB = Repository.parse("r.example.com/web")


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("ada"), "cosign")


@pytest.fixture(scope="module")
def eve(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("eve"), "eve")


@pytest.fixture
def registry(memory_session: Callable[..., Session]) -> Registry:
    return Registry(memory_session())


@pytest.fixture
def image(shop: MemoryRegistry) -> Reference:
    return WEB.at(tag="1", digest=shop.put("web", "1", b'{"an": "image"}'))


def bundle_of(pair: Pair, digest: str, predicate: str = "https://sigstore.dev/cosign/sign/v1") -> bytes:
    kind = "application/vnd.in-toto+json"
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    statement = json.dumps(
        {"_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate, "predicate": {}}
    ).encode()
    signature = pair.sign(b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(statement), statement))
    envelope = {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": kind,
        "signatures": [{"sig": signature}],
    }
    return json.dumps({"mediaType": BUNDLE, "verificationMaterial": {}, "dsseEnvelope": envelope}).encode()


def add_bundle(shop: MemoryRegistry, image: Reference, bundle: bytes) -> None:
    shop.blobs[digest_of(bundle)] = bundle
    layer = {"mediaType": BUNDLE, "digest": digest_of(bundle), "size": len(bundle)}
    subject = {"digest": image.digest}
    shop.put("web", "", json.dumps({"layers": [layer], "artifactType": BUNDLE, "subject": subject}).encode())


@virtual
async def test_a_signature_under_its_tag(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair, eve: Pair
) -> None:
    payload = payload_of(image.digest)
    shop.blobs[digest_of(payload)] = payload
    shop.put("web", tag_of(image), simple(payload, eve.sign(payload), ada.sign(payload)))
    assert await verify(registry, image, [ada.key]) == ada.key
    assert (await verify(registry, image, [ada.key, eve.key])).name == eve.name


@virtual
async def test_a_signature_among_the_referrers(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair
) -> None:
    payload = payload_of(image.digest)
    shop.blobs[digest_of(payload)] = payload
    made = simple(payload, ada.sign(payload), artifactType=ARTIFACT, subject={"digest": image.digest})
    digest = shop.put("web", "", made)
    with pytest.raises(ImageUntrusted, match="is not signed"):
        await verify(registry, image, [ada.key])
    listed = json.dumps({"manifests": [{"artifactType": ARTIFACT, "digest": digest}]}).encode()
    shop.put("web", image.digest.replace(":", "-"), listed, INDEX)  # the fallback tag
    assert await verify(registry, image, [ada.key])
    shop.tags["web"].clear()
    shop.knows_referrers = True
    assert await verify(registry, image, [ada.key])


@virtual
async def test_a_bundle_among_the_referrers(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair, eve: Pair
) -> None:
    shop.knows_referrers = True
    add_bundle(shop, image, bundle_of(ada, image.digest))
    assert await verify(registry, image, [ada.key])
    with pytest.raises(ImageUntrusted, match="by a key that is trusted"):
        await verify(registry, image, [eve.key])


@virtual
async def test_a_signed_list_of_parts_is_no_signature_of_the_image(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair
) -> None:
    shop.knows_referrers = True
    add_bundle(shop, image, bundle_of(ada, image.digest, "https://cyclonedx.org/bom"))
    with pytest.raises(ImageUntrusted):
        await verify(registry, image, [ada.key])


@virtual
async def test_a_signature_of_another_image_is_none_of_this(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair
) -> None:
    other = digest_of(b"another image")
    shop.knows_referrers = True
    add_bundle(shop, image, bundle_of(ada, other))
    for payload in (
        payload_of(other),
        payload_of(image.digest, "something else"),
        b"{}",
        b"no JSON",
        b'{"critical": []}',
    ):
        shop.blobs[digest_of(payload)] = payload
        shop.put("web", tag_of(image), simple(payload, ada.sign(payload)))
        with pytest.raises(ImageUntrusted, match="no signature of the image is by a key that is trusted"):
            await verify(registry, image, [ada.key])


@virtual
async def test_a_forged_signature(shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair) -> None:
    payload = payload_of(image.digest)
    good = ada.sign(payload)
    shop.blobs[digest_of(payload)] = payload
    for signature in (
        "",
        "!",
        "AAAA",
        good[:-8] + "AAAAAAA=",
        base64.b64encode(b"\x30\x06\x02\x01\x00\x02\x01\x00").decode(),
    ):
        shop.put("web", tag_of(image), simple(payload, signature))
        with pytest.raises(ImageUntrusted):
            await verify(registry, image, [ada.key])
    shop.put("web", tag_of(image), simple(payload, good))
    shop.blobs[digest_of(payload)] = payload.replace(b"null", b"true")  # what is under the digest is not what it names
    with pytest.raises(ImageUntrusted):
        await verify(registry, image, [ada.key])


@virtual
async def test_what_is_said_of_an_image_that_is_not_signed(registry: Registry, image: Reference, ada: Pair) -> None:
    with pytest.raises(ImageUntrusted) as caught:
        await verify(registry, image, [ada.key])
    assert "\n".join(caught.value.diagnostics()) == (
        f"r.example.com/web:1@{image.digest}: the image is not signed\n"
        "  because: the registry has no signature of it\n"
        f"  hint: sign it: cosign sign --key cosign.key r.example.com/web@{image.digest}"
    )


@virtual
async def test_a_registry_that_cannot_be_asked_is_not_an_unsigned_image(
    shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair
) -> None:
    shop.fault = lambda _request: Response(503, {}, b"")
    with pytest.raises(RegistryUnreachable):
        await verify(registry, image, [ada.key])


@virtual
async def test_many_signatures_are_not_looked_at_for_ever(
    world: MemoryRegistries, shop: MemoryRegistry, registry: Registry, image: Reference, ada: Pair
) -> None:
    payload = payload_of(image.digest)
    shop.blobs[digest_of(payload)] = payload
    shop.put("web", tag_of(image), simple(payload, *["AAAA"] * 10_000))
    with pytest.raises(ImageUntrusted):
        await verify(registry, image, [ada.key])
    assert len(world.seen) < 60


def test_keys_that_cannot_be_used(tmp_path: Path) -> None:
    for pem in (b"", b"no key", Pair(tmp_path, "other", "secp384r1").pem):
        with pytest.raises(ImageRefused) as caught:
            Key.load(pem, "cosign.pub")
        assert caught.value.where == "cosign.pub"


async def test_on_a_real_registry(open_registry: RegistryServer, session: Callable[..., Session], ada: Pair) -> None:
    """Debian's has no referrers API: what is asked of it must not end there."""
    connected = session()
    pusher, registry = Pusher(connected), Registry(connected)
    repository = Repository.parse(open_registry.name("signed/web"))
    image = repository.at(tag="1", digest=await push_image(pusher, repository, "1", b"layer"))
    with pytest.raises(ImageUntrusted, match="is not signed"):
        await verify(registry, image, [ada.key])
    payload = payload_of(image.digest)
    config = b"{}"
    for content in (payload, config):
        await pusher.blob(repository, digest_of(content), len(content), whole(content))
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config), "size": 2}
    await pusher.manifest(
        repository.at(tag=tag_of(image)), simple(payload, ada.sign(payload), config=described), MANIFEST
    )
    assert await verify(registry, image, [ada.key])
