"""Nodes that stop answering: marked, tainted, and their pods evicted. Pods of nodes that are gone are cleared up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from reconciler.kube.times import seconds_since
from reconciler.sandbox.client import LEASES, NODES, PODS, Key, Object, key_of
from reconciler.sandbox.controllers.conditions import find, is_true, with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.pods import is_ready
from reconciler.sandbox.nodes import LEASE_NAMESPACE
from reconciler.sandbox.scheduler.placement import tolerates

UNREACHABLE: Final = "node.kubernetes.io/unreachable"
NOT_READY: Final = "node.kubernetes.io/not-ready"
UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
_OURS: Final = (UNREACHABLE, NOT_READY, UNSCHEDULABLE)
_DEFAULT_LEASE: Final = 40
_QUARANTINE: Final = 40.0  # seconds that pods of a node that is gone are kept, should it come back


class NodeLifecycleController(Controller):
    """One key a node: is its lease fresh, which taints follow, which pods must go and when."""

    name: ClassVar[str] = "node-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.follow(NODES)
        self._leases = self.follow(
            LEASES,
            lambda lease: Key("", key_of(lease).name) if key_of(lease).namespace == LEASE_NAMESPACE else None,
        )
        self._pods = self.informers.of(PODS)
        self._pods.add_index("node", _node_name)
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_gone)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A pod that has just come to a node may have to leave it again."""
        name = new["spec"].get("nodeName") if new else None
        if new is None or not name or (old is not None and old["spec"].get("nodeName")):
            return
        node = self._nodes.get(Key("", name))
        if node is None:
            self.queue.add_after(Key("", name), _QUARANTINE)
        elif _evicting(node):
            self.queue.add(Key("", name))

    def _node_gone(self, _old: Object | None, new: Object | None) -> None:
        if new is None and _old is not None:
            self.queue.add_after(key_of(_old), _QUARANTINE)

    async def reconcile(self, key: Key) -> None:
        node = self._nodes.get(key)
        if node is None:
            await self._collect(key.name)
            return
        lease = self._leases.get(Key(LEASE_NAMESPACE, key.name))
        left = lease_left(node, lease, self.clock.now())
        if left <= 0 and (is_true(node, "Ready") or find(_conditions(node), "Ready") is None):
            node = await self._lost(key, node)
        elif left > 0:
            self.queue.add_after(key, left + 0.001)
        wanted = taints(node, self.now())
        if wanted != ((node.get("spec") or {}).get("taints") or []):
            node = await self.client.patch(
                NODES,
                key,
                {"metadata": {"resourceVersion": node["metadata"]["resourceVersion"]}, "spec": {"taints": wanted}},
            )
        await self._evict(key, node)

    async def _lost(self, key: Key, node: Object) -> Object:
        """The node no longer answers: its conditions are unknown and none of its pods counts as ready."""
        conditions = _conditions(node)
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
            message = "Kubelet stopped posting node status."
            conditions = with_condition(conditions, kind, "Unknown", "NodeStatusUnknown", message, now=self.now())
        stored = await self.client.patch(NODES, key, {"status": {"conditions": conditions}}, "status")
        self.normal(NODES, stored, "NodeNotReady", f"Node {key.name} status is now: NodeNotReady")
        for pod in self._pods.by("node", key.name):
            if is_ready(pod):
                await self._unready(pod)
        return stored

    async def _unready(self, pod: Object) -> None:
        old = find(_conditions(pod), "Ready") or {}
        ready = {**old, "status": "False", "lastTransitionTime": self.now()}
        entries = [ready if entry["type"] == "Ready" else entry for entry in _conditions(pod)]
        change = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": entries}}
        await self.client.patch(PODS, key_of(pod), change, "status")
        self.warning(PODS, pod, "NodeNotReady", "Node is not ready")

    async def _evict(self, key: Key, node: Object) -> None:
        """Delete the pods that do not tolerate a NoExecute taint, each when its tolerationSeconds are over."""
        evicting = _evicting(node)
        if not evicting:
            return
        now = self.clock.now()
        for pod in self._pods.by("node", key.name):
            left = None if is_deleting(pod) else stays_for(pod, evicting, now)
            if left == 0:
                await self.client.delete(PODS, pod)
                self.normal(PODS, pod, "TaintManagerEviction", f"Marking for deletion Pod {key_of(pod)}")
            elif left is not None:
                self.queue.add_after(key, left)

    async def _collect(self, name: str) -> None:
        for pod in self._pods.by("node", name):
            await self.client.delete(PODS, pod, grace=0)


def lease_left(node: Object, lease: Object | None, now: datetime) -> float:
    """Seconds for which the node still counts as alive; 0 or less when it does not."""
    spec = (lease or {}).get("spec") or {}
    since = spec.get("renewTime") or node["metadata"]["creationTimestamp"]
    return float(spec.get("leaseDurationSeconds") or _DEFAULT_LEASE) - seconds_since(since, now)


def taints(node: Object, now: str) -> list[Object]:
    """The taints that `node` should have: those that somebody set, and ours for its state. Pure."""
    spec = node.get("spec") or {}
    old: list[Object] = spec.get("taints") or []
    wanted: list[tuple[str, str]] = []
    ready = find(_conditions(node), "Ready")
    if ready is not None and ready.get("status") == "Unknown":
        wanted += [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    elif ready is None or ready.get("status") == "False":
        wanted += [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]
    if spec.get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    kept = [taint for taint in old if taint["key"] not in _OURS or (taint["key"], taint["effect"]) in wanted]
    there = {(taint["key"], taint["effect"]) for taint in kept}
    missing = [{"key": key, "effect": effect, "timeAdded": now} for key, effect in wanted if (key, effect) not in there]
    return [*kept, *missing]


def stays_for(pod: Mapping[str, Any], evicting: list[Object], now: datetime) -> float | None:
    """Seconds until `pod` must leave because of the `evicting` taints; None when it may stay. Pure."""
    least: float | None = None
    for taint in evicting:
        covering = [entry for entry in pod["spec"].get("tolerations") or () if tolerates(entry, taint)]
        if not covering:
            return 0.0
        bounded = [entry["tolerationSeconds"] for entry in covering if entry.get("tolerationSeconds") is not None]
        if bounded:
            left = max(0.0, min(bounded) - seconds_since(taint.get("timeAdded"), now))
            least = left if least is None else min(least, left)
    return least


def _evicting(node: Object) -> list[Object]:
    return [taint for taint in (node.get("spec") or {}).get("taints") or () if taint["effect"] == "NoExecute"]


def _conditions(obj: Object) -> list[Object]:
    return (obj.get("status") or {}).get("conditions") or []


def _node_name(pod: Object) -> tuple[str, ...]:
    name = pod["spec"].get("nodeName")
    return (name,) if name else ()
