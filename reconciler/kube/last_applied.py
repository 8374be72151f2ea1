"""The annotation in which `kubectl apply` keeps what it applied last, where it meets server-side apply.

The API server treats the manager "kubectl" with care, and no other: what client-side apply had set and nobody changed
since is no conflict for it, and an annotation that is there is kept up to date.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.fieldset import EMPTY, FieldSet
from reconciler.kube.merge import compare
from reconciler.kube.names import LAST_APPLIED
from reconciler.kube.path import canonical_json
from reconciler.kube.schema import Schema

MANAGER: Final = "kubectl"


def conceded(live: Mapping[str, Any], schema: Schema, api_version: str) -> FieldSet:
    """The fields of the annotation's configuration that `live` still has as they were applied."""
    try:
        last = json.loads(_annotations(live).get(LAST_APPLIED) or "null")
    except ValueError:
        return EMPTY
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        return EMPTY
    changes = compare(last, live, schema)
    return FieldSet.of(last, schema) - changes.modified - changes.added - changes.removed


def refreshed(obj: dict[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """`obj` with `applied` in the annotation, if it has one."""
    annotations = _annotations(obj)
    if not annotations.get(LAST_APPLIED):
        return obj
    metadata = dict(applied["metadata"])
    if metadata.get("annotations") is not None:
        metadata["annotations"] = {name: value for name, value in _annotations(applied).items() if name != LAST_APPLIED}
    text = canonical_json({**applied, "metadata": metadata}) + "\n"
    return {**obj, "metadata": {**obj["metadata"], "annotations": {**annotations, LAST_APPLIED: text}}}


def _annotations(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}
