"""batch/v1 Job."""

from reconciler.cluster.health.conditions import Object, conditions, count, spec, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy only when complete: what depends on a migration waits for its end."""
    known = {name: each for name, each in conditions(obj).items() if each.status == "True"}
    if failed := known.get("Failed"):
        return Health(Status.DEGRADED, f"failed: {failed.text()}")
    if "Complete" in known:
        return Health(Status.HEALTHY, "completed")
    if spec(obj).get("suspend"):
        return Health(Status.SUSPENDED, "suspended")
    now = status(obj)
    wanted = count(spec(obj), "completions", 1)
    parts = [f"{count(now, 'succeeded')} of {wanted} completed"]
    parts += [
        f"{count(now, name)} {word}" for name, word in (("active", "running"), ("failed", "failed")) if now.get(name)
    ]
    return Health(Status.PROGRESSING, ", ".join(parts))
