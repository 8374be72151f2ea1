"""What the API serves: resources, their names, verbs and subresources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciler.kube.names import GroupKind, GroupVersionKind


class Subresource(NamedTuple):
    """A part of a resource with a path of its own. Its kind may be of another group: `scale` is autoscaling/v1."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object as the API serves it. `version` is the preferred one, `versions` all, the preferred first."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    subresources: Mapping[str, Subresource] = field(hash=False)
    verbs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.group, self.version, self.kind)

    @property
    def api_version(self) -> str:
        return self.gvk.api_version

    def path(self, namespace: str = "", name: str = "", subresource: str = "", *, version: str = "") -> str:
        """The path of the collection, or of one object or one of its subresources."""
        version = version or self.version
        parts = ["/apis", self.group, version] if self.group else ["/api", version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then anything else by name."""
    rest = version[1:]
    for order, stage in enumerate(("", "beta", "alpha")):
        major, found, minor = rest.partition(stage) if stage else (rest, "", "0")
        if version[:1] == "v" and major.isdigit() and minor.isdigit() and (found or not stage):
            return (order, -int(major), -int(minor), version)
    return (3, 0, 0, version)


SHORT_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "APIService": (),
    "CertificateSigningRequest": ("csr",),
    "ComponentStatus": ("cs",),
    "ConfigMap": ("cm",),
    "CronJob": ("cj",),
    "CustomResourceDefinition": ("crd", "crds"),
    "DaemonSet": ("ds",),
    "Deployment": ("deploy",),
    "Endpoints": ("ep",),
    "Event": ("ev",),
    "HorizontalPodAutoscaler": ("hpa",),
    "IPAddress": ("ip",),
    "Ingress": ("ing",),
    "LimitRange": ("limits",),
    "Namespace": ("ns",),
    "NetworkPolicy": ("netpol",),
    "Node": ("no",),
    "PersistentVolume": ("pv",),
    "PersistentVolumeClaim": ("pvc",),
    "Pod": ("po",),
    "PodDisruptionBudget": ("pdb",),
    "PriorityClass": ("pc",),
    "ReplicaSet": ("rs",),
    "ReplicationController": ("rc",),
    "ResourceQuota": ("quota",),
    "Service": ("svc",),
    "ServiceAccount": ("sa",),
    "StatefulSet": ("sts",),
    "StorageClass": ("sc",),
    "VolumeAttributesClass": ("vac",),
}
"""OpenAPI does not carry short names and categories. These are what `kubectl api-resources` shows."""

_EXTENSIONS: Final = ("api-extensions",)
CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "APIService": _EXTENSIONS,
    "CustomResourceDefinition": _EXTENSIONS,
    "MutatingAdmissionPolicy": _EXTENSIONS,
    "MutatingAdmissionPolicyBinding": _EXTENSIONS,
    "MutatingWebhookConfiguration": _EXTENSIONS,
    "ValidatingAdmissionPolicy": _EXTENSIONS,
    "ValidatingAdmissionPolicyBinding": _EXTENSIONS,
    "ValidatingWebhookConfiguration": _EXTENSIONS,
    **dict.fromkeys(
        (
            "CronJob",
            "DaemonSet",
            "Deployment",
            "HorizontalPodAutoscaler",
            "Job",
            "Pod",
            "ReplicaSet",
            "ReplicationController",
            "Service",
            "StatefulSet",
        ),
        ("all",),
    ),
}
