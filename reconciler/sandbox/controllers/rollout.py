"""The arithmetic of a Deployment's roll-out: how many replicas each ReplicaSet should have next. Pure.

The numbers follow the Deployment controller of Kubernetes: never more than replicas + maxSurge pods, never fewer
than replicas - maxUnavailable available ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class ReplicaCount:
    """What the arithmetic needs of one ReplicaSet. `max_replicas` is replicas + maxSurge when it was last scaled."""

    name: str
    replicas: int
    available: int = 0
    created: str = ""
    max_replicas: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A rolling update's room: `surge` pods above `replicas`, `unavailable` below."""

    replicas: int
    surge: int
    unavailable: int


def share(value: int | str, total: int, *, up: bool) -> int:
    """An int-or-percent `value` of `total`, a fraction of a pod rounded up or down."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    part = Fraction(int(value[:-1]) * total, 100)
    return math.ceil(part) if up else math.floor(part)


def limits(replicas: int, max_surge: int | str, max_unavailable: int | str) -> Limits:
    """Surge rounds up and unavailable down; when both come to 0, one pod may be unavailable, or nothing would move."""
    surge = share(max_surge, replicas, up=True)
    unavailable = share(max_unavailable, replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, min(unavailable, replicas))


def new_replicas(new: ReplicaCount, old: Sequence[ReplicaCount], room: Limits) -> int:
    """The replicas of the new ReplicaSet: down to the wish at once, up as far as the surge allows."""
    if new.replicas >= room.replicas:
        return room.replicas
    total = new.replicas + sum(entry.replicas for entry in old)
    if total >= room.replicas + room.surge:
        return new.replicas
    return new.replicas + min(room.replicas + room.surge - total, room.replicas - new.replicas)


def old_replicas(new: ReplicaCount, old: Sequence[ReplicaCount], room: Limits) -> dict[str, int]:
    """The replicas of the old ReplicaSets that change: first the pods that are not available, then what may go."""
    left = {entry.name: entry for entry in sorted(old, key=lambda entry: (entry.created, entry.name))}
    minimum = room.replicas - room.unavailable
    total = new.replicas + sum(entry.replicas for entry in old)
    removable = total - minimum - (new.replicas - new.available)
    if removable <= 0:
        return {}
    changed: dict[str, int] = {}
    for name, entry in left.items():
        sick = min(removable, max(0, entry.replicas - entry.available))
        if sick:
            changed[name] = entry.replicas - sick
            removable -= sick
    spare = new.available + sum(entry.available for entry in old) - minimum
    for name, entry in left.items():
        replicas = changed.get(name, entry.replicas)
        going = min(replicas, max(0, spare))
        if going:
            changed[name] = replicas - going
            spare -= going
    return changed


def scaled(
    new: ReplicaCount | None,
    old: Sequence[ReplicaCount],
    room: Limits,
    *,
    rolling: bool,
) -> dict[str, int]:
    """The replicas that change when the Deployment's own number does, in the middle of a roll-out or at rest.

    With one active ReplicaSet it takes the number. When the new one is saturated the old ones go. Else each takes
    its proportion, so that a scale does not hurry the roll-out.
    """
    active = [entry for entry in (*old, *((new,) if new else ())) if entry.replicas > 0]
    if len(active) <= 1:
        target = active[0] if active else new or max(old, key=lambda entry: (entry.created, entry.name), default=None)
        if target is None or target.replicas == room.replicas:
            return {}
        return {target.name: room.replicas}
    if new is not None and new.replicas == room.replicas == new.available:
        return {entry.name: 0 for entry in old if entry.replicas > 0}
    if not rolling:
        return {}
    allowed = room.replicas + room.surge if room.replicas else 0
    to_add = allowed - sum(entry.replicas for entry in active)
    newest_first = sorted(active, key=lambda entry: entry.created, reverse=to_add > 0)
    order = sorted(newest_first, key=lambda entry: -entry.replicas)
    sizes: dict[str, int] = {}
    added = 0
    for entry in order:
        part = _proportion(entry, room, allowed, to_add - added) if to_add else 0
        sizes[entry.name] = entry.replicas + part
        added += part
    if to_add != added:
        first = order[0].name
        sizes[first] = max(0, sizes[first] + to_add - added)
    return {entry.name: sizes[entry.name] for entry in order if sizes[entry.name] != entry.replicas}


def _proportion(entry: ReplicaCount, room: Limits, allowed: int, remaining: int) -> int:
    if room.replicas == 0:
        fraction = -entry.replicas
    else:
        before = entry.max_replicas or room.replicas
        fraction = math.floor(Fraction(entry.replicas * allowed, before) + Fraction(1, 2)) - entry.replicas
    return min(fraction, remaining) if remaining > 0 else max(fraction, remaining)
