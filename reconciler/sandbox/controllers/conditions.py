"""`status.conditions`: reading one, and writing one without touching its transition time for nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.sandbox.client import Object


def condition(obj: Mapping[str, Any], kind: str) -> Object | None:
    """The condition of type `kind` in `obj.status.conditions`."""
    return find((obj.get("status") or {}).get("conditions") or (), kind)


def find(conditions: Iterable[Object], kind: str) -> Object | None:
    return next((entry for entry in conditions if entry.get("type") == kind), None)


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    entry = condition(obj, kind)
    return entry is not None and entry.get("status") == "True"


def with_condition(
    conditions: Iterable[Object],
    kind: str,
    status: str,
    reason: str,
    message: str,
    *,
    now: str,
    **more: Any,
) -> list[Object]:
    """`conditions` with the one of type `kind` set; `lastTransitionTime` moves only when its status changes.

    `more` is set on the condition as given (`lastUpdateTime`, `observedGeneration`, …).
    """
    old = find(conditions, kind)
    since = old.get("lastTransitionTime", now) if old is not None and old.get("status") == status else now
    new: Object = {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}
    new.update(more)
    result = [new if entry.get("type") == kind else entry for entry in conditions]
    return result if old is not None else [*result, new]


def without_condition(conditions: Iterable[Object], kind: str) -> list[Object]:
    return [entry for entry in conditions if entry.get("type") != kind]
