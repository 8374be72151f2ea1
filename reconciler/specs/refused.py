"""What Kubernetes refuses in what a spec of ours makes, though each field by itself is fine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from reconciler.kube.quantity import parse
from reconciler.specs.finding import Finding, shown

JSON = Any


def would_be_refused(spec: JSON) -> Iterator[Finding]:
    """Of a valid spec of a Deployment or Task."""
    resources = spec.get("resources") or {}
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if name in limits and parse(str(amount)) > parse(str(limits[name])):
            message = f"{amount} of {name} is requested, and its limit is {limits[name]}"
            yield Finding(
                "bad-value", ("spec", "resources", "requests", name), message, "a limit is the request or more"
            )
    rollout = spec.get("rollout") or {}
    if all(str(rollout.get(name)) in ("0", "0%") for name in ("maxSurge", "maxUnavailable")):
        message = "neither may a pod be missing nor one more run, so none could ever be replaced"
        yield Finding("bad-value", ("spec", "rollout"), message, "let maxSurge be 1")
    schedule = spec.get("schedule")
    if schedule and not schedule.startswith("@") and not _comes_due(schedule):
        message = f"{shown(schedule)} is not a cron schedule, or never comes due"
        yield Finding("bad-value", ("spec", "schedule"), message, 'minute, hour, day, month, weekday: "0 22 * * 6"')


def _comes_due(schedule: str) -> bool:
    from cronsim import CronSim, CronSimError  # here, because few specs have a schedule

    try:
        next(CronSim(schedule.replace("?", "*"), datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        return False
    return True
