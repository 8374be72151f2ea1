"""Taking over an object that was made by hand or by `kubectl apply`."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.cluster.api import JSON_PATCH
from reconciler.cluster.apply import apply
from reconciler.cluster.read import get
from reconciler.cluster.server import Server
from reconciler.errors import Conflict
from reconciler.kube.fieldset import Field, FieldSet
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ANNOTATION: Final = FieldSet.from_paths((Field("metadata"), Field("annotations"), Field(LAST_APPLIED)))
_ATTEMPTS: Final = 5

# Whose fields were stated as a whole, as Git states them now: (manager, operation).
_APPLIERS: Final = frozenset(
    {
        ("kubectl-client-side-apply", "Update"),
        ("before-first-apply", "Update"),
        ("kubectl", "Update"),
        ("kubectl", "Apply"),
        ("kubectl-last-applied", "Apply"),
    }
)


async def adopt(server: Server, obj: Mapping[str, Any], existing: Live | None = None) -> Live:
    """Make `obj` what its object is, and what `kubectl apply` stated of it ours.

    A field that `kubectl apply` stated and Git does not state would stay for ever, because its manager never comes
    back to drop it. So that manager's fields become ours first; the apply then drops what Git leaves out. Fields that
    a person or a controller set otherwise stay theirs, unless Git states them. `existing` saves a request; its
    metadata is enough. Raises as `apply` does.
    """
    identity = Identity.of(obj)
    for attempt in range(_ATTEMPTS):
        live = existing if existing is not None and not attempt else await get(server, identity)
        patch = migration(live.metadata) if live is not None else []
        if live is None or not patch:
            break
        place = await server.place(identity, GroupVersionKind.of(live.object).version)
        query = (("fieldManager", MANAGER),)
        try:
            await server.api.write("PATCH", place.path, patch, query, content=JSON_PATCH, subject=identity)
        except Conflict:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    return await apply(server, obj, manager=MANAGER, force=True)


def migration(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON patch that makes appliers' fields ours; it fails with a conflict when the object changed since.

    Empty when there is nothing to do. It also removes the annotation in which kubectl keeps what it last applied.
    """
    entries: list[dict[str, Any]] = list(metadata.get("managedFields") or ())
    theirs = [entry for entry in entries if _applier(entry)]
    annotated = LAST_APPLIED in (metadata.get("annotations") or {})
    if not theirs and not annotated:
        return []
    ours = [entry for entry in entries if _is(entry, MANAGER, "Apply")]
    rest = [entry for entry in entries if entry not in theirs and entry not in ours]
    if theirs:
        fields = FieldSet()
        for entry in (*theirs, *ours):
            fields |= FieldSet.from_v1(entry.get("fieldsV1"))
        fields -= _ANNOTATION
        latest = (ours or theirs)[-1]
        ours = [{**latest, "manager": MANAGER, "operation": "Apply", "fieldsV1": fields.to_v1()}]
    patch: list[dict[str, Any]] = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")},
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, *ours]},
    ]
    if annotated:
        patch.append({"op": "remove", "path": f"/metadata/annotations/{LAST_APPLIED.replace('/', '~1')}"})
    return patch


def _is(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == (manager, operation, "")


def _applier(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is an applier's: a known one, or one that keeps kubectl's annotation."""
    if entry.get("subresource"):
        return False
    if (entry.get("manager"), entry.get("operation")) in _APPLIERS:
        return True
    return entry.get("operation") == "Update" and bool(FieldSet.from_v1(entry.get("fieldsV1")) & _ANNOTATION)
