"""From a field of a rendered object back to the fields of its spec that may have made it.

For people who ask which line of Git wanted a value. Where rendering only copies, the way back is plain; the rest is
said by the document as a whole.
"""

import re
from collections.abc import Iterator
from typing import Final

from reconciler.model.manifest import Manifest
from reconciler.model.spec import GROUP
from reconciler.render.claim import claim_name
from reconciler.render.config import VOLUME

_TEMPLATES: Final = {
    "Deployment": "spec.template",
    "Job": "spec.template",
    "CronJob": "spec.jobTemplate.spec.template",
}
# What the field of an object begins with, and what that is in the spec.
_POD: Final = (
    ("spec.containers[name={name}].env[name=", "spec.env."),
    ("spec.containers[name={name}].volumeMounts[mountPath=", "spec.files."),
    ("spec.containers[name={name}].volumeMounts", "spec.volumes"),
    ("spec.containers[name={name}]", "spec"),
    ("spec.initContainers", "spec.initContainers"),
    ("spec.initContainers", "spec.sidecars"),
    (f"spec.volumes[name={VOLUME}]", "spec.files"),
    ("spec.volumes", "spec.volumes"),
    ("spec.nodeSelector", "spec.placement.nodeSelector"),
    ("spec.nodeSelector", "spec.placement.pool"),
    ("spec.nodeSelector", "spec.placement.shares"),
    ("spec.tolerations", "spec.placement.tolerations"),
    ("spec.affinity", "spec.placement.zones"),
    ("spec.topologySpreadConstraints", "spec.placement.spread"),
    ("spec.priorityClassName", "spec.placement.priorityClassName"),
    ("spec.securityContext", "spec.podSecurityContext"),
    ("spec.serviceAccountName", "spec.serviceAccountName"),
    ("spec.imagePullSecrets", "spec.imagePullSecrets"),
    ("spec.terminationGracePeriodSeconds", "spec.terminationGracePeriodSeconds"),
    ("spec.runtimeClassName", "spec.runtimeClassName"),
)
_JOB: Final = (
    ("spec.backoffLimit", "spec.retries"),
    ("spec.activeDeadlineSeconds", "spec.timeout"),
    ("spec.completions", "spec.completions"),
    ("spec.parallelism", "spec.parallelism"),
)
_OBJECTS: Final = {
    "Deployment": (
        ("spec.replicas", "spec.replicas"),
        ("spec.replicas", "spec.scale"),
        ("spec.strategy.rollingUpdate", "spec.rollout"),
        ("spec.strategy", "spec.rollout"),
        ("spec.progressDeadlineSeconds", "spec.rollout.progressDeadlineSeconds"),
    ),
    "Job": _JOB,
    "CronJob": (
        ("spec.schedule", "spec.schedule"),
        ("spec.timeZone", "spec.timeZone"),
        ("spec.concurrencyPolicy", "spec.concurrencyPolicy"),
        ("spec.suspend", "spec.suspend"),
        ("spec.successfulJobsHistoryLimit", "spec.keep.succeeded"),
        ("spec.failedJobsHistoryLimit", "spec.keep.failed"),
        *((f"spec.jobTemplate.{field}", stated) for field, stated in _JOB),
    ),
    "Service": (("spec.ports", "spec.expose"), ("spec", "spec.expose")),
    "Ingress": (("metadata.annotations", "spec.expose"), ("spec", "spec.expose")),
    "HorizontalPodAutoscaler": (
        ("spec.minReplicas", "spec.scale.min"),
        ("spec.maxReplicas", "spec.scale.max"),
        ("spec.metrics", "spec.scale.target"),
        ("spec", "spec.scale"),
    ),
    "PodDisruptionBudget": (("spec", "spec.replicas"), ("spec", "spec.scale.min")),
    "ConfigMap": (("data", "spec.files"), ("binaryData", "spec.files")),
}
_METADATA: Final = re.compile(r"metadata\.(labels|annotations)\.")


def stated_by(manifest: Manifest, path: str) -> Iterator[tuple[str, bool]]:
    """Fields of the document that may have made the field at `path` of its object, the likeliest first.

    Paths as people read them. True says that only the field itself would be an answer, not what is around it.
    """
    if manifest.spec.group != GROUP:
        yield path, False
        if manifest.identity.kind == "Secret" and path.startswith("data."):
            yield f"stringData.{path.removeprefix('data.')}", False
        return
    if _METADATA.match(path):
        yield path, True
    kind, name = manifest.identity.kind, manifest.spec.name
    if (template := _TEMPLATES.get(kind)) and (inside := _below(template, path)) is not None:
        yield f"spec.template.{inside}", True  # what is merged over all the rest
        for made, stated in _POD:
            if (rest := _below(made.format(name=name), inside)) is not None:
                yield from _stated(stated, rest)
    for made, stated in _OBJECTS.get(kind, ()):
        if (rest := _below(made, path)) is not None:
            yield from _stated(stated, rest)
    if kind == "PersistentVolumeClaim":
        volume = manifest.identity.name.removeprefix(claim_name(manifest.spec, ""))
        yield f"spec.volumes[name={volume}].claim", False


def _stated(stated: str, rest: str) -> Iterator[tuple[str, bool]]:
    """The field itself; where a list of the object is a map of the spec, or the other way round, its item."""
    if stated.endswith("."):  # an item by its key: `LOG].value` of a list is `LOG` of a map
        key = rest.partition("]")[0]
        yield f"{stated}{key}", True
        if stated == "spec.files.":
            yield f"spec.volumes[mountPath={key}]", True
        yield stated.rstrip("."), False
    else:
        yield f"{stated}{'.' if rest and rest[0] not in '.[' else ''}{rest}", False


def _below(prefix: str, path: str) -> str | None:
    """What follows `prefix` in `path`, "" where it is the whole; None where the path leads elsewhere."""
    if not path.startswith(prefix):
        return None
    rest = path[len(prefix) :]
    if prefix[-1] in ".=":
        return rest
    return rest.removeprefix(".") if rest[:1] in ("", ".", "[") else None
