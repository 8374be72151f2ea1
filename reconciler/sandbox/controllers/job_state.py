"""What a Job should do next, decided from its spec, its status and its pods. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.kube.times import parse, seconds_since, stamp
from reconciler.sandbox.client import Object
from reconciler.sandbox.controllers.conditions import condition, find, is_true, with_condition
from reconciler.sandbox.controllers.owners import is_deleting
from reconciler.sandbox.controllers.pods import is_active, is_ready, phase

INDEX: Final = "batch.kubernetes.io/job-completion-index"
FIRST_PAUSE: Final = 10.0
LAST_PAUSE: Final = 600.0
_SHOWN: Final = ("ready", "terminating")  # even when 0


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now. `create` holds a completion index, or None for a pod without one, for each pod to make.

    `again` is when to look again, in seconds; `event` a level, reason and message worth telling.
    """

    status: Object
    create: tuple[int | None, ...] = ()
    delete: tuple[Object, ...] = ()
    again: float | None = None
    event: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    failed: int
    fatal: str = ""  # why a pod failure policy ends the Job at once


def is_finished(job: Object) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def next_step(job: Object, pods: Sequence[Object], now: datetime) -> Step:
    """The next step of a Job that is not finished."""
    spec, old, text = job["spec"], job.get("status") or {}, stamp(now)
    active = [pod for pod in pods if is_active(pod)]
    leaving = [pod for pod in pods if is_deleting(pod) and phase(pod) not in ("Succeeded", "Failed")]
    indexes = completed_indexes(job, pods)
    succeeded = max(sum(phase(pod) == "Succeeded" for pod in pods), old.get("succeeded") or 0)
    if is_indexed(job):
        succeeded = len(indexes)
    verdict = _judge(job, pods)
    failed = max(verdict.failed, old.get("failed") or 0)
    conditions = list(old.get("conditions") or ())
    status: Object = {"succeeded": succeeded, "failed": failed, "startTime": old.get("startTime")}
    if is_indexed(job):
        status["completedIndexes"] = spans(indexes)

    def done(entries: list[Object], kept: Sequence[Object] = ()) -> Object:
        result = {**status, "active": len(kept), "ready": sum(is_ready(pod) for pod in kept), "conditions": entries}
        result["terminating"] = len(leaving)
        return {field: value for field, value in result.items() if value not in (None, [], "", 0) or field in _SHOWN}

    if spec.get("suspend"):
        status["startTime"] = None
        entries = _set(conditions, "Suspended", "True", "JobSuspended", "Job suspended", text)
        event = None if entries == conditions else ("Normal", "Suspended", "Job suspended")
        return Step(done(entries), delete=tuple(active), event=event)
    if find(conditions, "Suspended") is not None:
        resumed = _set(conditions, "Suspended", "False", "JobResumed", "Job resumed", text)
        if resumed != conditions:
            conditions = resumed
            status["startTime"] = None
    status["startTime"] = status["startTime"] or text

    deadline = spec.get("activeDeadlineSeconds")
    left = None if deadline is None else deadline - seconds_since(status["startTime"], now)
    reason, message = _failure(job, active, failed, verdict, left)
    if reason:
        status["failed"] = failed + len(active)
        entries = _set(
            _set(conditions, "FailureTarget", "True", reason, message, text), "Failed", "True", reason, message, text
        )
        return Step(done(entries), delete=tuple(active), event=("Warning", reason, message))

    completions, parallelism = spec.get("completions"), spec.get("parallelism", 1)
    if completions is None:
        complete = succeeded > 0 and not active
        wanted = len(active) if succeeded else parallelism
    else:
        complete = succeeded >= completions
        wanted = min(completions - succeeded, parallelism)
    if complete:
        message = "Reached expected number of succeeded pods"
        entries = _set(conditions, "SuccessCriteriaMet", "True", "CompletionsReached", message, text)
        entries = _set(entries, "Complete", "True", "CompletionsReached", message, text)
        status["completionTime"] = text
        return Step(done(entries), delete=tuple(active), event=("Normal", "Completed", "Job completed"))

    if len(active) > wanted:
        doomed = sorted(active, key=lambda pod: (is_ready(pod), phase(pod) == "Running"))[: len(active) - wanted]
        kept = [pod for pod in active if pod not in doomed]
        return Step(done(conditions, kept), delete=tuple(doomed), again=left)
    occupied = len(active) + (len(leaving) if spec.get("podReplacementPolicy") == "Failed" else 0)
    missing = max(0, wanted - occupied)
    pause = failure_pause(pods, now) if missing else 0.0
    create: tuple[int | None, ...] = ()
    if missing and not pause:
        create = tuple(_free_indexes(job, active, indexes, missing)) if is_indexed(job) else (None,) * missing
    waits = [wait for wait in (left, pause or None) if wait is not None]
    return Step(done(conditions, active), create=create, again=min(waits, default=None))


