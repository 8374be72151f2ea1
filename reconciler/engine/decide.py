"""What is to happen to each object: the pure rules of `diff`, fed with what the cluster has.

Pairs that were found equal are remembered by the manifest's digest and the object's resourceVersion, so a pass looks
only at what changed since the last one.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.cluster.cluster import Cluster
from reconciler.diff.compare import compare
from reconciler.diff.guard import guard, stricter
from reconciler.diff.mounts import mounted
from reconciler.diff.prune import prune
from reconciler.engine.claims import Claims
from reconciler.engine.readiness import ready
from reconciler.engine.schemas import CRD_KIND, Schemas
from reconciler.errors import NotFound
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action, Change, Live
from reconciler.model.config import PruneGuard, SourceConfig
from reconciler.model.manifest import ANNOTATION_SPEC, Manifest, Manifests, Owner
from reconciler.model.ownership import Ownership, mark, ownership
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.source.trailers import allowed_prunes

_MOUNTED = frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount"})
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod", "ReplicaSet"})


class Decider:
    """Decides for one source. Remembers between passes only what was equal."""

    def __init__(self, config: SourceConfig, owner: Owner, cluster: Cluster, claims: Claims) -> None:
        self._config = config
        self._owner = owner
        self._cluster = cluster
        self._claims = claims
        self._schemas = Schemas()
        self._equal: dict[Identity, tuple[str, str]] = {}

    async def changes(
        self, manifests: Mapping[Identity, Manifest], *, ran: frozenset[Identity] = frozenset()
    ) -> list[Change]:
        """One Change for each of `manifests` that may need something done; those that are equal are left out.

        `ran` are Jobs that ran to their end once: they are not made again (rule 16). Asks the cluster for the metadata
        of what it does not know (rule 2). Raises ApiError or TransportError when that cannot be read.
        """
        for identity, manifest in manifests.items():
            if identity.group_kind == CRD_KIND:
                self._schemas.learn(manifest.object)
        different = [manifest for identity, manifest in manifests.items() if not self._same(identity, manifest)]
        unknown = [m for m in different if m.identity not in self._cluster.cache and m.identity not in ran]
        existing = await self._existing(unknown)
        found: list[Change] = []
        for manifest in different:
            change = self._decide(manifest, existing, manifests, ran)
            if change.action is Action.NONE and (version := self._cluster.cache.version(manifest.identity)):
                self._equal[manifest.identity] = (manifest.digest, version)
            else:
                found.append(change)
        return found

    def written(self, manifest: Manifest) -> None:
        """Remember that the object, as it is now, is what applying `manifest` makes of it, however it is spelled."""
        if version := self._cluster.cache.version(manifest.identity):
            self._equal[manifest.identity] = (manifest.digest, version)

    async def confirmed(self, change: Change) -> bool:
        """Whether applying `change` would change the object: a dry-run answers (rule 13)."""
        live = self._cluster.cache.get(change.identity)
        if live is None or change.manifest is None:
            return True
        dry = await self._cluster.apply(change.manifest.object, force=True, dry_run=True)
        if _without_upkeep(dry) != _without_upkeep(live):
            return True
        self.written(change.manifest)
        return False

    def _same(self, identity: Identity, manifest: Manifest) -> bool:
        equal = self._equal.get(identity)
        return equal is not None and equal == (manifest.digest, self._cluster.cache.version(identity))

    async def _existing(self, manifests: Iterable[Manifest]) -> dict[Identity, Live]:
        """What is there under the names of `manifests`: one metadata-only list for each kind and namespace."""
        scopes: dict[tuple[GroupKind, str], set[Identity]] = {}
        for manifest in manifests:
            identity = manifest.identity
            scopes.setdefault((identity.group_kind, identity.namespace), set()).add(identity)

        async def read(kind: GroupKind, namespace: str, wanted: set[Identity]) -> list[Live]:
            try:
                listed = await self._cluster.metadata(kind, namespace)
            except NotFound:  # the kind, or the namespace, comes with this commit
                return []
            return [await self._whole(listed[identity]) for identity in sorted(wanted & listed.keys())]

        lists = await asyncio.gather(*(read(kind, ns, wanted) for (kind, ns), wanted in sorted(scopes.items())))
        return {live.identity: live for found in lists for live in found}

    async def _whole(self, metadata: Live) -> Live:
        """Metadata are enough to refuse or hold; what we may write is read whole."""
        whose = ownership(metadata, self._owner)
        if whose in (Ownership.OTHER_SOURCE, Ownership.OTHER_INSTALL) and not self._released(metadata):
            return metadata
        return await self._cluster.get(metadata.identity) or metadata

    def _decide(
        self,
        manifest: Manifest,
        existing: Mapping[Identity, Live],
        manifests: Mapping[Identity, Manifest],
        ran: frozenset[Identity],
    ) -> Change:
        identity = manifest.identity
        cached = self._cluster.cache.get(identity)
        present = cached or existing.get(identity)
        if present is None and identity in ran:
            return Change(identity, Action.NONE, "ran already", manifest=manifest)
        if present is None and not self._served(identity):
            return Change(identity, Action.UNCONFIRMED, "its kind is not served yet", manifest=manifest)
        change = compare(
            manifest,
            cached,
            self._schemas.of(manifest.gvk),
            owner=self._owner,
            existing=existing.get(identity),
            released=present is not None and self._released(present),
        )
        namespace = Identity("", "Namespace", "", identity.namespace)
        if change.action is Action.CREATE and namespace in manifests and namespace not in self._cluster.cache:
            return replace(change, action=Action.UNCONFIRMED, reason="its namespace comes with the same commit")
        return change

    def _served(self, identity: Identity) -> bool:
        return identity.group_kind in self._cluster.discovery.resources

    def _released(self, live: Live) -> bool:
        """Whether the source that owns `live` is one of this daemon's and no longer states it."""
        claimed = mark(live)
        return (
            claimed is not None
            and claimed.owner.install == self._owner.install
            and self._claims.released(live.identity, claimed.owner.source)
        )

    def prunes(
        self,
        snapshot: Snapshot,
        specs: Specs,
        manifests: Manifests,
        changes: Iterable[Change],
        *,
        messages: Iterable[str],
        approved: Iterable[str],
        before: PruneGuard | None,
    ) -> list[Change]:
        """What is to happen to objects that this source owns and Git no longer states, the guard applied."""
        marked = self._cluster.cache.marked(self._owner.source)
        if all(identity in manifests.items for identity in marked):
            return []
        owned = list(self._cluster.cache.of_source(self._owner.source))
        going = [live for live in owned if live.identity not in manifests.items]
        moved = {
            live.identity: other
            for live in going
            if (other := self._claims.others(live.identity, self._owner.source)) is not None
        }
        decided = prune(
            owned,  # not only what goes: a Task's current Job counts among those that it keeps
            manifests,
            specs,
            owner=self._owner,
            referenced=_needed(owned, manifests, changes),
            moved=moved,
        )
        return guard(
            decided,
            owned=len(owned),
            config=stricter(self._config.guard, before) if before else self._config.guard,
            allow=allowed_prunes(messages),
            approved=frozenset(approved),
            empty=_empty(snapshot, specs),
        )


