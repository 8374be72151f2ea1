"""The life of one pod on its node: containers start, become ready, end and start again. Pure: time is an argument.

`advance(now)` does all that is due and returns when to come back; `status(now)` is what a kubelet would report.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.kube.times import parse, stamp
from reconciler.sandbox.client import Object
from reconciler.sandbox.controllers.conditions import find
from reconciler.sandbox.kubelet.behavior import Behavior, Timing
from reconciler.sandbox.kubelet.container import Container, Role, State, judged, make, not_ready, reported, terminated

Event = tuple[str, str, str]  # level, reason, message


class Lifecycle:
    """One pod. While `problem`, a reason and a message, is set from outside, no container starts."""

    def __init__(self, pod: Object, timing: Timing, *, pod_ip: str, host_ip: str, now: datetime) -> None:
        self.uid: str = pod["metadata"]["uid"]
        self.problem: tuple[str, str] | None = None
        self.events: list[Event] = []
        self._timing = timing
        self._policy = pod["spec"].get("restartPolicy") or "Always"
        old = pod.get("status") or {}
        self._pod_ip = old.get("podIP") or pod_ip
        self._host_ip = host_ip
        self._started = parse(old["startTime"]) if old.get("startTime") else now
        self._stopping = False
        self.containers = [
            *(make(pod, entry, timing, init=True) for entry in pod["spec"].get("initContainers") or ()),
            *(make(pod, entry, timing, init=False) for entry in pod["spec"]["containers"]),
        ]
        statuses = [*(old.get("initContainerStatuses") or ()), *(old.get("containerStatuses") or ())]
        by_name = {entry["name"]: entry for entry in statuses}
        for container in self.containers:
            if container.name in by_name:
                self._resume(container, by_name[container.name])

    # what happens

    def advance(self, now: datetime) -> float | None:
        """Do what is due at `now`; seconds until something else is, or None."""
        if self._stopping or self.problem is not None:
            return None
        changed = True
        while changed:
            changed = self._plan(now)
            for container in self.containers:
                if container.due is not None and container.due <= now:
                    container.due = None
                    self._change(container, now)
                    changed = True
        dues = [container.due for container in self.containers if container.due is not None]
        return max(0.0, (min(dues) - now).total_seconds()) if dues else None

    def stop(self, now: datetime) -> None:
        """Every running container ends because the pod is deleted: 143 is what SIGTERM leaves."""
        self._stopping = True
        for container in self.containers:
            container.due = None
            container.ready = False
            if container.state is State.RUNNING:
                self._end(
                    container,
                    now,
                    0 if self._policy == "Always" else 143,
                    "Completed" if self._policy == "Always" else "Error",
                )
            elif container.state is State.WAITING and self._policy != "Always":
                container.started = container.ended = now
                container.state, container.exit_code, container.reason = State.ENDED, 137, "ContainerStatusUnknown"

    def _resume(self, container: Container, status: Mapping[str, Any]) -> None:
        """Take up a container where another kubelet (or an earlier run of ours) left it."""
        container.restarts = status.get("restartCount", 0)
        container.last = status.get("lastState") or None
        state = status.get("state") or {}
        ended = state.get("terminated")
        if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
            ended = (container.last or {}).get("terminated")
        if running := state.get("running"):
            container.state, container.reason, container.asked = State.RUNNING, "", True
            container.started = parse(running["startedAt"])
            container.ready = bool(status.get("ready"))
            ready = None if container.ready else container.started + timedelta(seconds=container.probe)
            container.due = min(filter(None, (ready, self._ends_at(container))), default=None)
        elif ended:
            container.state, container.asked = State.ENDED, True
            container.reason, container.exit_code = ended.get("reason") or "", ended.get("exitCode", 0)
            container.started = parse(ended["startedAt"]) if ended.get("startedAt") else self._started
            container.ended = parse(ended["finishedAt"]) if ended.get("finishedAt") else self._started
            container.ready = container.role is Role.INIT and container.exit_code == 0
            if self._restarts(container):
                container.due = container.ended + timedelta(seconds=self._timing.pause(container.restarts))

    def _plan(self, now: datetime) -> bool:
        """Ask for the start of every container whose turn it is. True when any was asked."""
        asked = False
        for container in self.containers:
            if not container.asked and container.state is State.WAITING and container.due is None:
                container.asked = asked = True
                container.due = now + timedelta(seconds=self._timing.start)
            if container.role is Role.INIT and not container.succeeded:
                break
            if container.role is Role.SIDECAR and container.state is not State.RUNNING and container.restarts == 0:
                break
        return asked

    def _change(self, container: Container, now: datetime) -> None:
        match container.state:
            case State.WAITING:
                self._start(container, now)
            case State.RUNNING:
                ends = self._ends_at(container)
                if ends is not None and ends <= now:
                    self._end(container, now, container.orders.exit_code, container.orders.reason)
                    self._after_end(container, now)
                else:
                    container.ready = container.orders.behavior is not Behavior.NEVER_READY
                    container.due = ends
                    if not container.ready:
                        self.events.append(
                            ("Warning", "Unhealthy", "Readiness probe failed: the simulated answer is 503")
                        )
            case State.ENDED:  # the pause before a restart is over
                container.restarts += 1
                self._start(container, now)

    def _start(self, container: Container, now: datetime) -> None:
        match container.orders.behavior:
            case Behavior.PENDING:
                return
            case Behavior.IMAGE_PULL:
                self._cannot_pull(container, now)
                return
        container.state, container.reason, container.message = State.RUNNING, "", ""
        container.started, container.ended, container.exit_code = now, None, 0
        container.ready = container.probe == 0 and container.orders.behavior is not Behavior.NEVER_READY
        ends = self._ends_at(container)
        ready = now + timedelta(seconds=container.probe)
        container.due = ends if container.ready else min(filter(None, (ends, ready)))
        self.events.append(("Normal", "Started", f"Started container {container.name}"))

    def _cannot_pull(self, container: Container, now: datetime) -> None:
        """Alternate between the failed pull and the pause before the next one, as a real kubelet reports it."""
        container.ready = False
        if container.reason == "ErrImagePull":
            container.reason = "ImagePullBackOff"
            container.message = f'Back-off pulling image "{container.image}"'
            self.events.append(("Normal", "BackOff", container.message))
            container.due = now + timedelta(seconds=self._timing.longest_backoff)
            return
        container.reason = "ErrImagePull"
        container.message = f'failed to pull image "{container.image}": not found'
        self.events.append(("Warning", "Failed", f'Failed to pull image "{container.image}": not found'))
        container.due = now + timedelta(seconds=self._timing.backoff)

    def _end(self, container: Container, now: datetime, exit_code: int, reason: str) -> None:
        container.state, container.ended = State.ENDED, now
        container.exit_code, container.reason, container.ready = exit_code, reason, False
        if container.role is Role.INIT and exit_code == 0:
            container.ready = True

    def _after_end(self, container: Container, now: datetime) -> None:
        """Restart by policy: after a growing pause, shown as CrashLoopBackOff."""
        if not self._restarts(container):
            if self.is_over:
                self._finish(now)
            return
        container.last = {"terminated": terminated(container)}
        pause = self._timing.pause(container.restarts)
        container.due = now + timedelta(seconds=pause)
        if pause:
            container.message = f"back-off {pause:g}s restarting failed container={container.name}"
            self.events.append(("Warning", "BackOff", f"Back-off restarting failed container {container.name}"))

    def _restarts(self, container: Container) -> bool:
        """Whether an ended container starts again."""
        if container.role is Role.SIDECAR or (self._policy == "Always" and container.role is Role.MAIN):
            return True
        return self._policy != "Never" and container.exit_code != 0

    def _finish(self, now: datetime) -> None:
        """The main containers have ended for good: sidecars end too."""
        for container in self.containers:
            container.due = None
            if container.role is Role.SIDECAR and container.state is State.RUNNING:
                self._end(container, now, 0, "Completed")

    def _ends_at(self, container: Container) -> datetime | None:
        if container.orders.lasts is None or container.started is None:
            return None
        return container.started + timedelta(seconds=container.orders.lasts)

    @property
    def _mains(self) -> list[Container]:
        return [container for container in self.containers if container.role is Role.MAIN]

    # what is reported

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded or Failed."""
        finals = self._policy == "Never" or self._stopping
        inits = [container for container in self.containers if container.role is Role.INIT]
        if finals and any(entry.state is State.ENDED and entry.exit_code for entry in inits):
            return "Failed"
        mains = self._mains
        over = [entry.state is State.ENDED and entry.due is None for entry in mains]
        if all(over):
            if self._policy == "Always" and not self._stopping:
                return "Running"
            return "Failed" if any(entry.exit_code for entry in mains) else "Succeeded"
        if any(entry.started is not None for entry in mains):
            return "Running"
        return "Pending"

    @property
    def is_over(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    def status(self, pod: Object, now: datetime) -> Object:
        """The status of `pod`, with conditions whose transition times move only when they change."""
        phase, text = self.phase, stamp(now)
        mains = self._mains
        inits = [container for container in self.containers if container.role is not Role.MAIN]
        initialized = all(entry.succeeded if entry.role is Role.INIT else entry.started is not None for entry in inits)
        containers_ready = phase == "Running" and all(
            entry.ready for entry in self.containers if entry.role is not Role.INIT
        )
        gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
        old = pod.get("status") or {}
        conditions: list[Object] = list(old.get("conditions") or ())
        gated = [gate for gate in gates if (find(conditions, gate) or {}).get("status") != "True"]
        why = not_ready(phase, mains)
        created = any(entry.started is not None for entry in self.containers)
        for kind, good, reason in (
            ("PodReadyToStartContainers", created and not self.is_over, ""),
            ("Initialized", initialized, "ContainersNotInitialized"),
            ("Ready", containers_ready and not gated, why[0] if not containers_ready else "ReadinessGatesNotReady"),
            ("ContainersReady", containers_ready, why[0]),
            ("PodScheduled", True, ""),
        ):
            message = why[1] if reason == why[0] else ""
            conditions = judged(conditions, kind, good, reason, message, text, over=phase == "Succeeded")
        status: Object = {
            **{name: value for name, value in old.items() if name not in ("reason", "message")},
            "phase": phase,
            "conditions": conditions,
            "hostIP": self._host_ip,
            "hostIPs": [{"ip": self._host_ip}],
            "startTime": stamp(self._started),
            "containerStatuses": [reported(entry, self.problem, self._stopping) for entry in mains],
        }
        if created:
            status["podIP"] = self._pod_ip
            status["podIPs"] = [{"ip": self._pod_ip}]
        if inits:
            status["initContainerStatuses"] = [reported(entry, self.problem, self._stopping) for entry in inits]
        return status
