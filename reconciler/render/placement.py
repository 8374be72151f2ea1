"""Where the pods may run, and where they had better: node affinity and topology spread.

What a spec states is required of a node. Spreading is a wish, or pods would stay pending when a zone is lost.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.cluster_view import HOSTNAME, ZONE
from reconciler.model.spec import Placement

_TOPOLOGIES: Final = {"zone": ZONE, "node": HOSTNAME}


def affinity(placement: Placement) -> dict[str, Any]:
    """The `affinity` of a pod; empty where nothing is stated."""
    if not placement.zones:
        return {}
    zones = {"key": ZONE, "operator": "In", "values": sorted(placement.zones)}
    required = {"nodeSelectorTerms": [{"matchExpressions": [zones]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def spread(placement: Placement, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The `topologySpreadConstraints` of pods with `labels`."""
    if placement.spread is None:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": _TOPOLOGIES[placement.spread],
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(labels)},
        }
    ]
