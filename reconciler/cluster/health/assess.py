"""Which rules say whether an object is healthy."""

from collections.abc import Callable, Mapping
from datetime import datetime
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
    outage,
    persistentvolumeclaim,
    pod,
    service,
    statefulset,
)
from reconciler.kube.kinds import (
    CLAIM,
    CRON_JOB,
    DAEMON_SET,
    DEFINITION,
    DEPLOYMENT,
    INGRESS,
    JOB,
    NAMESPACE,
    POD,
    SERVICE,
    STATEFUL_SET,
)
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.model.health import Health, Status

_RULES: Final[Mapping[GroupKind, Callable[[Mapping[str, Any]], Health]]] = {
    NAMESPACE: namespace.assess,
    CLAIM: persistentvolumeclaim.assess,
    POD: pod.assess,
    SERVICE: service.assess,
    DEFINITION: customresourcedefinition.assess,
    DAEMON_SET: daemonset.assess,
    DEPLOYMENT: deployment.assess,
    STATEFUL_SET: statefulset.assess,
    CRON_JOB: cronjob.assess,
    JOB: job.assess,
    INGRESS: ingress.assess,
}


def assess(obj: Mapping[str, Any], now: datetime | None = None) -> Health:
    """The health of a whole live object. Never raises for an object that an API server would hand out.

    An object whose controller has not seen its last change is progressing, whatever its status says of the one before.
    Without `now`, as for those who wait, what is missing may yet come, however long it has been missing.
    """
    health = _assess(obj)
    if now is not None and (due := degrades_at(obj, health)) is not None and now >= due:
        return outage.outage(obj)
    return health


def degrades_at(obj: Mapping[str, Any], health: Health) -> datetime | None:
    """When an object whose `health` was assessed without the time will have been missing something for too long."""
    if health.status is not Status.PROGRESSING or GroupVersionKind.of(obj).group_kind != DEPLOYMENT:
        return None
    return outage.outage_at(obj)


def _assess(obj: Mapping[str, Any]) -> Health:
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return Health(Status.PROGRESSING, "being deleted")
    return _RULES.get(GroupVersionKind.of(obj).group_kind, generic.assess)(obj)
