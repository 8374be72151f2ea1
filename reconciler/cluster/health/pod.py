"""core/v1 Pod."""

from collections.abc import Iterator

from reconciler.cluster.health.conditions import Object, conditions, status
from reconciler.model.health import Health, Status

_HOPELESS = ("CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def assess(obj: Object) -> Health:
    """Healthy when ready or done. Waiting for the kubelet's next attempt after a failure is degraded."""
    phase = status(obj).get("phase")
    if phase == "Succeeded":
        return Health(Status.HEALTHY, "done")
    if phase == "Failed":
        return Health(Status.DEGRADED, _failure(obj))
    known = conditions(obj)
    if (ready := known.get("Ready")) and ready.status == "True":
        return Health(Status.HEALTHY, "ready")
    waiting = list(_waiting(obj))
    for name, reason, message in waiting:
        if reason in _HOPELESS:
            return Health(Status.DEGRADED, f"{name}: {reason}" + (f": {message}" if message else ""))
    if (scheduled := known.get("PodScheduled")) and scheduled.status == "False":
        return Health(Status.PROGRESSING, f"no node takes it: {scheduled.text()}")
    if waiting:
        return Health(Status.PROGRESSING, ", ".join(f"{name}: {reason}" for name, reason, _ in waiting if reason))
    return Health(Status.PROGRESSING, ready.text() if ready else str(phase or "not started"))


def _containers(obj: Object) -> Iterator[Object]:
    for group in ("initContainerStatuses", "containerStatuses"):
        yield from status(obj).get(group) or ()


def _waiting(obj: Object) -> Iterator[tuple[str, str, str]]:
    """Containers that do not run: name, reason, message."""
    for each in _containers(obj):
        if waiting := (each.get("state") or {}).get("waiting"):
            yield str(each.get("name")), str(waiting.get("reason") or ""), str(waiting.get("message") or "")


def _failure(obj: Object) -> str:
    for each in _containers(obj):
        ended = (each.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return f"{each.get('name')}: {ended.get('reason') or 'Error'} (exit code {ended['exitCode']})"
    return str(status(obj).get("message") or status(obj).get("reason") or "failed")
