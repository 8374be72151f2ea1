"""Drift at one moment, for somebody who asks: nothing is written, nothing is remembered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from reconciler.clock import Clock
from reconciler.cluster.cluster import Cluster
from reconciler.diff.compare import regained
from reconciler.drift.kinds import kind_of
from reconciler.drift.wording import drifted_fields
from reconciler.engine.attendant import same_text
from reconciler.engine.claims import Claims
from reconciler.engine.decide import Decider, alike
from reconciler.engine.perform import perform
from reconciler.engine.runs import Past
from reconciler.errors import ApiError, ReconcilerError
from reconciler.kube.names import Identity
from reconciler.kube.owners import owners_at
from reconciler.model.change import ABSENT, UNDONE, WRITES, Action, Change, FieldChange, Live
from reconciler.model.config import SourceConfig
from reconciler.model.drift import Drift, DriftKind, DriftState
from reconciler.model.manifest import ANNOTATION_ID, ANNOTATION_ORIGIN, MANAGER, DriftMode, Manifest, Manifests, Owner
from reconciler.model.ownership import Ownership, applied, controlled, mark, ownership

_ORIGIN: Final = f"metadata.annotations.{ANNOTATION_ORIGIN}"
_LOOKED_AT: Final = UNDONE | WRITES


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look showed.

    `unlike` are objects that we applied last from another text than the one they were to be compared with: what differs
    may be Git's own doing. `unread` are those that could not be looked at, with the reason.
    """

    drifts: tuple[Drift, ...]
    unlike: tuple[Identity, ...]
    unread: Mapping[Identity, str]


class Survey:
    """Compares what a source states with the cluster."""

    def __init__(
        self, config: SourceConfig, owner: Owner, cluster: Cluster, manifests: Manifests, *, clock: Clock
    ) -> None:
        self._config = config
        self._owner = owner
        self._cluster = cluster
        self._items = {
            i: m for i, m in manifests.items.items() if not m.once and m.policy.drift is not DriftMode.IGNORE
        }
        self._clock = clock
        self._decider = Decider(config, owner, cluster, Claims())
        self._changes: dict[Identity, Change] = {}  # what would heal what was found

    @property
    def items(self) -> Mapping[Identity, Manifest]:
        """The objects that are compared: finished Jobs and those whose drift is ignored are not."""
        return self._items

    async def follow(self, identities: Iterable[Identity] | None = None) -> None:
        """Have the cluster's cache follow the kinds of `identities`, without them all. Raises ReconcilerError."""
        wanted = self._items if identities is None else self._items.keys() & set(identities)
        await self._cluster.watch({self._items[each].gvk for each in wanted}, namespaces=self._config.namespaces)

    async def look(self, identities: Iterable[Identity] | None = None) -> Seen:
        """Compare the objects `identities`, without them all. What seems to differ is confirmed by a dry-run.

        Raises ReconcilerError where the cluster cannot be read.
        """
        wanted = self._items if identities is None else {i: self._items[i] for i in identities if i in self._items}
        for identity in wanted:
            self._changes.pop(identity, None)
        drifts: list[Drift] = []
        unlike: list[Identity] = []
        unread: dict[Identity, str] = {}
        for change in sorted(await self._decider.changes(wanted, past=Past()), key=lambda change: change.identity):
            identity = change.identity
            if change.action not in _LOOKED_AT:
                continue
            if identity in self._decider.undecided:
                unread[identity] = change.reason
                continue
            live = self._cluster.cache.get(identity)
            if live is None and change.uid:
                live = await self._cluster.get(identity)
            if live is not None and not same_text(change, live) and _we_wrote(live, _ORIGIN):
                unlike.append(identity)
            elif (drift := await self._judged(change, live)) is not None:
                drifts.append(drift)
        return Seen(tuple(drifts), tuple(unlike), unread)

    async def heal(self, drift: Drift) -> Live | None:
        """Make the object what Git states, by forcing exactly the stated fields (rule 5); the object as it is then.

        Raises ReconcilerError, also where it is not ours to change.
        """
        change = self._changes[drift.identity]
        if change.action not in WRITES:
            raise ReconcilerError(f"{drift.identity} is not ours to heal", why=change.reason, hint=change.hint)
        if change.action is Action.UNCONFIRMED:
            change = replace(change, action=Action.CREATE)
        return await perform(self._cluster, change, owner=self._owner, forced=True)

    async def _judged(self, change: Change, live: Live | None) -> Drift | None:
        state = DriftState.FOUND
        kind = kind_of(change, live, self._owner, "")
        if kind is DriftKind.DISOWNED and live is not None and ownership(live, self._owner) is not Ownership.OURS:
            if not applied(live):
                kind = DriftKind.REPLACED  # we never applied this one
            elif mark(live) is None and not controlled(live):
                change = self._reclaimed(change)
        elif kind is not DriftKind.DELETED and live is not None and change.action is Action.UPDATE:
            confirmed = await self._confirmed(change, live)
            if confirmed is None:
                return None
            state = confirmed
        self._changes[change.identity] = change
        reason = change.reason if change.action in UNDONE else ""
        mode = change.manifest.policy.drift if change.manifest else DriftMode.HEAL
        fields = drifted_fields(change, live)
        return Drift(self._config.name, change.identity, kind, self._clock.now(), mode, state, fields, reason=reason)

    async def _confirmed(self, change: Change, live: Live) -> DriftState | None:
        """Whether applying would change the object, and if so, whether it would then be as Git states it."""
        assert change.manifest is not None  # noqa: S101 - an update has one
        try:
            dry = await self._cluster.apply(change.manifest.object, force=True, dry_run=True)
        except ApiError:  # it would be refused, or a webhook takes no dry-runs: what was compared has to do
            return DriftState.FOUND
        left = self._decider.left(change, dry)
        same = bool(left) and left == change.fields and change.identity.kind != "Secret"
        if not regained(change.fields, left) and (same or alike(dry, live)):
            return None
        return DriftState.STUBBORN if left and _paths(left) >= _paths(change.fields) else DriftState.FOUND

    def _reclaimed(self, change: Change) -> Change:
        """The same object, to be marked as ours again."""
        path = f"metadata.annotations.{ANNOTATION_ID}"
        field = FieldChange(path, ABSENT, self._owner.id_of(change.identity))
        return replace(change, action=Action.UPDATE, reason="our mark is gone", fields=(field,), hint="")


def _we_wrote(live: Live, path: str) -> bool:
    return any((owner.manager, owner.operation) == (MANAGER, "Apply") for owner in owners_at(live.object, path))


def _paths(fields: Iterable[FieldChange]) -> set[str]:
    return {field.path for field in fields}
