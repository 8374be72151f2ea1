"""A cluster as the planner needs it, in one file: to plan offline, and to ask what would be if.

Objects of Kubernetes, cut down to what decides where something fits. No environment, no argument, no annotation and no
Secret is in it, so it can be handed around.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from reconciler.kube.kinds import (
    BUDGET,
    CLAIM,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    POD,
    PRIORITY_CLASS,
    QUOTA,
    STATEFUL_SET,
    VOLUME,
)
from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.model.cluster_view import Circumstances, ClusterSeen, NodeView, PodView, Quota
from reconciler.model.planning import WorkloadNeed
from reconciler.model.reading import (
    budget_of,
    circumstances,
    labels_of,
    need,
    node_view,
    pod_view,
    priority_of,
    quota_of,
    volume_of,
    zones_of,
)

Object = Mapping[str, Any]
T = TypeVar("T")

WORKLOADS: Final = frozenset((DEPLOYMENT, STATEFUL_SET))
KINDS: Final = tuple(sorted({NODE, POD, PRIORITY_CLASS, BUDGET, CLAIM, VOLUME, NAMESPACE, QUOTA, *WORKLOADS}))
"""What a snapshot has objects of. Of all but nodes and pods it may have none."""

_POD_FIELDS: Final = (
    "affinity", "nodeName", "nodeSelector", "overhead", "priorityClassName", "resources", "tolerations",
    "topologySpreadConstraints",
)  # fmt: skip
_CONTAINERS: Final = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What `plan` is given. `notes` say what could not be read, and was left out."""

    nodes: tuple[NodeView, ...]
    pods: tuple[PodView, ...]
    needs: tuple[WorkloadNeed, ...]
    notes: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()


def trimmed(obj: Object) -> dict[str, Any] | None:
    """What a snapshot keeps of an object of `KINDS`; None of one that says nothing: a pod that has ended."""
    kind = GroupVersionKind.of(obj).group_kind
    spec, status, metadata = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    kept: dict[str, Any] = {"metadata": _only(metadata, ("name", "namespace", "labels"))}
    if kind == NODE:
        kept["spec"] = _only(spec, ("taints", "unschedulable"))
        conditions = [_only(each, ("type", "status")) for each in status.get("conditions") or ()]
        kept["status"] = {**_only(status, ("allocatable",)), "conditions": conditions}
    elif kind == POD:
        if status.get("phase") in ("Succeeded", "Failed"):
            return None
        fields = ("apiVersion", "kind", "name", "controller")
        kept["metadata"]["ownerReferences"] = [_only(each, fields) for each in metadata.get("ownerReferences") or ()]
        kept["spec"] = _pod_spec(spec)
        kept["status"] = _only(status, ("phase",))
    elif kind in WORKLOADS:
        template = spec.get("template") or {}
        kept["spec"] = _only(spec, ("replicas",))
        labels = _only(template.get("metadata") or {}, ("labels",))
        kept["spec"]["template"] = {"metadata": labels, "spec": _pod_spec(template.get("spec") or {}, volumes=True)}
    elif kind == PRIORITY_CLASS:
        kept |= _only(obj, ("value", "globalDefault"))
    elif kind == BUDGET:
        kept["spec"], kept["status"] = _only(spec, ("selector",)), _only(status, ("disruptionsAllowed",))
    elif kind == CLAIM:
        kept["spec"] = _only(spec, ("volumeName",))
    elif kind == VOLUME:
        kept["spec"] = _only(spec, ("nodeAffinity",))
    elif kind == QUOTA:
        kept["spec"] = _only(spec, ("hard", "scopes", "scopeSelector"))
    elif kind != NAMESPACE:
        raise ValueError(f"a snapshot has no {kind}")
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **kept}


def view(objects: Iterable[Object]) -> ClusterView:
    """What the planner makes of the objects of a snapshot, or of whole ones. The order of the objects is no matter."""
    by_kind = _by_kind(objects)
    around, notes = _around(by_kind)
    stated = {Identity.of(obj): obj for kind in sorted(WORKLOADS) for obj in by_kind[kind]}
    workloads = [stated[identity] for identity in sorted(stated)]
    needs = [each for _, each in _read(workloads, lambda obj: _need(obj, around), notes)]
    there = _there(by_kind, around, {each.identity: each.identity for each in needs}, notes)
    return ClusterView(there.nodes, there.pods, tuple(needs), there.notes, around.quotas)


