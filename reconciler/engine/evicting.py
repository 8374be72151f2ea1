"""Moves of a plan, carried out: a pod is evicted, and Kubernetes' scheduler finds a place for the next one.

Only where the configuration says so. A few in a cycle, one of a workload, and only of one that is whole: all its pods
are ready and none is rolled out. The eviction API keeps disruption budgets; where one has nothing to spare, the cycle
ends. Whether the scheduler does as planned is not ours to say: a pod of the same workload on the same node is evicted
again only after a pause that doubles each time.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from reconciler.clock import Clock
from reconciler.cluster.api import Api
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.evict import evict
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import PodView
from reconciler.model.event import Event, EventType, Sink
from reconciler.model.plan import Move

CYCLE: Final = 60.0  # seconds at least between two cycles
_FIRST_PAUSE: Final = 600.0  # seconds; doubles
_LONGEST_PAUSE: Final = 86400.0

logger = logging.getLogger(__name__)


class Evicting:
    """`ours` says at this instant whether we may write (rule 23)."""

    def __init__(self, cluster: Cluster, per_cycle: int, *, ours: Callable[[], bool], clock: Clock, emit: Sink) -> None:
        self._cluster = cluster
        self._api = Api(cluster.transport)  # which does not try again
        self._per_cycle = per_cycle
        self._ours = ours
        self._clock = clock
        self._emit = emit
        self._next = float("-inf")
        self._pauses: dict[tuple[Identity, str], tuple[float, float]] = {}  # until when, and how long it was

    def resting(self) -> frozenset[Identity]:
        """Workloads that are not moved for now: one of their pods was, and the scheduler has had time to do better."""
        now = self._clock.monotonic()
        return frozenset(i for (i, _), (until, length) in self._pauses.items() if until - length + CYCLE <= now < until)

    async def carry_out(
        self, moves: Iterable[Move], pods: Iterable[PodView], workloads: Mapping[Identity, tuple[str, Identity]]
    ) -> None:
        """As many of `moves` as may be now; `workloads` leads to the source and to the object with the pods.

        What the cluster refuses ends the cycle, and is logged.
        """
        now = self._clock.monotonic()
        self._pauses = {key: pause for key, pause in self._pauses.items() if now < pause[0] + _LONGEST_PAUSE}
        # Those of one node together: only when all are gone there is the room for which they go.
        due = sorted((move.origin, move.identity, move.target) for move in moves if self._may(move, workloads, now))
        if now < self._next or not due:
            return
        self._next = now + CYCLE
        left, seen, running = self._per_cycle, set(), list(pods)
        try:
            for origin, identity, target in due:
                if not left or identity in seen:
                    continue
                seen.add(identity)
                source, workload = workloads[identity]
                there = sorted(pod.name for pod in running if (pod.owner, pod.node) == (identity, origin))
                pod = await self._victim(workload, there, origin)
                if pod is None:
                    continue
                if not self._ours() or not await evict(self._api, *pod):
                    return
                left -= 1
                _, length = self._pauses.get((identity, origin), (0.0, _FIRST_PAUSE / 2))
                length = min(2 * length, _LONGEST_PAUSE)
                self._pauses[identity, origin] = (now + length, length)
                message = f"Pod {pod[0].name} is moved from node {origin}: the plan has its place on {target}"
                self._emit(Event(EventType.MOVED, self._clock.now(), source, message, workload))
        except ReconcilerError as error:
            logger.warning("no more pods are moved for now: %s", f"{error}; {error.hint}" if error.hint else error)

    def _may(self, move: Move, workloads: Collection[Identity], now: float) -> bool:
        until, _ = self._pauses.get((move.identity, move.origin), (now, 0.0))
        return bool(move.target) and move.identity in workloads and until <= now

    async def _victim(self, workload: Identity, names: list[str], node: str) -> tuple[Identity, str] | None:
        """A pod of the workload that runs on the node, with its uid; None where there is none, or one is missing."""
        owner = await self._cluster.get(workload)
        if owner is None or not _whole(owner.object):
            return None
        for name in names:
            pod = await self._cluster.get(Identity("", "Pod", workload.namespace, name))
            if pod is None or pod.metadata.get("deletionTimestamp"):
                continue
            if (pod.object.get("spec") or {}).get("nodeName") == node:
                return pod.identity, pod.uid
        return None


def _whole(deployment: Mapping[str, Any]) -> bool:
    """Whether all pods of a Deployment are ready, and of its newest template."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    wanted = spec.get("replicas")
    current = status.get("observedGeneration") == deployment["metadata"].get("generation")
    counts = {status.get(name) or 0 for name in ("replicas", "readyReplicas", "updatedReplicas")}
    return current and counts == {wanted}
