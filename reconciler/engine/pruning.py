"""What is to happen to objects that a source owns and Git no longer states: the pure rules, fed with the cluster."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from reconciler.diff.guard import guard, stricter
from reconciler.diff.mounts import mounted
from reconciler.diff.prune import finish, prune
from reconciler.engine.bounds import within
from reconciler.engine.claims import Claims
from reconciler.engine.readiness import ready
from reconciler.engine.succession import Owned, Succession
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change, Gate, Live
from reconciler.model.config import PruneGuard, SourceConfig
from reconciler.model.manifest import ANNOTATION_PRUNE, ANNOTATION_SPEC, Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.source.trailers import allowed_prunes

_JOBS = frozenset({"Job"})
_MOUNTED = frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount"})
_VERSIONED = frozenset({"ConfigMap", "Job"})
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "Pod", "ReplicaSet"})


class Prunes(NamedTuple):
    """What is to happen to objects that Git no longer states.

    `by_trailer` are the uids of those that only a commit trailer approves; `waiting` says that some are kept until
    another source was read, `untidy` that some are kept only until something has ended: a roll-out, a Job, a move.
    """

    changes: list[Change]
    by_trailer: frozenset[str] = frozenset()
    waiting: bool = False
    untidy: bool = False


class Pruner:
    """Decides for one source. Remembers nothing."""

    def __init__(self, config: SourceConfig, owner: Owner, cache: Owned, claims: Claims) -> None:
        self._config = config
        self._owner = owner
        self._cache = cache
        self._claims = claims

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
        marked = [identity for identity in self._cache.marked(source) if within(self._config.namespaces, identity)]
        going = {identity for identity in marked if identity not in manifests.items}
        if not going:
            return Prunes([])
        # Unpacking all that a source owns would cost more than all the rest of a pass.
        mountable = any(identity.kind in _MOUNTED for identity in going)
        looked_at = _WORKLOADS if mountable else _JOBS
        cache = self._cache
        owned = [live for i in marked if (i in going or i.kind in looked_at) and (live := cache.get(i)) is not None]
        moved = {identity: other for identity in going if (other := self._claims.others(identity, source)) is not None}
        succession = Succession.of(manifests.items, cache, source)
        decided = prune(
            owned,  # not only what goes: a Task's current Job counts among those that it keeps, pods mount files
            manifests,
            specs,
            owner=self._owner,
            referenced=_needed(owned, manifests, changes) if mountable else (),
            moved=moved,
            waiting=succession.waiting(changes),
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

        replaced = _replaced(owned, manifests) | succession.leaving

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
            held = {change.identity for change in guarded(0) if change.action is not Action.PRUNE}
            only = {change.identity for change in final if change.action is Action.PRUNE} & held
            by_trailer = frozenset(change.uid for change in final if change.identity in only)
            final = [_by_trailer(change) if change.identity in only else change for change in final]
        untidy = waiting or not all(_at_rest(cache.get(c.identity)) for c in final if c.action is Action.KEEP)
        return Prunes(final, by_trailer, waiting, untidy)


def _by_trailer(change: Change) -> Change:
    reason = f"{change.reason}; only for the trailer of a commit is it not held"
    return replace(change, reason=reason, gate=Gate.DELETION)


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
