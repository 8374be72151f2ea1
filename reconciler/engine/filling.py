"""What is rendered where specs leave something open: a plan's advice, and what earlier plans put in (rule 19).

A change of a pod template is a roll-out. So advice on it is taken when there is one anyway, with the first apply and
with a change of the spec or an image; until then it is pending. The number of pods follows each plan.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from reconciler.cluster.cache import LiveCache
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.engine.bounds import exalted, within
from reconciler.engine.restoring import restored
from reconciler.engine.succession import Succession, autoscaler_of, pods_of
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.model.config import SourceConfig
from reconciler.model.filled import NOTHING, Draft, Filling, Record
from reconciler.model.image import Pinned
from reconciler.model.manifest import ANNOTATION_PLANNED
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.shares import portions
from reconciler.model.spec import DeploymentSpec, Spec, Specs
from reconciler.render.deployment import object_of
from reconciler.render.draft import Drafter
from reconciler.render.surroundings import Pools

_DEPLOYMENT: Final = GroupVersionKind("apps", "v1", "Deployment")
_NAME: Final = ANNOTATION_PLANNED.encode()


@dataclass(frozen=True, slots=True)
class Asking:
    """What a source has to plan.

    `recorded` is what was filled in before. `there` says how many pods a document is to have by the objects that are
    there, where no plan has said it yet, or it makes other objects now. `made` says which Jobs were made by now, also
    after the pass that asked: they need no room but what their pods have. `wish` is what its reconciler.yaml would
    like.
    """

    drafts: Mapping[Identity, Draft]
    recorded: Mapping[Identity, Record]
    made: Callable[[], Collection[Identity]] = frozenset
    there: Mapping[Identity, int] = field(default_factory=dict)
    wish: PlannerSettings | None = None

    @property
    def news(self) -> bool:
        """Whether there is a workload whose pods are to be made, or made anew: what is planned for it counts now."""
        made = self.made()
        return any(
            draft.plannable
            and draft.workload not in made
            and ((record := self.recorded.get(identity)) is None or record.asked != draft.hash)
            for identity, draft in self.drafts.items()
        )


class Planning(Protocol):
    """Who decides what specs leave open."""

    @property
    def pools(self) -> Pools:
        """The pools there are, by name."""
        ...

    async def advise(self, source: str, asking: Asking) -> Filling | None:
        """What to fill in for the documents of a source, as of now; None while nothing can be said.

        Each Record is for its draft's hash.
        """
        ...


class Filler:
    """Of one source. `pending` is the advice that waits for a roll-out, as of the last answer."""

    def __init__(
        self,
        config: SourceConfig,
        cluster: Cluster,
        planning: Planning | None = None,
        store: StateStore | None = None,
    ) -> None:
        """Without `planning` nothing new is decided; `store` knows which Jobs were made already."""
        self._config = config
        self._cluster = cluster
        self._records = Records(cluster.cache)
        self._planning = planning
        self._store = store
        self._drafter = Drafter()
        self.pending: Filling = NOTHING

    @property
    def pools(self) -> Pools:
        return self._planning.pools if self._planning is not None else {}

    async def fill(self, specs: Specs, images: Pinned | None = None) -> Filling:
        """What is to be rendered beside what is stated. `images` are what each Image means (None: as stated).

        Raises ApiError or TransportError where the cluster cannot be asked.
        """
        parts = {i: _parts(i, d.spec) for i, d in specs.documents.items() if isinstance(d.spec, DeploymentSpec)}
        if parts:
            await self._cluster.watch([_DEPLOYMENT], namespaces=self._config.namespaces)
        self._records.forget()
        there = {part: self._records.of(made) for each in parts.values() for part, made in each.items()}
        recorded = {identity: record for identity, record in there.items() if record is not None}
        if self._planning is None and not recorded:
            self.pending = NOTHING
            return NOTHING
        some = None if self._planning is not None else [i for i, each in parts.items() if each.keys() & recorded.keys()]
        drafts = self._drafter.drafts(specs, self.pools, some, images)
        drafts = {identity: draft for identity, draft in drafts.items() if self._may(draft)}
        advice: Filling | None = None
        jobs: Collection[Identity] = ()
        if self._planning is not None:
            found = ((identity, self._records.filled(draft)) for identity, draft in drafts.items())
            recorded |= {identity: record for identity, record in found if record is not None}
            made = await self._made()
            recorded |= {i: msgspec.structs.replace(recorded[i], replicas=None) for i in self._freed(drafts, recorded)}
            count = self._there(drafts, specs.documents, parts, recorded)
            asking = Asking(drafts, recorded, made, count, specs.planner)
            advice, jobs = await self._planning.advise(self._config.name, asking), made()
        filled: dict[Identity, Record] = {}
        pending: dict[Identity, Record] = {}
        for identity, draft in drafts.items():
            if not draft.plannable or draft.workload in jobs:
                continue
            advised = (advice or {}).get(identity)
            record, waits = self._records.settled(draft, advised, planning=self._planning is not None)
            if record is not None:
                filled[identity] = self._pooled(record, draft, specs.documents[draft.whole].spec)
            if waits is not None:
                pending[identity] = waits
        self.pending = pending
        return filled

    def _pooled(self, record: Record, draft: Draft, spec: Spec) -> Record:
        """`record` with the labels of the pool, for a daemon whose configuration has lost them."""
        if not self.pools or not isinstance(spec, DeploymentSpec) or spec.placement is None:
            return record
        name = draft.portion.pool if draft.portion is not None else spec.placement.pool
        return msgspec.structs.replace(record, pool=dict(self.pools.get(name or "", {})))

    def _may(self, draft: Draft) -> bool:
        """Whether it is applied at all: what is not takes nobody's room."""
        config = self._config
        return within(config.namespaces, draft.workload) and not exalted(config.priorities, draft.template["spec"])

    async def _made(self) -> Callable[[], Collection[Identity]]:
        """Which Jobs were made, as of whenever it is called."""
        store = self._store
        if store is None:
            return frozenset
        await store.load(self._config.name)
        return lambda: store.get(self._config.name).made

    def _freed(self, drafts: Mapping[Identity, Draft], recorded: Mapping[Identity, Record]) -> list[Identity]:
        """Those whose autoscaler is there, and not stated any more: the number on record was only its least."""
        cache = self._cluster.cache
        return [
            i for i in recorded if (each := drafts.get(i)) and each.counted and autoscaler_of(each.workload) in cache
        ]

    def _there(
        self,
        drafts: Mapping[Identity, Draft],
        stated: Collection[Identity],
        parts: Mapping[Identity, Mapping[Identity, Identity]],
        recorded: Mapping[Identity, Record],
    ) -> Mapping[Identity, int]:
        heirs = {document: list(each.values()) for document, each in parts.items()}
        stays = {*stated, *(made for each in heirs.values() for made in each)}
        succession = Succession(heirs, stays, self._cluster.cache, self._config.name)
        said = {drafts[i].whole for i, record in recorded.items() if i in drafts and record.replicas is not None}
        new = {each.whole for each in drafts.values() if each.counted} - said
        found = ((document, succession.pods(document, all_=document in new)) for document in heirs)
        return {document: pods for document, pods in found if pods}


