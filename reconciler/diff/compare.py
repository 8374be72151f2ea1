"""One object of Git beside the same object of the cluster: what is to happen, and why (rules 2, 4 to 8, 13, 16)."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.diff import managers
from reconciler.diff.fields import EVERYTHING, Difference, Kind, differences
from reconciler.diff.handover import handover, planned
from reconciler.diff.immutable import immutable
from reconciler.diff.leave import left_to_others, owned_by, set_by_others
from reconciler.diff.paths import Path, render, under
from reconciler.diff.unchanged import unchanged
from reconciler.diff.yields import without, yielded
from reconciler.kube.kinds import PRECIOUS
from reconciler.kube.names import LAST_APPLIED
from reconciler.kube.schema import Schema
from reconciler.model.change import ABSENT, Action, Change, FieldChange, Gate, Live
from reconciler.model.manifest import ANNOTATION_ADOPT, ANNOTATION_REPLACE, MANAGER, Manifest, Owner
from reconciler.model.ownership import Ownership, mark, origin_path, ownership
from reconciler.redact import CHANGED, REDACTED, is_secret

Object = Mapping[str, Any]

_LAST_APPLIED: Final = f"f:{LAST_APPLIED}"

_OPEN: Final = frozenset({"f:metadata", "f:type", "f:immutable"})  # what anybody may know of a Secret

_TAKEN: Final = "taken over"
_LOST: Final = "no longer ours"
_REMAINING: Final = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")  # conditions of a Namespace that goes


def compare(
    manifest: Manifest,
    live: Live | None,
    schema: Schema,
    *,
    owner: Owner,
    existing: Live | None = None,
    released: bool = False,
) -> Change:
    """What applying `manifest` would do to `live`: CREATE, UPDATE, NONE, REPLACE, ADOPT, HOLD or REFUSE.

    `live` is the whole object, read in the manifest's own version, with its managedFields; None where our labels do
    not find it. Then `existing` is the object of that name all the same, whole or its metadata alone (rule 2).
    `released`: the other source of this install that it belongs to no longer states it. The manifest comes back as it
    is to be applied: yielded fields have their live values. A Secret's values are in no field of the result.
    """
    present = live or existing
    if present is None:
        if manifest.suspended:
            return Change(manifest.identity, Action.HOLD, "suspended", manifest=manifest, hint="set suspend: false")
        return Change(manifest.identity, Action.CREATE, "new in Git", manifest=manifest)
    whole = live is not None or _whole(present)
    match ownership(present, owner):
        case Ownership.OURS:
            change = _ours(manifest, present, schema, whole=whole)
            return change if live is not None else replace(change, stray=present)
        case Ownership.OTHER_SOURCE if released:
            return _ours(manifest, present, schema, whole=whole, why=f"moves here from source {_holder(present)}")
        case Ownership.OTHER_SOURCE | Ownership.OTHER_INSTALL as other:
            return _refused(manifest, present, other)
        case other:
            change = _adopted(manifest, present, schema, other, whole=whole)
            return replace(change, existing=present) if change.action in (Action.ADOPT, Action.REPLACE) else change


def taken(field: FieldChange) -> bool:
    """Whether a field of a Change is as Git states it, and only its ownership is lost."""
    return field.note.startswith((_TAKEN, _LOST))


def regained(fields: Iterable[FieldChange], left: Iterable[FieldChange]) -> bool:
    """Whether an apply takes back what was lost: `fields` differ before it, `left` after it."""
    return any(map(taken, fields)) and not any(map(taken, left))


def _ours(manifest: Manifest, live: Live, schema: Schema, *, whole: bool, why: str = "") -> Change:
    if live.metadata.get("deletionTimestamp"):
        return _going(manifest, live)
    if manifest.once:
        return _change(manifest, live, Action.NONE, "runs once for each hash")
    entry = managers.applied(live, MANAGER)
    owned: Object = entry.fields if entry else {}
    version = manifest.gvk.api_version
    if whole and live.object.get("apiVersion", version) != version:
        return _change(manifest, live, Action.UPDATE, f"was read as {live.object['apiVersion']}, Git states {version}")
    desired = manifest.object
    if is_secret(desired) and "stringData" in desired:
        desired, owned = _folded(desired), _folded_fields(owned)
    ignored = _ignored(manifest, desired, live, schema)
    if ignored:
        desired = without(desired, live.object, schema, owned, ignored)
        manifest = replace(manifest, object=without(manifest.object, live.object, schema, owned, ignored))
    if not whole:
        why = why or "our labels do not find it"
        desired = {"metadata": desired["metadata"]}
        owned = {"f:metadata": owned.get("f:metadata", {})}
    if entry and entry.api_version != version:
        why = why or f"moves from {entry.api_version} to {version}"
        owned = EVERYTHING
    elif not why and unchanged(desired, live.object, schema, owned):
        return _change(manifest, live, Action.NONE, "as Git states it")
    found = differences(desired, live.object, schema, owned, managers.others(live, MANAGER))
    return _differs(manifest, live, schema, [d for d in found if not under(d.path, ignored)], Action.UPDATE, why)


def _ignored(manifest: Manifest, desired: Object, live: Live, schema: Schema) -> tuple[Path, ...]:
    """Fields that are left to others: by the object's and the repository's rules, and by nature."""
    policy = manifest.policy
    pointers = (*policy.ignore, *left_to_others(desired, live.object), *set_by_others(manifest.planned, live))
    by_name = yielded(pointers, desired, live.object, schema) if pointers else ()
    return (*by_name, *owned_by(policy.managers, desired, live.object, schema)) if policy.managers else by_name


def _adopted(manifest: Manifest, live: Live, schema: Schema, found: Ownership, *, whole: bool) -> Change:
    whose = "it is not ours"
    if found is Ownership.COPY:
        marked = mark(live)
        itself = marked is not None and marked.identity == live.identity
        whose = "it bears our marks, but we never applied it (a backup?)" if itself else "its marks are copies"
    names = sorted({name for name, _ in managers.others(live, MANAGER) if not name.endswith(")")})
    made_by = f", made by {', '.join(names)}" if names else ""
    if not manifest.policy.adopt:
        hint = f'annotate it {ANNOTATION_ADOPT}: "true", or state adopt: true for the source, to take it over'
        held = _change(manifest, live, Action.HOLD, f"exists already and {whose}{made_by}", hint=hint)
        return replace(held, gate=Gate.TAKEOVER)
    if live.metadata.get("deletionTimestamp"):
        return _going(manifest, live)
    desired = _folded(manifest.object) if is_secret(manifest.object) else manifest.object
    ignored = _ignored(manifest, desired, live, schema) if whole else ()
    if ignored:
        # Not left out: what another tool stated becomes ours first, and would be taken away then.
        manifest = replace(manifest, object=without(manifest.object, live.object, schema, EVERYTHING, ignored))
    unlike = differences(desired, live.object, schema, EVERYTHING) if whole else []
    fields = [difference for difference in unlike if not under(difference.path, ignored)]
    return _differs(manifest, live, schema, fields, Action.ADOPT, f"taken over{made_by}")


def _going(manifest: Manifest, live: Live) -> Change:
    """Nothing is to be done about an object that is being deleted; who keeps it from going is said."""
    waits = [f"for the finalizer {name}" for name in sorted(live.metadata.get("finalizers") or ())]
    waits += [
        f"as its status says: {condition.get('message')}"
        for condition in (live.object.get("status") or {}).get("conditions") or ()
        if condition.get("type") in _REMAINING and condition.get("status") == "True"
    ]
    hint = f"it waits {', '.join(waits)}; is what should remove it running?" if waits else ""
    return _change(manifest, live, Action.HOLD, "is being deleted; made anew when it is gone", hint=hint)


def _refused(manifest: Manifest, live: Live, found: Ownership) -> Change:
    there = origin_path(live) or "a file it does not name"
    holder = f"source {_holder(live)}"
    hint = "state it in one place only: removed there, it moves here without being deleted"
    if there == manifest.origin.path:
        hint = f"is it the same folder, applied by hand? then give the source of the configuration that name, or {hint}"
    if found is Ownership.OTHER_INSTALL:
        holder = f"another install ({holder})"
        hint = "two installs of reconciler share this cluster: give each its own objects"
    reason = f"{holder} has it from {there}, here it is stated in {manifest.origin}"
    return _change(manifest, live, Action.REFUSE, reason, hint=hint)


def _differs(
    manifest: Manifest, live: Live, schema: Schema, found: list[Difference], action: Action, why: str
) -> Change:
    """The change that the differences `found` ask for."""
    if not found and not why:
        return _change(manifest, live, Action.NONE, "as Git states it")
    secret = is_secret(manifest.object)
    kind = manifest.identity.group_kind
    kept = {d.path for d in found if d.kind is Kind.REMOVED and planned(kind, d.path)}
    fields = tuple(_field(d, secret=secret, kept=d.path in kept) for d in found)
    frozen = immutable(kind, (d for d in found if d.path not in kept), live.object)
    if not frozen:
        partial = handover(manifest, live, schema) if action is Action.UPDATE else None
        change = _change(manifest, live, action, why or _reason(found), fields)
        return change if partial is None else replace(change, handover=partial)
    reason = f"{_some(map(render, frozen))} {'is' if len(frozen) == 1 else 'are'} immutable"
    if kind in PRECIOUS:
        hint = f"a {kind.kind} is never recreated: state the old value, or a new name"
    elif manifest.policy.replace:
        return _change(manifest, live, Action.REPLACE, reason, fields)
    else:
        hint = f'annotate it {ANNOTATION_REPLACE}: "true" to delete it and create it anew'
    return _change(manifest, live, Action.REFUSE, reason, fields, hint=hint)


def _change(
    manifest: Manifest,
    live: Live,
    action: Action,
    reason: str,
    fields: tuple[FieldChange, ...] = (),
    hint: str = "",
) -> Change:
    return Change(manifest.identity, action, reason, fields, manifest, live.uid, live.resource_version, hint)


def _field(difference: Difference, *, secret: bool, kept: bool) -> FieldChange:
    before, after = difference.before, difference.after
    holders = ", ".join(difference.holders)
    match difference.kind:
        case Kind.REMOVED if kept:
            after, note = before, "kept: no longer stated, left as it is"
        case Kind.RELEASED:
            after, note = before, f"no longer stated, stays with {holders}"
        case Kind.LOST:
            note = f"{_TAKEN} by {holders}" if holders else _LOST
        case _:
            note = f"set by {holders}" if holders else ""
    # A misspelt field of a Secret holds values too.
    if secret and (difference.path[0] not in _OPEN or difference.path[-1] == _LAST_APPLIED):
        same = before == after
        before = before if before is ABSENT else REDACTED
        after = after if after is ABSENT else CHANGED if before is REDACTED and not same else REDACTED
    return FieldChange(render(difference.path), before, after, note)


def _reason(found: list[Difference]) -> str:
    """One clause on what matters most among the differences."""
    for kind, clause in (
        (Kind.CHANGED, "differs: {}"),
        (Kind.REMOVED, "no longer states {}"),
        (Kind.RELEASED, "no longer states {}"),
        (Kind.LOST, "ownership lost: {}"),
    ):
        if some := [render(d.path) for d in found if d.kind is kind]:
            return clause.format(_some(some))
    return ""


def _some(paths: Iterable[str]) -> str:
    first, *rest = paths
    return f"{first} and {len(rest)} more" if rest else first


def _holder(live: Live) -> str:
    marked = mark(live)
    return marked.owner.source if marked else "?"


def _whole(live: Live) -> bool:
    """Whether more than the metadata was read."""
    return live.object.get("kind") != "PartialObjectMetadata" and not live.object.keys() <= {
        "apiVersion",
        "kind",
        "metadata",
    }


def _folded(secret: Object) -> Object:
    """A Secret as the server stores it: `stringData` goes into `data`."""
    text = secret.get("stringData") or {}
    data = {key: base64.b64encode(str(value).encode()).decode() for key, value in text.items() if value is not None}
    kept = {name: value for name, value in secret.items() if name != "stringData"}
    return {**kept, "data": {**(secret.get("data") or {}), **data}} if data else kept


def _folded_fields(owned: Object) -> Object:
    """FieldsV1 of such a Secret."""
    kept = {name: value for name, value in owned.items() if name != "f:stringData"}
    data = {**owned.get("f:data", {}), **owned.get("f:stringData", {})}
    return {**kept, "f:data": data} if data else kept
