"""The scheduler's loop: pods without a node in, bindings and reasons out.

Preemption is left out: a pod of higher priority is tried first, but evicts nobody.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from reconciler.errors import ApiError
from reconciler.sandbox.client import (
    CLAIMS,
    NAMESPACES,
    NODES,
    PODS,
    STORAGE_CLASSES,
    Key,
    Object,
    key_of,
)
from reconciler.sandbox.controllers.conditions import condition, with_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.pods import is_finished
from reconciler.sandbox.controllers.volumes import SELECTED_NODE, claim_names, waits_for_pod
from reconciler.sandbox.scheduler.select import Selector, Unfit
from reconciler.sandbox.scheduler.state import Cluster, Pod

_log = logging.getLogger(__name__)

NAME: Final = "default-scheduler"
_TURN: Final = 50  # decisions before others have their turn
_PAUSE: Final = 1.0  # seconds between two tries of all that fits nowhere


@dataclass(frozen=True, slots=True)
class _Decision:
    uid: str
    node: str = ""
    message: str = ""


class Scheduler(Controller):
    """Decides pod after pod, the highest priority first; workers write the decisions down."""

    name: ClassVar[str] = NAME
    workers: ClassVar[int] = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cluster = Cluster()
        self._select = Selector(self._cluster, context.random)
        self._heap: list[tuple[int, int, Key, str]] = []
        self._order = itertools.count()
        self._queued: set[str] = set()
        self._unfit: dict[str, Key] = {}
        self._lonely: set[str] = set()  # those of them that another pod's arrival may help
        self._hopeless: dict[bytes, Unfit] = {}
        self._decisions: dict[Key, _Decision] = {}
        self._wake = asyncio.Event()
        self._retry_planned = False
        self._last_retry = float("-inf")
        self._classes = self.informers.of(STORAGE_CLASSES)
        self._claims = self.informers.of(CLAIMS)
        self._claims.subscribe(lambda _old, _new: self._retry())
        self.informers.of(NAMESPACES).subscribe(self._namespace_changed)
        self.informers.of(NODES).subscribe(self._node_changed)
        self._pods = self.informers.of(PODS)
        self._pods.subscribe(self._pod_changed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run())
            group.create_task(self._decide(), name=self.name)

    # what changed

    def _namespace_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._cluster.namespaces[new["metadata"]["name"]] = new["metadata"].get("labels") or {}

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            if self._cluster.set_node(new):
                self._retry()
        elif old is not None:
            self._cluster.remove_node(old["metadata"]["name"])

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or is_finished(new):
            uid = (new or old or {})["metadata"]["uid"]
            self._fits(uid)
            if self._cluster.remove(uid):
                self._retry()
            return
        node = new["spec"].get("nodeName")
        if node:
            self._fits(new["metadata"]["uid"])
            if self._cluster.is_placed(new["metadata"]["uid"]) != node:
                self._place(self._cluster.describe(new), node)
        elif (
            old is None or old["spec"] != new["spec"] or old["metadata"].get("labels") != new["metadata"].get("labels")
        ):
            self._enqueue(new)

    def _fits(self, uid: str) -> None:
        self._unfit.pop(uid, None)
        self._lonely.discard(uid)

    def _enqueue(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._queued or not _is_mine(pod) or self._cluster.is_placed(uid):
            return
        self._queued.add(uid)
        heapq.heappush(self._heap, (-(pod["spec"].get("priority") or 0), next(self._order), key_of(pod), uid))
        self._wake.set()

    def _retry(self) -> None:
        """Something changed that may help: try again what fits nowhere, soon, and not more than once a second."""
        self._hopeless.clear()
        if self._retry_planned or not self._unfit:
            return
        self._retry_planned = True
        self.timers.after(max(0.0, self._last_retry + _PAUSE - self.clock.monotonic()), self._retry_all)

    def _retry_all(self) -> None:
        self._retry_planned = False
        self._last_retry = self.clock.monotonic()
        waiting, self._unfit = self._unfit, {}
        self._lonely.clear()
        for key in waiting.values():
            pod = self._pods.get(key)
            if pod is not None:
                self._enqueue(pod)

    # deciding

    async def _decide(self) -> None:
        while True:
            for _ in range(_TURN):
                if not self._heap:
                    break
                _, _, key, uid = heapq.heappop(self._heap)
                self._queued.discard(uid)
                pod = self._pods.get(key)
                if pod is None or pod["metadata"]["uid"] != uid or self._cluster.is_placed(uid):
                    continue
                try:
                    self._decide_one(key, pod)
                except Exception:  # noqa: BLE001  # one odd pod must not keep the others waiting
                    _log.exception("scheduling %s", key)
            if self._heap:
                await asyncio.sleep(0)
            else:
                self._wake.clear()
                await self._wake.wait()

    def _decide_one(self, key: Key, obj: Object) -> None:
        if not _is_mine(obj) or obj["spec"].get("nodeName"):
            return
        pod = self._cluster.describe(obj)
        found: str | Unfit
        if (problem := self._claims_problem(obj)) is not None:
            found = Unfit(f"0/{len(self._cluster.nodes)} nodes are available: {problem}.")
        elif (known := self._hopeless.get(pod.shape)) is not None:
            found = known
        else:
            found = self._select.select(pod)
        if isinstance(found, Unfit):
            self._hopeless[pod.shape] = found
            self._unfit[pod.uid] = key
            if pod.affinity or pod.spreads:
                self._lonely.add(pod.uid)
            self._decisions[key] = _Decision(pod.uid, message=found.message)
        else:
            self._place(pod, found)
            self._decisions[key] = _Decision(pod.uid, node=found)
        self.queue.add(key)

    def _place(self, pod: Pod, node: str) -> None:
        self._cluster.place(pod, node)
        if self._lonely:
            self._retry()

    def _claims_problem(self, obj: Object) -> str | None:
        """Why the volume claims of a pod keep it from every node."""
        for name in claim_names(obj):
            claim = self._claims.get(Key(obj["metadata"]["namespace"], name))
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if is_deleting(claim):
                return f'persistentvolumeclaim "{name}" is being deleted'
            if not claim["spec"].get("volumeName") and not waits_for_pod(claim, self._classes.all()):
                return "pod has unbound immediate PersistentVolumeClaims"
        return None

    # writing down

    async def reconcile(self, key: Key) -> None:
        decision, pod = self._decisions.get(key), self._pods.get(key)
        if decision is None:
            return
        if pod is not None and pod["metadata"]["uid"] == decision.uid and not pod["spec"].get("nodeName"):
            try:
                if decision.node:
                    await self._bind(key, pod, decision.node)
                else:
                    await self._explain(key, pod, decision.message)
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
                self._cluster.remove(decision.uid)
                self.timers.after(_PAUSE, lambda: self._enqueue_again(key))
        if self._decisions.get(key) is decision:
            del self._decisions[key]

    def _enqueue_again(self, key: Key) -> None:
        if (pod := self._pods.get(key)) is not None:
            self._enqueue(pod)

    async def _bind(self, key: Key, pod: Object, node: str) -> None:
        for name in claim_names(pod):
            claim = self._claims.get(Key(key.namespace, name))
            if claim is not None and not claim["spec"].get("volumeName"):
                change = {"metadata": {"uid": claim["metadata"]["uid"], "annotations": {SELECTED_NODE: node}}}
                await self.client.patch(CLAIMS, key_of(claim), change)
        await self.client.bind(key, pod["metadata"]["uid"], node)
        self.normal(PODS, pod, "Scheduled", f"Successfully assigned {key} to {node}")

    async def _explain(self, key: Key, pod: Object, message: str) -> None:
        known = condition(pod, "PodScheduled")
        if known is not None and known.get("status") == "False" and known.get("message") == message:
            return
        entries = (pod.get("status") or {}).get("conditions") or ()
        conditions = with_condition(entries, "PodScheduled", "False", "Unschedulable", message, now=self.now())
        change = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": conditions}}
        await self.client.patch(PODS, key, change, "status")
        self.warning(PODS, pod, "FailedScheduling", message)


def _is_mine(pod: Mapping[str, Any]) -> bool:
    """Whether `pod` waits for this scheduler."""
    spec = pod["spec"]
    if spec.get("nodeName") or spec.get("schedulingGates") or is_deleting(pod) or is_finished(pod):
        return False
    return (spec.get("schedulerName") or NAME) == NAME
