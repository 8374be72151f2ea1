"""DaemonSet: one pod on every node that suits it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar, Final

from reconciler.kube.affinity import REQUIRED
from reconciler.sandbox.client import DAEMON_SETS, NODES, PODS, REVISIONS, Key, Object, key_of
from reconciler.sandbox.controllers import revisions
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import controller_reference, is_deleting
from reconciler.sandbox.controllers.pods import (
    is_available,
    is_finished,
    is_ready,
    next_available,
    pod_from_template,
)
from reconciler.sandbox.controllers.rollout import share
from reconciler.sandbox.scheduler.placement import node_matches, untolerated

_TOLERATED: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSetController(Controller):
    """Makes each pod for its node; the scheduler binds it there."""

    name: ClassVar[str] = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.follow(DAEMON_SETS)
        self._pods = self.follow_owned(PODS, DAEMON_SETS)
        self._revisions = self.follow_owned(REVISIONS, DAEMON_SETS)
        self._nodes = self.informers.of(NODES)
        self._nodes.subscribe(self._node_changed)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _suitability(old) == _suitability(new):
            return
        for daemon_set in self._sets.all():
            self.queue.add(key_of(daemon_set))

    async def reconcile(self, key: Key) -> None:
        daemon_set = self._sets.get(key)
        if daemon_set is None or is_deleting(daemon_set):
            return
        known = await self.owned(self._revisions, DAEMON_SETS, daemon_set)
        revision = await revisions.current(self.client, DAEMON_SETS, daemon_set, known)
        pods = await self.owned(self._pods, DAEMON_SETS, daemon_set)
        now = self.clock.now()
        nodes = [node["metadata"]["name"] for node in self._nodes.all() if should_run(daemon_set, node)]
        create, delete = next_step(daemon_set, pods, nodes, revisions.hash_of(revision), now)
        for pod in delete:
            await self.client.delete(PODS, pod)
            self.normal(DAEMON_SETS, daemon_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        made = [await self._create(daemon_set, node, revision) for node in create]
        gone = {key_of(pod) for pod in delete}
        pods = [*(pod for pod in pods if key_of(pod) not in gone), *made]
        status = status_of(daemon_set, pods, nodes, revisions.hash_of(revision), now)
        daemon_set = await self.set_status(DAEMON_SETS, daemon_set, status)
        if (wait := next_available(pods, daemon_set["spec"].get("minReadySeconds") or 0, now)) is not None:
            self.queue.add_after(key, wait)
        await revisions.forget(self.client, daemon_set, known, {revision["metadata"]["name"]})

    async def _create(self, daemon_set: Object, node: str, revision: Object) -> Object:
        metadata, template = daemon_set["metadata"], daemon_set["spec"]["template"]
        spec: Object = {
            "affinity": _pinned(template["spec"].get("affinity") or {}, node),
            "tolerations": [*(template["spec"].get("tolerations") or ()), *_tolerations()],
        }
        pod = pod_from_template(
            template,
            metadata["namespace"],
            controller_reference(DAEMON_SETS, daemon_set),
            prefix=f"{metadata['name']}-",
            labels={revisions.HASH: revisions.hash_of(revision), "pod-template-generation": _generation(daemon_set)},
            spec=spec,
        )
        created = await self.client.create(PODS, pod)
        self.normal(DAEMON_SETS, daemon_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return created


def should_run(daemon_set: Object, node: Object) -> bool:
    """Whether the DaemonSet wants a pod on `node`: its selector and affinity match, its taints are tolerated."""
    spec = daemon_set["spec"]["template"]["spec"]
    tolerations = [*(spec.get("tolerations") or ()), *_tolerations()]
    if not node_matches(spec, node):
        return False
    return untolerated((node.get("spec") or {}).get("taints") or (), tolerations) is None


def next_step(
    daemon_set: Object, pods: Sequence[Object], nodes: Iterable[str], digest: str, now: datetime
) -> tuple[list[str], list[Object]]:
    """The nodes to make a pod for, and the pods to delete. Pure.

    Deleted are strays, duplicates, failed ones, and as many outdated ones as a rolling update allows.
    """
    spec = daemon_set["spec"]
    by_node: dict[str, list[Object]] = {node: [] for node in nodes}
    delete = []
    for pod in pods:
        node = node_of(pod)
        if node in by_node:
            by_node[node].append(pod)
        elif not is_deleting(pod):
            delete.append(pod)
    create: list[str] = []
    unavailable, outdated = 0, []
    min_ready = spec.get("minReadySeconds") or 0
    for node, there in by_node.items():
        running = [pod for pod in there if not is_deleting(pod)]
        failed = [pod for pod in running if is_finished(pod)]
        running = [pod for pod in running if not is_finished(pod)]
        delete += failed + running[1:]
        if not there:
            create.append(node)
        if not running or not is_available(running[0], min_ready, now):
            unavailable += 1
        if running and (running[0]["metadata"].get("labels") or {}).get(revisions.HASH) != digest:
            outdated.append(running[0])
    strategy = spec.get("updateStrategy") or {}
    if (strategy.get("type") or "RollingUpdate") == "RollingUpdate" and outdated:
        allowed = share((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), len(by_node), up=True)
        sick = [pod for pod in outdated if not is_available(pod, min_ready, now)]
        healthy = [pod for pod in outdated if is_available(pod, min_ready, now)]
        delete += sick + healthy[: max(0, max(allowed, 1) - unavailable)]
    return create, delete


def status_of(daemon_set: Object, pods: Sequence[Object], nodes: Sequence[str], digest: str, now: datetime) -> Object:
    """The status of a DaemonSet that wants a pod on each of `nodes`."""
    min_ready = daemon_set["spec"].get("minReadySeconds") or 0
    wanted = set(nodes)
    there = {node: pod for pod in pods if not is_deleting(pod) and (node := node_of(pod)) in wanted}
    available = sum(is_available(pod, min_ready, now) for pod in there.values())
    updated = sum((pod["metadata"].get("labels") or {}).get(revisions.HASH) == digest for pod in there.values())
    stray = {node_of(pod) for pod in pods if pod["spec"].get("nodeName")} - wanted
    status = {
        "currentNumberScheduled": len(there),
        "numberMisscheduled": len(stray),
        "desiredNumberScheduled": len(wanted),
        "numberReady": sum(is_ready(pod) for pod in there.values()),
        "observedGeneration": daemon_set["metadata"].get("generation", 0),
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
    }
    required = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    return {field: value for field, value in status.items() if value or field in required}


def node_of(pod: Object) -> str:
    """The node that `pod` is on, or that it was made for."""
    if node := pod["spec"].get("nodeName"):
        return str(node)
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("values"):
                return str(field["values"][0])
    return ""


def _pinned(affinity: Object, node: str) -> Object:
    """`affinity` whose every required node term also names `node`."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    on_nodes = affinity.get("nodeAffinity") or {}
    terms = (on_nodes.get(REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    pinned = [{**term, "matchFields": [field]} for term in terms]
    return {**affinity, "nodeAffinity": {**on_nodes, REQUIRED: {"nodeSelectorTerms": pinned}}}


def _tolerations() -> list[Object]:
    return [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]


def _generation(daemon_set: Object) -> str:
    return str(daemon_set["metadata"].get("generation", 1))


def _suitability(node: Object) -> tuple[object, object, object]:
    spec = node.get("spec") or {}
    return node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable")
