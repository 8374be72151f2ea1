"""What a pass would do, without doing it: the first half of `Reconciler.reconcile`, read-only."""

import asyncio
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from reconciler.cluster.cluster import Cluster
from reconciler.engine.attendant import as_seen, drifted, same_text
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider
from reconciler.engine.dry_runs import DryRuns, may_not_ask
from reconciler.engine.foreseen import foreseen
from reconciler.engine.pruning import Pruner
from reconciler.engine.runs import Jobs, Past
from reconciler.errors import ApiError, Forbidden, NotFound
from reconciler.kube.definitions import Served, serving
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import WRITES, Action, Change
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import DriftMode, Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.model.state import SourceState

_Asked = tuple[Identity, str, str]  # with the digest of a manifest and a resourceVersion
_ASKED: Final = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT})
_REMEMBERED: Final = 10_000  # dry-runs; more are asked for again


def offline(manifests: Manifests) -> list[Change]:
    """Against an empty cluster: everything would be made."""
    return [
        Change(identity, Action.CREATE, "new in Git", manifest=manifest)
        for identity, manifest in manifests.items.items()
    ]


class Previewer:
    """Of one source. What was found equal, and what a dry-run confirmed, is not asked for again until it changes.

    As of the last answer, `unreadable` are the kinds that we may not read, and `untried` those of which we may not have
    everything tried by a dry-run.
    """

    def __init__(self, cluster: Cluster, config: SourceConfig, owner: Owner) -> None:
        self.config = config
        self.owner = owner
        self.unreadable: frozenset[GroupKind] = frozenset()
        self.untried: frozenset[GroupKind] = frozenset()
        self._cluster = cluster
        self._claims = Claims()
        self._dry_run = DryRuns(cluster)
        self._decider = Decider(config, owner, cluster, self._claims, dry_run=self._dry_run)
        self._pruner = Pruner(config, owner, cluster.cache, self._claims)
        self._confirmed: set[_Asked] = set()

    async def changes(
        self,
        snapshot: Snapshot,
        specs: Specs,
        manifests: Manifests,
        *,
        state: SourceState,
        messages: Iterable[str] = (),
    ) -> list[Change]:
        """What a pass would do to each object that is not as Git states it.

        What seems to differ, or is new, is confirmed by a server-side dry-run, so that the server's own spelling of a
        value is not shown as a change, and what the server would refuse is shown as refused (rules 13 and 15). Who may
        only read cannot have it confirmed: what seems to differ is shown, then.
        """
        kinds = {manifest.gvk for manifest in manifests.items.values()}
        left = state.kinds - {gvk.group_kind for gvk in kinds}
        failing = await self._cluster.watch([*kinds, *left], namespaces=self.config.namespaces)
        self.untried = frozenset()
        self.unreadable = frozenset(kind for kind, error in failing.items() if isinstance(error, Forbidden))
        certain = not (specs.quarantined or specs.unknown or manifests.unrendered)
        self._claims.state(self.config.name, manifests.items, commit=snapshot.revision.commit, certain=certain)
        past = Past.of(state, Jobs(self.config.name, self._cluster.cache).there())
        decided = await self._decider.changes(manifests.items, past=past, all_=True)
        coming = {change.identity for change in decided if change.action in WRITES}
        served = serving(m.object for identity, m in manifests.items.items() if identity.group_kind == DEFINITION)
        refused: set[Identity] = set()
        asked = await asyncio.gather(*(self._asked(change, coming, served, refused) for change in decided))
        changes = [change for change in asked if change is not None]
        prunes = self._pruner.prunes(
            snapshot, specs, manifests, changes, messages=messages, approved=state.approved, before=state.guard
        )
        return foreseen([*changes, *prunes.changes], manifests.items, refused, self._decider.undecided)

    async def _asked(
        self, change: Change, coming: AbstractSet[Identity], served: Served, refused: set[Identity]
    ) -> Change | None:
        """`change` as a dry-run sees it; None where it would change nothing. What is refused is added to `refused`."""
        manifest = change.manifest
        if manifest is None:
            return change
        defined = served(manifest.gvk)
        known = manifest.gvk.group_kind in self._cluster.kinds if defined is None else defined
        if change.action in WRITES and not known:
            refused.add(change.identity)
            whose = "the cluster" if defined is None else "its definition in Git"
            return replace(change, action=Action.REFUSE, reason=f"{whose} does not serve {manifest.gvk}")
        if change.action not in _ASKED:
            return change
        live = as_seen(change, self._cluster.cache)
        drift = manifest.policy.drift
        if drift is not DriftMode.HEAL and drifted(change, live):
            reason = f"{change.reason}; it is drift, and not healed"
            return replace(change, action=Action.KEEP, reason=reason) if drift is DriftMode.ALERT else None
        try:
            if change.action is Action.UPDATE:
                forced = drift is DriftMode.HEAL and same_text(change, live)
                return change if await self._differs(change, force=forced) else None
            await self._dry_run(manifest.object, force=True)
            return change
        except ApiError as error:
            if may_not_ask(error):
                self.untried |= {change.identity.group_kind}
                return change
            if isinstance(error, Forbidden | NotFound) and coming & {*manifest.depends_on, *manifest.after}:
                reason = f"refused as long as what it needs is not there: {error}"
                return replace(change, action=Action.UNCONFIRMED, reason=reason)
            refused.add(change.identity)
            return replace(change, action=Action.REFUSE, reason=str(error), hint=error.hint)

    async def _differs(self, change: Change, *, force: bool) -> bool:
        """Whether applying it would change the object. Raises ApiError where the server refuses it."""
        asked = (change.identity, change.digest, self._cluster.cache.version(change.identity))
        if asked in self._confirmed:
            return True
        if not await self._decider.confirmed(change, force=force):
            return False
        if len(self._confirmed) >= _REMEMBERED:
            self._confirmed.clear()
        self._confirmed.add(asked)
        return True


async def preview(
    snapshot: Snapshot,
    specs: Specs,
    manifests: Manifests,
    *,
    cluster: Cluster,
    config: SourceConfig,
    owner: Owner,
    state: SourceState,
) -> list[Change]:
    """As `Previewer.changes`, once, for what no commit brings."""
    return await Previewer(cluster, config, owner).changes(snapshot, specs, manifests, state=state)
