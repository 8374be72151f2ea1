"""Whose an object is and where it came from, written into its own metadata (rules 1 and 7)."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from reconciler.kube.names import Identity
from reconciler.model.manifest import (
    ANNOTATION_ID,
    ANNOTATION_ORIGIN,
    ANNOTATION_PLANNED,
    ANNOTATION_SPEC,
    ANNOTATIONS_OF_CONTROLLERS,
    LABEL_MANAGED_BY,
    LABEL_SOURCE,
    MANAGER,
    Owner,
)
from reconciler.model.spec import GROUP, Document

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_PREFIX: Final = f"{GROUP}/"
# A file made with `kubectl get` states what only a plan says, and controllers keep.
_OTHERS: Final = ANNOTATIONS_OF_CONTROLLERS | {ANNOTATION_PLANNED}


def canonical(value: Any) -> bytes:
    """JSON with sorted names: equal values give equal bytes."""
    return _ENCODER.encode(value)


def sha256(value: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(value).hexdigest()


def stamp(
    obj: Mapping[str, Any], identity: Identity, document: Document, owner: Owner, *, main: bool
) -> tuple[dict[str, Any], str]:
    """`obj` with the document's labels and annotations and ours on its own metadata, and its digest.

    What the user states wins, apart from the marks by which objects are found and owned: there ours do. Objects that
    a document brings along (not `main`) get its labels and, of its annotations, the policy: an annotation for a
    Deployment may mean something else on an Ingress. Templates and selectors are not touched, so a comment in Git
    never restarts a pod; the digest leaves the document's text hash out for the same reason.
    """
    metadata = dict(obj["metadata"])
    metadata["labels"] = {
        **metadata.get("labels", {}),
        **document.labels,
        LABEL_MANAGED_BY: MANAGER,
        LABEL_SOURCE: owner.source,
    }
    annotations = {
        **metadata.get("annotations", {}),
        **{k: v for k, v in document.annotations.items() if (main or k.startswith(_PREFIX)) and k not in _OTHERS},
        ANNOTATION_ID: owner.id_of(identity),
        ANNOTATION_SPEC: str(document.identity),
        ANNOTATION_ORIGIN: document.origin.path,
    }
    metadata["annotations"] = annotations
    stamped = {**obj, "metadata": metadata}
    digest = sha256(canonical(stamped))
    annotations[ANNOTATION_ORIGIN] = f"{document.origin.path}#{document.origin.text_hash}"
    return stamped, digest
