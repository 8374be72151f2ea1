"""A Deployment whose roll-out had finished and whose pods are not there any more.

Kubernetes has two conditions. `Progressing` stays true with the reason NewReplicaSetAvailable once a roll-out is
complete, "even when availability of replicas changes (which does instead affect the Available condition)", as its
documentation says; `Available` is false while more replicas are missing than the strategy's maxUnavailable. That alone
is no outage: a Deployment that is scaled up looks the same until its new pods are ready. So time decides: a minute
where no replica is left, and `progressDeadlineSeconds`, which is how long its pods may take to come, where some are.
"""

from datetime import datetime, timedelta
from typing import Final

from reconciler.cluster.health.conditions import Object, conditions, count, spec, status
from reconciler.model.health import Health, Status

_NONE_LEFT: Final = timedelta(minutes=1)
_SOME_LEFT: Final = 600  # seconds: Kubernetes' default for progressDeadlineSeconds


def outage_at(deployment: Object) -> datetime | None:
    """When what is missing becomes an outage, if nothing comes; None where nothing points to one."""
    known = conditions(deployment)
    available, progressing = known.get("Available"), known.get("Progressing")
    if available is None or available.status != "False" or progressing is None:
        return None
    if progressing.reason != "NewReplicaSetAvailable":
        return None
    try:
        since = datetime.fromisoformat(available.since)
    except ValueError:
        return None
    if since.tzinfo is None:
        return None
    some = timedelta(seconds=count(spec(deployment), "progressDeadlineSeconds", _SOME_LEFT))
    return since + (some if count(status(deployment), "availableReplicas") else min(some, _NONE_LEFT))


def outage(deployment: Object) -> Health:
    """What is said of one."""
    left = count(status(deployment), "availableReplicas")
    wanted = count(spec(deployment), "replicas", 1)
    why = conditions(deployment)["Available"].text().rstrip(".")
    return Health(Status.DEGRADED, f"{left} of {wanted} replicas ready long after the roll-out had finished: {why}")
