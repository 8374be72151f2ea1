"""One change, carried out: the requests that each action costs."""

from collections.abc import Mapping
from typing import Any

from reconciler.cluster.cluster import Cluster
from reconciler.errors import Conflict, NotFound
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import ANNOTATION_ORIGIN, Owner


async def perform(cluster: Cluster, change: Change, *, owner: Owner, forced: bool) -> Live | None:
    """Write `change` to the cluster and return the object as the server answered it; None after a deletion.

    A deletion happens only while `owner` still owns the object. `forced` takes stated fields from other managers
    (rule 5: only healing and adopting do). Raises ReconcilerError.
    """
    if change.action is Action.PRUNE:
        await cluster.delete(change, owner=owner)
        return None
    manifest = change.manifest
    if manifest is None:
        raise ValueError(f"{change.action} of {change.identity} without a manifest")
    try:
        match change.action:
            case Action.ADOPT:
                return await cluster.adopt(manifest.object, change.existing)
            case Action.REPLACE:
                return await cluster.replace(manifest.object, uid=change.uid, resource_version=change.resource_version)
            case _:
                if change.handover is not None:
                    if change.action is Action.CREATE:
                        await cluster.apply(_beginning(manifest.object, change.handover), force=forced)
                    await cluster.handover(change.handover)
                return await cluster.apply(manifest.object, force=forced)
    except Conflict as conflict:
        conflict.hint = conflict.hint or "leave the field out of Git, or remove it from the other manager"
        raise
    except NotFound as missing:
        if change.identity.namespace:
            missing.hint = missing.hint or (
                f"is there a Namespace/{change.identity.namespace}? Namespaces are never created implicitly: commit one"
            )
        raise


def _beginning(stated: Mapping[str, Any], handed: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object with what it begins with in its spec, before that is handed over.

    Without the text that it is made from: what differs if we get no further is nobody else's doing.
    """
    metadata = stated["metadata"]
    annotations = {name: value for name, value in metadata["annotations"].items() if name != ANNOTATION_ORIGIN}
    return {
        **stated,
        "metadata": {**metadata, "annotations": annotations},
        "spec": {**stated["spec"], **handed["spec"]},
    }
