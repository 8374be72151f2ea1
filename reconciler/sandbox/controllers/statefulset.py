"""StatefulSet: numbered pods that come up in order and go in reverse, each with its own volume claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from reconciler.errors import AlreadyExists
from reconciler.sandbox.client import CLAIMS, PODS, REVISIONS, STATEFUL_SETS, Key, Object
from reconciler.sandbox.controllers import revisions
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import controller_reference, is_deleting
from reconciler.sandbox.controllers.pods import is_available, is_finished, is_ready, next_available, pod_from_template
from reconciler.sandbox.controllers.replicaset import wanted_replicas


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: ordinals to create, each with the name of its revision, and pods to delete."""

    create: tuple[tuple[int, str], ...] = ()
    delete: tuple[Object, ...] = ()


def next_step(stateful_set: Object, pods: Mapping[int, Object], current: str, update: str, now: datetime) -> Step:
    """The next step for the `pods` by ordinal. `current` and `update` name the old and the new revision. Pure.

    OrderedReady: one pod at a time, and only when all before it are ready (and, going down, none is on its way out).
    Parallel: everything at once. Updates go from the highest ordinal down to the partition, one at a time.
    """
    spec = stateful_set["spec"]
    ordered = (spec.get("podManagementPolicy") or "OrderedReady") == "OrderedReady"
    first = (spec.get("ordinals") or {}).get("start") or 0
    ordinals = range(first, first + wanted_replicas(stateful_set))
    strategy = spec.get("updateStrategy") or {}
    rolling = (strategy.get("type") or "RollingUpdate") == "RollingUpdate"
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    min_ready = spec.get("minReadySeconds") or 0
    create: list[tuple[int, str]] = []
    delete: list[Object] = []
    for ordinal in ordinals:
        pod = pods.get(ordinal)
        if pod is None:
            updated = not rolling or ordinal >= partition or current == update
            create.append((ordinal, update if updated else current))
        elif is_finished(pod) and not is_deleting(pod):
            delete.append(pod)
        elif is_available(pod, min_ready, now) and not is_deleting(pod):
            continue
        if ordered:
            return Step(tuple(create), tuple(delete))
    surplus = sorted((ordinal for ordinal in pods if ordinal not in ordinals), reverse=True)
    for ordinal in surplus:
        if not is_deleting(pods[ordinal]):
            delete.append(pods[ordinal])
        if ordered:
            return Step(tuple(create), tuple(delete))
    if create or delete or not rolling:
        return Step(tuple(create), tuple(delete))
    for ordinal in sorted((ordinal for ordinal in ordinals if ordinal >= partition), reverse=True):
        pod = pods[ordinal]
        if is_deleting(pod):
            return Step()
        if (pod["metadata"].get("labels") or {}).get(revisions.HASH) != update:
            return Step(delete=(pod,))
        if not is_available(pod, min_ready, now):
            return Step()
    return Step()


