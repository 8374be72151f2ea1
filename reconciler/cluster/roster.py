"""Who is there: nodes, pods and what bears on them, followed by watches and kept as the planner sees them.

Kept apart from the cache of what we own, because it is everybody's: each object is read once, when it comes, and of it
only what decides where something fits stays in memory. A view puts together what is there; it asks nobody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cache import newer, outlived
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.paging import ItemMeta
from reconciler.cluster.watches import Watches
from reconciler.errors import Forbidden, NotFound, ReconcilerError
from reconciler.http.retry import pauses
from reconciler.kube.kinds import BUDGET, CLAIM, NAMESPACE, NODE, POD, PRIORITY_CLASS, QUOTA, VOLUME
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.cluster_view import Budget, Circumstances, ClusterSeen, NodeView, PodView, Quota
from reconciler.model.reading import (
    Object,
    budget_of,
    circumstances,
    killed_of,
    labels_of,
    node_view,
    pod_view,
    priority_of,
    quota_of,
    ready_since,
    volume_of,
    workload_of,
    zones_of,
)
from reconciler.model.usage import Killed

T = TypeVar("T")

NEEDED: Final = (NODE, POD)  # without these nothing can be planned
KINDS: Final = (*NEEDED, PRIORITY_CLASS, BUDGET, CLAIM, VOLUME, NAMESPACE, QUOTA)

_KILLS: Final = 1000  # that are remembered until somebody asks
_COMMON: Final = ("namespace", "requests", "labels", "gpu", "affinities")  # of replicas of one template
_FIRST_PAUSE: Final = 1.0  # seconds
_LONGEST_PAUSE: Final = 60.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Pod:
    """`view` is None for a pod that takes no room. `owned` is the same with its owner, as it was last asked for."""

    view: PodView | None
    workload: Identity | None
    killed: tuple[Killed, ...] = field(compare=False)
    ready: datetime | None = field(default=None, compare=False)
    owned: PodView | None = field(default=None, compare=False)

    def owned_by(self, owner: Identity | None) -> PodView | None:
        if owner is None or self.view is None:
            return self.view
        if self.owned is None or self.owned.owner != owner:
            self.owned = replace(self.view, owner=owner)
        return self.owned


_NO_POD: Final = _Pod(None, None, ())


@dataclass(frozen=True, slots=True)
class _Unread:
    why: str


class _Held(NamedTuple):
    version: str
    seen: object


_READ: Final[Mapping[GroupKind, Callable[[Object], object]]] = {
    NODE: node_view,
    POD: lambda pod: _Pod(pod_view(pod, {}), workload_of(pod), killed_of(pod), ready_since(pod)),
    PRIORITY_CLASS: priority_of,
    BUDGET: budget_of,
    CLAIM: volume_of,
    VOLUME: zones_of,
    NAMESPACE: labels_of,
    QUOTA: quota_of,
}


class Roster:
    """Follows the objects of `KINDS` in all namespaces for as long as `run` runs.

    `on_change` is called where something changed that can change a plan: a node came, went, or is another than it was
    (ready, cordoned, what it offers, its labels and taints); a pod was bound, ended, or is no longer there; a priority,
    a claim, a volume, the labels of a namespace or what a quota allows. Not for what only beats, such as conditions of
    a node or budgets. It must not block, and may be called often: whoever plans waits a little for more.
    """

    def __init__(
        self, cluster: Cluster, *, clock: Clock, random: Random, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.settled = asyncio.Event()  # set once everything was listed, or it is clear that it will not be soon
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._shelves: dict[GroupKind, dict[Identity, _Held]] = {kind: {} for kind in KINDS}
        self._replicas: dict[Identity, tuple[Identity, PodView]] = {}  # one of each workload
        self._kills: deque[Killed] = deque(maxlen=_KILLS)
        self._watches = Watches(Api(cluster.transport), cluster.discovery, self, clock=clock, random=random)
        self._said: dict[GroupKind, str] = {}
        self._seen: ClusterSeen | None = None  # the last view, while it holds
        self._planned: Mapping[Identity, Identity] = {}  # for which it was made

    async def run(self) -> None:
        """Follow until cancelled. What may not be read is logged once, and tried again."""
        backoff = pauses(self._random, _FIRST_PAUSE, _LONGEST_PAUSE)
        try:
            while True:
                try:
                    await self._watches.watch(KINDS, selector="")
                    break
                except ReconcilerError as error:  # discovery failed
                    logger.warning("nodes and pods are not followed yet: %s", error)
                    await self._clock.sleep(next(backoff))
            self._say()
            self.settled.set()
            await asyncio.Event().wait()
        finally:
            await self._watches.close()

    @property
    def able(self) -> bool:
        """Whether there is enough to plan with: all nodes and pods were listed, and may still be read."""
        return all(self._watches.listed(kind) for kind in NEEDED) and not any(kind in NEEDED for kind in self.lacking())

    def lacking(self) -> Mapping[GroupKind, str]:
        """Which kinds cannot be read, and why, in words. The planner does without those not `NEEDED`.

        An API server that does not answer for a while is no lack: what was known counts until it does.
        """
        return {
            kind: error.advised
            for kind, error in self._watches.failing(KINDS).items()
            if isinstance(error, Forbidden | NotFound) or not self._watches.listed(kind)
        }

    def view(self, planned: Mapping[Identity, Identity]) -> ClusterSeen:
        """What is there now.

        `planned` leads from a workload of Kubernetes ("apps", "Deployment", …) to the identity under which it is
        planned: the owner of its pods. Other pods are nobody's. The same value as before where nothing changed.
        """
        if self.settled.is_set():
            self._say()
        if self._seen is not None and planned == self._planned:
            return self._seen
        self._planned = dict(planned)
        around = circumstances(
            {identity.name: (int(seen[0]), bool(seen[1])) for identity, seen in self._of(PRIORITY_CLASS, tuple)},
            [seen for _, seen in self._of(BUDGET, Budget)],
            {(identity.namespace, identity.name): seen for identity, seen in self._of(CLAIM, str)},
            {identity.name: seen for identity, seen in self._of(VOLUME, frozenset)},
            {identity.name: seen for identity, seen in self._of(NAMESPACE, dict)},
            (seen for _, seen in self._of(QUOTA, Quota)),
            (identity.namespace for identity in self._shelves[POD]),
        )
        self._seen = ClusterSeen(
            tuple(seen for _, seen in self._of(NODE, NodeView)),
            tuple(self._pods(around)),
            around,
            tuple(
                f"{identity} is left out: {seen.why}" for kind in KINDS for identity, seen in self._of(kind, _Unread)
            ),
        )
        return self._seen

    def workload(self, pod: Identity) -> Identity | None:
        """The workload, as Kubernetes names it, that a pod is a replica of; None for a pod that is not known."""
        held = self._shelves[POD].get(pod)
        return held.seen.workload if held is not None and isinstance(held.seen, _Pod) else None

    def ready(self, since: datetime) -> Mapping[Identity, Collection[Identity]]:
        """The pods of each workload, as Kubernetes names it, that are ready since then, or longer."""
        found: dict[Identity, list[Identity]] = {}
        for identity, pod in self._of(POD, _Pod):
            if pod.view is not None and pod.workload is not None and pod.ready is not None and pod.ready <= since:
                found.setdefault(pod.workload, []).append(identity)
        return found

    def killed(self) -> tuple[Killed, ...]:
        """Containers that were killed for want of memory, and that were not yet told of."""
        found = tuple(self._kills)
        self._kills.clear()
        return found

    def _sharing(self, pod: _Pod) -> _Pod:
        """`pod`, with what it has in common with another replica held once: that is nearly all of it."""
        if pod.view is None or pod.workload is None:
            return pod
        if len(self._replicas) > len(self._shelves[POD]) + _KILLS:  # those of workloads that are gone
            self._replicas.clear()
        workload, view = self._replicas.setdefault(pod.workload, (pod.workload, pod.view))
        common = {name: getattr(view, name) for name in _COMMON if getattr(view, name) == getattr(pod.view, name)}
        if len(common) < len(_COMMON):  # a new template
            self._replicas[pod.workload] = (workload, pod.view)
        return replace(pod, view=replace(pod.view, **common), workload=workload)

    def _of(self, kind: GroupKind, shape: type[T]) -> Iterator[tuple[Identity, T]]:
        for identity, held in self._shelves[kind].items():
            if isinstance(held.seen, shape):
                yield identity, held.seen

    def _pods(self, around: Circumstances) -> Iterator[PodView]:
        for _, pod in self._of(POD, _Pod):
            owner = self._planned.get(pod.workload) if pod.workload is not None else None
            if (view := pod.owned_by(owner)) is not None:
                affinities = around.reached(view.affinities)
                yield view if affinities is view.affinities else replace(view, affinities=affinities)

    def _say(self) -> None:
        """Name what is lacking, each once for as long as it lasts."""
        lacking = self.lacking()
        for kind, why in lacking.items():
            if self._said.get(kind) != why:
                without = "nothing is planned" if kind in NEEDED else "plans do without"
                logger.warning("%s is not followed, %s: %s", kind, without, why)
        self._said = dict(lacking)

    # ---- for the reflectors: the Store of `reconciler.cluster.reflector`

    def at(self, identity: Identity, version: str) -> _Held | None:
        held = self._shelves[identity.group_kind].get(identity)
        return held if held is not None and held.version == version else None

    def read(self, identity: Identity, data: msgspec.Raw, meta: ItemMeta, api_version: str) -> _Held:
        """What is kept of an object; why it cannot be read, of one that makes no sense."""
        try:
            obj: dict[str, Any] = msgspec.json.decode(data)
            seen = _READ[identity.group_kind](obj)
            return _Held(meta.resource_version, self._sharing(seen) if isinstance(seen, _Pod) else seen)
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
            return _Held(meta.resource_version, _Unread(str(error)))

    def put(self, identity: Identity, packed: _Held) -> None:
        if self._put(identity, packed):
            self._on_change()

    def remove(self, identity: Identity, version: str = "") -> None:
        if self._remove(identity, version):
            self._on_change()

    def replace(self, kind: GroupKind, namespace: str, items: Mapping[Identity, _Held], version: str) -> None:
        gone = [identity for identity in self._shelves[kind] if identity not in items]
        changed = [self._remove(identity, version) for identity in gone]
        changed += [self._put(identity, packed) for identity, packed in items.items()]
        if any(changed):
            self._on_change()

    def _put(self, identity: Identity, packed: _Held) -> bool:
        """Whether something changed that can change a plan."""
        shelf = self._shelves[identity.group_kind]
        old = shelf.get(identity)
        if old is not None and not newer(packed.version, old.version):
            return False
        if isinstance(packed.seen, _Pod):
            known = old.seen if old is not None and isinstance(old.seen, _Pod) else _NO_POD
            self._kills.extend(each for each in packed.seen.killed if each not in known.killed)
            if known == packed.seen:
                packed.seen.owned = known.owned
        shelf[identity] = packed
        return self._moved(old, packed)

    def _remove(self, identity: Identity, version: str) -> bool:
        shelf = self._shelves[identity.group_kind]
        old = shelf.get(identity)
        if old is None or outlived(old.version, version):
            return False
        del shelf[identity]
        return self._moved(old, None)

    def _moved(self, old: _Held | None, new: _Held | None) -> bool:
        before, after = _shown(old), _shown(new)
        if before == after:
            return False
        self._seen = None
        return not isinstance(before or after, Budget)


def _shown(held: _Held | None) -> object:
    """What a view shows of an object."""
    seen = held.seen if held is not None else None
    return None if isinstance(seen, _Pod) and seen.view is None else seen
