"""Key pairs and signatures of images, made with the openssl command as cosign makes them."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

from reconciler.images.reference import Reference, digest_of
from reconciler.images.registry import MANIFEST
from reconciler.images.signatures import ANNOTATION, SIMPLE, Key


class Pair:
    """A key pair of openssl's."""

    def __init__(self, folder: Path, name: str, curve: str = "prime256v1") -> None:
        self._private = folder / f"{name}.key"
        public = folder / f"{name}.pub"
        _openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", str(self._private))
        _openssl("pkey", "-in", str(self._private), "-pubout", "-out", str(public))
        self.pem = public.read_bytes()
        self.name = str(public)

    @property
    def key(self) -> Key:
        return Key.load(self.pem, self.name)

    def sign(self, message: bytes) -> str:
        return base64.b64encode(_openssl("dgst", "-sha256", "-sign", str(self._private), data=message)).decode()


def _openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True, timeout=30).stdout


def payload_of(digest: str, kind: str = "cosign container image signature") -> bytes:
    return json.dumps(
        {
            "critical": {
                "identity": {"docker-reference": "r.example.com/web"},
                "image": {"docker-manifest-digest": digest},
                "type": kind,
            },
            "optional": None,
        }
    ).encode()


def simple(payload: bytes, *signatures: str, **more: Any) -> bytes:
    """The manifest that holds signatures of a payload."""
    layers = [
        {
            "mediaType": SIMPLE,
            "digest": digest_of(payload),
            "size": len(payload),
            "annotations": {ANNOTATION: signature},
        }
        for signature in signatures
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers, **more}).encode()


def tag_of(image: Reference) -> str:
    return image.digest.replace(":", "-") + ".sig"
