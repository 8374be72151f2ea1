"""What is not as Git states it, who made it so, and what is done about it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.manifest import DriftMode
from reconciler.model.snapshot import Revision


class DriftKind(StrEnum):
    """What somebody did to an object that Git states."""

    EDITED = "edited"  # stated fields have other values
    TAKEN = "taken"  # the values are right, but a stated field is no longer ours: what Git drops would stay
    DISOWNED = "disowned"  # our label or the ownership annotation is gone, or names somebody else
    DELETED = "deleted"
    REPLACED = "replaced"  # deleted, and made anew under the same name by somebody else


class DriftState(StrEnum):
    FOUND = "found"  # confirmed, and left alone: its mode is `alert`; or it is about to be healed
    HEALED = "healed"
    FIGHT = "fight"  # somebody keeps changing it back: healed again at `until`
    STUBBORN = "stubborn"  # applying does not change it: an admission webhook rewrites it; tried again at `until`
    WAITING = "waiting"  # for the end of a maintenance window, at `until`, or of a suspension
    RESTORED = "restored"  # ended without us: undone by hand, or Git states something else now


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a field of the live object, as its managedFields say. `operation` is Apply or Update."""

    manager: str
    operation: str = ""
    time: datetime | None = None
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class DriftedField:
    """One field. `wanted` and `found` are ABSENT where there is none; a secret's are REDACTED before they come here.

    `by` are the managers that own the field now, empty where nobody does or the field is gone.
    """

    path: str
    wanted: Any
    found: Any
    by: tuple[Author, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wanted it otherwise: the line of Git that states the field (or its document), and its last commit."""

    path: str
    line: int
    revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """One drifted object. `noticed` is when it was seen first; it stays while the drift lasts. `ended`: it is over."""

    source: str
    identity: Identity
    kind: DriftKind
    noticed: datetime
    mode: DriftMode
    state: DriftState
    fields: tuple[DriftedField, ...] = ()
    wanted: tuple[Wanted, ...] = ()  # one for each place in Git that is concerned, the most important first
    until: datetime | None = None
    reason: str = ""
    times: int = field(default=1)  # how often it was healed in a row
    ended: datetime | None = None
