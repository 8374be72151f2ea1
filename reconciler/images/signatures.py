"""Signatures of images made with a key pair, as cosign makes them.

Three ways in which a registry holds them, all looked for:

    tag sha256-<digest>.sig     a manifest whose layers are simple-signing payloads, the signature in an annotation
    referrers, …artifact.sig…   the same manifest, found through the referrers API or its fallback tag
    referrers, …bundle.v0.3…    a Sigstore bundle: an in-toto statement about the image in a DSSE envelope

A signature counts when it is by one of the keys (ECDSA over P-256, SHA-256) and what was signed names the image's
digest and says that it is a signature of an image: a signed statement about an image, such as a list of its parts, is
none. Neither the transparency log nor certificates are looked at: trust is in the key alone.

Sources: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md,
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md.
"""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reconciler.errors import ImageError, ImageMissing, ImageRefused, ImageUntrusted
from reconciler.images.reference import Reference, Repository
from reconciler.images.registry import Manifest, Registry

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

SIMPLE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
ARTIFACT: Final = "application/vnd.dev.cosign.artifact.sig.v1+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
ANNOTATION: Final = "dev.cosignproject.cosign/signature"
_SIMPLE_TYPE: Final = "cosign container image signature"
_STATEMENT: Final = "application/vnd.in-toto+json"
_PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
_MAX_PAYLOAD: Final = 1024 * 1024
_MAX_SIGNATURES: Final = 50  # of one image that are looked at


class Signed(NamedTuple):
    """Bytes, a signature of them, and what they say of the image."""

    message: bytes
    signature: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. `name` is how people know it: its file."""

    name: str
    key: "EllipticCurvePublicKey" = field(repr=False)

    @classmethod
    def load(cls, pem: bytes, name: str) -> "Key":
        """Raises ImageRefused for what is no public key of ECDSA over P-256 in PEM."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise ImageRefused(
                "the file holds no public key", where=name, hint="cosign writes it as cosign.pub"
            ) from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ImageRefused("the key is not one of ECDSA over P-256", where=name, hint="use a key pair of cosign")
        return cls(name, key)

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (DER) of `message` was made with this key."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            self.key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


async def verify(registry: Registry, image: Reference, keys: Sequence[Key]) -> Key:
    """The key that signed `image`, which has a digest.

    Raises ImageUntrusted when no signature holds, and what the registry answers where it cannot be asked.
    """
    seen = 0
    async for signed in _found(registry, image):
        seen += 1
        if signed.digest == image.digest:
            for key in keys:
                if key.signed(signed.message, signed.signature):
                    return key
        if seen >= _MAX_SIGNATURES:
            break
    names = ", ".join(key.name for key in keys)
    raise ImageUntrusted(
        "the image is not signed" if not seen else "no signature of the image is by a key that is trusted",
        where=str(image),
        why=f"{seen} signatures were looked at; trusted is {names}" if seen else "the registry has no signature of it",
        hint="sign it: cosign sign --key cosign.key " + str(image.repository.at(digest=image.digest)),
    )


async def _found(registry: Registry, image: Reference) -> AsyncIterator[Signed]:
    """All signatures of `image` that can be read; what cannot be read is passed over."""
    repository = image.repository
    try:
        manifest = await registry.manifest(repository.at(tag=f"{image.digest.replace(':', '-')}.sig"))
    except ImageMissing:
        pass
    else:
        async for signed in _simple(registry, repository, manifest):
            yield signed
    for referrer in await registry.referrers(image):
        kind, digest = referrer.get("artifactType"), referrer.get("digest")
        if kind not in (ARTIFACT, BUNDLE, None, "") or not isinstance(digest, str):
            continue
        try:
            manifest = await registry.manifest(Reference.parse(f"{repository}@{digest}"))
        except (ImageMissing, ImageRefused, ImageUntrusted):
            continue
        async for signed in _simple(registry, repository, manifest):
            yield signed
        async for signed in _bundles(registry, repository, manifest):
            yield signed


async def _simple(registry: Registry, repository: Repository, manifest: Manifest) -> AsyncIterator[Signed]:
    for layer in _layers(manifest, SIMPLE):
        annotations = layer.get("annotations")
        signature = _decoded(annotations.get(ANNOTATION) if isinstance(annotations, dict) else None)
        payload = await _blob(registry, repository, layer)
        if signature and payload:
            yield Signed(payload, signature, _digest_of_payload(payload))


async def _bundles(registry: Registry, repository: Repository, manifest: Manifest) -> AsyncIterator[Signed]:
    for layer in _layers(manifest, BUNDLE):
        envelope = _object(await _blob(registry, repository, layer)).get("dsseEnvelope")
        if not isinstance(envelope, dict) or envelope.get("payloadType") != _STATEMENT:
            continue
        payload = _decoded(envelope.get("payload"))
        for digest in _digests_of_statement(payload):
            for one in _dicts(envelope.get("signatures")):
                if signature := _decoded(one.get("sig")):
                    yield Signed(_encoded(_STATEMENT, payload), signature, digest)


def _encoded(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed of an envelope."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode("ascii"), len(payload), payload)


def _digest_of_payload(payload: bytes) -> str:
    """The digest that a simple-signing payload names, "" for one that is not about an image."""
    critical = _object(payload).get("critical")
    if not isinstance(critical, dict) or critical.get("type") != _SIMPLE_TYPE:
        return ""
    image = critical.get("image")
    found = image.get("docker-manifest-digest") if isinstance(image, dict) else None
    return found if isinstance(found, str) else ""


def _digests_of_statement(payload: bytes) -> list[str]:
    """The digests that an in-toto statement is about, none for one that is no image signature."""
    statement = _object(payload)
    if statement.get("predicateType") != _PREDICATE:
        return []
    digests = [one.get("digest") for one in _dicts(statement.get("subject"))]
    return [
        f"sha256:{one['sha256']}" for one in digests if isinstance(one, dict) and isinstance(one.get("sha256"), str)
    ]


def _layers(manifest: Manifest, media_type: str) -> Iterable[Mapping[str, Any]]:
    try:
        layers = _dicts(manifest.json().get("layers"))
    except ImageError:
        return ()
    return [one for one in layers if one.get("mediaType") == media_type][:_MAX_SIGNATURES]


async def _blob(registry: Registry, repository: Repository, layer: Mapping[str, Any]) -> bytes:
    digest = layer.get("digest")
    try:
        return await registry.blob(repository, digest if isinstance(digest, str) else "", _MAX_PAYLOAD)
    except (ImageMissing, ImageUntrusted):
        return b""


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""
