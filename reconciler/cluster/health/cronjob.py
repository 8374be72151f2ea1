"""batch/v1 CronJob."""

from reconciler.cluster.health.conditions import Object, spec, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """A schedule works as soon as it is there. What became of a run is the Job's health."""
    if spec(obj).get("suspend"):
        return Health(Status.SUSPENDED, "suspended")
    last = status(obj).get("lastScheduleTime")
    return Health(Status.HEALTHY, f"last run {last}" if last else "has not run yet")
