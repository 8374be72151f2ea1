"""What is to happen to the cluster, object by object."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest


class Action(StrEnum):
    """A closed set: everything a pass may do to an object."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"  # take over an object that nobody or another tool made
    REPLACE = "replace"  # delete and create: an immutable field changed and the object allows it
    PRUNE = "prune"
    NONE = "unchanged"
    KEEP = (
        "keep"  # left as it is on purpose: `prune: "false"`, a quarantined spec, a finished Job, what runs until then
    )
    HOLD = "hold"  # needs an approval or an answer first
    REFUSE = "refuse"  # will not be done: another source's object, an invalid one
    UNCONFIRMED = "unconfirmed"  # its CustomResourceDefinition or namespace comes in the same commit


WRITES: Final = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.REPLACE, Action.UNCONFIRMED})
QUIET: Final = frozenset({Action.NONE, Action.KEEP})
UNDONE: Final = frozenset({Action.HOLD, Action.REFUSE})
"""The object is not as Git states it, and a pass leaves it so."""


class Gate(Enum):
    """What has to be allowed by a person: a change is held for it, or is done because it was allowed."""

    DELETION = auto()  # of much, or of what is precious: an approval of the guard
    TAKEOVER = auto()  # of an object that is there already and not ours: `adopt`


class _Absent:
    """The value of a field that is not there (None is JSON null)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field. `path` reads `spec.template.spec.containers[name=web].image`; ABSENT before or after where not there.

    `note` is one clause for people where the values alone do not say it ("kept: no longer stated", "taken over by
    kubectl-edit"). Values of secrets are replaced by `reconciler.redact.REDACTED` before a FieldChange is made.
    """

    path: str
    before: Any
    after: Any
    note: str = ""


HELD: Final = "held: "  # begins the reason of a deletion that waits for an approval


@dataclass(frozen=True, slots=True)
class Change:
    """What is to happen to one object, and why.

    `reason` is one clause for people ("new in Git", "spec.replicas is immutable", "held: 12 of 40 objects would go").
    `uid` and `resource_version` are the live object's, for preconditions. `handover` is a partial object that the
    planner's field manager applies first, so that fields which Git no longer states keep their live values (rule 6);
    where an object is created, what it begins with and is then left to others.
    `existing` is the object that somebody else made and that is to become ours, adopted or replaced, as it was read;
    its metadata may be all of it. `stray` is our own object, as it was read, where our labels do not find it any more.
    `once` these are ready it is made; until then the object is left as it is, and no pass waits. `gate` is what holds
    it (HOLD), or would have but for the trailer of a commit (PRUNE).
    """

    identity: Identity
    action: Action
    reason: str
    fields: tuple[FieldChange, ...] = ()
    manifest: Manifest | None = None
    uid: str = ""
    resource_version: str = ""
    hint: str = ""
    handover: Mapping[str, Any] | None = None
    existing: "Live | None" = None
    stray: "Live | None" = None
    once: tuple[Identity, ...] = ()
    gate: Gate | None = None

    @property
    def digest(self) -> str:
        """Of what Git states; "" where that is nothing."""
        return self.manifest.digest if self.manifest is not None else ""


@dataclass(frozen=True, slots=True)
class Live:
    """An object as the cluster has it. `object` keeps `metadata.managedFields`."""

    identity: Identity
    object: Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self.object.get("metadata") or {}
        return metadata

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid") or "")

    @property
    def resource_version(self) -> str:
        return str(self.metadata.get("resourceVersion") or "")

    @property
    def annotations(self) -> Mapping[str, str]:
        annotations: Mapping[str, str] = self.metadata.get("annotations") or {}
        return annotations

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.metadata.get("labels") or {}
        return labels
