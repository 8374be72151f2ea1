"""Which field managers have a part in a live object, read from `metadata.managedFields`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.change import Live

Object = Mapping[str, Any]


class Applied(NamedTuple):
    """What one manager applied: FieldsV1, in the words of `api_version`."""

    api_version: str
    fields: Object


def applied(live: Live, manager: str) -> Applied | None:
    """The entry of an applying manager; it has at most one, whatever versions it has applied."""
    for entry in live.metadata.get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return Applied(str(entry.get("apiVersion") or ""), entry.get("fieldsV1") or {})
    return None


def others(live: Live, manager: str) -> list[tuple[str, Object]]:
    """Everybody else's FieldsV1, each with a name for people: `kubectl-edit`, `kube-controller-manager (scale)`."""
    found = []
    for entry in live.metadata.get("managedFields") or ():
        name, subresource = str(entry.get("manager") or "somebody"), entry.get("subresource")
        if name == manager and entry.get("operation") == "Apply" and not subresource:
            continue
        found.append((f"{name} ({subresource})" if subresource else name, entry.get("fieldsV1") or {}))
    return found
