"""Job: pods until enough of them have succeeded."""

from typing import ClassVar

from reconciler.sandbox.client import JOBS, PODS, Key, Object
from reconciler.sandbox.controllers import job_state
from reconciler.sandbox.controllers.controller import Context, Controller
from reconciler.sandbox.controllers.owners import controller_reference, is_deleting
from reconciler.sandbox.controllers.pods import is_active, pod_from_template


class JobController(Controller):
    """Starts what is missing, stops what is too much, and keeps the score. Deletes finished Jobs whose time is up.

    Unlike the real one it puts no finalizer on pods: a finished pod that somebody deletes before it was counted is
    run again.
    """

    name: ClassVar[str] = "job-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = self.follow(JOBS)
        self._pods = self.follow_owned(PODS, JOBS)

    async def reconcile(self, key: Key) -> None:
        job = self._jobs.get(key)
        if job is None or is_deleting(job):
            return
        pods = await self.owned(self._pods, JOBS, job)
        if job_state.is_finished(job):
            await self._finished(key, job, pods)
            return
        step = job_state.next_step(job, pods, self.clock.now())
        for pod in step.delete:
            await self.client.delete(PODS, pod)
            self.normal(JOBS, job, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        for index in step.create:
            pod = await self.client.create(PODS, _pod(job, index))
            self.normal(JOBS, job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        status = {**step.status, "uncountedTerminatedPods": {}}
        if step.create:
            status["active"] = status.get("active", 0) + len(step.create)
        job = await self.set_status(JOBS, job, status)
        if step.event is not None:
            level, reason, message = step.event
            (self.normal if level == "Normal" else self.warning)(JOBS, job, reason, message)
        if step.again is not None:
            self.queue.add_after(key, step.again)

    async def _finished(self, key: Key, job: Object, pods: list[Object]) -> None:
        """Nothing more runs: stop what does, and delete the Job when its time to live has passed."""
        for pod in pods:
            if is_active(pod):
                await self.client.delete(PODS, pod)
        over = {"ready": 0, "terminating": sum(is_deleting(pod) for pod in pods)}
        job = await self.set_status(JOBS, job, {**job["status"], **over})
        left = job_state.expires_in(job, self.clock.now())
        if left == 0:
            await self.client.delete(JOBS, job, propagation="Foreground")
        elif left is not None:
            self.queue.add_after(key, left)


def _pod(job: Object, index: int | None) -> Object:
    """A pod of `job`, with its completion index where it has one."""
    metadata, template = job["metadata"], job["spec"]["template"]
    name, uid = metadata["name"], metadata["uid"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    owner = controller_reference(JOBS, job)
    if index is None:
        return pod_from_template(template, metadata["namespace"], owner, prefix=f"{name}-", labels=labels)
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{job_state.INDEX}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    containers = [
        {**container, "env": [*(container.get("env") or ()), variable]} for container in template["spec"]["containers"]
    ]
    return pod_from_template(
        template,
        metadata["namespace"],
        owner,
        prefix=f"{name}-{index}-",
        labels={**labels, job_state.INDEX: str(index)},
        annotations={job_state.INDEX: str(index)},
        spec={"containers": containers, "hostname": f"{name}-{index}"},
    )
