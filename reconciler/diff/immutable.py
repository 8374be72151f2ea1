"""Fields that Kubernetes refuses to change (rule 8), so that a plan says so and not only the server.

From the update validation of Kubernetes 1.36 (pkg/apis/*/validation). What is not listed is left to the server.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.diff.fields import Difference, Kind
from reconciler.diff.paths import Path
from reconciler.kube import quantity
from reconciler.kube.names import GroupKind

Object = Mapping[str, Any]
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """Dotted paths without list items: what is `frozen`, apart from what is `free` within it.

    `judge` has the last word on a field that is frozen by the table: given the difference and the live object, whether
    it really is.
    """

    frozen: tuple[str, ...]
    free: tuple[str, ...] = ()
    judge: Callable[[Difference, Object], bool] = lambda _difference, _live: True

    def holds(self, difference: Difference, live: Object) -> bool:
        names = tuple(part[2:] for part in difference.path if part.startswith("f:"))
        return _covers(self.frozen, names) and not _covers(self.free, names) and self.judge(difference, live)


def immutable(kind: GroupKind, differences: Iterable[Difference], live: Object) -> list[Path]:
    """The paths among `differences` that the server would refuse to change in the object `live`."""
    rule = _RULES.get(kind)
    if rule is None:
        return []
    return [
        difference.path
        for difference in differences
        if difference.kind in (Kind.CHANGED, Kind.REMOVED) and rule.holds(difference, live)
    ]


def _covers(prefixes: Iterable[str], names: Names) -> bool:
    return any(names[: len(prefix)] == prefix for prefix in (tuple(text.split(".")) for text in prefixes))


def _spec(live: Object) -> Object:
    spec: Object = live.get("spec") or {}
    return spec


def _sealed(difference: Difference, live: Object) -> bool:
    """A ConfigMap or Secret is frozen once it says so; a Secret's type always is."""
    return live.get("immutable") is True or difference.path == ("f:type",)


def _job(difference: Difference, live: Object) -> bool:
    """Indexed Jobs can change their completions, suspended ones parts of their template."""
    spec = _spec(live)
    if difference.path == ("f:spec", "f:completions"):
        return spec.get("completionMode") != "Indexed"
    return not (difference.path[:2] == ("f:spec", "f:template") and spec.get("suspend"))


def _service(difference: Difference, live: Object) -> bool:
    """A second address or family can be added or dropped; what is left out, the server fills in as it was."""
    spec = _spec(live)
    if difference.kind is Kind.REMOVED or not difference.before or spec.get("type") == "ExternalName":
        return False
    before, after = difference.before, difference.after
    if isinstance(before, list) and isinstance(after, list):
        return before[:1] != after[:1] and not (difference.path[-1] == "f:ipFamilies" and _headless(spec))
    if difference.path[-1] == "f:loadBalancerClass":
        return spec.get("type") == "LoadBalancer"
    return True


def _headless(spec: Object) -> bool:
    return spec.get("clusterIP") == "None"


def _claim(difference: Difference, live: Object) -> bool:
    """A bound claim can grow, not shrink; one that is not bound yet gets its volume and its class."""
    if difference.path == ("f:spec", "f:resources", "f:requests", "f:storage"):
        bound = (live.get("status") or {}).get("phase") == "Bound"
        try:
            return not bound or quantity.parse(difference.after) < quantity.parse(difference.before)
        except (TypeError, ValueError):
            return False  # the server words this better
    return not (difference.path == ("f:spec", "f:volumeName") and not _spec(live).get("volumeName"))


_STATEFUL_SET_FREE: Final = (
    "spec.replicas",
    "spec.ordinals",
    "spec.template",
    "spec.updateStrategy",
    "spec.revisionHistoryLimit",
    "spec.persistentVolumeClaimRetentionPolicy",
    "spec.minReadySeconds",
)
_VOLUME_FREE: Final = (
    "spec.accessModes",
    "spec.capacity",
    "spec.claimRef",
    "spec.mountOptions",
    "spec.nodeAffinity",
    "spec.persistentVolumeReclaimPolicy",
    "spec.storageClassName",
    "spec.volumeAttributesClassName",
)
_POD_FREE: Final = (
    "spec.activeDeadlineSeconds",
    "spec.containers.image",
    "spec.initContainers.image",
    "spec.schedulingGates",
    "spec.terminationGracePeriodSeconds",
    "spec.tolerations",
)
_JOB_FROZEN: Final = (
    "spec.backoffLimitPerIndex",
    "spec.completionMode",
    "spec.completions",
    "spec.managedBy",
    "spec.podFailurePolicy",
    "spec.selector",
    "spec.successPolicy",
    "spec.template",
)
_SERVICE_FROZEN: Final = (
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.healthCheckNodePort",
    "spec.ipFamilies",
    "spec.loadBalancerClass",
)
_SELECTOR: Final = _Rule(("spec.selector",))

_RULES: Final[Mapping[GroupKind, _Rule]] = {
    GroupKind("", "ConfigMap"): _Rule(("data", "binaryData", "immutable"), judge=_sealed),
    GroupKind("", "PersistentVolume"): _Rule(("spec",), _VOLUME_FREE),
    GroupKind("", "PersistentVolumeClaim"): _Rule(("spec",), ("spec.volumeAttributesClassName",), _claim),
    GroupKind("", "Pod"): _Rule(("spec",), _POD_FREE),
    GroupKind("", "ResourceQuota"): _Rule(("spec.scopes",)),
    GroupKind("", "Secret"): _Rule(("data", "immutable", "type"), judge=_sealed),
    GroupKind("", "Service"): _Rule(_SERVICE_FROZEN, judge=_service),
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): _Rule(
        ("spec.group", "spec.scope", "spec.names.kind", "spec.names.plural")
    ),
    GroupKind("apps", "ControllerRevision"): _Rule(("data",)),
    GroupKind("apps", "DaemonSet"): _SELECTOR,
    GroupKind("apps", "Deployment"): _SELECTOR,
    GroupKind("apps", "ReplicaSet"): _SELECTOR,
    GroupKind("apps", "StatefulSet"): _Rule(("spec",), _STATEFUL_SET_FREE),
    GroupKind("batch", "Job"): _Rule(_JOB_FROZEN, judge=_job),
    GroupKind("certificates.k8s.io", "CertificateSigningRequest"): _Rule(("spec",)),
    GroupKind("discovery.k8s.io", "EndpointSlice"): _Rule(("addressType",)),
    GroupKind("networking.k8s.io", "IPAddress"): _Rule(("spec.parentRef",)),
    GroupKind("networking.k8s.io", "IngressClass"): _Rule(("spec.controller",)),
    GroupKind("node.k8s.io", "RuntimeClass"): _Rule(("handler",)),
    GroupKind("rbac.authorization.k8s.io", "ClusterRoleBinding"): _Rule(("roleRef",)),
    GroupKind("rbac.authorization.k8s.io", "RoleBinding"): _Rule(("roleRef",)),
    GroupKind("resource.k8s.io", "ResourceClaim"): _Rule(("spec",)),
    GroupKind("resource.k8s.io", "ResourceClaimTemplate"): _Rule(("spec",)),
    GroupKind("scheduling.k8s.io", "PriorityClass"): _Rule(("value", "preemptionPolicy")),
    GroupKind("storage.k8s.io", "CSIDriver"): _Rule(("spec.attachRequired", "spec.volumeLifecycleModes")),
    GroupKind("storage.k8s.io", "StorageClass"): _Rule(
        ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
    ),
    GroupKind("storage.k8s.io", "VolumeAttachment"): _Rule(("spec",)),
}
