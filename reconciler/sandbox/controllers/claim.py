"""Adopting and releasing: a workload controls exactly the objects that its selector matches."""

from collections.abc import Iterable

from reconciler.errors import ApiError
from reconciler.kube.selector import LabelSelector
from reconciler.sandbox.client import Client, Object, Resource, key_of
from reconciler.sandbox.controllers.owners import controller_of, controller_reference, is_deleting


async def claim(
    client: Client,
    kind: Resource,
    candidates: Iterable[Object],
    owner_kind: Resource,
    owner: Object,
) -> list[Object]:
    """The `candidates`, objects of `kind`, that `owner` controls after adopting its orphans and releasing strangers.

    Candidates are objects without a controller, or with `owner` as theirs, in its namespace.
    """
    stated = owner["spec"].get("selector")
    selector = LabelSelector.of(stated or {})
    uid = owner["metadata"]["uid"]
    claimed: list[Object] = []
    for obj in candidates:
        reference = controller_of(obj)
        if not stated:  # nothing is selected, as opposed to everything
            claimed += [obj] if reference is not None and reference["uid"] == uid else []
            continue
        matches = selector.matches(obj["metadata"].get("labels") or {})
        if reference is not None and reference["uid"] == uid:
            if matches or is_deleting(owner):
                claimed.append(obj)
            else:
                kept = [entry for entry in obj["metadata"]["ownerReferences"] if entry["uid"] != uid]
                await _set_owners(client, kind, obj, kept)
        elif reference is None and matches and not is_deleting(obj) and not is_deleting(owner):
            owners = [*(obj["metadata"].get("ownerReferences") or ()), controller_reference(owner_kind, owner)]
            adopted = await _set_owners(client, kind, obj, owners)
            if adopted is not None:
                claimed.append(adopted)
    return claimed


async def _set_owners(client: Client, kind: Resource, obj: Object, owners: list[Object]) -> Object | None:
    """None when the object is gone meanwhile."""
    metadata = {"uid": obj["metadata"]["uid"], "ownerReferences": owners or None}
    try:
        return await client.patch(kind, key_of(obj), {"metadata": metadata})
    except ApiError as error:
        if error.status in (404, 409, 422):
            return None
        raise
