"""Garbage collection: what nobody owns any more goes, in the background, in the foreground, or is set free."""

from typing import ClassVar, Final

from reconciler.errors import NotFound
from reconciler.sandbox.client import Key, Object, key_of
from reconciler.sandbox.controllers.catalog import Catalog, Entry, Owner
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.metadata import FOREGROUND

ORPHAN: Final = "orphan"


class GarbageCollector(Controller):
    """One key an object, by uid (in the place of a name).

    Background: an object is deleted when none of its owners is left. Foreground: an owner waits until the dependents
    that block it are gone. Orphan: the dependents forget an owner before it goes. A kind that the server does not
    know is no proof that an owner is gone.
    """

    name: ClassVar[str] = "garbage-collector-controller"
    workers: ClassVar[int] = 8

    def __init__(self, context: Context, catalog: Catalog) -> None:
        super().__init__(context)
        self._catalog = catalog
        self._absent: set[str] = set()
        catalog.subscribe(self._changed)

    async def run(self) -> None:
        await self._catalog.ready.wait()
        for entry in self._catalog.entries.values():
            self._changed(None, entry)
        await super().run()

    def _changed(self, old: Entry | None, new: Entry | None) -> None:
        if new is None:
            if old is not None:
                self._absent.discard(old.uid)
                for entry in self._catalog.dependents(old.uid):
                    self._look_at(entry.uid)
                self._owners_of(old)
            return
        if new.owners or new.deleting:
            self._look_at(new.uid)
        if new.deleting and FOREGROUND in new.finalizers:
            for entry in self._catalog.dependents(new.uid):
                self._look_at(entry.uid)
        if old is not None:
            self._owners_of(old)

    def _owners_of(self, entry: Entry) -> None:
        """Owners that may wait for `entry`."""
        for owner in entry.owners:
            known = self._catalog.entries.get(owner.uid)
            if known is not None and known.deleting:
                self._look_at(owner.uid)

    def _look_at(self, uid: str) -> None:
        self.queue.add(Key("", uid))

    async def reconcile(self, key: Key) -> None:
        entry = self._catalog.entries.get(key.name)
        if entry is None or not self._catalog.ready.is_set():
            return
        if entry.deleting and ORPHAN in entry.finalizers:
            await self._set_free(entry)
        elif entry.deleting and FOREGROUND in entry.finalizers:
            await self._wait_for_dependents(entry)
        elif not entry.deleting and entry.owners:
            await self._collect(entry)

    async def _collect(self, entry: Entry) -> None:
        """Delete `entry` if no owner is left; else drop the references to those that are gone or waiting."""
        solid, gone, waiting = [], [], []
        for owner in entry.owners:
            if await self._is_absent(owner, entry.key.namespace):
                gone.append(owner)
            elif self._is_waiting(owner):
                waiting.append(owner)
            else:
                solid.append(owner)
        if solid:
            if gone or waiting:
                await self._drop_owners(entry, {owner.uid for owner in (*gone, *waiting)})
            return
        propagation = "Background"
        if ORPHAN in entry.finalizers:
            propagation = "Orphan"
        elif FOREGROUND in entry.finalizers or (waiting and self._catalog.dependents(entry.uid)):
            propagation = "Foreground"
        await self.client.delete(entry.resource, entry.as_object(), propagation=propagation, same_version=True)

    async def _wait_for_dependents(self, entry: Entry) -> None:
        dependents = self._catalog.dependents(entry.uid)
        blocking = [
            found for found in dependents if any(owner.uid == entry.uid and owner.blocks for owner in found.owners)
        ]
        if not blocking:
            await self._remove_finalizer(entry, FOREGROUND)
            return
        for found in blocking:
            if not found.deleting:
                self._look_at(found.uid)

    async def _set_free(self, entry: Entry) -> None:
        for found in self._catalog.dependents(entry.uid):
            try:
                await self._drop_owners(found, {entry.uid})
            except NotFound:
                continue
        await self._remove_finalizer(entry, ORPHAN)

    async def _drop_owners(self, entry: Entry, uids: set[str]) -> None:
        live = await self.client.get(entry.resource, entry.key)
        metadata = live["metadata"]
        if metadata["uid"] != entry.uid:
            return
        references = metadata.get("ownerReferences") or ()
        kept = [reference for reference in references if reference["uid"] not in uids]
        await self._change(live, entry, {"ownerReferences": kept or None})

    async def _remove_finalizer(self, entry: Entry, finalizer: str) -> None:
        try:
            live = await self.client.get(entry.resource, entry.key)
        except NotFound:
            return
        metadata = live["metadata"]
        if metadata["uid"] == entry.uid and finalizer in (metadata.get("finalizers") or ()):
            kept = [found for found in metadata["finalizers"] if found != finalizer]
            await self._change(live, entry, {"finalizers": kept or None})

    async def _change(self, live: Object, entry: Entry, metadata: Object) -> None:
        """Patch the metadata of `live`, only if it is still the version that was read."""
        guard = {"uid": entry.uid, "resourceVersion": live["metadata"]["resourceVersion"]}
        await self.client.patch(entry.resource, key_of(live), {"metadata": {**guard, **metadata}})

    def _is_waiting(self, owner: Owner) -> bool:
        known = self._catalog.entries.get(owner.uid)
        return known is not None and known.deleting and FOREGROUND in known.finalizers

    async def _is_absent(self, owner: Owner, namespace: str) -> bool:
        """Whether an owner is certainly gone: not known here, and not on the server under its name either."""
        known = self._catalog.entries.get(owner.uid)
        if known is not None:
            return bool(known.key.namespace) and known.key.namespace != namespace
        if owner.uid in self._absent:
            return True
        resource = self._catalog.resource(owner.api_version, owner.kind)
        if resource is None:
            return False
        try:
            live = await self.client.get(resource, Key(namespace if resource.namespaced else "", owner.name))
        except NotFound:
            absent = True
        else:
            absent = live["metadata"]["uid"] != owner.uid
        if absent:
            if len(self._absent) > 10_000:
                self._absent.clear()
            self._absent.add(owner.uid)
        return absent
