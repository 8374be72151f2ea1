"""The PodDisruptionBudget of a workload that states two replicas or more, or leaves their number to a planner."""

from collections.abc import Mapping
from typing import Any

from reconciler.kube.names import Identity


def disruption_budget(workload: Identity, selector: Mapping[str, str]) -> dict[str, Any]:
    """One pod at a time may be evicted. A maximum, not a minimum: a drained node never waits for ever."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": workload.name, "namespace": workload.namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(selector)}},
    }
