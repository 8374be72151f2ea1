"""The cluster as the engine sees it: a cache that follows it, and the verbs."""

import builtins
from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

import msgspec

from reconciler.clock import Clock
from reconciler.cluster import adopt, apply, delete, read, replace
from reconciler.cluster.api import Api
from reconciler.cluster.cache import LiveCache, pack
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.refusals import lasting
from reconciler.cluster.server import Server
from reconciler.cluster.traffic import RequestKind, Traffic
from reconciler.cluster.watches import Watches
from reconciler.errors import ReconcilerError
from reconciler.http.retry import RetryingTransport
from reconciler.http.transport import Transport
from reconciler.kube.kinds import DEFINITION
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.kube.resources import Resource
from reconciler.model.change import Change, Live
from reconciler.model.manifest import LABEL_MANAGED_BY, LABEL_SOURCE, MANAGER, PLANNER_MANAGER, Owner
from reconciler.model.ownership import owner_of

MANAGED: str = f"{LABEL_MANAGED_BY}={MANAGER}"
_CRD_PATIENCE = 10.0  # seconds until an API whose definition is there must be served


class Cluster:
    """One Kubernetes cluster behind `transport`. Use it within one event loop, and close it.

    Every verb raises ApiError (by what the server answered) or TransportError, after retries. `concurrency` is the
    number of requests in flight; there is no other throttle, because servers have one of their own (429 is obeyed).
    """

    def __init__(self, transport: Transport, *, clock: Clock, random: Random, concurrency: int = 8) -> None:
        self._traffic = self.transport = Traffic(transport, concurrency)
        api = Api(RetryingTransport(self._traffic, clock, random, lasting=lasting))
        self.cache = LiveCache()
        self.discovery = Discovery(api, clock, changed=self._discovered)
        self.server = Server(api, self.discovery, clock, random)
        # Reflectors have pauses of their own, so they take the transport without retries.
        self._watches = Watches(Api(self._traffic), self.discovery, self.cache, clock=clock, random=random)

    @property
    def requests(self) -> Counter[RequestKind]:
        """How often each kind of request was sent, retries counted: (verb, resource, code)."""
        return self._traffic.requests

    @property
    def kinds(self) -> Mapping[GroupKind, Resource]:
        """What the cluster serves, as of the last reading of its discovery."""
        return self.discovery.resources

    async def close(self) -> None:
        """Stop watching and close the transport."""
        await self._watches.close()
        await self._traffic.close()

    # ---- reading

    async def get(self, identity: Identity, version: str = "") -> Live | None:
        """The object from the server, in `version` or the one its group prefers; None where it does not exist."""
        return await read.get(self.server, identity, version)

    async def list(
        self, kind: GroupKind, namespace: str | None = None, label_selector: str = ""
    ) -> builtins.list[Live]:
        """All objects of a kind from the server, sorted. Raises NotFound where the kind is not served."""
        return await read.list_objects(self.server, kind, namespace, label_selector)

    async def metadata(
        self, kind: GroupKind, namespace: str | None = None, label_selector: str = ""
    ) -> Mapping[Identity, Live]:
        """The metadata of all objects of a kind that match: what there is before the first apply (rule 2)."""
        return await read.list_metadata(self.server, kind, namespace, label_selector)

    # ---- watching

    async def watch(
        self,
        kinds: Iterable[GroupKind | GroupVersionKind],
        *,
        selector: str = MANAGED,
        namespaces: tuple[str, ...] = (),
    ) -> Mapping[GroupKind, ReconcilerError]:
        """Keep the cache equal to all objects of `kinds` that match, from now on; returns once they are listed.

        Only adds to what is watched. Cluster-scoped kinds are watched as a whole, others in `namespaces` or, where
        that is empty, everywhere. Returns the kinds that are not in the cache, and why: the cluster does not serve
        them, or refuses. They are tried again in the background.
        """
        return await self._watches.watch(kinds, selector=selector, namespaces=namespaces)

    async def reread(self, kinds: Iterable[GroupKind], *, age: float = 0.0) -> None:
        """Read `kinds` from the server once more, whatever the watch has told, where that is `age` seconds ago.

        What is only in the cache goes, what is newer comes; both are told to its subscribers.
        """
        await self._watches.reread(kinds, age)

    def failing(self, *, namespaces: tuple[str, ...] = ()) -> Mapping[GroupKind, ReconcilerError]:
        """Which wanted kinds are not followed (in `namespaces`, where given) at present, and why."""
        return self._watches.failing(namespaces=namespaces)

    def listed(self, kind: GroupKind, *, namespaces: tuple[str, ...] = ()) -> bool:
        """Whether all that is watched of `kind` (in `namespaces`, where given) has been listed once."""
        return self._watches.listed(kind, namespaces)

    # ---- writing

    async def apply(
        self, obj: Mapping[str, Any], *, force: bool = False, manager: str = MANAGER, dry_run: bool = False
    ) -> Live:
        """Server-side apply. Raises Conflict, naming other managers and their fields, unless `force`."""
        live = await apply.apply(
            self.server, obj, manager=manager, force=force, dry_run=dry_run, patience=self._patience(Identity.of(obj))
        )
        if not dry_run:
            self._learn(live)
        return live

    async def adopt(self, obj: Mapping[str, Any], existing: Live | None = None) -> Live:
        """Take over an object that another tool made: what `kubectl apply` stated becomes ours, then apply by force."""
        live = await adopt.adopt(self.server, obj, existing)
        self._learn(live)
        return live

    async def replace(
        self, obj: Mapping[str, Any], *, uid: str, resource_version: str = "", timeout: float = 300.0
    ) -> Live:
        """Delete the object with `uid`, wait until it is gone, apply `obj`."""
        live = await replace.replace(self.server, obj, uid=uid, resource_version=resource_version, timeout=timeout)
        self._learn(live)
        return live

    async def handover(self, partial: Mapping[str, Any]) -> Live:
        """Give the fields of `partial` to the planner's field manager, so that ours may drop them (rule 6)."""
        return await self.apply(partial, force=True, manager=PLANNER_MANAGER)

    async def delete(
        self, target: Live | Change, *, propagation: str = "Background", owner: Owner | None = None
    ) -> None:
        """Delete exactly the object that `target` is about, if it still is owned (rule 10)."""
        if owner is None and isinstance(target, Live):
            owner = owner_of(target)
        await delete.delete(
            self.server,
            target.identity,
            uid=target.uid,
            resource_version=target.resource_version,
            propagation=propagation,
            owner=owner,
        )

    # ---- what the cache learns besides the watches

    def _learn(self, live: Live) -> None:
        """Have our own write in the cache before the watch brings it, so that it is never taken for drift."""
        if self._watches.covers(live):
            if self.cache.at(live.identity, live.resource_version) is not None:
                return  # the watch was faster
            self.cache.put(
                live.identity,
                pack(
                    msgspec.json.encode(live.object),
                    version=live.resource_version,
                    source=live.labels.get(LABEL_SOURCE, ""),
                    api_version=str(live.object.get("apiVersion")),
                ),
            )
            self._watches.ensure((live.identity.group_kind,))

    def _patience(self, identity: Identity) -> float:
        """Seconds to wait for a kind to be served: its CustomResourceDefinition may have come a moment ago."""
        if self.discovery.known(identity.group_kind):
            return 0.0
        defined = any(crd.name.endswith(f".{identity.group}") for crd in self.cache.of_kind(DEFINITION))
        return _CRD_PATIENCE if defined else 0.0

    def _discovered(self) -> None:
        self._watches.ensure()
