"""Where the pods may run, and where they had better: node affinity and topology spread.

What a spec states is required of a node; what a plan chose is preferred, or pods would stay pending when a zone is lost
(rule 21). Spreading is a wish for the same reason.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from reconciler.model.cluster_view import HOSTNAME, ZONE
from reconciler.model.filled import Preference
from reconciler.model.spec import Placement

_MOST: Final = 100  # that a preference can weigh
TOPOLOGIES: Final = {"zone": ZONE, "node": HOSTNAME}


def affinity(
    placement: Placement, prefer: Iterable[Preference] = (), hostnames: Collection[str] = ()
) -> dict[str, Any]:
    """The `affinity` of a pod; empty where nothing is stated or preferred.

    The nodes with `hostnames` weigh as much as all of a pool: the scheduler fills nodes evenly, so without a word about
    them what a plan kept free for a large pod is gone when that comes.
    """
    nodes: dict[str, Any] = {}
    if placement.zones:
        nodes["requiredDuringSchedulingIgnoredDuringExecution"] = {
            "nodeSelectorTerms": [{"matchExpressions": [_one_of(ZONE, placement.zones)]}]
        }
    preferred = [_preferred(each) for each in prefer]
    if hostnames:
        preferred.append(_weighing(_MOST, [_one_of(HOSTNAME, hostnames)]))
    if preferred:
        nodes["preferredDuringSchedulingIgnoredDuringExecution"] = preferred
    return {"nodeAffinity": nodes} if nodes else {}


def _preferred(preference: Preference) -> dict[str, Any]:
    wanted = [_one_of(name, (value,)) for name, value in sorted(preference.labels.items())]
    if preference.zones:
        wanted.append(_one_of(ZONE, preference.zones))
    return _weighing(preference.weight, wanted)


def _weighing(weight: int, wanted: list[dict[str, Any]]) -> dict[str, Any]:
    return {"weight": weight, "preference": {"matchExpressions": wanted}}


def _one_of(label: str, values: Iterable[str]) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": sorted(values)}


def spread(placement: Placement, labels: Mapping[str, str], planned: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The `topologySpreadConstraints` of pods with `labels`, over what the spec states or else what was planned."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": TOPOLOGIES[over],
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(labels)},
        }
        for over in ((placement.spread,) if placement.spread is not None else planned)
    ]
