"""CronJob: a Job each time the schedule says so."""

from datetime import datetime
from typing import ClassVar, Final

from reconciler.errors import AlreadyExists
from reconciler.kube.times import parse, stamp
from reconciler.sandbox.client import CRON_JOBS, JOBS, Key, Object, Resource, key_of
from reconciler.sandbox.controllers import cron, job_state
from reconciler.sandbox.controllers.conditions import condition, is_true
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import OWNER_INDEX, controller_reference, is_deleting

SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController(Controller):
    """Sleeps until the next time, so a schedule costs nothing in between."""

    name: ClassVar[str] = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cron_jobs = self.follow(CRON_JOBS)
        self._jobs = self.follow_owned(JOBS, CRON_JOBS)

    async def reconcile(self, key: Key) -> None:
        cron_job = self._cron_jobs.get(key)
        if cron_job is None or is_deleting(cron_job):
            return
        jobs = self._jobs.by(OWNER_INDEX, cron_job["metadata"]["uid"])
        jobs.sort(key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))
        jobs = await self._tidy(cron_job, jobs)
        cron_job = await self._report(cron_job, jobs)
        spec, now = cron_job["spec"], self.clock.now()
        if spec.get("suspend"):
            return
        zone = spec.get("timeZone") or ""
        since = _since(cron_job, now)
        try:
            due, many = cron.latest_missed(spec["schedule"], since, now, zone)
            following = cron.next_time(spec["schedule"], now, zone)
        except ValueError as error:
            self.warning(CRON_JOBS, cron_job, "UnParseableCronJobSchedule", f"unparseable schedule: {error}")
            return
        self.queue.add_after(key, (following - now).total_seconds())
        if many:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self.warning(CRON_JOBS, cron_job, "TooManyMissedTimes", message)
        if due is not None:
            await self._start(cron_job, jobs, due, now)

    async def _start(self, cron_job: Object, jobs: list[Object], due: datetime, now: datetime) -> None:
        spec, metadata = cron_job["spec"], cron_job["metadata"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and (now - due).total_seconds() > deadline:
            self.warning(CRON_JOBS, cron_job, "MissSchedule", f"Missed scheduled time to start a job: {stamp(due)}")
            return
        name = f"{metadata['name']}-{int(due.timestamp() // 60)}"
        if any(job["metadata"]["name"] == name for job in jobs):  # started, but its time was not noted
            await self._report(cron_job, jobs, scheduled=stamp(due))
            return
        active = [job for job in jobs if not job_state.is_finished(job) and not is_deleting(job)]
        policy = spec.get("concurrencyPolicy") or "Allow"
        if active and policy == "Forbid":
            self.normal(CRON_JOBS, cron_job, "JobAlreadyActive", "Not starting job because prior execution is running")
            return
        if policy == "Replace":
            for running in active:
                await self.client.delete(JOBS, running)
                self.normal(CRON_JOBS, cron_job, "SuccessfulDelete", f"Deleted job {running['metadata']['name']}")
            jobs = [entry for entry in jobs if entry not in active]
        template = spec["jobTemplate"]
        stated = template.get("metadata") or {}
        job: Object = {
            "metadata": {
                "namespace": metadata["namespace"],
                "name": name,
                "labels": stated.get("labels") or {},
                "annotations": {**(stated.get("annotations") or {}), SCHEDULED: stamp(due)},
                "ownerReferences": [controller_reference(CRON_JOBS, cron_job)],
            },
            "spec": template["spec"],
        }
        try:
            created = await self.client.create(JOBS, job)
        except AlreadyExists:
            return
        self.normal(CRON_JOBS, cron_job, "SuccessfulCreate", f"Created job {name}")
        await self._report(cron_job, [*jobs, created], scheduled=stamp(due))

    async def _tidy(self, cron_job: Object, jobs: list[Object]) -> list[Object]:
        """Delete finished Jobs beyond the history limits, the oldest first. The ones that stay."""
        doomed: list[Object] = []
        for kind, field, default in (
            ("Complete", "successfulJobsHistoryLimit", 3),
            ("Failed", "failedJobsHistoryLimit", 1),
        ):
            limit = cron_job["spec"].get(field)
            limit = default if limit is None else limit
            ended = [job for job in jobs if is_true(job, kind) and not is_deleting(job)]
            doomed += ended[: max(0, len(ended) - limit)]
        for job in doomed:
            await self.client.delete(JOBS, job)
        return [job for job in jobs if job not in doomed]

    async def _report(self, cron_job: Object, jobs: list[Object], scheduled: str = "") -> Object:
        old = cron_job.get("status") or {}
        status: Object = {
            "active": [
                _reference(JOBS, job) for job in jobs if not job_state.is_finished(job) and not is_deleting(job)
            ],
            "lastScheduleTime": scheduled or old.get("lastScheduleTime"),
        }
        ends = [
            (condition(job, "Complete") or {}).get("lastTransitionTime", "") for job in jobs if is_true(job, "Complete")
        ]
        if latest := max((*ends, old.get("lastSuccessfulTime") or "")):
            status["lastSuccessfulTime"] = latest
        return await self.set_status(CRON_JOBS, cron_job, {name: value for name, value in status.items() if value})


def _since(cron_job: Object, now: datetime) -> datetime:
    """The time after which a due time has not been served: the last one served, or when the CronJob was made."""
    last = (cron_job.get("status") or {}).get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"]
    since = parse(last)
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    return since if deadline is None else max(since, datetime.fromtimestamp(now.timestamp() - deadline, now.tzinfo))


def _reference(kind: Resource, obj: Object) -> Object:
    key = key_of(obj)
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "namespace": key.namespace,
        "name": key.name,
        "uid": obj["metadata"]["uid"],
    }
