"""apps/v1 DaemonSet."""

from reconciler.cluster.health.conditions import Object, count, spec, status, unseen
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when every node that is to have a pod has an available one, of the new template unless OnDelete."""
    if found := unseen(obj):
        return found
    now = status(obj)
    wanted = count(now, "desiredNumberScheduled")
    rolling = (spec(obj).get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolling and (updated := count(now, "updatedNumberScheduled")) < wanted:
        return Health(Status.PROGRESSING, f"{updated} of {wanted} nodes updated")
    if (available := count(now, "numberAvailable")) < wanted:
        return Health(Status.PROGRESSING, f"ready on {available} of {wanted} nodes")
    return Health(Status.HEALTHY, f"ready on {wanted} of {wanted} nodes" if wanted else "no node is to have a pod")
