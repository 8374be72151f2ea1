"""What somebody did to an object, read from what differs. Pure."""

from typing import Final

from reconciler.diff.compare import taken
from reconciler.model.change import Action, Change, Live
from reconciler.model.drift import DriftKind
from reconciler.model.manifest import ANNOTATION_ID, LABEL_MANAGED_BY, LABEL_SOURCE, Owner
from reconciler.model.ownership import Ownership, applied, controlled, mark, ownership

_MARKS: Final = frozenset(
    {
        f"metadata.annotations.{ANNOTATION_ID}",
        f"metadata.labels.{LABEL_MANAGED_BY}",
        f"metadata.labels.{LABEL_SOURCE}",
    }
)


def kind_of(change: Change, live: Live | None, owner: Owner, uid: str) -> DriftKind:
    """What happened to the object that `change` is about; `uid` is the one that it had, "" where that is not known."""
    if live is None or live.metadata.get("deletionTimestamp") or change.action is Action.CREATE:
        return DriftKind.DELETED
    if uid and live.uid != uid:
        return DriftKind.REPLACED
    if ownership(live, owner) is not Ownership.OURS or any(field.path in _MARKS for field in change.fields):
        return DriftKind.DISOWNED
    if change.fields and all(taken(field) for field in change.fields):
        return DriftKind.TAKEN
    return DriftKind.EDITED


def unmarked(live: Live | None, owner: Owner, uid: str) -> bool:
    """Whether the object is the one of `uid`, which was ours, and is so still in all but its annotation."""
    return (
        live is not None
        and live.uid == uid
        and (mark(live) is None or ownership(live, owner) is Ownership.OURS)
        and applied(live)
        and not controlled(live)
    )


def is_ours(live: Live | None, owner: Owner) -> bool:
    """Whether there is an object, and it is ours."""
    return live is not None and ownership(live, owner) is Ownership.OURS
