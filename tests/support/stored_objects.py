"""What a cluster holds, so that two clusters with the same history in other words compare equal."""

from collections import Counter
from random import Random
from typing import Any, NamedTuple

from reconciler.clock import LoopClock
from reconciler.cluster.cluster import Cluster
from reconciler.http.transport import Transport
from reconciler.model.manifest import ANNOTATION_ID

# Of the cluster itself, or a matter of when one looks.
_LEFT_OUT = {"APIService", "Event", "Lease", "Node", "ComponentStatus", "CSINode"}
# Differs between two histories of one cluster without meaning anything.
_RANDOM = {
    "generation",
    "observedGeneration",
    "uid",
    "resourceVersion",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "podIP",
    "podIPs",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
}
_TIMES = ("time", "timestamp")


class Stored(NamedTuple):
    """`ours` by identity, without what is random; `others` are counted by kind, namespace and controller."""

    ours: dict[str, Any]
    others: Counter[str]


async def stored(transport: Transport) -> Stored:
    """Everything that a client sees through `transport`."""
    cluster = Cluster(transport, clock=LoopClock(), random=Random(1))
    await cluster.discovery.refresh()
    ours: dict[str, Any] = {}
    others: Counter[str] = Counter()
    for kind, resource in sorted(cluster.kinds.items()):
        if kind.kind in _LEFT_OUT or "list" not in resource.verbs:
            continue
        for live in await cluster.list(kind):
            owners = live.metadata.get("ownerReferences") or ()
            if ANNOTATION_ID in live.annotations and not owners:
                ours[str(live.identity)] = plain(live.object)
            else:
                by = ",".join(f"{owner['kind']}/{owner['name']}" for owner in owners) or live.identity.name
                others[f"{kind} in {live.identity.namespace} of {by}"] += 1
    return Stored(ours, others)


def plain(value: Any) -> Any:
    """`value` without uids, versions, times and allocated addresses."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in _RANDOM and not k.lower().endswith(_TIMES)}
    return [plain(item) for item in value] if isinstance(value, list) else value
