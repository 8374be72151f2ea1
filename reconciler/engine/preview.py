"""What a pass would do, without doing it: the first half of `Reconciler.reconcile`, read-only."""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.cluster.cluster import Cluster
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider
from reconciler.engine.pruning import Pruner
from reconciler.engine.runs import Jobs, Past
from reconciler.errors import ApiError, Forbidden
from reconciler.model.change import Action, Change
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Manifests, Owner
from reconciler.model.snapshot import Snapshot
from reconciler.model.spec import Specs
from reconciler.model.state import SourceState


def offline(manifests: Manifests) -> list[Change]:
    """Against an empty cluster: everything would be made."""
    return [
        Change(identity, Action.CREATE, "new in Git", manifest=manifest)
        for identity, manifest in manifests.items.items()
    ]


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
    """What a pass would do to each object that is not as Git states it.

    What seems to differ is confirmed by a server-side dry-run, so that the server's own spelling of a value is not
    shown as a change, and what the server would refuse is shown as refused (rules 13 and 15). Who may only read cannot
    have it confirmed: what seems to differ is shown, then.
    """
    kinds = {manifest.gvk for manifest in manifests.items.values()}
    left = state.kinds - {gvk.group_kind for gvk in kinds}
    await cluster.watch([*kinds, *left], namespaces=config.namespaces)
    claims = Claims()
    certain = not (specs.quarantined or specs.unknown or manifests.unrendered)
    claims.state(config.name, manifests.items, commit=snapshot.revision.commit, certain=certain)
    decider = Decider(config, owner, cluster, claims)
    changes: list[Change] = []
    for change in await decider.changes(manifests.items, past=Past.of(state, Jobs(config.name, cluster.cache).there())):
        if change.action is Action.UPDATE:
            try:
                if not await decider.confirmed(change):
                    continue
            except ApiError as error:
                if _may_not_ask(error):
                    changes.append(change)
                    continue
                change = replace(change, action=Action.REFUSE, reason=str(error), hint=error.hint)
        changes.append(change)
    prunes = Pruner(config, owner, cluster.cache, claims).prunes(
        snapshot, specs, manifests, changes, messages=messages, approved=state.approved, before=state.guard
    )
    return [*changes, *prunes.changes]


def _may_not_ask(error: ApiError) -> bool:
    """Whether it is our rights that are missing: a quota, or a webhook that denies, is a 403 too."""
    return isinstance(error, Forbidden) and "cannot patch resource" in error.what
