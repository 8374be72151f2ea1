"""Jobs and CronJobs."""

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import podspec
from reconciler.sandbox.rules import Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_NAME_LABELS: Final = ("job-name", "batch.kubernetes.io/job-name")
_UID_LABELS: Final = ("controller-uid", "batch.kubernetes.io/controller-uid")
_FIXED: Final = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
_COUNTS: Final = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final = {3: {n: i for i, n in enumerate(_MONTHS, 1)}, 4: {n: i for i, n in enumerate(_DAYS)}}
_MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


def _job_before_create(job: Value, _core: "Core") -> None:
    spec = job["spec"]
    if spec.get("manualSelector"):
        return
    about = job["metadata"]
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for label in _NAME_LABELS:
        labels.setdefault(label, about["name"])
    for label in _UID_LABELS:
        labels.setdefault(label, about["uid"])
    if not about.get("labels"):
        about["labels"] = dict(labels)
    selector = spec.setdefault("selector", {})
    selector["matchLabels"] = {_UID_LABELS[1]: about["uid"], **(selector.get("matchLabels") or {})}


def _job(job: Value, causes: Causes) -> None:
    spec, about = job["spec"], job["metadata"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    selector = spec.get("selector") or {}
    if not spec.get("manualSelector") and "selector" in spec:
        for expected, keys in ((about["name"], _NAME_LABELS), (about["uid"], _UID_LABELS)):
            for key in keys:
                if key not in labels:
                    causes.required(f"spec.template.metadata.labels[{key}]", f"must be '{expected}'")
                elif labels[key] != expected:
                    causes.invalid(f"spec.template.metadata.labels[{key}]", labels[key], f"must be '{expected}'")
        if selector.get("matchLabels") != {_UID_LABELS[1]: about["uid"]} and selector.get("matchLabels") != {
            _UID_LABELS[0]: about["uid"]
        }:
            causes.invalid("spec.selector", selector, "`selector` not auto-generated")
    if "selector" not in spec:
        causes.required("spec.selector")
    chosen = "selector" in spec
    if not chosen or any(labels.get(key) != text for key, text in (selector.get("matchLabels") or {}).items()):
        causes.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    _job_spec(spec, "spec", causes)


def _job_spec(spec: Value, field: str, causes: Causes) -> None:
    for name in _COUNTS:
        podspec.not_negative(causes, f"{field}.{name}", spec.get(name))
    podspec.supported(
        causes, f"{field}.completionMode", spec.get("completionMode", "NonIndexed"), ("Indexed", "NonIndexed")
    )
    podspec.supported(
        causes,
        f"{field}.podReplacementPolicy",
        spec.get("podReplacementPolicy", "Failed"),
        ("Failed", "TerminatingOrFailed"),
    )
    if (manager := spec.get("managedBy")) is not None:
        domain, slash, path = manager.partition("/")
        if not slash or not path or naming.dns_subdomain(domain):
            causes.invalid(f"{field}.managedBy", manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
    if spec.get("completionMode") == "Indexed" and "completions" not in spec:
        causes.required(f"{field}.completions", "when completion mode is Indexed")
    podspec.validate_template(spec["template"], f"{field}.template", causes)
    policy = (spec["template"].get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        why = 'valid values: "OnFailure", "Never"'
        causes.required(f"{field}.template.spec.restartPolicy", why)


def _job_update(new: Value, old: Value, causes: Causes) -> None:
    after, before = new["spec"], old["spec"]
    indexed = before.get("completionMode") == "Indexed"
    if after.get("completions") != before.get("completions"):
        if not indexed:
            causes.invalid("spec.completions", after.get("completions"), "field is immutable")
        elif after.get("completions") != after.get("parallelism"):
            causes.invalid(
                "spec.completions", after.get("completions"), "can only be modified in tandem with spec.parallelism"
            )
    for name in _FIXED:
        if after.get(name) != before.get(name):
            causes.invalid(f"spec.{name}", after.get(name), "field is immutable")
    template, stored = after["template"], before["template"]
    if template == stored:
        return
    waiting = before.get("suspend") and "startTime" not in (old.get("status") or {})
    if not (waiting and _schedulable(template) == _schedulable(stored)):
        causes.invalid("spec.template", template, "field is immutable")


def _job_status(new: Value, old: Value, causes: Causes) -> None:
    status, before = new.get("status") or {}, old.get("status") or {}
    podspec.counts(causes, status, "active", "ready", "terminating", "succeeded", "failed")
    for name in ("succeeded", "failed"):
        if status.get(name, 0) < before.get(name, 0):
            causes.invalid(f"status.{name}", status.get(name, 0), f"cannot decrease the {name} counter")
    _job_ends(status, causes)


def _job_ends(status: Value, causes: Causes) -> None:
    """What a job has that is at its end."""
    ends = {each["type"] for each in status.get("conditions") or () if each.get("status") == "True"}
    if {"Complete", "Failed"} <= ends:
        causes.invalid("status.conditions", status["conditions"], "cannot set Complete=True and Failed=true conditions")
    if "Complete" in ends and "completionTime" not in status:
        causes.required("status.completionTime", "completionTime is required for Complete jobs")
    if ends & {"Complete", "Failed"} and "startTime" not in status:
        causes.required("status.startTime", "startTime is required for finished job")


def _schedulable(template: Value) -> Value:
    """A template less what may change while a job has not started: where its pods run."""
    names = ("nodeSelector", "tolerations", "schedulingGates", "affinity")
    spec = {name: part for name, part in template["spec"].items() if name not in names}
    about = {name: part for name, part in template["metadata"].items() if name not in ("annotations", "labels")}
    return {"metadata": about, "spec": spec}


def schedule_problem(text: str) -> str:
    """What is wrong with a cron expression of five fields; "" where nothing is."""
    if text.startswith("@"):
        return "" if text in _MACROS or text.startswith("@every ") else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != 5:
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for position, field in enumerate(fields):
        for part in field.split(","):
            if problem := _range_problem(part, position):
                return problem
    return ""


def _range_problem(part: str, position: int) -> str:
    low, high = _RANGES[position]
    span, slash, step = part.partition("/")
    if slash and not (step.isdigit() and int(step)):
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    bounds = span.split("-")
    if len(bounds) > 2:
        return f"too many hyphens: {part}"
    numbers = []
    for bound in bounds:
        named = _NAMES.get(position, {}).get(bound.lower())
        if named is None and not bound.isdigit():
            return f"failed to parse int from {bound}: strconv.Atoi: parsing {bound!r}: invalid syntax"
        numbers.append(named if named is not None else int(bound))
    if numbers[0] < low:
        return f"beginning of range ({numbers[0]}) below minimum ({low}): {part}"
    if numbers[-1] > high:
        return f"end of range ({numbers[-1]}) above maximum ({high}): {part}"
    if numbers[0] > numbers[-1]:
        return f"beginning of range ({numbers[0]}) beyond end of range ({numbers[-1]}): {part}"
    return ""


def _cron_job(value: Value, causes: Causes) -> None:
    spec = value["spec"]
    schedule = spec.get("schedule", "")
    if not schedule:
        causes.required("spec.schedule")
    elif "TZ" in schedule:
        causes.invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    elif problem := schedule_problem(schedule):
        causes.invalid("spec.schedule", schedule, problem)
    if (zone := spec.get("timeZone")) is not None:
        _time_zone(zone, causes)
    podspec.not_negative(causes, "spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    podspec.supported(causes, "spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        podspec.not_negative(causes, f"spec.{name}", spec.get(name))
    job = spec["jobTemplate"].get("spec") or {}
    if "selector" in job:
        causes.invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated")
    if job.get("manualSelector"):
        causes.unsupported("spec.jobTemplate.spec.manualSelector", True, ["false", "nil"])
    _job_spec(job, "spec.jobTemplate.spec", causes)


def _time_zone(zone: str, causes: Causes) -> None:
    if not zone:
        causes.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
        return
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        causes.invalid("spec.timeZone", zone, f"unknown time zone {zone}")


RULES: Final = {
    GroupKind("batch", "Job"): Rules(
        generation=True,
        orphans=True,
        before_create=_job_before_create,
        validate=_job,
        validate_update=_job_update,
        validate_status=_job_status,
    ),
    GroupKind("batch", "CronJob"): Rules(
        generation=True, name=naming.shortened(naming.dns_subdomain, 52), validate=_cron_job
    ),
}
