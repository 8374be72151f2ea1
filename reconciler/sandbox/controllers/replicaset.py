"""ReplicaSet: as many pods as its spec says."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from reconciler.errors import ApiError
from reconciler.sandbox.client import PODS, REPLICA_SETS, Key, Object, key_of
from reconciler.sandbox.controllers.conditions import with_condition, without_condition
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import controller_reference, is_deleting
from reconciler.sandbox.controllers.pods import (
    deletion_order,
    is_active,
    is_available,
    is_ready,
    next_available,
    pod_from_template,
)


class ReplicaSetController(Controller):
    """Creates and deletes pods, at first one and then twice as many at a time, and reports what there is."""

    name: ClassVar[str] = "replicaset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.follow(REPLICA_SETS)
        self._pods = self.follow_owned(PODS, REPLICA_SETS)

    async def reconcile(self, key: Key) -> None:
        replica_set = self._sets.get(key)
        if replica_set is None:
            return
        pods = [pod for pod in await self.owned(self._pods, REPLICA_SETS, replica_set) if is_active(pod)]
        failure: ApiError | None = None
        if not is_deleting(replica_set):
            try:
                pods = await self._scale(replica_set, pods)
            except ApiError as error:
                failure = error
        now = self.clock.now()
        min_ready = replica_set["spec"].get("minReadySeconds") or 0
        status = status_of(replica_set, pods, now, failure=failure, stamp=self.now())
        await self.set_status(REPLICA_SETS, replica_set, status)
        if (wait := next_available(pods, min_ready, now)) is not None:
            self.queue.add_after(key, wait)
        if failure is not None:
            raise failure

    async def _scale(self, replica_set: Object, pods: list[Object]) -> list[Object]:
        """Create or delete what differs; the active pods afterwards."""
        wanted = wanted_replicas(replica_set)
        if len(pods) < wanted:
            owner = controller_reference(REPLICA_SETS, replica_set)
            metadata = replica_set["metadata"]
            missing = wanted - len(pods)
            batch = 1
            while missing > 0:
                batch = min(batch, missing)
                made = await asyncio.gather(
                    *(self._create(replica_set, owner, metadata["namespace"]) for _ in range(batch)),
                    return_exceptions=True,
                )
                pods += [pod for pod in made if not isinstance(pod, BaseException)]
                for outcome in made:
                    if isinstance(outcome, BaseException):
                        self.warning(REPLICA_SETS, replica_set, "FailedCreate", f"Error creating: {outcome}")
                        raise outcome
                missing -= batch
                batch *= 2
        elif len(pods) > wanted:
            doomed = sorted(pods, key=deletion_order(pods))[: len(pods) - wanted]
            await asyncio.gather(*(self._delete(replica_set, pod) for pod in doomed))
            names = {key_of(pod) for pod in doomed}
            pods = [pod for pod in pods if key_of(pod) not in names]
        return pods

    async def _create(self, replica_set: Object, owner: Object, namespace: str) -> Object:
        prefix = f"{replica_set['metadata']['name']}-"
        pod = await self.client.create(
            PODS, pod_from_template(replica_set["spec"]["template"], namespace, owner, prefix=prefix)
        )
        self.normal(REPLICA_SETS, replica_set, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        return pod

    async def _delete(self, replica_set: Object, pod: Object) -> None:
        await self.client.delete(PODS, pod)
        self.normal(REPLICA_SETS, replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")


def wanted_replicas(workload: Object) -> int:
    """`spec.replicas`; 1 where it is not stated."""
    replicas = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def status_of(
    replica_set: Object, pods: Sequence[Object], now: datetime, *, failure: ApiError | None, stamp: str
) -> Object:
    """The status of a ReplicaSet that has the active `pods`."""
    spec = replica_set["spec"]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    min_ready = spec.get("minReadySeconds") or 0
    old = replica_set.get("status") or {}
    conditions = old.get("conditions") or []
    if failure is not None:
        conditions = with_condition(conditions, "ReplicaFailure", "True", "FailedCreate", str(failure), now=stamp)
    else:
        conditions = without_condition(conditions, "ReplicaFailure")
    counts = {
        "replicas": len(pods),
        "fullyLabeledReplicas": sum(labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods),
        "readyReplicas": sum(is_ready(pod) for pod in pods),
        "availableReplicas": sum(is_available(pod, min_ready, now) for pod in pods),
    }
    status: Object = {name: count for name, count in counts.items() if count or name == "replicas"}
    if conditions:
        status["conditions"] = conditions
    status["observedGeneration"] = replica_set["metadata"].get("generation", 0)
    return status
