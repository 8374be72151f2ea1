"""To what a source is bound: namespaces, priorities; and what it leaves behind when it is bound to fewer namespaces.

What is left behind is neither healed nor pruned: it is kept, and `status` says so, until it is gone or its namespace is
named again.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from reconciler.cluster.cluster import Cluster
from reconciler.errors import ApiError, TooManyRequests, Unauthorized
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.manifest import LABEL_SOURCE, Owner
from reconciler.model.ownership import Ownership, ownership
from reconciler.model.state import Left, SourceState


def within(namespaces: Collection[str], identity: Identity) -> bool:
    """Whether a source that is bound to `namespaces` (to none of them where empty: to everything) may touch an object.

    Of what is in no namespace it may touch these Namespaces themselves.
    """
    own = identity.name if identity.kind == "Namespace" else identity.namespace
    return not namespaces or own in namespaces


def exalted(priorities: Collection[str] | None, pod: Mapping[str, Any]) -> str:
    """The PriorityClass that a pod of this spec names and its source may not, which is bound to `priorities` (None: to
    none in particular); "" where it may."""
    name = str(pod.get("priorityClassName") or "")
    return name if priorities is not None and name not in priorities else ""


def returning(state: SourceState, namespaces: Collection[str]) -> frozenset[GroupKind]:
    """The kinds of what was left behind once and may be touched again now."""
    return frozenset(
        left.kind for left in state.left if not namespaces or left.namespace in namespaces or not left.namespace
    )


async def left_behind(
    cluster: Cluster, owner: Owner, state: SourceState, namespaces: Collection[str]
) -> tuple[Left, ...]:
    """What `owner` has outside of `namespaces`, as far as `state` knows where to look.

    One list of metadata for each kind and namespace that was given up; no request where none was. A kind that may not
    be listed there is in the answer with a count of None. Raises TransportError, or ApiError that is not about a kind.
    """
    if not namespaces:
        return ()
    kinds = state.kinds | {left.kind for left in state.left}
    spaces = (state.namespaces | {left.namespace for left in state.left}).difference(namespaces, ("",))
    asked = sorted((kind, space) for kind in kinds if _namespaced(cluster, kind) for space in spaces)

    async def count(kind: GroupKind, space: str) -> Left:
        try:
            listed = await cluster.metadata(kind, space, f"{LABEL_SOURCE}={owner.source}")
        except (TooManyRequests, Unauthorized):  # about us, not about the kind
            raise
        except ApiError:
            return Left(kind, space, None)
        return Left(kind, space, sum(ownership(live, owner) is Ownership.OURS for live in listed.values()))

    found = await asyncio.gather(*(count(kind, space) for kind, space in asked))
    whole = Counter(_of_the_cluster(cluster, owner, namespaces))
    return (
        *(Left(kind, "", number) for kind, number in sorted(whole.items())),
        *(left for left in found if left.count != 0),
    )


def _of_the_cluster(cluster: Cluster, owner: Owner, namespaces: Collection[str]) -> Iterator[GroupKind]:
    """The kind of each object of `owner` that is in no namespace: those are watched as a whole."""
    for identity in cluster.cache.marked(owner.source):
        if identity.namespace or within(namespaces, identity):
            continue
        live = cluster.cache.get(identity)
        if live is not None and ownership(live, owner) is Ownership.OURS:
            yield identity.group_kind


def _namespaced(cluster: Cluster, kind: GroupKind) -> bool:
    resource = cluster.discovery.known(kind)
    return resource is not None and resource.namespaced
