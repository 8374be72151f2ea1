"""The columns of pods: one word for what a pod is doing."""

from datetime import datetime
from typing import Any

from reconciler.sandbox.tables.column import AGE, NAME, NONE, Column, at, dig, since

Value = dict[str, Any]


def _sidecar_names(pod: Value) -> set[str]:
    return {c["name"] for c in dig(pod, "spec", "initContainers") or () if c.get("restartPolicy") == "Always"}


def _condition(pod: Value, name: str) -> bool:
    found = dig(pod, "status", "conditions") or ()
    return any(c.get("type") == name and c.get("status") == "True" for c in found)


def _ended(terminated: Value) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _initializing(pod: Value) -> str:
    """What the first unfinished init container is doing; "" where all are done."""
    sidecars = _sidecar_names(pod)
    total = len(dig(pod, "spec", "initContainers") or ())
    for index, container in enumerate(dig(pod, "status", "initContainerStatuses") or ()):
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if container.get("name") in sidecars and container.get("started"):
            continue
        if terminated is not None:
            return f"Init:{_ended(terminated)}"
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return ""


def status(pod: Value, _now: datetime) -> str:
    """`Running`, `Pending`, `CrashLoopBackOff`, `Completed`, `Terminating`, `Init:0/1`, …"""
    about = pod.get("status") or {}
    phase = about.get("phase") or ""
    word = about.get("reason") or phase
    if any(
        c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in about.get("conditions") or ()
    ):
        word = "SchedulingGated"
    initializing = _initializing(pod)
    word = initializing or word
    if not initializing or _condition(pod, "Initialized"):
        word = _running(pod, word)
    if dig(pod, "metadata", "deletionTimestamp"):
        if about.get("reason") == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return word


def _running(pod: Value, word: str) -> str:
    running, failed = False, ""
    for container in reversed(dig(pod, "status", "containerStatuses") or ()):
        state = container.get("state") or {}
        if dig(state, "waiting", "reason"):
            word = state["waiting"]["reason"]
        elif (terminated := state.get("terminated")) is not None:
            word = _ended(terminated)
            if terminated.get("exitCode"):
                failed = word
        elif container.get("ready") and state.get("running") is not None:
            running = True
    if word != "Completed":
        return word
    if running:
        return "Running" if _condition(pod, "Ready") else failed or "NotReady"
    return failed or word


def ready(pod: Value, _now: datetime) -> str:
    sidecars = _sidecar_names(pod)
    total = len(dig(pod, "spec", "containers") or ()) + len(sidecars)
    statuses = dig(pod, "status", "containerStatuses") or ()
    up = sum(1 for c in statuses if c.get("ready") and dig(c, "state", "running") is not None)
    up += sum(
        1 for c in dig(pod, "status", "initContainerStatuses") or () if c.get("name") in sidecars and c.get("ready")
    )
    return f"{up}/{total}"


def restarts(pod: Value, now: datetime) -> str:
    sidecars = _sidecar_names(pod)
    counted = list(dig(pod, "status", "containerStatuses") or ())
    early = dig(pod, "status", "initContainerStatuses") or ()
    counted += early if _initializing(pod) else [c for c in early if c.get("name") in sidecars]
    total = sum(c.get("restartCount", 0) for c in counted)
    last = max((dig(c, "lastState", "terminated", "finishedAt") or "" for c in counted), default="")
    return f"{total} ({since(last, now)} ago)" if total and last else str(total)


def _gates(pod: Value, _now: datetime) -> str:
    gates = dig(pod, "spec", "readinessGates") or ()
    return f"{sum(_condition(pod, g['conditionType']) for g in gates)}/{len(gates)}" if gates else NONE


COLUMNS = (
    NAME,
    Column("Ready", ready),
    Column("Status", status),
    Column("Restarts", restarts),
    AGE,
    Column("IP", at("status", "podIPs", 0, "ip", default=NONE), wide=True),
    Column("Node", at("spec", "nodeName", default=NONE), wide=True),
    Column("Nominated Node", at("status", "nominatedNodeName", default=NONE), wide=True),
    Column("Readiness Gates", _gates, wide=True),
)
