"""core/v1 PersistentVolumeClaim."""

from reconciler.cluster.health.conditions import Object, conditions, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when bound and of the size that was asked for."""
    match status(obj).get("phase"):
        case "Bound":
            for name, each in sorted(conditions(obj).items()):
                if name in ("Resizing", "FileSystemResizePending") and each.status == "True":
                    return Health(Status.PROGRESSING, each.text())
            return Health(Status.HEALTHY, "bound")
        case "Lost":
            return Health(Status.DEGRADED, "its volume is lost")
        case _:
            return Health(Status.PROGRESSING, "not bound yet; some storage classes wait for a pod that uses it")
