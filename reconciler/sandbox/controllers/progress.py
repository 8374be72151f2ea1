"""The status of a Deployment: counts, and how its roll-out is getting on. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from reconciler.kube.times import seconds_since, stamp
from reconciler.sandbox.client import Object
from reconciler.sandbox.controllers.conditions import find, with_condition, without_condition
from reconciler.sandbox.controllers.replicaset import wanted_replicas

NO_DEADLINE: Final = 2147483647
DONE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"


def counts(deployment: Object, new: Object | None, sets: Sequence[Object]) -> Object:
    """The numbers in the status of `deployment` that has `sets`, of which `new` is the one of its template."""
    total = _sum(sets, "replicas")
    available = _sum(sets, "availableReplicas")
    wanted = sum(wanted_replicas(entry) for entry in sets)
    numbers = {
        "replicas": total,
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    status: Object = {name: number for name, number in numbers.items() if number}
    status["observedGeneration"] = deployment["metadata"].get("generation", 0)
    if collisions := (deployment.get("status") or {}).get("collisionCount"):
        status["collisionCount"] = collisions
    return status


def is_complete(deployment: Object, status: Object) -> bool:
    """Every replica is of the new template and available, and nothing else runs."""
    wanted = wanted_replicas(deployment)
    names = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(name, 0) == wanted for name in names)


def has_progressed(old: Object, new: Object) -> bool:
    """Whether `new` is a step on from `old`: more updated, ready or available pods, or fewer old ones."""

    def outdated(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    more = any(
        new.get(name, 0) > old.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return more or outdated(new) < outdated(old)


def conditions(
    deployment: Object,
    status: Object,
    new: Object | None,
    sets: Iterable[Object],
    *,
    minimum: int,
    now: datetime,
) -> list[Object]:
    """Available, Progressing and ReplicaFailure for `status`, the counts just taken.

    `minimum` is the number of available replicas that the strategy promises.
    """
    old_status = deployment.get("status") or {}
    result: list[Object] = list(old_status.get("conditions") or ())
    text = stamp(now)
    if status.get("availableReplicas", 0) >= minimum:
        result = _set(
            result, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", text
        )
    else:
        message = "Deployment does not have minimum availability."
        result = _set(result, "Available", "False", "MinimumReplicasUnavailable", message, text)
    if deployment["spec"].get("paused"):
        return result
    deadline = deployment["spec"].get("progressDeadlineSeconds") or NO_DEADLINE
    if deadline >= NO_DEADLINE:
        result = without_condition(result, "Progressing")
    else:
        result = _progressing(deployment, old_status, status, new, result, deadline, now)
    failure = next((found for entry in sets if (found := _failure(entry))), None)
    if failure is None:
        return without_condition(result, "ReplicaFailure")
    return _set(result, "ReplicaFailure", "True", failure["reason"], failure["message"], text)


def seconds_to_deadline(deployment: Object, now: datetime) -> float | None:
    """Seconds until the roll-out would have stalled; None when it has ended or has no deadline."""
    deadline = deployment["spec"].get("progressDeadlineSeconds") or NO_DEADLINE
    current = find((deployment.get("status") or {}).get("conditions") or (), "Progressing")
    if deadline >= NO_DEADLINE or deployment["spec"].get("paused") or current is None:
        return None
    if current.get("reason") in (DONE, TIMED_OUT):
        return None
    return max(0.0, deadline - seconds_since(current.get("lastUpdateTime"), now)) + 1.0


def found(conditions_before: list[Object], reason: str, message: str, now: datetime) -> list[Object]:
    """Progressing because a ReplicaSet for the template was made or found, or the roll-out resumed."""
    return _set(conditions_before, "Progressing", "True", reason, message, stamp(now), update=True)


def paused(conditions_before: list[Object], now: datetime) -> list[Object]:
    """Progressing is unknown while nothing may move."""
    return _set(
        conditions_before, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", stamp(now), update=True
    )


def _progressing(
    deployment: Object,
    old_status: Object,
    status: Object,
    new: Object | None,
    result: list[Object],
    deadline: int,
    now: datetime,
) -> list[Object]:
    current = find(result, "Progressing")
    settled = current is not None and current.get("reason") == DONE
    if settled and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return result
    name = deployment["metadata"]["name"]
    what = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{name}"'
    text = stamp(now)
    if is_complete(deployment, status):
        return _set(result, "Progressing", "True", DONE, f"{what} has successfully progressed.", text, update=True)
    if has_progressed(old_status, status):
        return _set(result, "Progressing", "True", "ReplicaSetUpdated", f"{what} is progressing.", text, update=True)
    if current is None and new is not None:
        message = f'Found new replica set "{new["metadata"]["name"]}"'
        return found(result, "FoundNewReplicaSet", message, now)
    if current is None or current.get("reason") in (DONE, TIMED_OUT):
        return result
    if seconds_since(current.get("lastUpdateTime"), now) > deadline:
        message = f"{what} has timed out progressing."
        return _set(result, "Progressing", "False", TIMED_OUT, message, text, update=True)
    return result


def _set(
    entries: list[Object], kind: str, status: str, reason: str, message: str, now: str, *, update: bool = False
) -> list[Object]:
    old = find(entries, kind)
    if old is not None and not update and (old.get("status"), old.get("reason")) == (status, reason):
        return entries
    return with_condition(entries, kind, status, reason, message, now=now, lastUpdateTime=now)


def _failure(replica_set: Object) -> Object | None:
    return find((replica_set.get("status") or {}).get("conditions") or (), "ReplicaFailure")


def _sum(sets: Iterable[Object], field: str) -> int:
    return sum((entry.get("status") or {}).get(field, 0) for entry in sets)
