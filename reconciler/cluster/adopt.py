"""Taking over an object that was made by hand or by `kubectl apply`."""

import json
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

    Empty when there is nothing to do. It also removes the annotation in which kubectl keeps what it last applied. What
    is in that annotation becomes ours; what the server filled in when kubectl created the object, and therefore counts
    as kubectl's (defaults, labels made of others, finalizers), becomes nobody's: it stays.
    """
    entries: list[dict[str, Any]] = list(metadata.get("managedFields") or ())
    theirs = [entry for entry in entries if _applier(entry)]
    annotated = LAST_APPLIED in (metadata.get("annotations") or {})
    if not theirs and not annotated:
        return []
    ours = [entry for entry in entries if _is(entry, MANAGER, "Apply")]
    rest = [entry for entry in entries if entry not in theirs and entry not in ours]
    if theirs:
        stated = _last_applied(metadata)
        fields = FieldSet()
        for entry in (*theirs, *ours):
            owned: dict[str, Any] = entry.get("fieldsV1") or {}
            if "f:stringData" in owned:  # which the server keeps as data
                owned = {**owned, "f:data": {**owned.get("f:data", {}), **owned["f:stringData"]}}
            if entry.get("operation") == "Update":
                owned = _within(owned, stated) if stated is not None else _without_finalizers(owned)
            fields |= FieldSet.from_v1(owned)
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


def _last_applied(metadata: Mapping[str, Any]) -> Any:
    """What kubectl last applied; None where that is not known."""
    try:
        stated = json.loads((metadata.get("annotations") or {})[LAST_APPLIED])
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(stated, dict) or "kind" not in stated:
        return None
    text = stated.get("stringData")
    return {**stated, "data": {**(stated.get("data") or {}), **text}} if isinstance(text, dict) else stated


def _within(fields: Mapping[str, Any], stated: Any) -> dict[str, Any]:
    """The part of a FieldsV1 document that `stated` states."""
    kept: dict[str, Any] = {}
    for part, inside in fields.items():
        found = stated if part == "." else _member(stated, part)
        if found is not None:
            kept[part] = _within(inside, found)
    return kept


def _member(stated: Any, part: str) -> Any:
    """What a step of FieldsV1 leads to in `stated`; None where it leads nowhere."""
    kind, _, text = part.partition(":")
    if kind == "f":
        return stated.get(text) if isinstance(stated, dict) else None
    if not isinstance(stated, list):
        return None
    key = json.loads(text)
    if kind == "i":
        return stated[key] if key < len(stated) else None
    if kind == "v":
        return next((item for item in stated if item == key), None)
    # A key that is left out has its default: nothing else tells such items apart.
    return next((i for i in stated if isinstance(i, dict) and all(i.get(k, v) == v for k, v in key.items())), None)


def _without_finalizers(fields: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(fields)
    if "f:metadata" in kept:
        kept["f:metadata"] = {part: inside for part, inside in kept["f:metadata"].items() if part != "f:finalizers"}
    return kept


def _is(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == (manager, operation, "")


def _applier(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is an applier's: a known one, or one that keeps kubectl's annotation."""
    if entry.get("subresource"):
        return False
    if (entry.get("manager"), entry.get("operation")) in _APPLIERS:
        return True
    return entry.get("operation") == "Update" and bool(FieldSet.from_v1(entry.get("fieldsV1")) & _ANNOTATION)
