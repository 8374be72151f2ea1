"""Deployment: a ReplicaSet for each pod template, and an orderly move from the old ones to the new one."""

from collections.abc import Sequence
from typing import ClassVar, Final

from reconciler.errors import AlreadyExists
from reconciler.sandbox.client import DEPLOYMENTS, PODS, REPLICA_SETS, Key, Object, key_of
from reconciler.sandbox.controllers import progress
from reconciler.sandbox.controllers.conditions import find
from reconciler.sandbox.controllers.controller import Context, Controller, bare, owner_key, same
from reconciler.sandbox.controllers.hashes import template_hash
from reconciler.sandbox.controllers.owners import (
    OWNER_INDEX,
    controller_of,
    controller_reference,
    controller_uid,
    is_deleting,
)
from reconciler.sandbox.controllers.pods import is_finished
from reconciler.sandbox.controllers.replicaset import wanted_replicas
from reconciler.sandbox.controllers.rollout import (
    Limits,
    ReplicaCount,
    limits,
    new_replicas,
    old_replicas,
    scaled,
)

REVISION: Final = "deployment.kubernetes.io/revision"
DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"
HASH: Final = "pod-template-hash"
_NOT_COPIED: Final = {
    REVISION,
    DESIRED,
    MAXIMUM,
    "deployment.kubernetes.io/revision-history",
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
}