def _parts(document: Identity, spec: DeploymentSpec) -> dict[Identity, Identity]:
    """From what is planned of a document to the object with the pods: one, or one for each share."""
    shares = portions(document, spec)
    return {each.identity: object_of(document, each) for each in shares} or {document: object_of(document)}


def settled(
    stated: str, advised: Record | None, recorded: Record | None, *, exists: bool, planning: bool
) -> Record | None:
    """What is filled in for pods that hash to `stated`; None where nothing is.

    An object that `exists` and was never planned keeps its template until its spec changes: beginning to plan restarts
    nobody's pods. Where there is a planner that has nothing to say now, what was filled in stays; without one it goes
    with the next change of the spec.
    """
    if recorded is not None and recorded.asked == stated:
        return recorded if advised is None else msgspec.structs.replace(recorded, replicas=advised.replicas)
    if recorded is not None and advised is None:
        return msgspec.structs.replace(recorded, asked=stated, pool={}) if planning else None
    if recorded is None and advised is not None and exists:
        return Record(stated, replicas=advised.replicas)
    return advised


class Records:
    """What was filled in, read back from the objects; each is read once for each of its states."""

    def __init__(self, cache: LiveCache) -> None:
        self._cache = cache
        self._known: dict[Identity, tuple[str, Record | None]] = {}
        self._restored: dict[Identity, tuple[str, str, Record | None]] = {}

    def has(self, identity: Identity) -> bool:
        """Whether the object exists."""
        return identity in self._cache

    def forget(self) -> None:
        """What is gone."""
        self._known = {identity: known for identity, known in self._known.items() if self.has(identity)}
        self._restored = {identity: known for identity, known in self._restored.items() if self.has(identity)}

    def of(self, identity: Identity) -> Record | None:
        """What was filled in when the object was last applied; None where nothing was."""
        version = self._cache.version(identity)
        known = self._known.get(identity)
        if known is None or known[0] != version:
            known = self._known[identity] = (version, self._read(identity))
        return known[1]

    def filled(self, draft: Draft) -> Record | None:
        """As `of` its object; where somebody removed the record of a Deployment, what its pods say."""
        identity = draft.workload
        there, version = self.of(identity), self._cache.version(identity)
        if there is not None or not version or identity.group_kind != _DEPLOYMENT.group_kind:
            return there
        known = self._restored.get(identity)
        if known is None or known[:2] != (version, draft.hash):
            live = self._cache.get(identity) if draft.plannable else None
            found = restored(draft, live, self._pods(draft)) if live is not None else None
            known = self._restored[identity] = (version, draft.hash, found)
        return known[2]

    def settled(self, draft: Draft, advised: Record | None, *, planning: bool) -> tuple[Record | None, Record | None]:
        """What is filled in for a draft, and the advice that waits for a roll-out."""
        there = self.filled(draft) if planning else self.of(draft.workload)
        record = settled(draft.hash, advised, there, exists=self.has(draft.workload), planning=planning)
        waits = advised is not None and record is not None and advised.template != record.template
        return record, advised if waits else None

    def _pods(self, draft: Draft) -> int | None:
        """How many there are to be of a Deployment, with shares in all its parts; None where one of these is gone."""
        parts = draft.portion.parts if draft.portion is not None else (None,)
        there = [self._cache.get(object_of(draft.whole, part)) for part in parts]
        return sum(map(pods_of, filter(None, there))) if None not in there else None

    def _read(self, identity: Identity) -> Record | None:
        if not self._cache.mentions(identity, _NAME):
            return None
        live = self._cache.get(identity)
        return Record.of(live.annotations.get(ANNOTATION_PLANNED, "")) if live is not None else None
