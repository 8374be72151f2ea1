"""Where the pods may run, and where they had better: node affinity and topology spread.

What a spec states is required of a node; what a plan chose is preferred, or pods would stay pending when a zone is lost
(rule 21). Spreading is a wish for the same reason.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.kube.affinity import PREFERRED, REQUIRED
from reconciler.model.cluster_view import HOSTNAME, ZONE
from reconciler.model.filled import Preference, Record
from reconciler.model.spec import Placement

_MOST: Final = 100  # that a preference can weigh
TOPOLOGIES: Final = {"zone": ZONE, "node": HOSTNAME}


def affinity(placement: Placement, record: Record | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """The `affinity` of pods with `labels`; empty where nothing is stated or preferred.

    The nodes of a record weigh as much as all of a pool: the scheduler fills nodes evenly, so without a word about them
    what a plan kept free for a large pod is gone when that comes.

    Where it says `apart`, the zone with the fewest of these pods outweighs pools and nodes, as a soft spread does not:
    else the pods of a lost zone crowd where nodes of the plan are left. The scheduler stretches what such wishes differ
    by to its whole scale, so the least weight is enough, and what others wish about these pods counts for more.
    """
    nodes: dict[str, Any] = {}
    if placement.zones:
        nodes[REQUIRED] = {"nodeSelectorTerms": [{"matchExpressions": [_one_of(ZONE, placement.zones)]}]}
    preferred = [_preferred(each) for each in record.prefer] if record is not None else []
    if record is not None and record.nodes:
        preferred.append(_weighing(_MOST, [_one_of(HOSTNAME, record.nodes)]))
    if preferred:
        nodes[PREFERRED] = preferred
    found: dict[str, Any] = {"nodeAffinity": nodes} if nodes else {}
    if record is not None and record.apart:
        sibling = {"topologyKey": ZONE, "labelSelector": {"matchLabels": dict(labels)}}
        found["podAntiAffinity"] = {PREFERRED: [{"weight": 1, "podAffinityTerm": sibling}]}
    return found


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
