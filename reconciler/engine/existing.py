"""What the cluster has under the names of what Git states, beside what is followed by its labels."""

import asyncio
from collections.abc import Iterable

from reconciler.cluster.cluster import Cluster
from reconciler.engine.claims import Claims
from reconciler.errors import ApiError, NotFound, TooManyRequests, Unauthorized
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Live
from reconciler.model.manifest import Manifest, Owner
from reconciler.model.ownership import Ownership, mark, ownership


class Existing:
    """Reads for one source."""

    def __init__(self, owner: Owner, cluster: Cluster, claims: Claims) -> None:
        self._owner = owner
        self._cluster = cluster
        self._claims = claims

    async def of(
        self, manifests: Iterable[Manifest]
    ) -> tuple[dict[Identity, Live], dict[tuple[GroupKind, str], ApiError]]:
        """What is there under the names of `manifests`: one metadata-only list for each kind and namespace (rule 2).

        Also the kinds and namespaces that the server does not let us read, so that they stop no other.
        """
        scopes: dict[tuple[GroupKind, str], dict[Identity, Manifest]] = {}
        for manifest in manifests:
            identity = manifest.identity
            scopes.setdefault((identity.group_kind, identity.namespace), {})[identity] = manifest
        unread: dict[tuple[GroupKind, str], ApiError] = {}

        async def read(kind: GroupKind, namespace: str, wanted: dict[Identity, Manifest]) -> list[Live]:
            try:
                listed = await self._cluster.metadata(kind, namespace)
                there = sorted(wanted.keys() & listed.keys())
                return await asyncio.gather(*(self._whole(listed[identity], wanted[identity]) for identity in there))
            except NotFound:  # the kind, or the namespace, comes with this commit
                return []
            except (TooManyRequests, Unauthorized):  # about us, not about the kind
                raise
            except ApiError as error:
                unread[kind, namespace] = error
                return []

        lists = await asyncio.gather(*(read(kind, ns, wanted) for (kind, ns), wanted in sorted(scopes.items())))
        return {live.identity: live for found in lists for live in found}, unread

    async def _whole(self, metadata: Live, manifest: Manifest) -> Live:
        """Metadata are enough to refuse or hold; what we may write is read whole."""
        match ownership(metadata, self._owner):
            case Ownership.OURS:
                ours = True
            case Ownership.OTHER_SOURCE:
                ours = self.released(metadata)
            case Ownership.OTHER_INSTALL:
                ours = False
            case _:
                ours = manifest.policy.adopt
        if not ours:
            return metadata
        return await self._cluster.get(metadata.identity, manifest.gvk.version) or metadata

    async def in_their_versions(self, manifests: Iterable[Manifest]) -> dict[Identity, Live]:
        """Objects of kinds that Git states in several versions: the cache follows a kind in one of them only."""
        cache = self._cluster.cache
        others = [m for m in manifests if cache.api_version(m.identity) not in ("", m.gvk.api_version)]
        read = await asyncio.gather(*(self._cluster.get(m.identity, m.gvk.version) for m in others))
        return {live.identity: live for live in read if live is not None}

    def released(self, live: Live) -> bool:
        """Whether the source that owns `live` is one of this daemon's and no longer states it."""
        claimed = mark(live)
        return (
            claimed is not None
            and claimed.owner.install == self._owner.install
            and self._claims.released(live.identity, claimed.owner.source)
        )
