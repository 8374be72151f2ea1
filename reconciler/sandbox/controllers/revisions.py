"""ControllerRevisions: the history of a StatefulSet's or DaemonSet's pod template."""

from collections.abc import Collection, Sequence
from typing import Final

from reconciler.errors import AlreadyExists
from reconciler.sandbox.client import REVISIONS, Client, Key, Object, Resource
from reconciler.sandbox.controllers.controller import same
from reconciler.sandbox.controllers.hashes import template_hash
from reconciler.sandbox.controllers.owners import controller_reference, is_deleting

HASH: Final = "controller-revision-hash"


async def current(client: Client, kind: Resource, owner: Object, known: Sequence[Object]) -> Object:
    """The revision of the template of `owner`, made or moved to the front as needed. `known` are its revisions."""
    template = owner["spec"]["template"]
    latest = max((entry["revision"] for entry in known), default=0)
    for entry in known:
        if same(template_of(entry), template):
            if entry["revision"] == latest:
                return entry
            metadata = entry["metadata"]
            change = {"metadata": {"uid": metadata["uid"]}, "revision": latest + 1}
            return await client.patch(REVISIONS, Key(metadata["namespace"], metadata["name"]), change)
    metadata = owner["metadata"]
    digest = template_hash(template)
    revision: Object = {
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{metadata['name']}-{digest}",
            "labels": {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest},
            "ownerReferences": [controller_reference(kind, owner)],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": latest + 1,
    }
    try:
        return await client.create(REVISIONS, revision)
    except AlreadyExists:
        return await client.get(REVISIONS, Key(metadata["namespace"], revision["metadata"]["name"]))


def template_of(revision: Object) -> Object:
    """The pod template that `revision` keeps."""
    template = (revision.get("data") or {}).get("spec", {}).get("template", {})
    return {field: value for field, value in template.items() if field != "$patch"}


def hash_of(revision: Object) -> str:
    return str((revision["metadata"].get("labels") or {}).get(HASH) or revision["metadata"]["name"].rsplit("-", 1)[-1])


async def forget(client: Client, owner: Object, known: Sequence[Object], in_use: Collection[str]) -> None:
    """Delete the oldest revisions that are not `in_use` (names), beyond `revisionHistoryLimit`."""
    limit = owner["spec"].get("revisionHistoryLimit")
    limit = 10 if limit is None else limit
    old = [entry for entry in known if entry["metadata"]["name"] not in in_use and not is_deleting(entry)]
    for entry in sorted(old, key=lambda entry: int(entry["revision"]))[: max(0, len(old) - limit)]:
        await client.delete(REVISIONS, entry)
