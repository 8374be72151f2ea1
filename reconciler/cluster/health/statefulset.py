"""apps/v1 StatefulSet."""

from reconciler.cluster.health.conditions import Object, count, spec, status, unseen
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when all replicas are ready and those that are to be updated are.

    Replicas below `partition` stay old on purpose; with OnDelete all do until somebody deletes them.
    """
    if found := unseen(obj):
        return found
    wanted = count(spec(obj), "replicas", 1)
    now = status(obj)
    ready = min(count(now, "readyReplicas"), count(now, "availableReplicas", wanted))
    if ready < wanted:
        return Health(Status.PROGRESSING, f"{ready} of {wanted} replicas ready")
    if count(now, "replicas") > wanted:
        return Health(Status.PROGRESSING, f"{count(now, 'replicas') - wanted} replicas have yet to go")
    strategy = spec(obj).get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") == "RollingUpdate":
        partition = count(strategy.get("rollingUpdate") or {}, "partition")
        due = max(0, wanted - partition)
        behind = now.get("updateRevision") != now.get("currentRevision")
        if behind and (not partition or count(now, "updatedReplicas") < due):
            return Health(Status.PROGRESSING, f"{min(count(now, 'updatedReplicas'), due)} of {due} replicas updated")
    return Health(Status.HEALTHY, f"{wanted} of {wanted} replicas ready" if wanted else "scaled to 0")
