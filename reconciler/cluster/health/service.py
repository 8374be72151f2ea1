"""core/v1 Service."""

from reconciler.cluster.health.conditions import Object, spec, status
from reconciler.model.health import Health, Status


def assess(obj: Object) -> Health:
    """Healthy when it has its addresses; a load balancer takes a while to get one."""
    if spec(obj).get("type") != "LoadBalancer":
        return Health(Status.HEALTHY)
    addresses = [
        str(each.get("hostname") or each.get("ip"))
        for each in (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    ]
    if not addresses:
        return Health(Status.PROGRESSING, "waiting for the load balancer's address")
    return Health(Status.HEALTHY, ", ".join(addresses))
