"""Kubernetes objects → what the planner sees of them: nodes, running pods, the needs of workloads, what bears on these.

Here, and not in the planner's room, because what follows a cluster reads objects too.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.kube.affinity import PREFERRED, REQUIRED
from reconciler.kube.kinds import DAEMON_SET, REPLICA_SET
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.pod_requests import Amounts, amount, amounts, requested
from reconciler.kube.selector import LabelSelector, Operator, Requirement
from reconciler.model.cluster_view import (
    GPU,
    HOSTNAME,
    NAMESPACE_NAME,
    NO_GPU,
    ZONE,
    Budget,
    Circumstances,
    Effect,
    Gpu,
    NodeTerm,
    NodeView,
    PodAffinity,
    PodView,
    Quota,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.planning import WorkloadNeed
from reconciler.model.usage import Killed

Object = Mapping[str, Any]


_MODEL: Final = "nvidia.com/gpu.product"
_PLAIN: Final = frozenset(("cpu", "memory", "ephemeral-storage", "pods", GPU))
_ENDED: Final = frozenset(("Succeeded", "Failed"))
_HASH: Final = "pod-template-hash"
# What a kubelet's own state puts on a node: whether it is ready says the same.
_CONDITIONS: Final = frozenset(f"node.kubernetes.io/{name}" for name in ("not-ready", "unreachable", "unschedulable"))
# The zone of a node by the drivers of volumes, who call it as Kubernetes does, and older ones.
_ZONES: Final = frozenset(
    (
        ZONE,
        "failure-domain.beta.kubernetes.io/zone",
        "topology.ebs.csi.aws.com/zone",
        "topology.gke.io/zone",
        "topology.disk.csi.azure.com/zone",
    )
)
_CONTAINERS: Final = (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses"))


def node_view(node: Object) -> NodeView:
    """Of a Node as the API server has it. Raises ValueError for a quantity that is none."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    has = amounts(status.get("allocatable") or {})
    labels = node["metadata"].get("labels") or {}
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions") or ()}
    return NodeView(
        name=node["metadata"]["name"],
        allocatable=resources_of(has),
        labels=labels,
        taints=tuple(_taint(each) for each in spec.get("taints") or () if each.get("key") not in _CONDITIONS),
        pods=has.get("pods", 110),
        gpus=has.get(GPU, 0),
        gpu_model=labels.get(_MODEL, ""),
        ready=conditions.get("Ready") == "True",
        schedulable=not spec.get("unschedulable"),
    )


