"""Simulated nodes make themselves known and renew their leases."""

from collections.abc import Callable, Iterable
from typing import ClassVar, Final

from reconciler.errors import AlreadyExists, NotFound
from reconciler.kube.times import micro_stamp
from reconciler.sandbox.client import LEASES, NODES, Key, Object
from reconciler.sandbox.controllers.conditions import is_true, with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.nodes import LEASE_NAMESPACE, Node, lease_object, node_object, node_status

RENEWALS: Final = 4  # renewals within the duration of one lease


class Registration(Controller):
    """One key a node. A dead node is left alone; one that comes back says that it is ready."""

    name: ClassVar[str] = "kubelet"

    def __init__(
        self, context: Context, *, nodes: Iterable[str], node: Callable[[str], Node | None], lease_seconds: int
    ) -> None:
        """`node` gives the simulated node of a name, None while it is dead."""
        super().__init__(context)
        self._node = node
        self._lease_seconds = lease_seconds
        self._nodes = self.informers.of(NODES)
        self._registered: set[str] = set()
        for name in nodes:
            self.queue.add(Key("", name))

    async def reconcile(self, key: Key) -> None:
        node = self._node(key.name)
        if node is None:
            return
        stored = self._nodes.get(key)
        if key.name not in self._registered:
            stored = await self._register(key, node)
            self._registered.add(key.name)
        if stored is None:
            return  # somebody deleted it: a kubelet registers only when it starts
        if not is_true(stored, "Ready"):
            await self._say_ready(key, node, stored)
        await self._renew(stored)
        self.queue.add_after(key, self._lease_seconds / RENEWALS)

    async def _register(self, key: Key, node: Node) -> Object:
        try:
            return await self.client.create(NODES, node_object(node))
        except AlreadyExists:
            return await self.client.get(NODES, key)

    async def _say_ready(self, key: Key, node: Node, stored: Object) -> None:
        status = node_status(node, self.clock.now())
        conditions = (stored.get("status") or {}).get("conditions") or []
        for entry in status["conditions"]:
            said = (entry["type"], entry["status"], entry["reason"], entry["message"])
            conditions = with_condition(conditions, *said, now=self.now(), lastHeartbeatTime=self.now())
        await self.client.patch(NODES, key, {"status": {**status, "conditions": conditions}}, "status")
        self.normal(NODES, stored, "NodeReady", f"Node {node.name} status is now: NodeReady")

    async def _renew(self, stored: Object) -> None:
        name = stored["metadata"]["name"]
        change = {"spec": {"holderIdentity": name, "renewTime": micro_stamp(self.clock.now())}}
        try:
            await self.client.patch(LEASES, Key(LEASE_NAMESPACE, name), change)
        except NotFound:
            await self.client.create(LEASES, lease_object(stored, self.clock.now(), self._lease_seconds))
