"""Every kind that the server has, watched for its metadata: what garbage collection and namespace deletion see."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.sandbox.client import CRDS, Client, Key, Object, Resource, key_of
from reconciler.sandbox.controllers.conditions import is_true
from reconciler.sandbox.controllers.controller import Context
from reconciler.sandbox.controllers.queue import WorkQueue
from reconciler.sandbox.informer import Handler, metadata_only

_log = logging.getLogger(__name__)

_UNWATCHED: Final = {("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease")}
_NEEDED: Final = {"list", "watch", "delete"}


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str
    blocks: bool


@dataclass(slots=True, eq=False)
class Entry:
    """One object of the cluster, as far as its metadata says."""

    resource: Resource
    key: Key
    uid: str
    version: str
    owners: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()
    deleting: bool = False

    def as_object(self) -> Object:
        """Enough of the object to delete it."""
        metadata = {"namespace": self.key.namespace, "name": self.key.name, "uid": self.uid}
        return {"metadata": {**metadata, "resourceVersion": self.version}}


class Catalog:
    """Objects by uid with their dependents. Follows discovery: kinds come and go with CustomResourceDefinitions."""

    def __init__(self, context: Context) -> None:
        self._client: Client = context.client
        self._informers = context.informers
        self._queue: WorkQueue[str] = WorkQueue(context.timers, context.random, context.clock)
        self._resources: dict[tuple[str, str], Resource] = {}
        self._borrowed: set[Resource] = set()
        self._listeners: list[Callable[[Entry | None, Entry | None], None]] = []
        self._dependents: dict[str, set[str]] = {}
        self._inside: dict[str, set[str]] = {}
        self.entries: dict[str, Entry] = {}
        self.ready = asyncio.Event()
        self._informers.of(CRDS).subscribe(self._crd_changed)
        self._queue.add("discovery")

    def subscribe(self, listener: Callable[[Entry | None, Entry | None], None]) -> None:
        """Call `listener(old, new)` on every change from now on; None for an object that is new or gone."""
        self._listeners.append(listener)

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """The kind as the server serves it; another version of a group that it has will do."""
        return self._resources.get((api_version.rpartition("/")[0], kind))

    def resources(self) -> list[Resource]:
        return list(self._resources.values())

    def dependents(self, uid: str) -> list[Entry]:
        """The objects that name `uid` as an owner."""
        return [self.entries[found] for found in self._dependents.get(uid, ()) if found in self.entries]

    def inside(self, namespace: str) -> list[Entry]:
        """The objects in `namespace`."""
        return [self.entries[uid] for uid in self._inside.get(namespace, ())]

    async def run(self) -> None:
        """Discover now, and again whenever a CustomResourceDefinition changes."""
        while True:
            key = await self._queue.get()
            try:
                await self._discover()
            except ReconcilerError as error:
                _log.info("discovery: %s", error)
                self._queue.failed(key)
            else:
                self._queue.done(key)
                self.ready.set()

    def _crd_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _served(old) != _served(new):
            self._queue.add("discovery")

    async def _discover(self) -> None:
        found: dict[tuple[str, str], Resource] = {}
        groups = (await self._client.read("/apis")).get("groups") or ()
        versions = [("", "v1")]
        versions += [(group["name"], group["preferredVersion"]["version"]) for group in groups]
        for group, version in versions:
            listing = await self._client.read(f"/apis/{group}/{version}" if group else f"/api/{version}")
            for entry in listing.get("resources") or ():
                if "/" in entry["name"] or not set(entry.get("verbs") or ()) >= _NEEDED:
                    continue
                resource = Resource(group, version, entry["name"], entry["kind"], bool(entry["namespaced"]))
                if (group, resource.kind) not in _UNWATCHED:
                    found[group, resource.kind] = resource
        for name, resource in list(self._resources.items()):
            if found.get(name) != resource:
                del self._resources[name]
                if resource not in self._borrowed:
                    self._informers.close(resource)
        for name, resource in found.items():
            if name not in self._resources:
                self._resources[name] = resource
                if self._informers.has(resource):
                    self._borrowed.add(resource)
                informer = self._informers.of(resource, metadata_only)
                informer.subscribe(self._changed(resource))
        for resource in found.values():
            await self._informers.of(resource, metadata_only).synced.wait()

    def _changed(self, resource: Resource) -> Handler:
        def changed(old: Object | None, new: Object | None) -> None:
            before = self.entries.get((old or new or {})["metadata"]["uid"])
            after = None if new is None else _entry(resource, new)
            if before is not None and after is not None and _same(before, after):
                before.version = after.version
                return
            if after is not None:
                self.entries[after.uid] = after
                self._inside.setdefault(after.key.namespace, set()).add(after.uid)
            elif before is not None:
                del self.entries[before.uid]
                self._inside[before.key.namespace].discard(before.uid)
            self._relink(before, after)
            for listener in self._listeners:
                listener(before, after)

        return changed

    def _relink(self, before: Entry | None, after: Entry | None) -> None:
        for entry, add in ((before, False), (after, True)):
            if entry is None:
                continue
            for owner in entry.owners:
                linked = self._dependents.setdefault(owner.uid, set())
                (linked.add if add else linked.discard)(entry.uid)
                if not linked:
                    del self._dependents[owner.uid]


def _entry(resource: Resource, obj: Object) -> Entry:
    metadata = obj["metadata"]
    return Entry(
        resource,
        key_of(obj),
        metadata["uid"],
        metadata["resourceVersion"],
        tuple(
            Owner(ref["apiVersion"], ref["kind"], ref["name"], ref["uid"], bool(ref.get("blockOwnerDeletion")))
            for ref in metadata.get("ownerReferences") or ()
        ),
        tuple(metadata.get("finalizers") or ()),
        bool(metadata.get("deletionTimestamp")),
    )


def _served(crd: Object) -> tuple[object, ...]:
    return is_true(crd, "Established"), (crd.get("spec") or {}).get("versions")


def _same(a: Entry, b: Entry) -> bool:
    return (a.owners, a.finalizers, a.deleting) == (b.owners, b.finalizers, b.deleting)
