"""Who owns a live object (rule 1).

Labels only find candidates: controllers copy them (a Service's land on its Endpoints). What counts is the annotation
`reconciler.dev/id`, and that it names the very object that carries it, plus our field manager, plus no controller.
"""

from enum import StrEnum
from typing import NamedTuple

from reconciler.kube.names import Identity
from reconciler.model.change import Live
from reconciler.model.manifest import ANNOTATION_ID, ANNOTATION_ORIGIN, MANAGER, Owner


class Ownership(StrEnum):
    """Whose an object is, seen by one owner."""

    OURS = "ours"
    OTHER_SOURCE = "another source's"  # of the same install
    OTHER_INSTALL = "another install's"
    COPY = "a copy of our marks"  # marked, but the marks are another object's, or something else controls or made it
    FOREIGN = "not ours"  # no marks: nobody's, or another tool's


class Mark(NamedTuple):
    """The value of `reconciler.dev/id`, read back."""

    owner: Owner
    identity: Identity

    @classmethod
    def parse(cls, text: str) -> "Mark | None":
        """Of `<install>/<source>/<group>/<kind>/<namespace>/<name>`; None where `text` is not that.

        No part but the install may hold a slash: Kubernetes allows none in what it names.
        """
        parts = text.rsplit("/", 5)
        if len(parts) != 6:
            return None
        install, source, group, kind, namespace, name = parts
        if not (install and source and kind and name):
            return None
        return cls(Owner(install, source), Identity(group, kind, namespace, name))


def mark(live: Live) -> Mark | None:
    """What the object's annotation claims, believed or not."""
    text = live.annotations.get(ANNOTATION_ID)
    return Mark.parse(text) if text else None


def applied(live: Live) -> bool:
    """Whether our field manager has applied the object."""
    return any(
        entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")
        for entry in live.metadata.get("managedFields") or ()
    )


def controlled(live: Live) -> bool:
    """Whether a controller made the object: a ReplicaSet's pod, a Service's Endpoints."""
    return any(reference.get("controller") for reference in live.metadata.get("ownerReferences") or ())


def owner_of(live: Live) -> Owner | None:
    """The owner, of whatever install, whose annotation can be believed; None where rule 1 does not hold."""
    marked = mark(live)
    if marked is None or marked.identity != live.identity or controlled(live) or not applied(live):
        return None
    return marked.owner


def ownership(live: Live, owner: Owner) -> Ownership:
    """Whose `live` is, seen by `owner`. Works on metadata alone, as long as it has the managedFields."""
    text = live.annotations.get(ANNOTATION_ID)
    if text is None:
        return Ownership.FOREIGN
    if text == owner.id_of(live.identity):  # nearly always, and asked of every object in every pass
        return Ownership.OURS if applied(live) and not controlled(live) else Ownership.COPY
    found = owner_of(live)
    if found is None:
        return Ownership.COPY
    return Ownership.OTHER_SOURCE if found.install == owner.install else Ownership.OTHER_INSTALL


def origin_path(live: Live) -> str:
    """The file that an owned object came from, by its origin annotation `<path>#<text hash>`; "" where it has none."""
    return live.annotations.get(ANNOTATION_ORIGIN, "").rpartition("#")[0]
