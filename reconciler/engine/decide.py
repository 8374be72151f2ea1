"""What is to happen to each object: the pure rules of `diff`, fed with what the cluster has.

Pairs that were found equal are remembered by the manifest's digest and the object's resourceVersion, so a pass looks
only at what changed since the last one.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from reconciler.cluster.cluster import Cluster
from reconciler.diff.compare import compare
from reconciler.diff.guard import guard, stricter
from reconciler.diff.mounts import mounted
from reconciler.diff.prune import finish, prune
from reconciler.engine.autoscalers import Autoscalers, leaving_replicas
from reconciler.engine.bounds import within
from reconciler.engine.claims import Claims
from reconciler.engine.readiness import ready
from reconciler.engine.runs import Past
from reconciler.engine.schemas import CRD_KIND, Schemas
from reconciler.errors import ApiError, NotFound, ReconcilerError, TooManyRequests, Unauthorized
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action, Change, FieldChange, Live
from reconciler.model.config import PruneGuard, SourceConfig
from reconciler.model.manifest import ANNOTATION_PRUNE, ANNOTATION_SPEC, Manifest, Manifests, Owner
from reconciler.model.ownership import Ownership, mark, ownership
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.source.trailers import allowed_prunes

_PATIENCE = 10.0  # seconds until a kind whose definition is there must be served
_BREATH = 100  # objects that are compared before others have their turn
_JOBS = frozenset({"Job"})
_MOUNTED = frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount"})
_VERSIONED = frozenset({"ConfigMap", "Job"})
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod", "ReplicaSet"})

logger = logging.getLogger(__name__)


class Prunes(NamedTuple):
    """What is to happen to objects that Git no longer states.

    `by_trailer` are the uids of those that only a commit trailer approves; `waiting` says that some are kept until
    another source was read, `untidy` that some are kept only until something has ended: a roll-out, a Job, a move.
    """

    changes: list[Change]
    by_trailer: frozenset[str] = frozenset()
    waiting: bool = False
    untidy: bool = False


class Decider:
    """Decides for one source. Remembers between passes only what was equal.

    `undecided` are the objects of the last answer that could not be looked at: their kind may not be read. Each is in
    the answer as REFUSE, with the reason; unlike other refusals it is worth trying again.
    """

    def __init__(self, config: SourceConfig, owner: Owner, cluster: Cluster, claims: Claims) -> None:
        self._config = config
        self._owner = owner
        self._cluster = cluster
        self._claims = claims
        self._schemas = Schemas()
        self._autoscalers = Autoscalers(cluster, self._leaving)
        self._equal: dict[Identity, tuple[str, str]] = {}
        self._unserved: set[Identity] = set()
        self.undecided: frozenset[Identity] = frozenset()

    async def changes(
        self, manifests: Mapping[Identity, Manifest], *, past: Past | None = None, afresh: bool = False
    ) -> list[Change]:
        """One Change for each of `manifests` that may need something done; those that are equal are left out.

        `past` says which Jobs are not to be made (rule 16). Asks the cluster for the metadata of what it does not know
        (rule 2). `afresh` compares what is known to be equal too. Raises TransportError, or ApiError where it is not
        about some kinds.
        """
        for identity, manifest in manifests.items():
            if identity.group_kind == CRD_KIND:
                self._schemas.learn(manifest.object)
        past = past or Past()
        different = [m for identity, m in manifests.items() if afresh or not self._same(identity, m)]
        cache = self._cluster.cache
        known = past.ended
        unknown = [
            m for m in different if not (m.identity in cache or m.identity in known) and self._within(m.identity)
        ]
        existing, unread = await self._existing(unknown)
        existing |= await self._in_their_versions(different)
        found: list[Change] = []
        undecided: set[Identity] = set()
        for number, manifest in enumerate(different):
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            error = unread.get((manifest.identity.group_kind, manifest.identity.namespace))
            if error is not None and manifest.identity not in self._cluster.cache:
                change = Change(manifest.identity, Action.REFUSE, str(error), manifest=manifest, hint=error.hint)
                undecided.add(manifest.identity)
            else:
                try:
                    change = self._decide(manifest, existing, manifests, past)
                    if any(field.path == "spec.replicas" for field in change.fields) and (
                        await self._autoscalers.scaled([manifest])
                    ):
                        change = self._decide(leaving_replicas(manifest), existing, manifests, past)
                except ReconcilerError:
                    raise
                except Exception as fault:  # a fault of ours with one object must not stop the others
                    logger.exception("%s could not be compared", manifest.identity)
                    reason = f"a fault of reconciler itself: {type(fault).__name__}"
                    change = Change(manifest.identity, Action.REFUSE, reason, manifest=manifest)
                    undecided.add(manifest.identity)
            if change.action in (Action.REFUSE, Action.REPLACE) and change.fields:
                change = await self._judged(change, existing)
            if change.action is Action.NONE and (version := self._cluster.cache.version(manifest.identity)):
                self._equal[manifest.identity] = (manifest.digest, version)
            else:
                found.append(change)
        self.undecided = frozenset(undecided)
        return found

    async def again(self, change: Change) -> Change:
        """`change`, decided anew where its kind was not served: what is there now may be somebody else's (rule 2).

        Raises ApiError or TransportError.
        """
        manifest = change.manifest
        if manifest is None or manifest.identity not in self._unserved:
            return change
        group = manifest.identity.group
        defined = any(crd.name.endswith(f".{group}") for crd in self._cluster.cache.of_kind(GroupKind(*CRD_KIND)))
        await self._cluster.discovery.require(manifest.gvk, _PATIENCE if defined else 0.0)
        self._unserved.discard(manifest.identity)
        existing, unread = await self._existing([manifest])
        for error in unread.values():
            raise error
        return self._decide(manifest, existing, {}, Past())

    def written(self, manifest: Manifest, version: str) -> None:
        """Remember that the object at resourceVersion `version` is what applying `manifest` makes of it.

        However it is spelled there. The version is that of the write's own answer: the cache may be further already.
        """
        self._equal[manifest.identity] = (manifest.digest, version)

    def met(self, manifest: Manifest) -> bool:
        """Whether the object was once found, or made, as `manifest` states it."""
        return self._equal.get(manifest.identity, ("", ""))[0] == manifest.digest

    def version(self, identity: Identity) -> str:
        """The resourceVersion at which the object was last found, or made, equal; "" where it was not."""
        return self._equal.get(identity, ("", ""))[1]

    def forget(self, manifests: Mapping[Identity, Manifest]) -> None:
        """Keep nothing about objects that are not among `manifests`."""
        if len(self._equal) > len(manifests):
            self._equal = {identity: pair for identity, pair in self._equal.items() if identity in manifests}
        self._unserved.intersection_update(manifests)

    async def confirmed(self, change: Change) -> bool:
        """Whether applying `change` would change the object: a dry-run answers (rule 13)."""
        live = self._cluster.cache.get(change.identity)
        if live is None or change.manifest is None:
            return True
        live = (await self._in_their_versions([change.manifest])).get(change.identity, live)
        dry = await self._cluster.apply(change.manifest.object, force=True, dry_run=True)
        if not alike(dry, live):
            return True
        self.written(change.manifest, live.resource_version)
        return False

    async def _judged(self, change: Change, existing: Mapping[Identity, Live]) -> Change:
        """What seems to need a new object, as the server sees it: it may only spell the same value otherwise."""
        live = existing.get(change.identity) or self._cluster.cache.get(change.identity)
        if live is None or change.manifest is None:
            return change
        try:
            dry = await self._cluster.apply(change.manifest.object, force=True, dry_run=True)
        except ApiError:
            return change
        if alike(dry, live):
            return replace(change, action=Action.NONE, reason="as Git states it", fields=())
        ours = ownership(live, self._owner) in (Ownership.OURS, Ownership.OTHER_SOURCE)
        reason = f"differs: {change.fields[0].path}" if ours else "taken over"
        action, existing_one = (Action.UPDATE, None) if ours else (Action.ADOPT, live)
        return replace(change, action=action, reason=reason, hint="", existing=existing_one)

    async def _in_their_versions(self, manifests: Iterable[Manifest]) -> dict[Identity, Live]:
        """Objects of kinds that Git states in several versions: the cache follows a kind in one of them only."""
        cache = self._cluster.cache
        others = [m for m in manifests if cache.api_version(m.identity) not in ("", m.gvk.api_version)]
        read = await asyncio.gather(*(self._cluster.get(m.identity, m.gvk.version) for m in others))
        return {live.identity: live for live in read if live is not None}

    def left(self, change: Change, made: Live) -> tuple[FieldChange, ...]:
        """What still differs in the object that carrying out `change` made: others may rewrite what is applied."""
        if change.manifest is None:
            return ()
        schema = self._schemas.of(change.manifest.gvk)
        return compare(change.manifest, made, schema, owner=self._owner).fields

    def _same(self, identity: Identity, manifest: Manifest) -> bool:
        equal = self._equal.get(identity)
        return equal is not None and equal == (manifest.digest, self._cluster.cache.version(identity))

    async def _existing(
        self, manifests: Iterable[Manifest]
    ) -> tuple[dict[Identity, Live], dict[tuple[GroupKind, str], ApiError]]:
        """What is there under the names of `manifests`: one metadata-only list for each kind and namespace.

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
                ours = self._released(metadata)
            case Ownership.OTHER_INSTALL:
                ours = False
            case _:
                ours = manifest.policy.adopt
        if not ours:
            return metadata
        return await self._cluster.get(metadata.identity, manifest.gvk.version) or metadata

    def _decide(
        self,
        manifest: Manifest,
        existing: Mapping[Identity, Live],
        manifests: Mapping[Identity, Manifest],
        past: Past,
    ) -> Change:
        identity = manifest.identity
        if not self._within(identity):
            spaces = ", ".join(self._config.namespaces)
            hint = "move it there, or into another source"
            return Change(
                identity, Action.REFUSE, f"outside of the source's namespaces: {spaces}", (), manifest, hint=hint
            )
        cached = self._cluster.cache.get(identity)
        if cached is not None:
            cached = existing.get(identity, cached)
        present = cached or existing.get(identity)
        if present is None and (held := past.forbids(manifest, self._owner.source)) is not None:
            return held
        if present is None and not self._served(identity):
            self._unserved.add(identity)
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

    def _within(self, identity: Identity) -> bool:
        return within(self._config.namespaces, identity)

    def _served(self, identity: Identity) -> bool:
        return identity.group_kind in self._cluster.discovery.resources

    def _leaving(self, live: Live) -> bool:
        """Whether `live` is this source's, which no longer states it."""
        ours = ownership(live, self._owner) is Ownership.OURS
        return ours and self._claims.released(live.identity, self._owner.source)

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
    ) -> Prunes:
        """What is to happen to objects that this source owns and Git no longer states, the guard applied."""
        source = self._owner.source
        marked = [identity for identity in self._cluster.cache.marked(source) if self._within(identity)]
        going = {identity for identity in marked if identity not in manifests.items}
        if not going:
            return Prunes([])
        # Unpacking all that a source owns would cost more than all the rest of a pass.
        mountable = any(identity.kind in _MOUNTED for identity in going)
        looked_at = _WORKLOADS if mountable else _JOBS
        cache = self._cluster.cache
        owned = [live for i in marked if (i in going or i.kind in looked_at) and (live := cache.get(i)) is not None]
        moved = {identity: other for identity in going if (other := self._claims.others(identity, source)) is not None}
        decided = prune(
            owned,  # not only what goes: a Task's current Job counts among those that it keeps, pods mount files
            manifests,
            specs,
            owner=self._owner,
            referenced=_needed(owned, manifests, changes) if mountable else (),
            moved=moved,
        )
        behind = sorted(self._claims.behind(source, snapshot.revision.commit))
        waiting = bool(moved)
        if behind and any(change.action is Action.PRUNE for change in decided):
            waiting = True
            reason = f"kept until source {behind[0]} has been read, which may state it now"
            decided = [
                replace(change, action=Action.KEEP, reason=reason) if change.action is Action.PRUNE else change
                for change in decided
            ]

        replaced = _replaced(owned, manifests)

        def guarded(allow: int) -> list[Change]:
            return guard(
                [change for change in decided if change.identity not in replaced],
                owned=len(marked),
                config=stricter(self._config.guard, before) if before else self._config.guard,
                allow=allow,
                approved=frozenset(approved),
                empty=_empty(snapshot, specs),
            )

        allow = allowed_prunes(messages)
        final = [*guarded(allow), *(change for change in decided if change.identity in replaced)]
        by_trailer: frozenset[str] = frozenset()
        if allow:
            without = {change.uid for change in guarded(0) if change.action is Action.PRUNE}
            by_trailer = frozenset(c.uid for c in final if c.action is Action.PRUNE and c.uid not in without)
        untidy = waiting or not all(_at_rest(cache.get(c.identity)) for c in final if c.action is Action.KEEP)
        return Prunes(final, by_trailer, waiting, untidy)


def _at_rest(live: Live | None) -> bool:
    """Whether an object that is kept stays so until Git says something else."""
    return live is None or live.annotations.get(ANNOTATION_PRUNE) == "false" or bool(finish(live.object)[0])


def _replaced(owned: Iterable[Live], manifests: Manifests) -> frozenset[Identity]:
    """Earlier versions of what Git still states: files by their hash, Jobs by theirs. Nobody removed them from Git."""
    stated = {str(manifest.spec) for manifest in manifests.items.values()}
    return frozenset(
        live.identity
        for live in owned
        if live.identity.kind in _VERSIONED
        and live.identity not in manifests.items
        and (spec := live.annotations.get(ANNOTATION_SPEC)) in stated
        and spec != str(live.identity)
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


def alike(one: Live, other: Live) -> bool:
    """Whether two readings of an object hold the same, apart from its status and from who wrote it and when."""
    return _stated(one) == _stated(other)


def _stated(live: Live) -> dict[str, object]:
    metadata = {k: v for k, v in live.metadata.items() if k not in ("managedFields", "resourceVersion", "generation")}
    return {**live.object, "metadata": metadata, "status": None}
