"""Which rules say whether an object is healthy."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from reconciler.cluster.health import (
    cronjob,
    customresourcedefinition,
    daemonset,
    deployment,
    generic,
    ingress,
    job,
    namespace,
    persistentvolumeclaim,
    pod,
    service,
    statefulset,
)
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.model.health import Health, Status

_RULES: Final[Mapping[GroupKind, Callable[[Mapping[str, Any]], Health]]] = {
    GroupKind("", "Namespace"): namespace.assess,
    GroupKind("", "PersistentVolumeClaim"): persistentvolumeclaim.assess,
    GroupKind("", "Pod"): pod.assess,
    GroupKind("", "Service"): service.assess,
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): customresourcedefinition.assess,
    GroupKind("apps", "DaemonSet"): daemonset.assess,
    GroupKind("apps", "Deployment"): deployment.assess,
    GroupKind("apps", "StatefulSet"): statefulset.assess,
    GroupKind("batch", "CronJob"): cronjob.assess,
    GroupKind("batch", "Job"): job.assess,
    GroupKind("networking.k8s.io", "Ingress"): ingress.assess,
}


def assess(obj: Mapping[str, Any]) -> Health:
    """The health of a whole live object. Never raises for an object that an API server would hand out.

    An object whose controller has not seen its last change is progressing, whatever its status says of the one before.
    """
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return Health(Status.PROGRESSING, "being deleted")
    return _RULES.get(GroupVersionKind.of(obj).group_kind, generic.assess)(obj)
