"""What a merge would do: what would happen with the head, less what would happen without it.

One pipeline for both: the rules of a pass decide, for the base and for the head. Beside a live cluster these are two
previews; without one the cluster is imagined to be as the base says, and only the head is decided.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from reconciler.diff.compare import compare
from reconciler.engine.claims import Claims
from reconciler.engine.foreseen import foreseen
from reconciler.engine.preview import Previewer
from reconciler.engine.pruning import Pruner
from reconciler.engine.schemas import Schemas
from reconciler.engine.surroundings import Desired
from reconciler.kube.definitions import defined_kind, serving
from reconciler.kube.kinds import DEFINITION, JOB
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Action, Change
from reconciler.model.config import SourceConfig
from reconciler.model.manifest import Manifest, Owner
from reconciler.model.state import SourceState
from reconciler.review.imagined import Imagined

_MADE = frozenset({Action.CREATE, Action.UNCONFIRMED})
_UNSEEN = "the live state may not be read, so this is beside the base alone"


@dataclass(frozen=True, slots=True)
class Effects:
    """`merged` is what the merge would do, in the order of identities; `anyway` what is to happen without it, too:
    drift, or a base that is not applied yet. `whole` is all that applying the head to the cluster would do. `untried`
    are kinds of which not everything in `merged` was tried by a dry-run, because we may not."""

    merged: tuple[Change, ...]
    anyway: tuple[Change, ...] = ()
    whole: tuple[Change, ...] = ()
    untried: frozenset[GroupKind] = frozenset()


async def on_cluster(
    base: Desired, head: Desired, *, previewer: Previewer, state: SourceState, messages: Iterable[str] = ()
) -> Effects:
    """Beside what the cluster has now. `messages` are those of the commits from what was applied to the head.

    What may not be read there is compared with the base alone.

    Raises ApiError or TransportError.
    """

    async def previewed(desired: Desired, said: Iterable[str]) -> dict[Identity, Change]:
        changes = await previewer.changes(
            desired.snapshot, desired.specs, desired.manifests, state=state, messages=said
        )
        return {change.identity: change for change in changes if change.action is not Action.NONE}

    without = await previewed(base, ())
    unreadable = previewer.unreadable
    with_ = await previewed(head, messages)
    unreadable |= previewer.unreadable
    untried = previewer.untried
    merged = [change for identity, change in with_.items() if not _same(change, without.get(identity))]
    if unreadable:
        alone = on_base(base, head, config=previewer.config, owner=previewer.owner, messages=messages).merged
        unseen = [replace(c, reason=f"{c.reason}; {_UNSEEN}") for c in alone if c.identity.group_kind in unreadable]
        merged = [*unseen, *(change for change in merged if change.identity.group_kind not in unreadable)]
    named = {change.identity for change in merged}
    anyway = (c for i, c in sorted(without.items()) if i not in named and i.group_kind not in unreadable)
    return Effects(
        tuple(sorted(merged, key=lambda change: change.identity)),
        tuple(anyway),
        tuple(with_.values()),
        untried & {change.identity.group_kind for change in merged},
    )


def on_base(
    base: Desired, head: Desired, *, config: SourceConfig, owner: Owner, messages: Iterable[str] = ()
) -> Effects:
    """Beside a cluster that is as the base says. `messages` are those of the commits from the base to the head."""
    schemas = Schemas()
    for manifest in (*base.manifests.items.values(), *head.manifests.items.values()):
        if manifest.identity.group_kind == DEFINITION:
            schemas.learn(manifest.object)
    there = Imagined(base.manifests.items, schemas)
    new = {identity for identity in head.manifests.items if identity not in there}
    definitions = {i: manifest.object for i, manifest in head.manifests.items.items() if i.group_kind == DEFINITION}
    defined = {defined_kind(definition) for identity, definition in definitions.items() if identity in new}
    served = serving(definitions.values())
    changes = []
    failing = set()
    for identity, manifest in head.manifests.items.items():
        touched = identity in new or base.manifests.items[identity].digest != manifest.digest
        if touched and served(manifest.gvk) is False:
            reason = f"its definition in Git does not serve {manifest.gvk}"
            changes.append(Change(identity, Action.REFUSE, reason, manifest=manifest))
            failing.add(identity)
        elif identity in new and (why := _unconfirmed(identity, new, defined)):
            changes.append(Change(identity, Action.UNCONFIRMED, why, manifest=manifest))
        elif touched:
            change = _compared(manifest, there, schemas, owner)
            if change.action is not Action.NONE:
                changes.append(change)
    prunes = Pruner(config, owner, there, Claims()).prunes(
        head.snapshot, head.specs, head.manifests, changes, messages=messages, approved=(), before=None
    )
    # Which finished Jobs are kept is the cluster's to say: here they are imagined.
    going = [c for c in prunes.changes if not (c.action is Action.KEEP and c.identity.group_kind == JOB)]
    every = foreseen([*changes, *going], head.manifests.items, failing)
    return Effects(tuple(sorted(every, key=lambda change: change.identity)))


def _compared(manifest: Manifest, there: Imagined, schemas: Schemas, owner: Owner) -> Change:
    try:
        return compare(manifest, there.get(manifest.identity), schemas.of(manifest.gvk), owner=owner)
    except (ValueError, TypeError, AttributeError, LookupError) as error:  # of a shape that no server would take
        reason = f"it cannot be compared: {error}"
        return Change(manifest.identity, Action.REFUSE, reason, manifest=manifest)


def _unconfirmed(identity: Identity, new: Collection[Identity], defined: Collection[GroupKind | None]) -> str:
    """Why nothing can be said of a new object yet (rule 15); "" where it can."""
    if Identity("", "Namespace", "", identity.namespace) in new:
        return "its namespace comes with the same commit"
    return "its kind is not served yet" if identity.group_kind in defined else ""


def _same(one: Change, other: Change | None) -> bool:
    """Whether two changes of one object do the same to it. What is made anew has no fields to tell."""
    if other is None or (one.action, one.fields, one.reason) != (other.action, other.fields, other.reason):
        return False
    return one.action not in _MADE or one.digest == other.digest
