"""Whose fields become ours when an object is adopted: pure changes of `managedFields`.

A person works with kubectl, which writes under the name of its verb. Three kinds of names:

- `kubectl apply` stated the object as a whole, as Git does now. Its fields become ours, so what Git leaves out goes.
- `kubectl create`, `run`, `expose`, `autoscale` and `replace` made it as a whole too, but nobody knows what of it was
  stated and what the server filled in. What Git states becomes ours; the rest becomes nobody's, and stays.
- `kubectl edit`, `patch`, `set`, `label`, `annotate`, `rollout` and the like changed a part of it. What Git states
  becomes ours; the rest stays theirs: Git says nothing of it.

Names of other tools and of controllers are left alone: these may come back.
"""

import json
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple

from reconciler.kube.fieldset import Field, FieldSet
from reconciler.kube.names import LAST_APPLIED
from reconciler.model.manifest import ANNOTATION_ID, MANAGER

_ANNOTATION: Final = FieldSet.from_paths((Field("metadata"), Field("annotations"), Field(LAST_APPLIED)))
_ID: Final = FieldSet.from_paths((Field("metadata"), Field("annotations"), Field(ANNOTATION_ID)))

# Who states an object as a whole, as Git states it now: (manager, operation).
_APPLIERS: Final = frozenset(
    {
        ("kubectl-client-side-apply", "Update"),
        ("before-first-apply", "Update"),
        ("kubectl", "Update"),
        ("kubectl", "Apply"),
        ("kubectl-last-applied", "Apply"),
    }
)
_CREATORS: Final = frozenset(
    {"kubectl-create", "kubectl-run", "kubectl-expose", "kubectl-autoscale", "kubectl-replace"}
)
_BY_HAND: Final = "kubectl-"  # every other verb


def migration(metadata: Mapping[str, Any], stated: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The JSON patch that makes kubectl's fields ours, of an object that Git states as `stated`.

    It fails with a conflict when the object changed since. Empty when there is nothing to do. It also removes the
    annotation in which `kubectl apply` keeps what it last applied. What is in that annotation becomes ours; what the
    server filled in when kubectl made the object, and therefore counts as kubectl's (defaults, labels made of others,
    finalizers), becomes nobody's: it stays.
    """
    entries: list[dict[str, Any]] = list(metadata.get("managedFields") or ())
    stated, applied = _with_data(stated), _last_applied(metadata)
    annotated = LAST_APPLIED in (metadata.get("annotations") or {})
    shares = [_shared(entry, stated, applied) for entry in entries]
    rest = [share.theirs for share in shares if share.theirs is not None]
    if not annotated and rest == [entry for entry in entries if not _is(entry, MANAGER, "Apply")]:
        return []
    fields = reduce(or_, (share.ours for share in shares), FieldSet())
    ours: list[dict[str, Any]] = []
    if taken := [entry for entry, share in zip(entries, shares, strict=True) if share.theirs is not entry]:
        # A server takes an object without managers for one that was never applied, and makes up a manager of it all.
        kept = (fields - _ANNOTATION) or _ID
        latest = next((entry for entry in taken if _is(entry, MANAGER, "Apply")), taken[-1])
        ours = [{**latest, "manager": MANAGER, "operation": "Apply", "fieldsV1": kept.to_v1()}]
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
    return _with_data(stated) if isinstance(stated, dict) and "kind" in stated else None


def _with_data(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret's texts as the data that the server keeps them as."""
    text = stated.get("stringData")
    return {**stated, "data": {**(stated.get("data") or {}), **text}} if isinstance(text, dict) else stated


class _Share(NamedTuple):
    """What of an entry becomes ours, and what its manager keeps: the very entry, a part of it, or None."""

    ours: FieldSet
    theirs: dict[str, Any] | None


def _shared(entry: dict[str, Any], stated: Mapping[str, Any], applied: Any) -> _Share:
    """`stated` is what Git states of the object, `applied` what `kubectl apply` did; None where that is not known."""
    owned: dict[str, Any] = entry.get("fieldsV1") or {}
    name, updates = str(entry.get("manager")), entry.get("operation") == "Update"
    if _is(entry, MANAGER, "Apply"):
        return _Share(FieldSet.from_v1(owned), None)
    if _applier(entry):
        if "f:stringData" in owned:  # which the server keeps as data
            owned = {**owned, "f:data": {**owned.get("f:data", {}), **owned["f:stringData"]}}
        if updates:
            owned = _within(owned, applied) if applied is not None else _without_finalizers(owned)
        return _Share(FieldSet.from_v1(owned), None)
    if not updates or entry.get("subresource") or not name.startswith(_BY_HAND):
        return _Share(FieldSet(), entry)
    ours = FieldSet.from_v1(_within(owned, stated))
    if name in _CREATORS:
        return _Share(ours, None)
    if not ours:
        return _Share(ours, entry)
    left = FieldSet.from_v1(owned) - ours
    return _Share(ours, {**entry, "fieldsV1": left.to_v1()} if left else None)


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
