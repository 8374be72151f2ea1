"""Kubernetes objects → what the planner sees of them: nodes, running pods, and the needs of workloads."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.pod_requests import Amounts, amounts, requested
from reconciler.kube.selector import LabelSelector, Operator, Requirement
from reconciler.model.cluster_view import (
    HOSTNAME,
    NO_GPU,
    Effect,
    Gpu,
    NodeTerm,
    NodeView,
    PodAffinity,
    PodView,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.planning import WorkloadNeed

Object = Mapping[str, Any]

# Whole devices, as their plugins call them. Others are extended resources like any other.
_GPUS: Final = ("nvidia.com/gpu", "amd.com/gpu")
_MODEL: Final = "nvidia.com/gpu.product"
_PLAIN: Final = frozenset(("cpu", "memory", "ephemeral-storage", "pods", *_GPUS))
_ENDED: Final = frozenset(("Succeeded", "Failed"))
_HASH: Final = "pod-template-hash"
# What a kubelet's own state puts on a node: whether it is ready says the same.
_CONDITIONS: Final = frozenset(
    f"node.kubernetes.io/{name}" for name in ("not-ready", "unreachable", "unschedulable", "network-unavailable")
)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def node_view(node: Object) -> NodeView:
    """Of a Node as the API server has it. Raises ValueError for a quantity that is none."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    has = amounts(status.get("allocatable") or {})
    labels = node["metadata"].get("labels") or {}
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    return NodeView(
        name=node["metadata"]["name"],
        allocatable=_resources(has),
        labels=labels,
        taints=tuple(_taint(each) for each in spec.get("taints") or () if each.get("key") not in _CONDITIONS),
        pods=has.get("pods", 110),
        gpus=sum(has.get(name, 0) for name in _GPUS),
        gpu_model=labels.get(_MODEL, ""),
        ready=conditions.get("Ready") == "True",
        schedulable=not spec.get("unschedulable"),
    )


def pod_view(pod: Object, planned: Mapping[Identity, Identity]) -> PodView | None:
    """Of a Pod that takes room on a node; None for one that is not bound yet or has ended.

    `planned` leads from a workload of Kubernetes to the identity under which it is planned. Raises ValueError for what
    no API server hands out.
    """
    spec, metadata = pod.get("spec") or {}, pod["metadata"]
    node = spec.get("nodeName")
    if not node or (pod.get("status") or {}).get("phase") in _ENDED:
        return None
    asked = requested(spec)
    owner = workload_of(pod)
    affinities = tuple(_pod_affinities(spec))
    return PodView(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        node=node,
        requests=_resources(asked),
        owner=planned.get(owner) if owner is not None else None,
        labels=metadata.get("labels") or {},
        gpu=_gpu(asked, spec),
        affinities=affinities,
    )


def workload_of(pod: Object) -> Identity | None:
    """The workload that a pod is a replica of: its controller, or the Deployment behind its ReplicaSet."""
    metadata = pod["metadata"]
    for reference in metadata.get("ownerReferences") or ():
        if not reference.get("controller"):
            continue
        gvk = GroupVersionKind.parse(reference.get("apiVersion", ""), reference.get("kind", ""))
        name = reference.get("name", "")
        suffix = f"-{(metadata.get('labels') or {}).get(_HASH, '')}"
        if (gvk.group, gvk.kind) == ("apps", "ReplicaSet") and len(suffix) > 1 and name.endswith(suffix):
            return Identity("apps", "Deployment", metadata.get("namespace", ""), name.removesuffix(suffix))
        return Identity(gvk.group, gvk.kind, metadata.get("namespace", ""), name)
    return None


def need(identity: Identity, replicas: int, template: Object, *, priorities: Mapping[str, int]) -> WorkloadNeed:
    """What `replicas` pods of `template` (its metadata and spec) need. `priorities` are those of PriorityClasses.

    Raises ValueError for a quantity or selector that an API server would refuse.
    """
    spec = template.get("spec") or {}
    asked = requested(spec)
    terms, preferred = _node_affinity(spec)
    return WorkloadNeed(
        identity=identity,
        replicas=replicas,
        requests=_resources(asked),
        gpu=_gpu(asked, spec),
        labels=(template.get("metadata") or {}).get("labels") or {},
        node_selector=spec.get("nodeSelector") or {},
        node_affinity=terms,
        preferred=preferred,
        tolerations=tuple(_toleration(each) for each in spec.get("tolerations") or ()),
        affinities=tuple(_pod_affinities(spec)),
        spreads=tuple(_spreads(spec)),
        priority=priorities.get(spec.get("priorityClassName", ""), 0),
    )


def _resources(found: Amounts) -> Resources:
    extended = sorted((name, value) for name, value in found.items() if name not in _PLAIN and value)
    return Resources(found.get("cpu", 0), found.get("memory", 0), found.get("ephemeral-storage", 0), tuple(extended))


def _gpu(asked: Amounts, spec: Object) -> Gpu:
    count = sum(asked.get(name, 0) for name in _GPUS)
    if not count:
        return NO_GPU
    model = (spec.get("nodeSelector") or {}).get(_MODEL)
    return Gpu(count, models=frozenset((model,)) if model else frozenset())


def _taint(taint: Object) -> Taint:
    return Taint(taint.get("key", ""), taint.get("value") or "", Effect(taint["effect"]))


def _toleration(toleration: Object) -> Toleration:
    effect = toleration.get("effect")
    return Toleration(
        toleration.get("key") or "",
        toleration.get("value") or "",
        toleration.get("operator") == "Exists",
        Effect(effect) if effect else None,
    )


def _node_affinity(spec: Object) -> tuple[tuple[NodeTerm, ...], tuple[tuple[int, NodeTerm], ...]]:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = tuple(_node_term(term) for term in (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ())
    preferred = tuple(
        (int(each.get("weight") or 1), _node_term(each.get("preference") or {}))
        for each in affinity.get(_PREFERRED) or ()
    )
    return required, preferred


def _node_term(term: Object) -> NodeTerm:
    """A condition on a node's name (`matchFields`) is read as one on its hostname label: nearly always the same."""
    expressions = [
        *(term.get("matchExpressions") or ()),
        *({**field, "key": HOSTNAME} for field in term.get("matchFields") or ()),
    ]
    return tuple(
        Requirement(each.get("key", ""), Operator(each.get("operator")), frozenset(each.get("values") or ()))
        for each in expressions
    )


def _pod_affinities(spec: Object) -> Iterator[PodAffinity]:
    affinity = spec.get("affinity") or {}
    for kind, anti in (("podAffinity", False), ("podAntiAffinity", True)):
        stated = affinity.get(kind) or {}
        for term in stated.get(_REQUIRED) or ():
            yield _pod_affinity(term, anti=anti, required=True, weight=1)
        for each in stated.get(_PREFERRED) or ():
            weight = int(each.get("weight") or 1)
            yield _pod_affinity(each.get("podAffinityTerm") or {}, anti=anti, required=False, weight=weight)


def _pod_affinity(term: Object, *, anti: bool, required: bool, weight: int) -> PodAffinity:
    selector = LabelSelector.of(term.get("labelSelector"))
    return PodAffinity(term.get("topologyKey", ""), selector, anti=anti, required=required, weight=weight)


def _spreads(spec: Object) -> Iterator[TopologySpread]:
    for each in spec.get("topologySpreadConstraints") or ():
        yield TopologySpread(
            each.get("topologyKey", ""),
            int(each.get("maxSkew") or 1),
            LabelSelector.of(each.get("labelSelector")),
            hard=each.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        )
