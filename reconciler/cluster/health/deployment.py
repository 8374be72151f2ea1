"""apps/v1 Deployment."""

from reconciler.cluster.health.conditions import Object, conditions, count, spec, status, unseen
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when every replica is of the new template and available, and no old one is left.

    What `kubectl rollout status` waits for, as the Kubernetes documentation words it under "complete Deployment".
    """
    if found := unseen(obj):
        return found
    known = conditions(obj)
    progressing = known.get("Progressing")
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        return Health(Status.DEGRADED, progressing.text())
    if spec(obj).get("paused"):
        return Health(Status.SUSPENDED, "paused")
    wanted = count(spec(obj), "replicas", 1)
    there, updated, available = (count(status(obj), f) for f in ("replicas", "updatedReplicas", "availableReplicas"))
    if updated < wanted:
        failure = known.get("ReplicaFailure")
        why = f": {failure.text()}" if failure and failure.status == "True" else ""
        return Health(Status.PROGRESSING, f"{updated} of {wanted} replicas updated{why}")
    if there > updated:
        return Health(Status.PROGRESSING, f"{there - updated} old replicas are still running")
    if available < wanted:
        return Health(Status.PROGRESSING, f"{available} of {wanted} replicas ready")
    return Health(Status.HEALTHY, f"{wanted} of {wanted} replicas ready" if wanted else "scaled to 0")