def seen(objects: Iterable[Object], planned: Mapping[Identity, Identity]) -> ClusterSeen:
    """The cluster that the objects are of, without needs. `planned` leads from a workload of Kubernetes to the identity
    under which it is planned: the owner of its pods."""
    by_kind = _by_kind(objects)
    around, notes = _around(by_kind)
    return _there(by_kind, around, planned, notes)


def _need(workload: Object, around: Circumstances) -> WorkloadNeed:
    spec = workload["spec"]
    replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
    return need(Identity.of(workload), replicas, spec.get("template") or {}, around)


def _there(
    by_kind: Mapping[GroupKind, list[Object]],
    around: Circumstances,
    planned: Mapping[Identity, Identity],
    notes: list[str],
) -> ClusterSeen:
    nodes = tuple(node for _, node in _read(by_kind[NODE], node_view, notes))
    pods = []
    for _, pod in _read(by_kind[POD], lambda obj: pod_view(obj, planned), notes):
        if pod is not None:
            affinities = around.reached(pod.affinities)
            pods.append(pod if affinities is pod.affinities else replace(pod, affinities=affinities))
    return ClusterSeen(nodes, tuple(pods), around, tuple(notes))


def _by_kind(objects: Iterable[Object]) -> dict[GroupKind, list[Object]]:
    by_kind: dict[GroupKind, list[Object]] = {kind: [] for kind in KINDS}
    for obj in objects:
        by_kind.setdefault(GroupVersionKind.of(obj).group_kind, []).append(obj)
    return by_kind


def _around(by_kind: Mapping[GroupKind, list[Object]]) -> tuple[Circumstances, list[str]]:
    """What bears on the workloads, and what could not be read."""
    notes: list[str] = []
    around = circumstances(
        {identity.name: value for identity, value in _read(by_kind[PRIORITY_CLASS], priority_of, notes)},
        [budget for _, budget in _read(by_kind[BUDGET], budget_of, notes)],
        {identity[2:]: volume for identity, volume in _read(by_kind[CLAIM], volume_of, notes)},
        {identity.name: zones for identity, zones in _read(by_kind[VOLUME], zones_of, notes)},
        {identity.name: labels for identity, labels in _read(by_kind[NAMESPACE], labels_of, notes)},
        [quota for _, quota in _read(by_kind[QUOTA], quota_of, notes)],
        (Identity.of(obj).namespace for obj in by_kind[POD]),
    )
    return around, notes


def _read(objects: Iterable[Object], read: Callable[[Object], T], notes: list[str]) -> Iterator[tuple[Identity, T]]:
    """What makes no sense is noted, and left out."""
    for obj in objects:
        identity = Identity.of(obj)
        try:
            _check(obj)
            found = read(obj)
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(f"{identity} is left out: {error}")
        else:
            yield identity, found


def _check(obj: Object) -> None:
    """Labels are compared and sorted long after they were read; whatever else makes no sense fails as it is read.

    Raises ValueError.
    """
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    labelled = (obj["metadata"], template.get("metadata") or {})
    selecting = (spec, template.get("spec") or {})
    for field, holders in (("labels", labelled), ("nodeSelector", selecting)):
        for found in (holder.get(field) or {} for holder in holders):
            if not (isinstance(found, dict) and all(isinstance(each, str) for pair in found.items() for each in pair)):
                raise ValueError(f"{field}: {found!r} is no map of texts")


def _pod_spec(spec: Object, *, volumes: bool = False) -> dict[str, Any]:
    kept = _only(spec, _POD_FIELDS)
    for field in _CONTAINERS:
        if spec.get(field):
            kept[field] = [_only(each, ("name", "resources", "restartPolicy")) for each in spec[field]]
    if volumes:
        claims = [_only(each, ("name", "persistentVolumeClaim")) for each in spec.get("volumes") or ()]
        if claims := [each for each in claims if "persistentVolumeClaim" in each]:
            kept["volumes"] = claims
    return kept


def _only(obj: Object, fields: Iterable[str]) -> dict[str, Any]:
    return {field: obj[field] for field in fields if obj.get(field) is not None}
