"""The pod template, from the container fields that a Deployment and a Task share.

What a spec does not state is absent, so Kubernetes' defaults hold; the exception are the safe defaults of
`reconciler.render.security`. CHANGING WHAT THIS MODULE MAKES OF AN UNCHANGED SPEC RESTARTS USERS' PODS (rule 18): the
golden files under tests/render/golden guard it.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.names import Identity
from reconciler.model.filled import Record
from reconciler.model.manifest import ANNOTATION_PLANNED
from reconciler.model.spec import DeploymentSpec, Document, Placement, TaskSpec
from reconciler.render import config
from reconciler.render.claim import claim_name
from reconciler.render.environment import environment
from reconciler.render.image import Resolver
from reconciler.render.merge import merge_template
from reconciler.render.placement import affinity, spread
from reconciler.render.refusal import Refusal
from reconciler.render.security import container_security, pod_security
from reconciler.render.view import View

Workload = DeploymentSpec | TaskSpec

# Of an entry of `volumes`, these belong to the main container's mount; the rest is the pod's volume.
_MOUNT: Final = ("mountPath", "mountPropagation", "readOnly", "recursiveReadOnly", "subPath", "subPathExpr")


def pod_template(
    document: Document,
    workload: Workload,
    resolver: Resolver,
    labels: Mapping[str, str],
    view: View,
    *,
    restart_policy: str | None = None,
) -> dict[str, Any]:
    """The template of the workload's pods; its only labels are `labels` and those that the spec's `template` adds.

    What a plan filled in is in it where the spec leaves that open. Raises Refusal where two containers have one name,
    and for a pool that does not exist.
    """
    record = view.record
    spec: dict[str, Any] = {
        "securityContext": pod_security(workload.pod_security_context),
        "containers": [_main(document, workload, resolver, record.requests if record else {})],
    }
    inits = [_beside(container, resolver) for container in workload.init_containers]
    # A native sidecar is an init container that goes on. It starts after the plain ones; who needs it earlier writes it
    # among initContainers.
    inits += [{**_beside(container, resolver), "restartPolicy": "Always"} for container in workload.sidecars]
    _refuse_one_name_twice([container["name"] for container in (*spec["containers"], *inits)])
    placement = workload.placement or Placement()
    volumes = [*_volumes(document, workload), *config.volumes(document)]
    optional: dict[str, Any] = {
        "initContainers": inits,
        "volumes": volumes,
        "serviceAccountName": workload.service_account_name,
        "imagePullSecrets": list(workload.image_pull_secrets),
        "terminationGracePeriodSeconds": workload.termination_grace_period_seconds,
        "runtimeClassName": workload.runtime_class_name,
        "nodeSelector": dict(_selector(placement, view)),
        "tolerations": list(placement.tolerations),
        "affinity": affinity(placement, record, labels),
        "topologySpreadConstraints": spread(placement, labels, record.spread if record else ()),
        "priorityClassName": placement.priority_class_name,
        "restartPolicy": restart_policy,
    }
    spec.update(_stated(optional))
    template = {"metadata": {"labels": dict(labels)}, "spec": spec}
    if workload.template:
        template = merge_template(template, workload.template)
        # Selectors depend on our labels, so an escape hatch does not lead past them.
        template["metadata"] = {**template["metadata"], "labels": {**template["metadata"]["labels"], **labels}}
    return template


def metadata_of(identity: Identity, labels: Mapping[str, str], record: Record | None) -> dict[str, Any]:
    """Of the object with the pods. What was planned for them is kept on it."""
    metadata: dict[str, Any] = {"name": identity.name, "namespace": identity.namespace, "labels": dict(labels)}
    return metadata if record is None else metadata | {"annotations": {ANNOTATION_PLANNED: record.text()}}


def _main(document: Document, workload: Workload, resolver: Resolver, requests: Mapping[str, str]) -> dict[str, Any]:
    resources = workload.resources
    if requests:
        resources = {**(resources or {}), "requests": {**requests, **((resources or {}).get("requests") or {})}}
    optional: dict[str, Any] = {
        "command": list(workload.command),
        "args": list(workload.args),
        "workingDir": workload.working_dir,
        "ports": list(workload.ports),
        "env": environment(workload.env),
        "envFrom": list(workload.env_from),
        "resources": resources,
        "readinessProbe": workload.readiness_probe,
        "livenessProbe": workload.liveness_probe,
        "startupProbe": workload.startup_probe,
        "volumeMounts": [
            *({"name": v["name"], **{k: v[k] for k in _MOUNT if k in v}} for v in workload.volumes if "mountPath" in v),
            *config.mounts(document, workload.files),
        ],
    }
    return {
        "name": document.identity.name,
        "image": resolver.resolve(workload.image),
        "securityContext": container_security(workload.security_context),
        **_stated(optional),
    }


def _selector(placement: Placement, view: View) -> Mapping[str, str]:
    """Labels that a node must have: those of the pool, and those that are stated."""
    name = view.portion.pool if view.portion is not None else placement.pool
    if name is None:
        return placement.node_selector
    if view.pool is None:
        field = "pool" if view.portion is None else "shares"
        hint = "the daemon's configuration names the pools: planner.pools"
        raise Refusal("unknown-pool", f"spec.placement.{field}", f'there is no pool "{name}"', hint=hint)
    made = {**view.pool, **placement.node_selector}
    if view.portion is not None and not view.pool.items() <= made.items():
        message = f'it leads away from the pool "{name}", whose nodes are {_shown(view.pool)}'
        raise Refusal("pool-contradicted", "spec.placement.nodeSelector", message, hint="leave the label to the shares")
    return made


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _refuse_one_name_twice(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            hint = "the main container is named after the document; give the others names of their own"
            raise Refusal("container-name-twice", "spec", f'two containers are named "{name}"', hint=hint)


def _beside(container: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    """An init container or sidecar: Kubernetes' own fields, with an Image by name and the safe defaults."""
    made = {**container, "securityContext": container_security(container.get("securityContext"))}
    if isinstance(image := container.get("image"), str):
        made["image"] = resolver.resolve(image)
    return made


def _volumes(document: Document, workload: Workload) -> list[dict[str, Any]]:
    """The pod's volumes. An entry without a source mounts the volume of an earlier entry once more."""
    volumes = []
    for stated in workload.volumes:
        source = {name: value for name, value in stated.items() if name != "name" and name not in _MOUNT}
        if "claim" in source:
            source = {"persistentVolumeClaim": {"claimName": claim_name(document.identity, stated["name"])}}
        if source:
            volumes.append({"name": stated["name"], **source})
    return volumes


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != [] and value != {}}