def pod_view(pod: Object, planned: Mapping[Identity, Identity]) -> PodView | None:
    """Of a Pod that takes room on a node; None for one that is not bound yet or has ended. Which namespaces its
    affinities reach is left open.

    `planned` leads from a workload of Kubernetes to the identity under which it is planned. Raises ValueError for what
    no API server hands out.
    """
    spec, metadata = pod.get("spec") or {}, pod["metadata"]
    node = spec.get("nodeName")
    if not node or (pod.get("status") or {}).get("phase") in _ENDED:
        return None
    asked = requested(spec)
    owner = workload_of(pod)
    affinities = tuple(_pod_affinities(spec, metadata.get("labels") or {}))
    return PodView(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        node=node,
        requests=resources_of(asked),
        owner=planned.get(owner) if owner is not None else None,
        labels=metadata.get("labels") or {},
        gpu=_gpu(asked, spec),
        affinities=affinities,
        daemon=owner is not None and owner.group_kind == DAEMON_SET,
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
        if gvk.group_kind == REPLICA_SET and len(suffix) > 1 and name.endswith(suffix):
            return Identity("apps", "Deployment", metadata.get("namespace", ""), name.removesuffix(suffix))
        return Identity(gvk.group, gvk.kind, metadata.get("namespace", ""), name)
    return None


def ready_since(pod: Object) -> datetime | None:
    """Since when a pod is ready; None where it is not, or does not say."""
    for each in (pod.get("status") or {}).get("conditions") or ():
        if each.get("type") == "Ready" and each.get("status") == "True" and each.get("lastTransitionTime"):
            return datetime.fromisoformat(each["lastTransitionTime"])
    return None


def killed_of(pod: Object) -> tuple[Killed, ...]:
    """Which containers of a pod were killed for want of memory, each the last time. What they had is their limit, else
    their request: without either it cannot be told, and they are left out."""
    workload = workload_of(pod)
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    found = []
    for containers, statuses in _CONTAINERS:
        has = {each.get("name"): each.get("resources") or {} for each in spec.get(containers) or ()}
        for each in status.get(statuses) or ():
            for state in (each.get("lastState") or {}, each.get("state") or {}):
                ended = state.get("terminated") or {}
                if workload is None or ended.get("reason") != "OOMKilled" or not ended.get("finishedAt"):
                    continue
                name = each.get("name", "")
                stated = has.get(name, {})
                memory = {**(stated.get("requests") or {}), **(stated.get("limits") or {})}.get("memory")
                if memory is not None:
                    when = datetime.fromisoformat(ended["finishedAt"])
                    found.append(Killed(workload, name, float(amount("memory", memory)), when))
    return tuple(found)


def need(identity: Identity, replicas: int, template: Object, around: Circumstances) -> WorkloadNeed:
    """What `replicas` pods of `template` (its metadata and spec) need in the namespace of `identity`.

    Raises ValueError for a quantity or selector that an API server would refuse.
    """
    spec = template.get("spec") or {}
    asked = requested(spec)
    terms, preferred = _node_affinity(spec)
    labels = (template.get("metadata") or {}).get("labels") or {}
    claims = ((each.get("persistentVolumeClaim") or {}).get("claimName") for each in spec.get("volumes") or ())
    return WorkloadNeed(
        identity=identity,
        replicas=replicas,
        requests=resources_of(asked),
        gpu=_gpu(asked, spec),
        labels=labels,
        volume_zones=around.volume_zones(identity.namespace, claims),
        node_selector=spec.get("nodeSelector") or {},
        node_affinity=terms,
        preferred=preferred,
        tolerations=tuple(_toleration(each) for each in spec.get("tolerations") or ()),
        affinities=around.reached(tuple(_pod_affinities(spec, labels))),
        spreads=tuple(_spreads(spec, labels)),
        priority=around.priorities.get(spec.get("priorityClassName") or "", 0),
        disruptions=around.disruptions(identity.namespace, labels),
    )


def priority_of(obj: Object) -> tuple[int, bool]:
    """Of a PriorityClass: its value, and whether pods have it that name no class."""
    return int(obj.get("value") or 0), obj.get("globalDefault") is True


def budget_of(obj: Object) -> Budget:
    """Of a PodDisruptionBudget. Raises ValueError for a selector that is none."""
    selector = LabelSelector.of((obj.get("spec") or {}).get("selector"))
    allowed = (obj.get("status") or {}).get("disruptionsAllowed")
    return Budget(obj["metadata"].get("namespace", ""), selector, int(allowed or 0))


def volume_of(claim: Object) -> str:
    """The PersistentVolume that a claim is bound to, "" where it is not."""
    return (claim.get("spec") or {}).get("volumeName") or ""


def zones_of(volume: Object) -> frozenset[str]:
    """The zones that a PersistentVolume can be reached from; empty where it says nothing of zones."""
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
    return frozenset(
        value
        for term in required.get("nodeSelectorTerms") or ()
        for each in term.get("matchExpressions") or ()
        if each.get("key") in _ZONES and each.get("operator") == "In"
        for value in each.get("values") or ()
    )


def labels_of(namespace: Object) -> dict[str, str]:
    """Of a Namespace."""
    return {str(name): str(value) for name, value in (namespace["metadata"].get("labels") or {}).items()}


def quota_of(obj: Object) -> Quota:
    """Of a ResourceQuota. One with scopes bounds nothing here: it is about some of the pods only, and which those are
    is not looked at. Raises ValueError for a quantity that is none."""
    spec = obj.get("spec") or {}
    scoped = spec.get("scopes") or spec.get("scopeSelector")
    hard: Amounts = {}
    for name, quantity in ({} if scoped else spec.get("hard") or {}).items():
        if bounded := _bounded(name):
            bound = amount(bounded, quantity)
            hard[bounded] = min(bound, hard.get(bounded, bound))
    return Quota(obj["metadata"].get("namespace", ""), obj["metadata"]["name"], tuple(sorted(hard.items())))


def _bounded(name: str) -> str:
    """The resource that pods request, of a name in a quota; "" for anything else, such as what they are limited to."""
    if name == "count/pods":  # counts those that have ended too, so that no more others may be there
        return "pods"
    requested_as = name.removeprefix("requests.")
    extended = name != requested_as and "/" in requested_as
    return requested_as if requested_as in _PLAIN or requested_as.startswith("hugepages-") or extended else ""


def circumstances(
    priorities: Mapping[str, tuple[int, bool]],
    budgets: Iterable[Budget],
    claims: Mapping[tuple[str, str], str],
    volumes: Mapping[str, frozenset[str]],
    namespaces: Mapping[str, Mapping[str, str]],
    quotas: Iterable[Quota],
    occupied: Iterable[str],
) -> Circumstances:
    """From what was read of PriorityClasses, volumes and namespaces (by name), and of claims (by namespace and name).
    Where no namespaces could be read, no more is known of the `occupied` ones than their names."""
    values = {name: value for name, (value, _) in priorities.items()}
    # Where several are the default, Kubernetes takes the lowest.
    defaults = [value for value, default in priorities.values() if default]
    return Circumstances(
        {**values, "": min(defaults)} if defaults else values,
        tuple(budgets),
        {claim: zones for claim, volume in claims.items() if (zones := volumes.get(volume))},
        namespaces or {name: {NAMESPACE_NAME: name} for name in sorted(set(occupied))},
        tuple(quota for quota in quotas if quota.hard),
    )


def resources_of(found: Amounts) -> Resources:
    """Amounts by resource name; pods and GPUs are left out, which are counted elsewhere."""
    extended = sorted((name, value) for name, value in found.items() if name not in _PLAIN and value)
    return Resources(found.get("cpu", 0), found.get("memory", 0), found.get("ephemeral-storage", 0), tuple(extended))


def _gpu(asked: Amounts, spec: Object) -> Gpu:
    count = asked.get(GPU, 0)
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
    terms = (affinity.get(REQUIRED) or {}).get("nodeSelectorTerms") or ()
    required = tuple(_node_term(term) or _NO_NODE for term in terms)
    preferred = tuple(
        (int(each.get("weight") or 1), _node_term(each.get("preference") or {}))
        for each in affinity.get(PREFERRED) or ()
    )
    return required, preferred


# Of what is required, a term that states nothing matches nothing; of what is preferred it matches all.
_NO_NODE: Final[NodeTerm] = (Requirement("", Operator.IN),)


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


def _pod_affinities(spec: Object, labels: Mapping[str, str]) -> Iterator[PodAffinity]:
    affinity = spec.get("affinity") or {}
    for kind, anti in (("podAffinity", False), ("podAntiAffinity", True)):
        stated = affinity.get(kind) or {}
        for term in stated.get(REQUIRED) or ():
            yield _pod_affinity(term, labels, anti=anti, required=True, weight=1)
        for each in stated.get(PREFERRED) or ():
            weight = int(each.get("weight") or 1)
            yield _pod_affinity(each.get("podAffinityTerm") or {}, labels, anti=anti, required=False, weight=weight)


def _pod_affinity(term: Object, labels: Mapping[str, str], *, anti: bool, required: bool, weight: int) -> PodAffinity:
    among = term.get("namespaceSelector")
    return PodAffinity(
        term.get("topologyKey", ""),
        _alike(term, labels),
        anti=anti,
        required=required,
        weight=weight,
        namespaces=frozenset(term.get("namespaces") or ()) or None,
        among=None if among is None else LabelSelector.of(among),
    )


def _spreads(spec: Object, labels: Mapping[str, str]) -> Iterator[TopologySpread]:
    for each in spec.get("topologySpreadConstraints") or ():
        yield TopologySpread(
            each.get("topologyKey", ""),
            int(each.get("maxSkew") or 1),
            _alike(each, labels),
            hard=each.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
            least_domains=int(each.get("minDomains") or 1),
            honors_affinity=each.get("nodeAffinityPolicy") != "Ignore",
            honors_taints=each.get("nodeTaintsPolicy") == "Honor",
        )


def _alike(rule: Object, labels: Mapping[str, str]) -> LabelSelector:
    """The selector of a rule among pods, of a pod with these labels. Of `matchLabelKeys` and `mismatchLabelKeys` those
    count that it has: of a template the hash of its ReplicaSet is not known yet."""
    selector = LabelSelector.of(rule.get("labelSelector"))
    alike = tuple(
        Requirement(key, operator, frozenset((labels[key],)))
        for field, operator in (("matchLabelKeys", Operator.IN), ("mismatchLabelKeys", Operator.NOT_IN))
        for key in rule.get(field) or ()
        if key in labels
    )
    return selector._replace(requirements=(*selector.requirements, *alike))
