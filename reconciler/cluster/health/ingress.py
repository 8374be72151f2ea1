"""networking.k8s.io/v1 Ingress."""

from reconciler.cluster.health.conditions import Object, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy once it is there: some ingress controllers never publish an address, so waiting for one may not end."""
    addresses = [
        str(each.get("hostname") or each.get("ip"))
        for each in (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    ]
    return Health(Status.HEALTHY, ", ".join(addresses) or "no address published")
