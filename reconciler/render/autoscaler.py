"""The HorizontalPodAutoscaler of a workload that states `scale`.

An object of Kubernetes, not a number that we write: a dead daemon never stops autoscaling (rule 20).
"""

from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.spec import Scale


def autoscaler(workload: Identity, scale: Scale, *, floor: int | None = None) -> dict[str, Any]:
    """`floor` is a planned number of pods that there are to be at least, within what the spec allows."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": min(max(scale.min, floor or 0), scale.max),
            "maxReplicas": scale.max,
            "metrics": [_metric(resource, target) for resource, target in sorted(scale.target.items())],
        },
    }


def _metric(resource: str, target: str) -> dict[str, Any]:
    wanted: dict[str, Any] = (
        {"type": "Utilization", "averageUtilization": int(target.removesuffix("%"))}
        if target.endswith("%")
        else {"type": "AverageValue", "averageValue": target}
    )
    return {"type": "Resource", "resource": {"name": resource, "target": wanted}}
