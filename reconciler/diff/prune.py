"""What is to happen to objects that we own and Git no longer states (rules 10 and 12, and 16 for Jobs).

This decides object by object; whether so many may go at once is decided in `reconciler.diff.guard`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reconciler.diff.mounts import mounted
from reconciler.kube.definitions import defined_kind
from reconciler.kube.kinds import DEFINITION, JOB, NAMESPACE
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import ANNOTATION_PRUNE, ANNOTATION_SPEC, LABEL_TASK, Manifests, Owner
from reconciler.model.ownership import Ownership, origin_path, ownership
from reconciler.model.problem import Severity
from reconciler.model.spec import GROUP, Keep, Specs, TaskSpec

_CONTAINERS: Final = frozenset({NAMESPACE, DEFINITION})


def prune(
    owned: Iterable[Live],
    manifests: Manifests,
    specs: Specs,
    *,
    owner: Owner,
    referenced: Collection[Identity] = (),
    moved: Mapping[Identity, str] | None = None,
    waiting: Mapping[Identity, str] | None = None,
) -> list[Change]:
    """A Change for each of `owned` that `manifests` does not hold: PRUNE, KEEP or HOLD, in the order of identities.

    `owned` are candidates: what rule 1 does not make ours is left out. Jobs must be whole, the rest may be metadata.
    `referenced` are objects that something live still needs: the ConfigMaps of a roll-out on its way (see `mounted`).
    `moved` are objects that another source states, with its name: they are its to apply, then they are no longer ours.
    `waiting` are objects whose time has not come, and why.
    """
    ours = {live.identity: live for live in owned if ownership(live, owner) is Ownership.OURS}
    kept = _Quarantine.of(manifests, specs)
    kept_jobs = _kept_jobs(ours.values(), manifests, specs)
    needed = mounted(ours[identity] for identity in kept_jobs)
    changes = []
    for identity in sorted(ours.keys() - manifests.items.keys()):
        live = ours[identity]
        action, hint = Action.KEEP, ""
        if live.metadata.get("deletionTimestamp"):
            reason = "is being deleted already"
        elif moved and identity in moved:
            reason = f"moves to source {moved[identity]}"
        elif live.annotations.get(ANNOTATION_PRUNE) == "false":
            reason = f'{ANNOTATION_PRUNE} is "false"'
        elif kept.holds(live):
            reason = "the document that made it is invalid"
        elif identity in kept_jobs:
            reason = kept_jobs[identity]
        elif identity in needed or identity in referenced:
            reason = "still needed by running pods"
        elif waiting and identity in waiting:
            reason = waiting[identity]
        elif specs.unknown:
            action, reason = Action.HOLD, f"nothing is pruned while {_list(specs.unknown)} cannot be read"
            hint = "mend the file: an object that it states may look removed"
        else:
            action, reason = Action.PRUNE, "no longer in Git"
        changes.append(
            Change(identity, action, reason, uid=live.uid, resource_version=live.resource_version, hint=hint)
        )
    return _with_what_they_hold(changes, ours, manifests)


def _with_what_they_hold(changes: list[Change], ours: Mapping[Identity, Live], manifests: Manifests) -> list[Change]:
    """A Namespace, or a definition, would take along what is in it: it is held as long as any of that is to stay."""
    whole = [c.identity for c in changes if c.action is Action.PRUNE and c.identity.group_kind in _CONTAINERS]
    if not whole:
        return changes
    going = {
        c.identity for c in changes if c.action is Action.PRUNE or ours[c.identity].metadata.get("deletionTimestamp")
    }
    stays = sorted({*manifests.items, *ours} - going)
    held: dict[Identity, Identity] = {}
    for identity in whole:
        kind = defined_kind(ours[identity].object)
        for other in stays:
            if other.namespace == identity.name if identity.kind == "Namespace" else other.group_kind == kind:
                held.setdefault(identity, other)
    hint = "state it again; it can go once nothing in it is stated or kept"
    return [
        replace(change, action=Action.HOLD, reason=f"{held[change.identity]} is in it, and stays", hint=hint)
        if change.identity in held
        else change
        for change in changes
    ]


@dataclass(frozen=True, slots=True)
class _Quarantine:
    """Documents that are invalid or could not be rendered: what they last made is kept."""

    identities: frozenset[Identity]
    names: frozenset[str]  # as the spec annotation writes them
    files: frozenset[str]

    @classmethod
    def of(cls, manifests: Manifests, specs: Specs) -> "_Quarantine":
        identities = specs.quarantined | manifests.unrendered
        files = {
            location.path
            for problem in (*specs.problems, *manifests.problems)
            if problem.severity is Severity.ERROR and problem.identity in identities
            for location in (problem.location, *problem.also)
        }
        return cls(identities, frozenset(map(str, identities)), frozenset(files))

    def holds(self, live: Live) -> bool:
        made_by = live.annotations.get(ANNOTATION_SPEC)
        if live.identity in self.identities or made_by in self.names:
            return True
        return made_by is None and origin_path(live) in self.files


def _kept_jobs(ours: Iterable[Live], manifests: Manifests, specs: Specs) -> dict[Identity, str]:
    """Jobs of Tasks that stay, and why: those that run, and of the finished ones the newest that the Task keeps."""
    keeps = {
        (identity.namespace, identity.name): document.spec.keep or Keep()
        for identity, document in specs.documents.items()
        if identity.group == GROUP and isinstance(document.spec, TaskSpec)
    }
    finished: dict[tuple[str, str, str], list[tuple[str, Identity]]] = defaultdict(list)
    kept: dict[Identity, str] = {}
    for live in ours:
        task = live.labels.get(LABEL_TASK)
        if task is None or live.identity.group_kind != JOB:
            continue
        outcome, time = finish(live.object)
        if outcome:
            finished[(live.identity.namespace, task, outcome)].append((time, live.identity))
        elif live.identity not in manifests.items and not (live.object.get("spec") or {}).get("suspend"):
            kept[live.identity] = "superseded, and runs to its end"
    for (namespace, task, outcome), jobs in finished.items():
        keep = keeps.get((namespace, task))
        if keep is None:  # the Task itself is gone from Git
            continue
        count = keep.succeeded if outcome == "Complete" else keep.failed
        for _, identity in sorted(jobs, reverse=True)[:count]:
            kept[identity] = f"a finished run that Task/{task} keeps"
    return kept


def finish(job: Mapping[str, Any]) -> tuple[str, str]:
    """How and when a Job finished: "Complete" or "Failed" and an RFC 3339 time; ("", "") while it has not."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True":
            return condition["type"], str(condition.get("lastTransitionTime") or "")
    return "", ""


def _list(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
