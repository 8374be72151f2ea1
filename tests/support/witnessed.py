"""What really became of objects, asked of the server and of nobody else: each as it was before and after something."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from generated_slots import EXTRA
from world import World

from reconciler.cluster.cluster import Cluster
from reconciler.diff.prune import finish
from reconciler.errors import NotFound
from reconciler.kube.kinds import JOB, POD
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Live
from reconciler.model.manifest import MANAGER
from reconciler.model.ownership import controlled, mark

# What controllers make by themselves.
_MADE: Final = frozenset({"kube-root-ca.crt", "default"})
_NOTED: Final = ("deployment.kubernetes.io/", "pv.kubernetes.io/", "volume.", "deprecated.daemonset.")
_VARIES: Final = frozenset({"managedFields", "resourceVersion", "generation", "finalizers", "deletionTimestamp"})


@dataclass(frozen=True)
class Seen:
    """One object. `content` leaves out what controllers write, and in which version it was read; `stated` is what our
    manager owns of it."""

    uid: str
    going: bool
    content: Mapping[str, Any]
    stated: Any
    live: Live


Sight = Mapping[Identity, Seen]


async def sight(w: World, cluster: Cluster, kinds: Iterable[GroupKind]) -> Sight:
    """All objects of `kinds` that may concern the sources of `w`: in their namespaces, or with their mark in none."""
    found: dict[Identity, Seen] = {}
    spaces = (w.space, w.name(EXTRA.lower()))
    await cluster.discovery.refresh()
    for kind in sorted(kinds):
        resource = cluster.discovery.resources.get(kind)
        if resource is None:
            continue
        for space in spaces if resource.namespaced else (None,):
            try:
                listed = await cluster.list(kind, space)
            except NotFound:
                continue
            found |= {live.identity: _seen(live) for live in listed if _concerns(w, live)}
    return found


async def jobs_rest(w: World) -> bool:
    """Whether each Job of the sources of `w` has ended, or has no pod that a node takes: what follows is up to nobody.

    Jobs are asked for first: of a pod that was made or bound since then, the Job has not heard.
    """
    for space in (w.space, w.name(EXTRA.lower())):
        jobs = await w.cluster.list(JOB, space)
        pods = await w.cluster.list(POD, space)
        for job in jobs:
            status = job.object.get("status") or {}
            theirs = [pod.object for pod in pods if pod.labels.get("batch.kubernetes.io/job-name") == job.identity.name]
            seen = "startTime" in status or job.object["spec"].get("suspend")
            known = seen and status.get("active", 0) == len(theirs)
            if not finish(job.object)[0] and not (known and all(map(_unschedulable, theirs))):
                return False
    return True


def _unschedulable(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("PodScheduled", "False") for each in conditions)


def _concerns(w: World, live: Live) -> bool:
    if not live.identity.namespace:
        marked = mark(live)
        return live.identity.name in (w.space, w.name(EXTRA.lower())) or (
            marked is not None and marked.owner.source in {each.owner.source for each in w.sources.values()}
        )
    of_set = live.identity.kind == "PersistentVolumeClaim" and mark(live) is None
    return live.identity.name not in _MADE and not controlled(live) and not of_set


def _seen(live: Live) -> Seen:
    metadata = {key: value for key, value in live.metadata.items() if key not in _VARIES}
    metadata["annotations"] = {k: v for k, v in live.annotations.items() if not k.startswith(_NOTED)}
    content = {**live.object, "metadata": metadata}
    content.pop("status", None)
    del content["apiVersion"]  # the server's favourite: another one, once a definition has more of them
    if live.identity.kind == "PersistentVolumeClaim":
        content["spec"] = {k: v for k, v in content["spec"].items() if k != "volumeName"}
    stated = [
        entry.get("fieldsV1")
        for entry in live.metadata.get("managedFields") or ()
        if entry.get("manager") == MANAGER and not entry.get("subresource")
    ]
    return Seen(live.uid, bool(live.metadata.get("deletionTimestamp")), content, stated, live)


def became(before: Seen | None, after: Seen | None) -> str:
    """What happened to an object, in one word of `reconciler.model.change.Action`, "unchanged" where nothing did."""
    if before is None:
        return "unchanged" if after is None else "create"
    if after is None or (after.going and not before.going):
        return "prune"
    if after.uid != before.uid:
        return "replace"
    return "unchanged" if (before.content, before.stated) == (after.content, after.stated) else "update"