def _needed(owned: Iterable[Live], manifests: Manifests, changes: Iterable[Change]) -> frozenset[Identity]:
    """Objects that running pods may still mount: those of workloads whose roll-out has not ended yet."""
    changing = {change.identity for change in changes}
    workloads = [live for live in owned if live.identity.kind in _WORKLOADS and live.identity in manifests.items]
    unsettled = {
        str(manifests.items[live.identity].spec)
        for live in workloads
        if live.identity in changing or not ready(live).ready
    }
    kept = {
        live.identity
        for live in owned
        if live.identity.kind in _MOUNTED and live.annotations.get(ANNOTATION_SPEC) in unsettled
    }
    return mounted(workloads) | kept


def _empty(snapshot: Snapshot, specs: Specs) -> tuple[str, ...]:
    """Configured paths that this revision lacks or that hold nothing."""
    used = {entry.layer for entry in snapshot.entries}
    bare = {path for layer, path in enumerate(snapshot.paths) if layer not in used}
    if not specs.documents and not specs.quarantined:
        bare |= set(snapshot.paths)
    return tuple(sorted(bare | set(snapshot.missing)))


def _without_upkeep(live: Live) -> dict[str, object]:
    """The object without what the server keeps about writes."""
    metadata = {k: v for k, v in live.metadata.items() if k not in ("managedFields", "resourceVersion", "generation")}
    return {**live.object, "metadata": metadata}
