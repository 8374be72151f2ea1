"""What may be written into a Job's status: the real server holds whoever runs a Job to a story that fits together.

Most rules look only at a status in which what they are about has changed.
"""

from datetime import datetime
from typing import Any, Final

from reconciler.sandbox.kinds import checks
from reconciler.sandbox.kinds.job_indexes import overlap, read_indexes
from reconciler.sandbox.rules import IMMUTABLE, Causes

Value = dict[str, Any]

_CONDITIONS: Final = "status.conditions"
_UNCOUNTED: Final = "status.uncountedTerminatedPods"


def validate_status(new: Value, old: Value, causes: Causes) -> None:
    status, before, spec = new.get("status") or {}, old.get("status") or {}, new["spec"]
    checks.counts(causes, status, "active", "ready", "terminating", "succeeded", "failed")
    _uncounted(status.get("uncountedTerminatedPods") or {}, causes)
    changed = {name for name in status.keys() | before.keys() if status.get(name) != before.get(name)}
    is_now, was = _true(status), _true(before)
    _ends(is_now, was, changed, causes)
    _moments(spec, status, before, is_now, was, changed, causes)
    _indexes(spec, status, changed, causes)
    _finished(spec, status, is_now, was, changed, causes)
    for name in ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet"):
        if name in was and name not in is_now:
            causes.invalid(_CONDITIONS, "", f"cannot disable the terminal {name}=True condition")
    tandem = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    for name in ("failed",) if tandem else ("failed", "succeeded"):
        if status.get(name, 0) < before.get(name, 0):
            causes.invalid(f"status.{name}", status.get(name, 0), f"cannot decrease the {name} counter")


def _true(status: Value) -> set[str]:
    return {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}


def _uncounted(pods: Value, causes: Causes) -> None:
    seen: set[str] = set()
    for name in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(name) or ()):
            if not uid:
                causes.invalid(f"{_UNCOUNTED}.{name}[{index}]", uid, "must not be empty")
            elif uid in seen:
                causes.duplicate(f"{_UNCOUNTED}.{name}[{index}]", uid)
            seen.add(uid)


def _ends(is_now: set[str], was: set[str], changed: set[str], causes: Causes) -> None:
    """Which conditions can be true together."""

    def moved(*names: str) -> bool:
        return any((name in is_now) != (name in was) for name in names)

    complete, failed, succeeded = "Complete" in is_now, "Failed" in is_now, "SuccessCriteriaMet" in is_now
    target = "FailureTarget" in is_now
    wrong = (
        (complete and failed and moved("Complete", "Failed"), "cannot set Complete=True and Failed=true conditions"),
        (
            complete and target and moved("Complete", "FailureTarget"),
            "cannot set Complete=True and FailureTarget=true conditions",
        ),
        (
            failed and not target and (moved("Failed") or "failedIndexes" in changed),
            "cannot set Failed=True condition without the FailureTarget=true condition",
        ),
        (
            complete and not succeeded and moved("Complete", "SuccessCriteriaMet"),
            "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
        ),
        (succeeded and failed, "cannot set SuccessCriteriaMet=True and Failed=true conditions"),
        (succeeded and target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        (
            "Complete" in was and "SuccessCriteriaMet" not in was and succeeded,
            "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
        ),
    )
    for is_wrong, why in wrong:
        if is_wrong:
            causes.invalid(_CONDITIONS, "", why)


def _moments(
    spec: Value, status: Value, before: Value, is_now: set[str], was: set[str], changed: set[str], causes: Causes
) -> None:
    start, end = status.get("startTime"), status.get("completionTime")
    complete, field = "Complete" in is_now, "status.completionTime"
    moved = complete != ("Complete" in was) or "completionTime" in changed
    if moved and end is not None and not complete:
        causes.invalid(field, end, "cannot set completionTime when there is no Complete=True condition")
    if moved and end is None and complete:
        causes.required(field, "completionTime is required for Complete jobs")
    if changed & {"startTime", "completionTime"} and start and end and _moment(end) < _moment(start):
        causes.invalid(field, end, "must be equal to or after `startTime`")
    if end is not None and before.get("completionTime") not in (None, end):
        causes.invalid(field, end, IMMUTABLE)
    resumed = "Suspended" in was and any(
        each["type"] == "Suspended" and each.get("status") == "False" for each in status.get("conditions") or ()
    )
    if "startTime" in changed and "startTime" in before and not resumed and not spec.get("suspend"):
        causes.invalid("status.startTime", start, "field is immutable for unsuspended job once set")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _indexes(spec: Value, status: Value, changed: set[str], causes: Causes) -> None:
    completions = spec.get("completions")
    completed, failed = status.get("completedIndexes", ""), status.get("failedIndexes")
    for name, text, asked in (
        ("completedIndexes", completed, True),
        ("failedIndexes", failed, "backoffLimitPerIndex" in spec),
    ):
        if name in changed and text is not None and asked and completions is not None:
            try:
                read_indexes(text, completions)
            except ValueError as error:
                causes.invalid(f"status.{name}", text, str(error))
    if "completedIndexes" in changed and completed and spec.get("completionMode") != "Indexed":
        why = "cannot set non-empty completedIndexes when non-indexed completion mode"
        causes.invalid("status.completedIndexes", completed, why)
    if failed is None:
        return
    if "failedIndexes" in changed and "backoffLimitPerIndex" not in spec:
        causes.invalid("status.failedIndexes", failed, "cannot set failedIndexes when backoffLimitPerIndex is null")
    if changed & {"failedIndexes", "completedIndexes"} and overlap(completed, failed, completions or 0):
        causes.invalid("status.failedIndexes", failed, "failedIndexes and completedIndexes overlap")


def _finished(spec: Value, status: Value, is_now: set[str], was: set[str], changed: set[str], causes: Causes) -> None:
    """What a Job has no more at its end."""
    ends = {"Complete", "Failed"}
    finished = bool(is_now & ends)
    moved = finished != bool(was & ends)
    if finished:
        for name in ("active", "terminating"):
            if status.get(name, 0) > 0 and (moved or name in changed):
                causes.invalid(f"status.{name}", status[name], f"{name}>0 is invalid for finished job")
        idle = spec.get("suspend") and spec.get("completions") == 0
        if "startTime" not in status and not idle and (moved or "startTime" in changed):
            causes.required("status.startTime", "startTime is required for finished job")
        pods = status.get("uncountedTerminatedPods") or {}
        if (pods.get("succeeded") or pods.get("failed")) and (moved or "uncountedTerminatedPods" in changed):
            causes.invalid(_UNCOUNTED, pods, "must be empty for finished job")
    if changed & {"ready", "active"} and "ready" in status and status["ready"] > status.get("active", 0):
        causes.invalid("status.ready", status["ready"], "cannot set more ready pods than active")
    if "successPolicy" in spec and "SuccessCriteriaMet" not in is_now and "Complete" in is_now:
        causes.invalid(_CONDITIONS, "", "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet")
