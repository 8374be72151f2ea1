"""`metadata.managedFields`: who owns which fields of an object."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from reconciler.kube.fieldset import EMPTY, FieldSet, union
from reconciler.kube.times import stamp

Operation = Literal["Apply", "Update"]

MAX_UPDATERS: Final = 10
ANCIENT: Final = "ancient-changes"
BEFORE_FIRST_APPLY: Final = "before-first-apply"


class Owner(NamedTuple):
    """What an entry is known by. One applier has one entry, whatever version it applies; an updater one a version."""

    manager: str
    operation: Operation
    subresource: str = ""
    api_version: str = ""  # of updaters only

    def __str__(self) -> str:
        """As the API server names it in a conflict: `"kubectl-edit" using apps/v1`."""
        text = f'"{self.manager}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.api_version else text


class Entry(NamedTuple):
    """What an owner owns. `time` is RFC 3339, "" where the entry states none."""

    api_version: str
    fields: FieldSet
    time: str = ""
    stored: Mapping[str, Any] | None = None  # as it stands in the object, while it is unchanged

    def having(self, fields: FieldSet) -> "Entry":
        return self if fields.tree is self.fields.tree else Entry(self.api_version, fields, self.time)


Entries = dict[Owner, Entry]


def owned_by(
    obj: Mapping[str, Any], manager: str, *, operation: Operation = "Apply", subresource: str = ""
) -> FieldSet:
    """What a manager owns of an object; of an updater with entries in several versions the union."""
    fields = EMPTY
    for stored in _stored(obj):
        if (
            stored.get("manager") == manager
            and stored.get("operation") == operation
            and (stored.get("subresource") or "") == subresource
        ):
            fields |= FieldSet.from_v1(stored.get("fieldsV1"))
    return fields


def owners(obj: Mapping[str, Any]) -> tuple[Owner, ...]:
    """All owners of an object, in the order of its managedFields."""
    return tuple(_owner(stored) for stored in _stored(obj))


def read(obj: Mapping[str, Any]) -> Entries:
    """All entries. ValueError where one is malformed."""
    entries: Entries = {}
    for stored in _stored(obj):
        if stored.get("operation") not in ("Apply", "Update") or not stored.get("apiVersion"):
            raise ValueError("a managedFields entry needs operation (Apply or Update) and apiVersion")
        if stored.get("fieldsType") != "FieldsV1":
            raise ValueError(f"invalid fieldsType {stored.get('fieldsType')!r} in managedFields")
        fields = FieldSet.from_v1(stored.get("fieldsV1"))
        entries[_owner(stored)] = Entry(stored["apiVersion"], fields, stored.get("time") or "", stored)
    return entries


def write(entries: Entries) -> list[dict[str, Any]]:
    """The JSON of managedFields: appliers before updaters, older entries first, empty ones left out."""
    ordered = sorted(
        ((owner, entry) for owner, entry in entries.items() if entry.fields),
        key=lambda item: (item[0].operation, item[1].time, item[0].manager, item[1].api_version, item[0].subresource),
    )
    return [dict(entry.stored) if entry.stored else _stored_form(owner, entry) for owner, entry in ordered]


def capped(entries: Entries) -> Entries:
    """At most ten updaters: the oldest of a version are put together as `ancient-changes`."""
    updaters = sorted((entries[owner].time, owner) for owner in entries if owner.operation == "Update")
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return entries
    result = dict(entries)
    first: dict[str, Owner] = {}
    for time, owner in updaters:
        if excess <= 0:
            break
        entry = entries[owner]
        oldest = first.setdefault(entry.api_version, owner)
        if oldest is owner:
            continue
        bucket = Owner(ANCIENT, "Update", "", entry.api_version)
        if bucket not in result:
            result[bucket] = result.pop(oldest)
        fields = FieldSet(union(result[bucket].fields.tree, result.pop(owner).fields.tree))
        result[bucket] = Entry(entry.api_version, fields, time)
        excess -= 1
    return result


def rfc3339(time: datetime | str) -> str:
    """Whole seconds in UTC, as the API writes times."""
    return time if isinstance(time, str) else stamp(time)


def without_managed_fields(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """`obj` less its managedFields, itself where it has none."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, Mapping) or "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {name: value for name, value in metadata.items() if name != "managedFields"}}


def unchanged(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two versions of an object differ in nothing but the times of managedFields: a write that does nothing.

    Times that change the order of managedFields do something, as on the real server.
    """
    return _timeless(old) == _timeless(new) and without_managed_fields(old) == without_managed_fields(new)


def _timeless(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in stored.items() if name != "time"} for stored in _stored(obj)]


def _stored(obj: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    metadata = obj.get("metadata") or {}
    return metadata.get("managedFields") or ()


def _owner(stored: Mapping[str, Any]) -> Owner:
    applied = stored.get("operation") == "Apply"
    return Owner(
        stored.get("manager") or "",
        "Apply" if applied else "Update",
        stored.get("subresource") or "",
        "" if applied else stored.get("apiVersion") or "",
    )


def _stored_form(owner: Owner, entry: Entry) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "manager": owner.manager,
        "operation": owner.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.to_v1(),
        "subresource": owner.subresource,
    }
    return {name: value for name, value in stored.items() if value}