class DeploymentController(Controller):
    """One pass: find or make the ReplicaSet of the template, move replicas one step, report, drop old history."""

    name: ClassVar[str] = "deployment-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._deployments = self.follow(DEPLOYMENTS)
        self._sets = self.follow_owned(REPLICA_SETS, DEPLOYMENTS)
        self._pods = self.informers.of(PODS)
        self._pods.add_index(OWNER_INDEX, controller_uid)
        self._pods.subscribe(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """Recreate waits until the last old pod is gone."""
        if new is not None or old is None:
            return
        owner = owner_key(old, REPLICA_SETS)
        replica_set = self._sets.get(owner) if owner else None
        key = owner_key(replica_set, DEPLOYMENTS) if replica_set else None
        deployment = self._deployments.get(key) if key else None
        if deployment is not None and _strategy(deployment) == "Recreate":
            self.queue.add(key_of(deployment))

    async def reconcile(self, key: Key) -> None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return
        sets = await self.owned(self._sets, DEPLOYMENTS, deployment)
        if is_deleting(deployment):
            await self._report(deployment, _of_template(deployment, sets), sets)
            return
        new = _of_template(deployment, sets)
        old = [entry for entry in sets if entry is not new]
        if new is not None:
            new, deployment = await self._numbered(deployment, new, old)
        new, deployment, sets = await self._step(deployment, new, old)
        stored = await self._report(deployment, new, sets)
        if not stored["spec"].get("paused") and progress.is_complete(stored, stored.get("status") or {}):
            await self._forget_history(stored, new, sets)
        if (wait := progress.seconds_to_deadline(stored, self.clock.now())) is not None:
            self.queue.add_after(key, wait)

    async def _step(
        self, deployment: Object, new: Object | None, old: Sequence[Object]
    ) -> tuple[Object | None, Object, list[Object]]:
        """Move replicas one step. The new ReplicaSet, the Deployment and all ReplicaSets as they then are."""
        room = room_of(deployment)
        recreate = _strategy(deployment) == "Recreate"
        sets = [*old, *([new] if new else [])]
        others = [_count(entry) for entry in old]
        if deployment["spec"].get("paused") or _was_scaled(deployment, sets):
            changes = scaled(_count(new) if new else None, others, room, rolling=not recreate)
        elif recreate and await self._retiring(deployment, old, room):
            changes = {}
        else:
            if new is None:
                new, deployment = await self._create(deployment, old, room)
            target = _count(new)
            wanted = room.replicas if recreate else new_replicas(target, others, room)
            changes = {target.name: wanted} if wanted != target.replicas else {}
            if not changes and not recreate:
                changes = old_replicas(target, others, room)
            sets = [*old, new]
        sets = await self._apply(deployment, [self._fresh(entry) for entry in sets], changes, room)
        return (self._fresh(new) if new else None), deployment, sets

    async def _retiring(self, deployment: Object, old: Sequence[Object], room: Limits) -> bool:
        """Recreate: scale the old ReplicaSets to nothing. True while any of their pods still runs."""
        active = {entry["metadata"]["name"]: 0 for entry in old if wanted_replicas(entry)}
        if active:
            await self._apply(deployment, old, active, room)
            return True
        pods = (pod for entry in old for pod in self._pods.by(OWNER_INDEX, entry["metadata"]["uid"]))
        return any(not is_finished(pod) for pod in pods)

    async def _create(self, deployment: Object, old: Sequence[Object], room: Limits) -> tuple[Object, Object]:
        """Make the ReplicaSet of the template, and note it on the Deployment. Both as stored."""
        metadata, spec = deployment["metadata"], deployment["spec"]
        collisions = (deployment.get("status") or {}).get("collisionCount") or 0
        digest = template_hash(spec["template"], collisions)
        start = ReplicaCount("", 0)
        replicas = new_replicas(start, [_count(entry) for entry in old], room)
        if _strategy(deployment) == "Recreate":
            replicas = room.replicas
        revision = str(max((_revision(entry) for entry in old), default=0) + 1)
        template = spec["template"]
        labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
        replica_set: Object = {
            "metadata": {
                "namespace": metadata["namespace"],
                "name": f"{metadata['name']}-{digest}",
                "labels": labels,
                "annotations": {**_annotations(deployment, room), REVISION: revision},
                "ownerReferences": [controller_reference(DEPLOYMENTS, deployment)],
            },
            "spec": {
                "replicas": replicas,
                "minReadySeconds": spec.get("minReadySeconds") or 0,
                "selector": {
                    **spec["selector"],
                    "matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH: digest},
                },
                "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
            },
        }
        try:
            created = await self.client.create(REPLICA_SETS, replica_set)
        except AlreadyExists:
            await self._collided(deployment, Key(metadata["namespace"], replica_set["metadata"]["name"]), collisions)
            raise
        message = f"Scaled up replica set {created['metadata']['name']} from 0 to {replicas}"
        if replicas:
            self.normal(DEPLOYMENTS, deployment, "ScalingReplicaSet", message)
        deployment = await self._set_revision(deployment, revision)
        status = deployment.get("status") or {}
        text = f'Created new replica set "{created["metadata"]["name"]}"'
        entries = progress.found(status.get("conditions") or [], "NewReplicaSetCreated", text, self.clock.now())
        return created, await self.set_status(DEPLOYMENTS, deployment, {**status, "conditions": entries})

    async def _collided(self, deployment: Object, key: Key, collisions: int) -> None:
        """The name is taken. By our own ReplicaSet: the cache was late. By another: count up for another hash."""
        there = await self.client.get(REPLICA_SETS, key)
        reference = controller_of(there)
        ours = reference is not None and reference["uid"] == deployment["metadata"]["uid"]
        if ours and _same_template(there, deployment):
            self._sets.observe(there)
            return
        status = {**(deployment.get("status") or {}), "collisionCount": collisions + 1}
        await self.set_status(DEPLOYMENTS, deployment, status)

    async def _numbered(self, deployment: Object, new: Object, old: Sequence[Object]) -> tuple[Object, Object]:
        """Going back to an older template makes its ReplicaSet the newest revision. Both as stored."""
        latest = max((_revision(entry) for entry in old), default=0)
        metadata = new["metadata"]
        wanted = dict(metadata.get("annotations") or {})
        wanted.update(_annotations(deployment, None))
        if _revision(new) <= latest:
            wanted[REVISION] = str(latest + 1)
        spec: Object = {}
        if (new["spec"].get("minReadySeconds") or 0) != (deployment["spec"].get("minReadySeconds") or 0):
            spec = {"spec": {"minReadySeconds": deployment["spec"].get("minReadySeconds") or 0}}
        if spec or wanted != (metadata.get("annotations") or {}):
            change = {"metadata": {"uid": metadata["uid"], "annotations": wanted}, **spec}
            new = await self.client.patch(REPLICA_SETS, key_of(new), change)
        revision = (new["metadata"].get("annotations") or {}).get(REVISION, "1")
        return new, await self._set_revision(deployment, revision)

    async def _set_revision(self, deployment: Object, revision: str) -> Object:
        metadata = deployment["metadata"]
        if (metadata.get("annotations") or {}).get(REVISION) == revision:
            return deployment
        change = {"metadata": {"uid": metadata["uid"], "annotations": {REVISION: revision}}}
        return await self.client.patch(DEPLOYMENTS, key_of(deployment), change)

    async def _apply(
        self, deployment: Object, sets: Sequence[Object], changes: dict[str, int], room: Limits
    ) -> list[Object]:
        """Scale what `changes` names and note on the others what the Deployment wants now. All as stored."""
        result = []
        for entry in sets:
            metadata = entry["metadata"]
            before = wanted_replicas(entry)
            after = changes.get(metadata["name"], before)
            notes = _scale_notes(room)
            stale = after > 0 and not notes.items() <= (metadata.get("annotations") or {}).items()
            if after == before and not stale:
                result.append(entry)
                continue
            change = {"metadata": {"uid": metadata["uid"], "annotations": notes}, "spec": {"replicas": after}}
            result.append(await self.client.patch(REPLICA_SETS, key_of(entry), change))
            if after != before:
                word = "up" if after > before else "down"
                message = f"Scaled {word} replica set {metadata['name']} from {before} to {after}"
                self.normal(DEPLOYMENTS, deployment, "ScalingReplicaSet", message)
        return result

    async def _report(self, deployment: Object, new: Object | None, sets: Sequence[Object]) -> Object:
        now = self.clock.now()
        status = progress.counts(deployment, new, sets)
        room = room_of(deployment)
        minimum = room.replicas - (room.replicas if _strategy(deployment) == "Recreate" else room.unavailable)
        entries = progress.conditions(deployment, status, new, sets, minimum=minimum, now=now)
        if deployment["spec"].get("paused"):
            current = find(entries, "Progressing")
            if current is None or current.get("reason") != "DeploymentPaused":
                entries = progress.paused(entries, now)
        elif (find(entries, "Progressing") or {}).get("reason") == "DeploymentPaused":
            entries = progress.found(entries, "DeploymentResumed", "Deployment is resumed", now)
        status["conditions"] = entries
        return await self.set_status(DEPLOYMENTS, deployment, status)

    async def _forget_history(self, deployment: Object, new: Object | None, sets: Sequence[Object]) -> None:
        """Delete the oldest ReplicaSets without pods, beyond `revisionHistoryLimit`."""
        limit = deployment["spec"].get("revisionHistoryLimit")
        limit = 10 if limit is None else limit
        name = new["metadata"]["name"] if new else ""
        old = [entry for entry in sets if entry["metadata"]["name"] != name and not is_deleting(entry)]
        for entry in sorted(old, key=_revision)[: max(0, len(old) - limit)]:
            if wanted_replicas(entry) == 0 and not (entry.get("status") or {}).get("replicas"):
                await self.client.delete(REPLICA_SETS, entry)

    def _fresh(self, replica_set: Object) -> Object:
        """As the cache has it, which includes our own writes."""
        return self._sets.get(key_of(replica_set)) or replica_set


def room_of(deployment: Object) -> Limits:
    """How many pods the Deployment wants, and how far its strategy may go above and below."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Limits(wanted_replicas(deployment), 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = rolling.get("maxSurge", "25%")
    return limits(wanted_replicas(deployment), surge, rolling.get("maxUnavailable", "25%"))


def _strategy(deployment: Object) -> str:
    return str((deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate")


def _of_template(deployment: Object, sets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's pod template."""
    return next((entry for entry in sets if _same_template(entry, deployment)), None)


def _same_template(replica_set: Object, deployment: Object) -> bool:
    mine = bare(replica_set["spec"]["template"])
    labels = dict((mine.get("metadata") or {}).get("labels") or {})
    labels.pop(HASH, None)
    mine = {**mine, "metadata": {**(mine.get("metadata") or {}), "labels": labels}}
    return same(mine, deployment["spec"]["template"])


def _was_scaled(deployment: Object, sets: Sequence[Object]) -> bool:
    """Whether `replicas` has changed since the ReplicaSets in use were last scaled."""
    wanted = str(wanted_replicas(deployment))
    noted = ((entry["metadata"].get("annotations") or {}).get(DESIRED) for entry in sets if wanted_replicas(entry))
    return any(value is not None and value != wanted for value in noted)


def _revision(replica_set: Object) -> int:
    value = (replica_set["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(value) if value.isdigit() else 0


def _scale_notes(room: Limits) -> dict[str, str]:
    return {DESIRED: str(room.replicas), MAXIMUM: str(room.replicas + room.surge)}


def _annotations(deployment: Object, room: Limits | None) -> dict[str, str]:
    """The Deployment's own annotations, as its ReplicaSets repeat them."""
    stated = deployment["metadata"].get("annotations") or {}
    copied = {name: value for name, value in stated.items() if name not in _NOT_COPIED}
    return {**copied, **(_scale_notes(room) if room else {})}


def _count(replica_set: Object) -> ReplicaCount:
    metadata = replica_set["metadata"]
    maximum = (metadata.get("annotations") or {}).get(MAXIMUM, "0")
    return ReplicaCount(
        metadata["name"],
        wanted_replicas(replica_set),
        (replica_set.get("status") or {}).get("availableReplicas", 0),
        metadata["creationTimestamp"],
        int(maximum) if maximum.isdigit() else 0,
    )
