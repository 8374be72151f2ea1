"""Namespace deletion: everything in it goes first, then the namespace itself."""

from typing import ClassVar, Final

from reconciler.errors import MethodNotAllowed, NotFound
from reconciler.sandbox.client import EVENTS, LEASES, NAMESPACES, Key, Object, Resource
from reconciler.sandbox.controllers.catalog import Catalog, Entry
from reconciler.sandbox.controllers.conditions import with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting

_TOGETHER: Final = 0.1  # seconds: many objects go at once, and each would be a change of the status


class NamespaceController(Controller):
    """Deletes what the catalog knows in a terminating namespace, waits for the last object, looks again, finalizes."""

    name: ClassVar[str] = "namespace-controller"

    def __init__(self, context: Context, catalog: Catalog) -> None:
        super().__init__(context)
        self._catalog = catalog
        self._namespaces = self.follow(NAMESPACES)
        catalog.subscribe(self._object_changed)

    async def run(self) -> None:
        await self._catalog.ready.wait()
        await super().run()

    def _object_changed(self, old: Entry | None, new: Entry | None) -> None:
        entry = old or new
        if entry is None or not entry.key.namespace:
            return
        key = Key("", entry.key.namespace)
        namespace = self._namespaces.get(key)
        if namespace is not None and is_deleting(namespace):
            self.queue.add_after(key, _TOGETHER)

    async def reconcile(self, key: Key) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or not is_deleting(namespace):
            return
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if "kubernetes" not in finalizers:
            return
        inside = self._catalog.inside(key.name)
        going: dict[Resource, int] = {}
        for entry in inside:
            going[entry.resource] = going.get(entry.resource, 0) + (not entry.deleting)
        for resource, left in going.items():
            if left:
                await self._delete_all(resource, key.name)
        if inside:
            await self._report(namespace, inside)
            return
        remaining = await self._look_again(key.name)
        if remaining:
            self.queue.add_after(key, 0.2)  # the watch will tell, and should have already
            return
        body = {**namespace, "spec": {"finalizers": [name for name in finalizers if name != "kubernetes"]}}
        await self.client.update(NAMESPACES, body, "finalize")

    async def _delete_all(self, resource: Resource, namespace: str) -> None:
        try:
            await self.client.delete_collection(resource, namespace)
        except MethodNotAllowed:
            for entry in self._catalog.inside(namespace):
                if entry.resource == resource:
                    await self.client.delete(resource, entry.as_object())

    async def _look_again(self, namespace: str) -> bool:
        """Whether the server still has anything in `namespace`. Events and leases, which nobody watches, go now."""
        for resource in (EVENTS, LEASES):
            await self._delete_all(resource, namespace)
        for resource in self._catalog.resources():
            if resource.namespaced:
                try:
                    page = await self.client.read(resource.path(namespace), (("limit", "1"),))
                except NotFound:
                    continue
                if page.get("items"):
                    await self._delete_all(resource, namespace)
                    return True
        return False

    async def _report(self, namespace: Object, inside: list[Entry]) -> None:
        """Say in the status what is still there, and which finalizers it waits for."""
        counts: dict[str, int] = {}
        waiting: dict[str, int] = {}
        for entry in inside:
            name = f"{entry.resource.plural}.{entry.resource.group}"
            counts[name] = counts.get(name, 0) + 1
            for finalizer in entry.finalizers:
                waiting[finalizer] = waiting.get(finalizer, 0) + 1
        content = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(counts.items()))
        blocked = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(waiting.items()))
        conditions = (namespace.get("status") or {}).get("conditions") or []
        entries = [("NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {content}")]
        if blocked:
            message = f"Some content in the namespace has finalizers remaining: {blocked}"
            entries.append(("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message))
        for kind, reason, message in entries:
            conditions = with_condition(conditions, kind, "True", reason, message, now=self.now())
        status = {**(namespace.get("status") or {}), "phase": "Terminating", "conditions": conditions}
        await self.set_status(NAMESPACES, namespace, status)