def is_indexed(job: Object) -> bool:
    return (job["spec"].get("completionMode") or "NonIndexed") == "Indexed"


def completed_indexes(job: Object, pods: Iterable[Object]) -> set[int]:
    """The completion indexes that succeeded, now or before."""
    completions = job["spec"].get("completions") or 0
    before = parse_spans((job.get("status") or {}).get("completedIndexes") or "")
    now = {_index(pod) for pod in pods if phase(pod) == "Succeeded"}
    return {index for index in before | now if 0 <= index < completions}


def spans(indexes: Iterable[int]) -> str:
    """`0-2,4` for {0, 1, 2, 4}; two in a row are written `0,1`."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    parts = (f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
    return ",".join(parts)


def parse_spans(text: str) -> set[int]:
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def failure_pause(pods: Iterable[Object], now: datetime) -> float:
    """Seconds until a new pod may follow the failures since the last success: 10 s, doubled each time, to 10 min."""
    finished = sorted((finish_time(pod), phase(pod)) for pod in pods if phase(pod) in ("Succeeded", "Failed"))
    failures = 0
    for _, ended in finished:
        failures = failures + 1 if ended == "Failed" else 0
    if not failures:
        return 0.0
    pause = min(LAST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 16))
    return float(max(0.0, pause - (now - finished[-1][0]).total_seconds()))


def finish_time(pod: Object) -> datetime:
    """When the last container of a finished pod ended; else when the pod was made."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [
        end for entry in statuses if (end := ((entry.get("state") or {}).get("terminated") or {}).get("finishedAt"))
    ]
    return parse(max(ends)) if ends else parse(pod["metadata"]["creationTimestamp"])


def expires_in(job: Object, now: datetime) -> float | None:
    """Seconds until a finished Job is deleted, by `ttlSecondsAfterFinished`; None when it stays."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None or not is_finished(job):
        return None
    ended = condition(job, "Complete") if is_true(job, "Complete") else condition(job, "Failed")
    return max(0.0, float(ttl) - seconds_since((ended or {}).get("lastTransitionTime"), now))


def _failure(
    job: Object, active: Sequence[Object], failed: int, verdict: _Verdict, left: float | None
) -> tuple[str, str]:
    """Why the Job has failed, as reason and message; empty when it has not."""
    if verdict.fatal:
        return "PodFailurePolicy", verdict.fatal
    limit = job["spec"].get("backoffLimit", 6)
    again = 0
    if job["spec"]["template"]["spec"].get("restartPolicy") == "OnFailure":
        again = sum(_restarts(pod) for pod in active)
    if failed > limit or (again and again >= max(limit, 1)):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    if left is not None and left <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return "", ""


def _restarts(pod: Object) -> int:
    status = pod.get("status") or {}
    entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(entry.get("restartCount", 0) for entry in entries)


def _judge(job: Object, pods: Iterable[Object]) -> _Verdict:
    """Count the failed pods by the pod failure policy: the first rule that matches a pod decides."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    failed = 0
    for pod in pods:
        if phase(pod) != "Failed":
            continue
        action, why = "Count", ""
        for rule in rules:
            if why := _matches(rule, pod):
                action = rule.get("action", "Count")
                break
        if action == "FailJob":
            return _Verdict(failed + 1, f"{why} for pod {pod['metadata']['namespace']}/{pod['metadata']['name']}")
        if action != "Ignore":
            failed += 1
    return _Verdict(failed)


def _matches(rule: Object, pod: Object) -> str:
    """What of `pod` matches a pod failure rule, in words; empty when nothing does."""
    status = pod.get("status") or {}
    if codes := rule.get("onExitCodes"):
        entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        for entry in entries:
            terminated = (entry.get("state") or {}).get("terminated")
            if not terminated or codes.get("containerName") not in (None, entry["name"]):
                continue
            code = terminated.get("exitCode", 0)
            if code and (code in codes["values"]) == (codes["operator"] == "In"):
                return f"Container {entry['name']} failed with exit code {code}"
    for wanted in rule.get("onPodConditions") or ():
        entry = condition(pod, wanted["type"])
        if entry is not None and entry.get("status") == (wanted.get("status") or "True"):
            return f"Pod has condition {wanted['type']}"
    return ""


def _free_indexes(job: Object, active: Iterable[Object], done: set[int], missing: int) -> list[int]:
    taken = done | {_index(pod) for pod in active}
    free = (index for index in range(job["spec"].get("completions") or 0) if index not in taken)
    return [index for index, _ in zip(free, range(missing), strict=False)]


def _index(pod: Object) -> int:
    value = (pod["metadata"].get("annotations") or {}).get(INDEX, "-1")
    return int(value) if value.isdigit() else -1


def _set(entries: list[Object], kind: str, status: str, reason: str, message: str, now: str) -> list[Object]:
    old = find(entries, kind)
    if old is not None and old.get("status") == status:
        return entries
    return with_condition(entries, kind, status, reason, message, now=now, lastProbeTime=now)
