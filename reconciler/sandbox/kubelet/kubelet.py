"""All kubelets in one: every pod bound to a simulated node, its status written as its life goes on."""

from collections.abc import Callable
from typing import ClassVar, Final

from reconciler.sandbox.client import CLAIMS, CONFIG_MAPS, PODS, SECRETS, Key, Object, key_of
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.pods import is_finished
from reconciler.sandbox.informer import Informer, keys_only
from reconciler.sandbox.kubelet.behavior import Timing
from reconciler.sandbox.kubelet.lifecycle import Lifecycle
from reconciler.sandbox.kubelet.references import Kind, Reference, needed
from reconciler.sandbox.nodes import Node

_RESOURCES: Final = {Kind.CONFIG_MAP: CONFIG_MAPS, Kind.SECRET: SECRETS, Kind.CLAIM: CLAIMS}
_NEEDS: Final = "needs"


class Kubelet(Controller):
    """One queue and one timer heap for all nodes; a pod at rest costs nothing."""

    name: ClassVar[str] = "kubelet"
    workers: ClassVar[int] = 16

    def __init__(self, context: Context, *, node: Callable[[str], Node | None], timing: Timing) -> None:
        """`node` gives the simulated node of a name, None for one that is not ours or is dead."""
        super().__init__(context)
        self._node = node
        self._timing = timing
        self._lives: dict[str, Lifecycle] = {}
        self._stops: set[str] = set()
        self._addresses: dict[str, int] = {}
        self._references: dict[Kind, Informer] = {
            kind: self.informers.of(resource, keys_only) if kind is not Kind.CLAIM else self.informers.of(resource)
            for kind, resource in _RESOURCES.items()
        }
        self._pods = self.informers.of(PODS)
        self._pods.add_index("node", _node_name)
        self._pods.add_index(_NEEDS, _needs)
        self._pods.subscribe(self._pod_changed)
        for kind, informer in self._references.items():
            informer.subscribe(self._needed_changed(kind))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            uid = (old or {})["metadata"]["uid"]
            self._lives.pop(uid, None)
            self._stops.discard(uid)
        elif new["spec"].get("nodeName"):
            self.queue.add(key_of(new))

    def _needed_changed(self, kind: Kind) -> Callable[[Object | None, Object | None], None]:
        def changed(_old: Object | None, new: Object | None) -> None:
            if new is not None:
                for pod in self._pods.by(_NEEDS, _need(kind, key_of(new))):
                    self.queue.add(key_of(pod))

        return changed

    def recheck(self, node: str) -> None:
        """Look at every pod of a node again: it died, or came back."""
        for pod in self._pods.by("node", node):
            self.queue.add(key_of(pod))

    async def reconcile(self, key: Key) -> None:
        pod = self._pods.get(key)
        node = self._node(pod["spec"].get("nodeName") or "") if pod else None
        if pod is None or node is None:
            return
        if is_deleting(pod):
            await self._stop(key, pod, node)
            return
        if is_finished(pod):
            return
        life = self._life(pod, node)
        now = self.clock.now()
        life.problem = None if any(entry.started for entry in life.containers) else self._problem(pod)
        again = life.advance(now)
        await self._report(key, pod, life)
        if again is not None:
            self.queue.add_after(key, again)

    def _life(self, pod: Object, node: Node) -> Lifecycle:
        uid = pod["metadata"]["uid"]
        life = self._lives.get(uid)
        if life is None:
            address = node.address if pod["spec"].get("hostNetwork") else self._next_address(node)
            life = Lifecycle(pod, self._timing, pod_ip=address, host_ip=node.address, now=self.clock.now())
            self._lives[uid] = life
        return life

    def _next_address(self, node: Node) -> str:
        """Addresses of a node's range in turn; they come round again after 65,000 pods."""
        number = self._addresses.get(node.name, 1) % 65_533 + 1
        self._addresses[node.name] = number
        return node.pod_address(number)

    async def _report(self, key: Key, pod: Object, life: Lifecycle) -> None:
        status = life.status(pod, self.clock.now())
        if status != pod.get("status"):
            change = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
            await self.client.patch(PODS, key, change, "status")
        events, life.events = life.events, []
        for level, reason, message in events:
            (self.normal if level == "Normal" else self.warning)(PODS, pod, reason, message)

    async def _stop(self, key: Key, pod: Object, node: Node) -> None:
        """Graceful deletion: containers take the shorter of `Timing.stop` and the grace period; then the pod goes."""
        uid = pod["metadata"]["uid"]
        if uid not in self._stops:
            self._stops.add(uid)
            grace = pod["metadata"].get("deletionGracePeriodSeconds") or 0
            pause = 0.0 if is_finished(pod) else min(self._timing.stop, float(grace))
            if pause:
                self.normal(PODS, pod, "Killing", "Stopping containers")
                self.queue.add_after(key, pause)
                return
        elif self.queue.is_planned(key):
            return
        if not is_finished(pod) and _is_watched_to_its_end(pod):
            life = self._life(pod, node)
            life.stop(self.clock.now())
            await self._report(key, pod, life)
        if pod["metadata"].get("deletionGracePeriodSeconds") != 0:
            await self.client.delete(PODS, pod, grace=0)

    def _problem(self, pod: Object) -> tuple[str, str] | None:
        """Why containers cannot be made yet: what is missing, as a waiting reason and a message."""
        namespace = pod["metadata"]["namespace"]
        for reference in needed(pod):
            there = self._references[reference.kind].get(Key(namespace, reference.name))
            if there is not None and reference.kind is Kind.CLAIM and not there["spec"].get("volumeName"):
                there = None
            if there is None and reference.volume:
                message = f'MountVolume.SetUp failed for volume "{reference.volume}" : {_missing(reference)}'
                self.warning(PODS, pod, "FailedMount", message)
                return "ContainerCreating", ""
            if there is None:
                self.warning(PODS, pod, "Failed", f"Error: {_missing(reference)}")
                return "CreateContainerConfigError", _missing(reference)
            if reference.key and reference.key not in (there.get("data") or {}):
                word = "ConfigMap" if reference.kind is Kind.CONFIG_MAP else "Secret"
                message = f"couldn't find key {reference.key} in {word} {namespace}/{reference.name}"
                self.warning(PODS, pod, "Failed", f"Error: {message}")
                return "CreateContainerConfigError", message
        return None


def _missing(reference: Reference) -> str:
    return f'{reference.kind.value} "{reference.name}" not found'


def _is_watched_to_its_end(pod: Object) -> bool:
    """Whether somebody counts how the pod ended: a finalizer waits for it, or it was to end by itself."""
    ends = (pod["spec"].get("restartPolicy") or "Always") != "Always"
    return ends or bool(pod["metadata"].get("finalizers"))


def _node_name(pod: Object) -> tuple[str, ...]:
    name = pod["spec"].get("nodeName")
    return (name,) if name else ()


def _needs(pod: Object) -> set[str]:
    """An index function: what a pod that has not started waits for."""
    if not pod["spec"].get("nodeName") or (pod.get("status") or {}).get("podIP"):
        return set()
    namespace = pod["metadata"]["namespace"]
    return {_need(entry.kind, Key(namespace, entry.name)) for entry in needed(pod)}


def _need(kind: Kind, key: Key) -> str:
    return f"{kind.value}/{key}"
