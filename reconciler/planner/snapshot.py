"""A cluster as the planner needs it, in one file: to plan offline, and to ask what would be if.

Objects of Kubernetes, cut down to what decides where something fits. No environment, no argument, no annotation and no
Secret is in it, so it can be handed around.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reconciler.kube.names import GroupKind, GroupVersionKind, Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import ZONE, NodeView, PodView
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.reading import need, node_view, pod_view

Object = Mapping[str, Any]

_NODE: Final = GroupKind("", "Node")
_POD: Final = GroupKind("", "Pod")
_PRIORITY: Final = GroupKind("scheduling.k8s.io", "PriorityClass")
_BUDGET: Final = GroupKind("policy", "PodDisruptionBudget")
_CLAIM: Final = GroupKind("", "PersistentVolumeClaim")
_VOLUME: Final = GroupKind("", "PersistentVolume")
WORKLOADS: Final = frozenset((GroupKind("apps", "Deployment"), GroupKind("apps", "StatefulSet")))
KINDS: Final = tuple(sorted({_NODE, _POD, _PRIORITY, _BUDGET, _CLAIM, _VOLUME, *WORKLOADS}))
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


def trimmed(obj: Object) -> dict[str, Any] | None:
    """What a snapshot keeps of an object of `KINDS`; None of one that says nothing: a pod that has ended."""
    kind = GroupVersionKind.of(obj).group_kind
    spec, status, metadata = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    kept: dict[str, Any] = {"metadata": _only(metadata, ("name", "namespace", "labels"))}
    if kind == _NODE:
        kept["spec"] = _only(spec, ("taints", "unschedulable"))
        conditions = [_only(each, ("type", "status")) for each in status.get("conditions") or ()]
        kept["status"] = {**_only(status, ("allocatable",)), "conditions": conditions}
    elif kind == _POD:
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
    elif kind == _PRIORITY:
        kept["value"] = obj.get("value")
    elif kind == _BUDGET:
        kept["spec"], kept["status"] = _only(spec, ("selector",)), _only(status, ("disruptionsAllowed",))
    elif kind == _CLAIM:
        kept["spec"] = _only(spec, ("volumeName",))
    elif kind == _VOLUME:
        kept["spec"] = _only(spec, ("nodeAffinity",))
    else:
        raise ValueError(f"a snapshot has no {kind}")
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **kept}


def view(objects: Iterable[Object]) -> ClusterView:
    """What the planner makes of the objects of a snapshot, or of whole ones. The order of the objects is no matter."""
    by_kind: dict[GroupKind, list[Object]] = {kind: [] for kind in KINDS}
    for obj in objects:
        by_kind.setdefault(GroupVersionKind.of(obj).group_kind, []).append(obj)
    notes: list[str] = []
    priorities = {obj["metadata"]["name"]: int(obj.get("value") or 0) for obj in by_kind[_PRIORITY]}
    zones = _zones_of_claims(by_kind[_CLAIM], by_kind[_VOLUME])
    budgets = list(_budgets(by_kind[_BUDGET], notes))
    workloads = {Identity.of(obj): obj for kind in sorted(WORKLOADS) for obj in by_kind[kind]}
    needs = []
    for identity, obj in sorted(workloads.items()):
        try:
            needs.append(_need(identity, obj["spec"], priorities, zones, budgets))
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(f"{identity} is left out: {error}")
    nodes, pods = [], []
    planned = {each.identity: each.identity for each in needs}
    for obj in by_kind[_NODE]:
        try:
            nodes.append(node_view(obj))
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(f"Node/{obj['metadata']['name']} is left out: {error}")
    for obj in by_kind[_POD]:
        try:
            if (seen := pod_view(obj, planned)) is not None:
                pods.append(seen)
        except (ValueError, TypeError, AttributeError) as error:
            notes.append(f"{Identity.of(obj)} is left out: {error}")
    return ClusterView(tuple(nodes), tuple(pods), tuple(needs), tuple(notes))


def _need(
    identity: Identity,
    spec: Object,
    priorities: Mapping[str, int],
    zones: Mapping[tuple[str, str], frozenset[str]],
    budgets: list[tuple[str, LabelSelector, int]],
) -> WorkloadNeed:
    template = spec.get("template") or {}
    replicas = spec.get("replicas")
    found = need(identity, 1 if replicas is None else int(replicas), template, priorities=priorities)
    here = [(selector, left) for space, selector, left in budgets if space == identity.namespace]
    allowed = [left for selector, left in here if selector.matches(found.labels)]
    claimed = [
        zones[identity.namespace, claim]
        for volume in (template.get("spec") or {}).get("volumes") or ()
        if (claim := (volume.get("persistentVolumeClaim") or {}).get("claimName")) is not None
        and (identity.namespace, claim) in zones
    ]
    volume_zones = frozenset.intersection(*claimed) if claimed else frozenset()
    return replace(found, disruptions=min(allowed) if allowed else None, volume_zones=volume_zones)


def _budgets(budgets: Iterable[Object], notes: list[str]) -> Iterator[tuple[str, LabelSelector, int]]:
    for obj in budgets:
        try:
            selector = LabelSelector.of((obj.get("spec") or {}).get("selector"))
        except ValueError as error:
            notes.append(f"{Identity.of(obj)} is left out: {error}")
            continue
        allowed = (obj.get("status") or {}).get("disruptionsAllowed")
        yield obj["metadata"].get("namespace", ""), selector, int(allowed or 0)


def _zones_of_claims(claims: Iterable[Object], volumes: Iterable[Object]) -> dict[tuple[str, str], frozenset[str]]:
    """Where the volumes of claims are, by namespace and claim; of those only that are bound to some zones."""
    of_volume: dict[str, frozenset[str]] = {}
    for obj in volumes:
        required = ((obj.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
        for term in required.get("nodeSelectorTerms") or ():
            for each in term.get("matchExpressions") or ():
                if each.get("key") == ZONE and each.get("operator") == "In":
                    name = obj["metadata"]["name"]
                    of_volume[name] = of_volume.get(name, frozenset()) | frozenset(each.get("values") or ())
    found = {}
    for obj in claims:
        volume = (obj.get("spec") or {}).get("volumeName")
        if volume in of_volume:
            found[obj["metadata"].get("namespace", ""), obj["metadata"]["name"]] = of_volume[volume]
    return found


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
