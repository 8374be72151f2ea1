"""apiextensions.k8s.io/v1 CustomResourceDefinition."""

from reconciler.cluster.health.conditions import Object, conditions
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when its API is served; another definition may have taken its names."""
    known = conditions(obj)
    if (names := known.get("NamesAccepted")) and names.status == "False":
        return Health(Status.DEGRADED, names.text())
    if (established := known.get("Established")) and established.status == "True":
        return Health(Status.HEALTHY, "established")
    return Health(Status.PROGRESSING, "not established yet")
