"""Owner references: who made an object, and who may manage it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.sandbox.client import Object, Resource

OWNER_INDEX: Final = "controller"


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The owner reference of the one controller that manages `obj`."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Object = reference
            return found
    return None


def controller_uid(obj: Object) -> Iterable[str]:
    """An index function: the uid of the managing controller; orphans are found under `orphans(namespace)`."""
    reference = controller_of(obj)
    return (reference["uid"] if reference else orphans(obj["metadata"].get("namespace", "")),)


def orphans(namespace: str) -> str:
    """The index value of the objects in `namespace` that nobody controls."""
    return f"orphans/{namespace}"


def controller_reference(resource: Resource, owner: Mapping[str, Any]) -> Object:
    """A reference that makes `owner`, an object of kind `resource`, the managing controller."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))
