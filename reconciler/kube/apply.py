"""Server-side apply, and what every other write does to `metadata.managedFields`.

    merge   live + configuration                          → what the applier wants
    prune   less what it applied before and nobody owns   → the new object
    compare live with the new object                      → conflicts, or who loses which fields

`reset` names fields that the endpoint resets (`status` of a main resource): nobody comes to own them by this write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from reconciler.kube import last_applied, managed
from reconciler.kube.fieldset import EMPTY, FieldSet
from reconciler.kube.managed import BEFORE_FIRST_APPLY, Entries, Entry, Owner
from reconciler.kube.merge import Comparison, compare, identical, merge
from reconciler.kube.path import Field, Path, item_key, render
from reconciler.kube.prune import prune
from reconciler.kube.schema import Merge, Schema, Shape

_NEVER_OWNED: Final = FieldSet.from_paths(
    *((Field(name),) for name in ("apiVersion", "kind", "metadata")),
    *(
        (Field("metadata"), Field(name))
        for name in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation")
    ),
    *((Field("metadata"), Field(name)) for name in ("managedFields", "resourceVersion")),
)


@dataclass(frozen=True, slots=True)
class Applied:
    """The object after an apply, with its managedFields. Not `changed`: neither a field nor an owner differs."""

    object: dict[str, Any]
    changed: bool


class ApplyError(ValueError):
    """The configuration cannot be applied: it states managedFields, or a list's items cannot be told apart."""


class ApplyConflict(Exception):
    """Others own fields that would change. `str()` is the API server's message, `causes` its details."""

    def __init__(self, conflicts: tuple[tuple[Owner, Path], ...]) -> None:
        self.owners = conflicts
        self.conflicts: tuple[tuple[str, Path], ...] = tuple((owner.manager, path) for owner, path in conflicts)
        self.causes: tuple[dict[str, str], ...] = tuple(
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {owner}",
                "field": f".{render(path, quoted=True)}",
            }
            for owner, path in conflicts
        )
        super().__init__(self._message())

    def _message(self) -> str:
        if len(self.causes) == 1:
            return f"Apply failed with 1 conflict: {self.causes[0]['message']}: {self.causes[0]['field']}"
        lines = []
        owner = None
        for cause in self.causes:
            if cause["message"] != owner:
                owner = cause["message"]
                lines.append(f"conflicts {owner.removeprefix('conflict ')}:")
            lines.append(f"- {cause['field']}")
        return f"Apply failed with {len(self.causes)} conflicts: " + "\n".join(lines)


def apply(
    live: Mapping[str, Any] | None,
    applied: Mapping[str, Any],
    schema: Schema,
    *,
    manager: str,
    api_version: str,
    time: datetime | str,
    force: bool = False,
    subresource: str = "",
    reset: FieldSet = EMPTY,
    nothing: Mapping[str, Any] | None = None,
) -> Applied:
    """The object after `manager` applied `applied` to `live` (None: to nothing).

    `nothing` is what a server's empty object looks like, where that is known better than the schema tells.

    Nulls that `applied` states are in it. Defaults are not filled in and values not converted: all that is the
    caller's, before it stores the object. Raises
    ApplyConflict where others own what would change and `force` is not set, ApplyError where `applied` is malformed,
    ValueError where the managedFields of `live` are.
    """
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise ApplyError("metadata.managedFields must be nil")
    _check(applied, schema, "")
    before: Any = managed.without_managed_fields(live) if live is not None else {}
    stored = managed.read(live) if live is not None else {}
    entries = stored
    if live is not None and not typable(before, schema):
        raise ApplyError("a list's items in the object that is there have no keys")
    if not stored and live is not None:
        earlier = _updater(BEFORE_FIRST_APPLY, api_version, subresource)
        stated = {name: part for name, part in before.items() if part is not None}
        entries = _updated(
            {}, compare(_nothing(schema) if nothing is None else nothing, stated, schema), reset, earlier, time
        )
    me = Owner(manager, "Apply", subresource)
    previous = entries.get(me)
    others = {owner: entry for owner, entry in entries.items() if owner != me}
    wanted = FieldSet.of(applied, schema).without(reset)

    after = merge(before, applied, schema)
    if previous is not None and previous.fields - wanted:
        owned = [wanted.tree, *(entry.fields.tree for entry in others.values())]
        after = prune(after, schema, previous.fields.tree, owned)
    if not identical(before, after):
        changes = compare(before, after, schema).without(reset)
        if not force:
            conceded = last_applied.conceded(before, schema, api_version) if manager == last_applied.MANAGER else EMPTY
            _refuse_conflicts(others, changes, conceded)
        others = _taken(others, changes)
    same = identical(before, after)
    if fields := wanted - _NEVER_OWNED:
        others[me] = _entry(previous, Entry(api_version, fields, managed.rfc3339(time)), same=same)
    if manager == last_applied.MANAGER:
        after = last_applied.refreshed(after, applied)
    changed = not identical(before, after) or _fields(others) != _fields(stored)
    return Applied(_with_managed_fields(after, managed.write(others)), changed)


def _entry(previous: Entry | None, new: Entry, *, same: bool) -> Entry:
    """An applier's entry. It keeps its time where the object stays as it was: an owner who only joined has none."""
    if not same:
        return new
    if previous is None:
        return Entry(new.api_version, new.fields)
    if (previous.api_version, previous.fields) == (new.api_version, new.fields):
        return previous
    return Entry(new.api_version, new.fields, previous.time)


