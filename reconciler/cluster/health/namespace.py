"""core/v1 Namespace."""

from reconciler.cluster.health.conditions import Object, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """One that is being deleted takes nothing new."""
    phase = status(obj).get("phase") or "Active"
    return Health(Status.HEALTHY) if phase == "Active" else Health(Status.PROGRESSING, str(phase).lower())
