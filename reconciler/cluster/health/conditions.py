"""The parts of a status that kinds share."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.model.health import Health, Status

Object = Mapping[str, Any]


class Condition(NamedTuple):
    """One entry of `status.conditions`. `status` is "True", "False" or "Unknown", `since` RFC 3339 or ""."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int | None
    since: str = ""

    def text(self) -> str:
        """For people: the message, or what there is instead."""
        return self.message or self.reason or f"{self.type} is {self.status}"


def spec(obj: Object) -> Object:
    found = obj.get("spec")
    return found if isinstance(found, Mapping) else {}


def status(obj: Object) -> Object:
    found = obj.get("status")
    return found if isinstance(found, Mapping) else {}


def count(fields: Object, name: str, default: int = 0) -> int:
    """A number of replicas; what is absent or no number counts as `default`."""
    value = fields.get(name)
    return value if isinstance(value, int) else default


def conditions(obj: Object) -> dict[str, Condition]:
    """By type; an entry of any other shape is left out."""
    entries = status(obj).get("conditions")
    found: dict[str, Condition] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("type"), str):
            generation = entry.get("observedGeneration")
            found[entry["type"]] = Condition(
                entry["type"],
                str(entry.get("status") or "Unknown"),
                str(entry.get("reason") or ""),
                str(entry.get("message") or ""),
                generation if isinstance(generation, int) else None,
                str(entry.get("lastTransitionTime") or ""),
            )
    return found


def unseen(obj: Object, *, always_observed: bool = True) -> Health | None:
    """That the controller has not looked at this generation yet, so its status is about another one; else None.

    A controller of a kind that is not `always_observed` may never say which generation it saw.
    """
    metadata = obj.get("metadata") or {}
    generation = count(metadata, "generation")
    if not always_observed and "observedGeneration" not in status(obj):
        return None
    if count(status(obj), "observedGeneration") < generation:
        return Health(Status.PROGRESSING, "waiting for its controller to see the change")
    return None
