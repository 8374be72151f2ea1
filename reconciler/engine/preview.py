"""What a pass would do, without doing it: the first half of `Reconciler.reconcile`, read-only."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from reconciler.cluster.cluster import Cluster
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider
from reconciler.engine.pruning import Pruner
from reconciler.engine.runs import Jobs, Past
from reconciler.errors import ApiError, Forbidden
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.model.state import SourceState

_Asked = tuple[Identity, str, str]  # with the digest of a manifest and a resourceVersion
_REMEMBERED: Final = 10_000  # dry-runs; more are asked for again


def offline(manifests: Manifests) -> list[Change]:
    """Against an empty cluster: everything would be made."""
    return [
        Change(identity, Action.CREATE, "new in Git", manifest=manifest)
        for identity, manifest in manifests.items.items()
    ]


class Previewer:
    """Of one source. What was found equal, and what a dry-run confirmed, is not asked for again until it changes."""

    def __init__(self, cluster: Cluster, config: SourceConfig, owner: Owner) -> None:
        self._cluster = cluster
        self._config = config
        self._claims = Claims()
        self._decider = Decider(config, owner, cluster, self._claims)
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

        What seems to differ is confirmed by a server-side dry-run, so that the server's own spelling of a value is not
        shown as a change, and what the server would refuse is shown as refused (rules 13 and 15). Who may only read
        cannot have it confirmed: what seems to differ is shown, then.
        """
        kinds = {manifest.gvk for manifest in manifests.items.values()}
        left = state.kinds - {gvk.group_kind for gvk in kinds}
        await self._cluster.watch([*kinds, *left], namespaces=self._config.namespaces)
        certain = not (specs.quarantined or specs.unknown or manifests.unrendered)
        self._claims.state(self._config.name, manifests.items, commit=snapshot.revision.commit, certain=certain)
        past = Past.of(state, Jobs(self._config.name, self._cluster.cache).there())
        changes: list[Change] = []
        for change in await self._decider.changes(manifests.items, past=past):
            if change.action is Action.UPDATE:
                try:
                    if not await self._differs(change):
                        continue
                except ApiError as error:
                    if _may_not_ask(error):
                        changes.append(change)
                        continue
                    change = replace(change, action=Action.REFUSE, reason=str(error), hint=error.hint)
            changes.append(change)
        prunes = self._pruner.prunes(
            snapshot, specs, manifests, changes, messages=messages, approved=state.approved, before=state.guard
        )
        return [*changes, *prunes.changes]

    async def _differs(self, change: Change) -> bool:
        """Whether applying it would change the object. Raises ApiError where the server refuses it."""
        digest = change.manifest.digest if change.manifest is not None else ""
        asked = (change.identity, digest, self._cluster.cache.version(change.identity))
        if asked in self._confirmed:
            return True
        if not await self._decider.confirmed(change):
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
    messages: Iterable[str] = (),
) -> list[Change]:
    """As `Previewer.changes`, once."""
    return await Previewer(cluster, config, owner).changes(snapshot, specs, manifests, state=state, messages=messages)


def _may_not_ask(error: ApiError) -> bool:
    """Whether it is our rights that are missing: a quota, or a webhook that denies, is a 403 too."""
    return isinstance(error, Forbidden) and "cannot patch resource" in error.what
