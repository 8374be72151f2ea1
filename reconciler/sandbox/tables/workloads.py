"""Workloads: how many of their pods are there and ready."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.tables.column import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    at,
    containers,
    dig,
    human,
    images,
    labels_text,
    number,
    selector,
    since,
)

Value = dict[str, Any]

_JOB_STATES: Final = (
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _template(*path: str) -> tuple[Column, Column]:
    return (
        Column("Containers", containers(*path, "spec", "containers"), wide=True),
        Column("Images", images(*path, "spec", "containers"), wide=True),
    )


_TEMPLATE: Final = _template("spec", "template")
_SELECTOR: Final = Column("Selector", selector("spec", "selector"), wide=True)


def _of(up: str, total: str) -> Any:
    def cell(value: Value, _now: datetime) -> str:
        return f"{dig(value, 'status', up) or 0}/{dig(value, 'spec', total) or 0}"

    return cell


def _job_status(job: Value, _now: datetime) -> str:
    held = {c["type"] for c in dig(job, "status", "conditions") or () if c.get("status") == "True"}
    for condition, word in _JOB_STATES:
        if condition == "Suspended" and dig(job, "metadata", "deletionTimestamp"):
            return "Terminating"
        if condition in held:
            return word
    return "Running"


def _completions(job: Value, _now: datetime) -> str:
    done = dig(job, "status", "succeeded") or 0
    wanted = dig(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = dig(job, "spec", "parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Value, now: datetime) -> str:
    started, ended = dig(job, "status", "startTime"), dig(job, "status", "completionTime")
    if not started:
        return ""
    if not ended:
        return since(started, now)
    return human((datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds())


def _last_schedule(job: Value, now: datetime) -> str:
    found = dig(job, "status", "lastScheduleTime")
    return since(found, now) if found else NONE


def _suspended(job: Value, _now: datetime) -> str:
    return "True" if dig(job, "spec", "suspend") else "False"


def _reference(value: Value, _now: datetime) -> str:
    found = dig(value, "spec", "scaleTargetRef") or {}
    return f"{found.get('kind', '')}/{found.get('name', '')}"


def _metric(spec: Value, current: Value) -> str:
    kind = spec.get("type", "")
    key = kind[:1].lower() + kind[1:]
    about, measured = spec.get(key) or {}, dig(current, key, "current") or {}
    target = about.get("target") or {}
    prefix = f"{about.get('name')}: " if kind in ("Resource", "ContainerResource") else ""
    if prefix and "averageUtilization" in target:
        now = measured.get("averageUtilization")
        return f"{prefix}{UNKNOWN if now is None else f'{now}%'}/{target['averageUtilization']}%"
    name = "averageValue" if "averageValue" in target else "value"
    average = " (avg)" if name == "averageValue" and kind in ("External", "Object") else ""
    return f"{prefix}{measured.get(name) or UNKNOWN}/{target.get(name, '<auto>')}{average}"


def _targets(value: Value, _now: datetime) -> str:
    specs = dig(value, "spec", "metrics") or ()
    current = dig(value, "status", "currentMetrics") or []
    texts = [_metric(spec, current[i] if len(current) > i else {}) for i, spec in enumerate(specs)]
    return (", ".join(texts[:2]) + (f" + {len(texts) - 2} more..." if len(texts) > 2 else "")) or NONE


_WORKLOAD_OWNED: Final = (
    NAME,
    Column("Desired", number("spec", "replicas"), "integer"),
    Column("Current", number("status", "replicas"), "integer"),
    Column("Ready", number("status", "readyReplicas"), "integer"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)

COLUMNS: Final[Mapping[GroupKind, tuple[Column, ...]]] = {
    GroupKind("apps", "Deployment"): (
        NAME,
        Column("Ready", _of("readyReplicas", "replicas")),
        Column("Up-to-date", number("status", "updatedReplicas")),
        Column("Available", number("status", "availableReplicas")),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("apps", "ReplicaSet"): _WORKLOAD_OWNED,
    GroupKind("", "ReplicationController"): _WORKLOAD_OWNED,
    GroupKind("apps", "StatefulSet"): (NAME, Column("Ready", _of("readyReplicas", "replicas")), AGE, *_TEMPLATE),
    GroupKind("apps", "DaemonSet"): (
        NAME,
        Column("Desired", number("status", "desiredNumberScheduled"), "integer"),
        Column("Current", number("status", "currentNumberScheduled"), "integer"),
        Column("Ready", number("status", "numberReady"), "integer"),
        Column("Up-to-date", number("status", "updatedNumberScheduled"), "integer"),
        Column("Available", number("status", "numberAvailable"), "integer"),
        Column("Node Selector", lambda v, _: labels_text(dig(v, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("batch", "Job"): (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("batch", "CronJob"): (
        NAME,
        Column("Schedule", at("spec", "schedule")),
        Column("Timezone", at("spec", "timeZone", default=NONE)),
        Column("Suspend", _suspended, "boolean"),
        Column("Active", lambda v, _: len(dig(v, "status", "active") or ()), "integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        *_template("spec", "jobTemplate", "spec", "template"),
        Column("Selector", selector("spec", "jobTemplate", "spec", "selector"), wide=True),
    ),
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", lambda v, _: str(dig(v, "spec", "minReplicas") or "<unset>")),
        Column("MaxPods", number("spec", "maxReplicas"), "string"),
        Column("Replicas", number("status", "currentReplicas"), "string"),
        AGE,
    ),
    GroupKind("policy", "PodDisruptionBudget"): (
        NAME,
        Column("Min Available", lambda v, _: str(v["spec"].get("minAvailable", "N/A"))),
        Column("Max Unavailable", lambda v, _: str(v["spec"].get("maxUnavailable", "N/A"))),
        Column("Allowed Disruptions", number("status", "disruptionsAllowed"), "integer"),
        AGE,
    ),
}
