"""CronJobs: when they run, and the Jobs that they make."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.kinds import checks, jobs
from reconciler.sandbox.rules import Causes, Rules

Value = dict[str, Any]

_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final = {3: {n: i for i, n in enumerate(_MONTHS, 1)}, 4: {n: i for i, n in enumerate(_DAYS)}}
_MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


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
    checks.not_negative(causes, "spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    checks.supported(causes, "spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        checks.not_negative(causes, f"spec.{name}", spec.get(name))
    job = spec["jobTemplate"].get("spec") or {}
    if "selector" in job:
        causes.invalid("spec.jobTemplate.spec.selector", job["selector"], "`selector` will be auto-generated")
    if job.get("manualSelector"):
        causes.unsupported("spec.jobTemplate.spec.manualSelector", True, ["false", "nil"])
    jobs.validate_spec(job, "spec.jobTemplate.spec", causes)


def _time_zone(zone: str, causes: Causes) -> None:
    if not zone:
        causes.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
        return
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        causes.invalid("spec.timeZone", zone, f"unknown time zone {zone}")


RULES: Final = {
    GroupKind("batch", "CronJob"): Rules(
        generation=True, name=naming.shortened(naming.dns_subdomain, 52), validate=_cron_job
    )
}
