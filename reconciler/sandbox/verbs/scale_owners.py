"""Who owns the number of replicas, as a Scale tells it and as the object behind it does.

A Scale has no managedFields of its own: they are made of the object's before each write and put back after it. On the
way back an updater is not known again, because its version is the Scale's by then: what it owned becomes an entry
without a time beside the one of the rest. The real server does the same.
"""

from typing import Any, Final

from reconciler.kube import managed
from reconciler.kube.fieldset import FieldSet
from reconciler.kube.managed import Entries, Entry, Owner
from reconciler.kube.path import Field

Value = dict[str, Any]

SCALE_VERSION: Final = "autoscaling/v1"
_IN_SCALE: Final = (Field("spec"), Field("replicas"))


def of_scale(parent: Entries, path: list[str]) -> list[Value]:
    """The managedFields of a Scale, whose replicas lie at `path` in an object with the entries of `parent`."""
    where = tuple(Field(name) for name in path)
    fields = FieldSet.from_paths(_IN_SCALE)
    return managed.write(
        {_seen(owner): Entry(SCALE_VERSION, fields) for owner, entry in parent.items() if where in entry.fields}
    )


def _seen(owner: Owner) -> Owner:
    return owner._replace(api_version=SCALE_VERSION) if owner.operation == "Update" else owner


def of_parent(parent: Entries, scale: list[Value], path: list[str], api_version: str) -> list[Value]:
    """The managedFields of the object after its Scale was written and has those of `scale`."""
    where = tuple(Field(name) for name in path)
    fields = FieldSet.from_paths(where)
    claimed = managed.read({"metadata": {"managedFields": scale}})
    result: Entries = {}
    for owner, entry in parent.items():
        if where in entry.fields and claimed.pop(owner, None) is None:
            result[owner] = entry.having(entry.fields - fields)
        else:
            result[owner] = entry
    for owner, entry in claimed.items():
        if _IN_SCALE in entry.fields:
            result[owner] = Entry(api_version, fields)
    return managed.write(result)
