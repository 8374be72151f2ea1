"""Every kind without a file of its own: what the status says in the words that Kubernetes recommends.

Conditions as in the API conventions ("Typical status properties"): Ready and its like are true when all is well,
Stalled and its like when it is not.
"""

from typing import Final

from reconciler.cluster.health.conditions import Object, conditions, count, unseen
from reconciler.model.health import Health, Status

_BAD: Final = ("Stalled", "Failed", "Degraded")
_BUSY: Final = ("Reconciling",)
_GOOD: Final = ("Ready", "Available", "Healthy", "Established", "Accepted", "Programmed", "Synced", "Succeeded")


def assess(obj: Object) -> Health:
    """Healthy unless something says otherwise."""
    if found := unseen(obj, always_observed=False):
        return found
    known = conditions(obj)
    generation = count(obj.get("metadata") or {}, "generation")
    for name in (*_BAD, *_BUSY, *_GOOD):
        each = known.get(name)
        if each is None:
            continue
        if each.observed_generation is not None and each.observed_generation < generation:
            return Health(Status.PROGRESSING, "waiting for its controller to see the change")
        if name in _BAD and each.status == "True":
            return Health(Status.DEGRADED, each.text())
        if name in _BUSY and each.status == "True":
            return Health(Status.PROGRESSING, each.text())
        if name in _GOOD and each.status != "True":
            return Health(Status.PROGRESSING, each.text())
    return Health(Status.HEALTHY)