class StatefulSetController(Controller):
    """One step a pass; the change that a step makes brings the next pass."""

    name: ClassVar[str] = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = self.follow(STATEFUL_SETS)
        self._pods = self.follow_owned(PODS, STATEFUL_SETS)
        self._revisions = self.follow_owned(REVISIONS, STATEFUL_SETS)
        self._claims = self.informers.of(CLAIMS)

    async def reconcile(self, key: Key) -> None:
        stateful_set = self._sets.get(key)
        if stateful_set is None or is_deleting(stateful_set):
            return
        known = await self.owned(self._revisions, STATEFUL_SETS, stateful_set)
        update = await revisions.current(self.client, STATEFUL_SETS, stateful_set, known)
        stored = (stateful_set.get("status") or {}).get("currentRevision")
        current = next((entry for entry in known if entry["metadata"]["name"] == stored), update)
        pods = _by_ordinal(stateful_set, await self.owned(self._pods, STATEFUL_SETS, stateful_set))
        now = self.clock.now()
        step = next_step(stateful_set, pods, revisions.hash_of(current), revisions.hash_of(update), now)
        for pod in step.delete:
            await self.client.delete(PODS, pod)
            self.normal(STATEFUL_SETS, stateful_set, "SuccessfulDelete", _said("delete", pod, stateful_set))
        for ordinal, digest in step.create:
            revision = current if digest == revisions.hash_of(current) else update
            pods[ordinal] = await self._create(stateful_set, ordinal, revision)
        status = status_of(stateful_set, list(pods.values()), current, update, now)
        stateful_set = await self.set_status(STATEFUL_SETS, stateful_set, status)
        if (wait := next_available(pods.values(), stateful_set["spec"].get("minReadySeconds") or 0, now)) is not None:
            self.queue.add_after(key, wait)
        names = {update["metadata"]["name"], status["currentRevision"]}
        await revisions.forget(self.client, stateful_set, known, names)

    async def _create(self, stateful_set: Object, ordinal: int, revision: Object) -> Object:
        metadata, spec = stateful_set["metadata"], stateful_set["spec"]
        namespace, name = metadata["namespace"], f"{metadata['name']}-{ordinal}"
        template = revisions.template_of(revision)
        volumes = {volume["name"]: volume for volume in template["spec"].get("volumes") or ()}
        for claim in spec.get("volumeClaimTemplates") or ():
            claim_name = f"{claim['metadata']['name']}-{name}"
            volumes[claim["metadata"]["name"]] = {
                "name": claim["metadata"]["name"],
                "persistentVolumeClaim": {"claimName": claim_name},
            }
            await self._ensure_claim(stateful_set, claim, Key(namespace, claim_name))
        more: Object = {"hostname": name, "subdomain": spec.get("serviceName") or ""}
        if volumes:
            more["volumes"] = list(volumes.values())
        pod = pod_from_template(
            template,
            namespace,
            controller_reference(STATEFUL_SETS, stateful_set),
            name=name,
            labels={
                revisions.HASH: revisions.hash_of(revision),
                "statefulset.kubernetes.io/pod-name": name,
                "apps.kubernetes.io/pod-index": str(ordinal),
            },
            spec=more,
        )
        created = await self.client.create(PODS, pod)
        self.normal(STATEFUL_SETS, stateful_set, "SuccessfulCreate", _said("create", created, stateful_set))
        return created

    async def _ensure_claim(self, stateful_set: Object, template: Object, key: Key) -> None:
        """Make the claim if it is missing. It outlives the pod and the StatefulSet unless the policy says otherwise."""
        if self._claims.get(key) is not None:
            return
        stated = template.get("metadata") or {}
        selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
        metadata: Object = {
            "namespace": key.namespace,
            "name": key.name,
            "labels": {**(stated.get("labels") or {}), **selected},
        }
        if stated.get("annotations"):
            metadata["annotations"] = stated["annotations"]
        retention = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        if retention.get("whenDeleted") == "Delete":
            metadata["ownerReferences"] = [controller_reference(STATEFUL_SETS, stateful_set)]
        try:
            await self.client.create(CLAIMS, {"metadata": metadata, "spec": template["spec"]})
        except AlreadyExists:
            return


def status_of(stateful_set: Object, pods: Sequence[Object], current: Object, update: Object, now: datetime) -> Object:
    """The status of a StatefulSet; once every pod is of the new revision, that one is the current."""
    spec = stateful_set["spec"]
    live = [pod for pod in pods if not is_finished(pod)]
    wanted = wanted_replicas(stateful_set)

    def of(revision: Object) -> int:
        digest = revisions.hash_of(revision)
        return sum((pod["metadata"].get("labels") or {}).get(revisions.HASH) == digest for pod in live)

    ready = sum(is_ready(pod) and not is_deleting(pod) for pod in live)
    updated = of(update)
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
    if partition == 0 and updated == wanted == len(live) == ready:
        current = update
    status: Object = {
        "replicas": len(live),
        "readyReplicas": ready,
        "currentReplicas": of(current),
        "updatedReplicas": updated,
        "availableReplicas": sum(
            is_available(pod, spec.get("minReadySeconds") or 0, now) and not is_deleting(pod) for pod in live
        ),
        "currentRevision": current["metadata"]["name"],
        "updateRevision": update["metadata"]["name"],
        "observedGeneration": stateful_set["metadata"].get("generation", 0),
        "collisionCount": 0,
    }
    kept = ("replicas", "availableReplicas", "collisionCount")
    return {field: value for field, value in status.items() if value or field in kept}


def _by_ordinal(stateful_set: Object, pods: Sequence[Object]) -> dict[int, Object]:
    prefix = f"{stateful_set['metadata']['name']}-"
    numbered = ((pod["metadata"]["name"].removeprefix(prefix), pod) for pod in pods)
    return {int(number): pod for number, pod in numbered if number.isdigit()}


def _said(verb: str, pod: Object, stateful_set: Object) -> str:
    return f"{verb} Pod {pod['metadata']['name']} in StatefulSet {stateful_set['metadata']['name']} successful"
