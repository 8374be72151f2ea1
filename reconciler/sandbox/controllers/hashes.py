"""Short hashes of pod templates, for names and labels."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from reconciler.kube.names import NAME_LETTERS
from reconciler.sandbox.controllers.controller import bare


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """Ten letters for `template`; another ten after each of `collisions`.

    Kubernetes takes FNV-32a of a Go dump of the structure, which only Go can give: here it is a hash of the JSON.
    """
    text = msgspec.json.encode(bare(template), order="deterministic")
    number = int.from_bytes(hashlib.blake2b(text + str(collisions).encode(), digest_size=8).digest())
    letters = []
    for _ in range(10):
        number, digit = divmod(number, len(NAME_LETTERS))
        letters.append(NAME_LETTERS[digit])
    return "".join(letters)