def _fields(entries: Entries) -> dict[Owner, tuple[str, FieldSet]]:
    return {owner: (entry.api_version, entry.fields) for owner, entry in entries.items()}


def update(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    schema: Schema,
    *,
    manager: str,
    api_version: str,
    time: datetime | str,
    subresource: str = "",
    reset: FieldSet = EMPTY,
    nothing: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The managedFields of `new` after a create (`old` is None), update or patch that is not an apply.

    The writer comes to own what it changed; who owned that before loses it. A `new` that states managedFields edits
    them, and an empty list there forgets all owners: from then on nobody is recorded until the first apply.
    """
    if not all(typable(managed.without_managed_fields(each), schema) for each in (new, old) if each is not None):
        return []
    stated = (new.get("metadata") or {}).get("managedFields")
    entries: Entries = {}
    if stated not in ([], [{}]) or subresource:
        entries = _readable(new) if not subresource else {}
        if not entries and old is not None:
            entries = _readable(old)
    if not entries and old is not None:
        return []
    empty = _nothing(schema) if nothing is None else nothing
    before = managed.without_managed_fields(old) if old is not None else empty
    changes = compare(before, managed.without_managed_fields(new), schema)
    updater = _updater(manager, api_version, subresource)
    return managed.write(managed.capped(_updated(entries, changes, reset, updater, time)))


@lru_cache(maxsize=1024)
def zero(schema: Schema) -> Mapping[str, Any]:
    """What a server's empty object of a kind looks like: structs that are always there, null for required fields."""
    empty: dict[str, Any] = {name: None for name in schema.required if name not in schema.always}
    for name in schema.always:
        empty[name] = zero(schema.fields[name])
    return empty


def _nothing(schema: Schema) -> Mapping[str, Any]:
    """What an object is before it is created. Custom resources have no structs that are always there."""
    return zero(schema) if schema.always else {}


def _updater(manager: str, api_version: str, subresource: str) -> Owner:
    return Owner(manager or "unknown", "Update", subresource, api_version)


def _readable(obj: Mapping[str, Any]) -> Entries:
    try:
        return managed.read(obj)
    except ValueError:
        return {}


def _updated(entries: Entries, changes: Comparison, reset: FieldSet, updater: Owner, time: datetime | str) -> Entries:
    """Who owns what after `updater` made `changes`."""
    changes = changes.without(reset)
    result = _taken(entries, changes)
    fields = (changes.modified | changes.added) - _NEVER_OWNED
    if fields:
        if updater in result:
            fields |= result[updater].fields
        result[updater] = Entry(updater.api_version, fields, managed.rfc3339(time))
    return result


def _taken(entries: Entries, changes: Comparison) -> Entries:
    """`entries` less what somebody else changed or removed; entries that hold nothing any more are gone."""
    lost = changes.modified | changes.added | changes.removed
    kept = {owner: entry.having(entry.fields - lost) for owner, entry in entries.items()}
    return {owner: entry for owner, entry in kept.items() if entry.fields}


def _refuse_conflicts(others: Entries, changes: Comparison, conceded: FieldSet) -> None:
    changed = (changes.modified | changes.added) - conceded
    conflicts = [(owner, path) for owner, entry in sorted(others.items()) for path in (entry.fields & changed).paths()]
    if conflicts:
        raise ApplyConflict(tuple(conflicts))


def _with_managed_fields(obj: Mapping[str, Any], fields: list[dict[str, Any]]) -> dict[str, Any]:
    metadata = dict(obj.get("metadata") or {})
    if fields:
        metadata["managedFields"] = fields
    return {**obj, "metadata": metadata}


def typable(value: Any, schema: Schema) -> bool:
    """Whether the items of all granular lists have keys. Unlike in what is applied, two may have the same."""
    try:
        _check(value, schema, "", unique=False)
    except ApplyError:
        return False
    return True


def _check(value: Any, schema: Schema, path: str, *, unique: bool = True) -> None:
    """Raises ApplyError where items of a granular list have no key or, if they are to be `unique`, the same."""
    if schema.shape is Shape.MAP and value is not None and not isinstance(value, dict):
        raise ApplyError(f"{path}: expected map")
    if isinstance(value, dict):
        for name, member in value.items():
            child = schema.member(name)
            if child.shape is not Shape.SCALAR:
                _check(member, child, f"{path}.{name}", unique=unique)
    elif isinstance(value, list):
        if schema.shared_by_item:
            _check_items(value, schema, path, unique=unique)
        for item in value:
            _check(item, schema.item, path, unique=unique)


def _check_items(items: list[Any], schema: Schema, path: str, *, unique: bool) -> None:
    seen = set()
    for i, item in enumerate(items):
        if schema.merge is Merge.KEYED:
            if not isinstance(item, dict):
                raise ApplyError(f"{path}: element {i}: associative list with keys may not have non-map elements")
            if not any(key in item or key in schema.key_defaults for key in schema.keys):
                raise ApplyError(
                    f"{path}: element {i}: associative list with keys has an element that omits all key fields"
                )
        elif item is None or isinstance(item, dict | list):
            raise ApplyError(f"{path}: element {i}: associative list without keys has an element that is no scalar")
        key = item_key(item, schema)
        if unique and key in seen:
            raise ApplyError(f"{path}: duplicate entries for key {key[2:]}")
        seen.add(key)
