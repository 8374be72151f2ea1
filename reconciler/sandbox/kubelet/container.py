"""One container of a simulated pod, and how a kubelet reports it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from reconciler.kube.times import stamp
from reconciler.sandbox.client import Object
from reconciler.sandbox.controllers.conditions import find, with_condition
from reconciler.sandbox.kubelet.behavior import Orders, Timing, orders


class Role(Enum):
    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "terminated"


@dataclass(slots=True)
class Container:
    """One container. `due` is when its state changes next, None when nothing is planned."""

    name: str
    image: str
    role: Role
    orders: Orders
    probe: float
    state: State = State.WAITING
    reason: str = "ContainerCreating"
    message: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    exit_code: int = 0
    restarts: int = 0
    ready: bool = False
    due: datetime | None = None
    last: Object | None = None
    asked: bool = False  # its start has been planned

    @property
    def succeeded(self) -> bool:
        return self.state is State.ENDED and self.exit_code == 0


def make(pod: Object, entry: Object, timing: Timing, *, init: bool) -> Container:
    role = Role.MAIN
    if init:
        role = Role.SIDECAR if entry.get("restartPolicy") == "Always" else Role.INIT
    probe = 0.0
    if role is not Role.INIT:
        probes = [entry[name] for name in ("startupProbe", "readinessProbe") if entry.get(name)]
        probe = sum(max(timing.ready, float(found.get("initialDelaySeconds") or 0)) for found in probes)
    told = orders(pod, entry, main=role is Role.MAIN, timing=timing)
    waiting = "PodInitializing" if role is Role.MAIN and pod["spec"].get("initContainers") else "ContainerCreating"
    return Container(entry["name"], entry.get("image") or "", role, told, probe, reason=waiting)


def reported(container: Container, problem: tuple[str, str] | None, stopping: bool) -> Object:
    """A containerStatus."""
    state: Object
    if container.state is State.RUNNING and container.started is not None:
        state = {"running": {"startedAt": stamp(container.started)}}
    elif container.state is State.ENDED and (container.due is None or stopping):
        state = {"terminated": terminated(container)}
    elif container.state is State.ENDED:
        state = {"waiting": _waiting("CrashLoopBackOff", container.message)}
    elif problem is not None and container.reason == "ContainerCreating":
        state = {"waiting": _waiting(*problem)}
    else:
        state = {"waiting": _waiting(container.reason, container.message)}
    status: Object = {
        "name": container.name,
        "image": container.image,
        "imageID": f"sandbox://{container.image}" if container.started else "",
        "ready": container.ready,
        "started": container.state is State.RUNNING,
        "restartCount": container.restarts,
        "state": state,
        "lastState": container.last or {},
    }
    if container.started is not None:
        status["containerID"] = f"sandbox://{container.name}-{container.restarts}"
    return status


def terminated(container: Container) -> Object:
    started, ended = container.started, container.ended
    times = {"startedAt": started, "finishedAt": ended}
    return {
        "exitCode": container.exit_code,
        "reason": container.reason,
        **{name: stamp(moment) for name, moment in times.items() if moment},
        "containerID": f"sandbox://{container.name}-{container.restarts}",
    }


def _waiting(reason: str, message: str) -> Object:
    return {"reason": reason, "message": message} if message else {"reason": reason}


def not_ready(phase: str, mains: Iterable[Container]) -> tuple[str, str]:
    if phase == "Succeeded":
        return "PodCompleted", ""
    if phase == "Failed":
        return "PodFailed", ""
    names = " ".join(entry.name for entry in mains if not entry.ready)
    return "ContainersNotReady", f"containers with unready status: [{names}]"


def judged(
    entries: list[Object], kind: str, good: bool, reason: str, message: str, now: str, *, over: bool
) -> list[Object]:
    if kind == "Initialized" and over:
        reason = "PodCompleted"
    old = find(entries, kind)
    status = "True" if good else "False"
    shown, text = ("", "") if good and not (over and kind == "Initialized") else (reason, message)
    if old is not None and (old.get("status"), old.get("reason") or "", old.get("message") or "") == (
        status,
        shown,
        text,
    ):
        return entries
    result = with_condition(entries, kind, status, shown, text, now=now)
    return [{field: value for field, value in entry.items() if value != ""} for entry in result]
