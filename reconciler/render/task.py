"""Task → a Job for each new hash, or a CronJob.

The hash covers what the user wrote and the image that runs, nothing planned and nothing of our version (rule 16): a
new release of ours never runs a migration again.
"""

from typing import Any, Final

from reconciler.kube.names import Identity
from reconciler.model.duration import seconds
from reconciler.model.filled import Record
from reconciler.model.manifest import LABEL_TASK
from reconciler.model.spec import Document, TaskSpec
from reconciler.render.claim import claim
from reconciler.render.config import config_map
from reconciler.render.fingerprint import fingerprint
from reconciler.render.image import Resolver
from reconciler.render.part import Part
from reconciler.render.pod import metadata_of, pod_template
from reconciler.render.view import View

# These say when and where a task may start and what is kept of it, not what runs: changing them runs nothing again.
_AROUND: Final = ("dependsOn", "keep", "planner", "suspend")
_NAME: Final = 52  # of the 63 that a Job's name may have, since it is a label, the hash takes 11


def task(document: Document, spec: TaskSpec, resolver: Resolver, view: View) -> list[Part]:
    """All objects of one Task document.

    A suspended CronJob says so itself. A suspended `onChange` task is a Part with `suspended`: its Job is not to be
    created, because Kubernetes has no Job that waits without losing the pods of one that runs.
    """
    labels = {LABEL_TASK: document.identity.name}
    template = pod_template(document, spec, resolver, labels, view, restart_policy="Never")
    job: dict[str, Any] = {"template": template}
    optional = {
        "backoffLimit": spec.retries,
        "activeDeadlineSeconds": None if spec.timeout is None else seconds(spec.timeout),
        "completions": spec.completions,
        "parallelism": spec.parallelism,
    }
    job.update({name: value for name, value in optional.items() if value is not None})
    if spec.run == "schedule":
        made = [Part(_cron_job(document.identity, spec, job, view.record), main=True)]
    else:
        metadata = metadata_of(document.identity, labels, view.record)
        metadata["name"] = job_name(document, spec, resolver)
        obj = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job}
        made = [Part(obj, main=True, once=True, suspended=bool(spec.suspend))]
    made += [Part(claim(document.identity, v["name"], v["claim"])) for v in spec.volumes if "claim" in v]
    if (files := config_map(document)) is not None:
        made.append(Part(files))
    return made


def job_name(document: Document, spec: TaskSpec, resolver: Resolver) -> str:
    """Of the Job of a Task: one for each hash."""
    return f"{document.identity.name[:_NAME].rstrip('-')}-{task_hash(document, spec, resolver)}"


def task_hash(document: Document, spec: TaskSpec, resolver: Resolver) -> str:
    """10 hexadecimal digits over the task's name, its spec as stated, its mounted files and its resolved images."""
    return fingerprint(document, spec, resolver, _AROUND)[:10]


def _cron_job(identity: Identity, spec: TaskSpec, job: dict[str, Any], record: Record | None) -> dict[str, Any]:
    labels = {LABEL_TASK: identity.name}
    body: dict[str, Any] = {"schedule": spec.schedule, "jobTemplate": {"metadata": {"labels": labels}, "spec": job}}
    optional = {
        "timeZone": spec.time_zone,
        "concurrencyPolicy": spec.concurrency_policy,
        "suspend": spec.suspend,
        "successfulJobsHistoryLimit": spec.keep.succeeded if spec.keep else None,
        "failedJobsHistoryLimit": spec.keep.failed if spec.keep else None,
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    metadata = metadata_of(identity, labels, record)
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": body}
