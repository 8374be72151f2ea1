"""Which kinds a source uses: on record before anything is applied, followed for as long as it lives (rule 3)."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine.bounds import left_behind, returning
from reconciler.errors import ReconcilerError
from reconciler.kube.names import GroupKind
from reconciler.model.manifest import Manifest, Owner


class Observing:
    """Follows the kinds of one source, in the `namespaces` that it is bound to (in all where empty)."""

    def __init__(self, cluster: Cluster, store: StateStore, owner: Owner, namespaces: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._store = store
        self._owner = owner
        self._namespaces = namespaces
        self._kinds: frozenset[GroupKind] = frozenset()
        self._looked_outside = False  # what it left behind in namespaces that it is not bound to any more

    async def record_and_follow(self, manifests: Iterable[Manifest]) -> None:
        """Record the kinds, then follow them: killed in between, nothing that was applied is ever orphaned.

        Raises ApiError, TransportError or ConfigError.
        """
        source = self._owner.source
        versions = {manifest.gvk for manifest in manifests}
        kinds = {version.group_kind for version in versions}
        before = await self._store.load(source)
        recorded = before.kinds | returning(before, self._namespaces)
        await self._store.record(source, recorded | kinds, {m.identity.namespace for m in manifests} - {""})
        await self._cluster.watch([*versions, *(recorded - kinds)], namespaces=self._namespaces)
        self._kinds = recorded | kinds
        if not self._looked_outside:  # the configuration is the same for as long as we live
            left = await left_behind(self._cluster, self._owner, before, self._namespaces)
            self._store.update(source, lambda state: replace(state, left=left))
            self._looked_outside = True

    async def follow(self, manifests: Iterable[Manifest]) -> None:
        """Follow the kinds of what is there already, and record nothing. Raises ApiError or TransportError."""
        versions = {manifest.gvk for manifest in manifests}
        await self._cluster.watch(versions, namespaces=self._namespaces)
        self._kinds |= {version.group_kind for version in versions}

    async def follow_again(self) -> Mapping[GroupKind, ReconcilerError]:
        """Follow again what the server ended for good, as it does with a kind that it did not serve for a moment.

        Returns the kinds that are not followed all the same, and why. No request where all is well.
        """
        failing = self._cluster.failing(namespaces=self._namespaces)
        lost = {kind: error for kind, error in failing.items() if kind in self._kinds}
        if lost:
            with suppress(ReconcilerError):  # where nobody answers, the reason stays the one that is known
                return await self._cluster.watch(lost, namespaces=self._namespaces)
        return lost

    def unread(self) -> frozenset[GroupKind]:
        """The kinds of which there may be more than the cache has."""
        failing = self._cluster.failing(namespaces=self._namespaces)
        return frozenset(
            kind
            for kind in self._kinds
            if kind in failing or not self._cluster.listed(kind, namespaces=self._namespaces)
        )
