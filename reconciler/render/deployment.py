"""Deployment → apps/v1 Deployment, and what belongs to it.

The selector names the workload and `reconciler.dev/variant: stable` (rule 9): selectors are immutable, and a canary is
to be the same workload in another variant. Services and disruption budgets select every variant.
"""

from collections.abc import Iterator
from typing import Any, Final

from reconciler.kube.names import Identity
from reconciler.model.filled import REPLICAS
from reconciler.model.manifest import LABEL_VARIANT
from reconciler.model.planning import LABEL_POOL
from reconciler.model.shares import Portion
from reconciler.model.spec import DeploymentSpec, Document, Rollout
from reconciler.render.autoscaler import autoscaler
from reconciler.render.claim import claim
from reconciler.render.config import config_map
from reconciler.render.disruption import disruption_budget
from reconciler.render.image import Resolver
from reconciler.render.ingress import ingresses
from reconciler.render.part import Part
from reconciler.render.pod import metadata_of, pod_template
from reconciler.render.refusal import Refusal
from reconciler.render.service import service
from reconciler.render.view import View

_LABEL_NAME: Final = "app.kubernetes.io/name"
# How many pods there are, how they are reached and exchanged: changing it restarts none of them.
AROUND: Final = ("replicas", "scale", "expose", "rollout", "dependsOn", "planner")


def deployment(document: Document, spec: DeploymentSpec, resolver: Resolver, view: View) -> list[Part]:
    """All objects of one Deployment document.

    No number of replicas is rendered where an autoscaler owns it, and no disruption budget where the
    source has one for these pods: two of them would block every eviction. With shares there are a Deployment and an
    autoscaler for each pool; all else there is once, for all pods. Raises Refusal.
    """
    pods = {_LABEL_NAME: document.identity.name}
    if view.scaled and (spec.scale is not None or view.parts):
        field, what = ("spec.placement.shares", "shares") if view.parts else ("spec.scale", "`scale`")
        hint = f"leave {what} out, or that HorizontalPodAutoscaler"
        raise Refusal("two-autoscalers", field, "another autoscaler of the source scales it too", hint=hint)
    made = [part for own in view.parts or (view,) for part in _workload(document, spec, resolver, own)]
    open_ = any(part.planned for part in made)
    made += [Part(claim(document.identity, v["name"], v["claim"])) for v in spec.volumes if "claim" in v]
    if (files := config_map(document)) is not None:
        made.append(Part(files))
    if spec.expose:
        made.append(Part(service(document.identity, spec.expose, pods, made[0].object["spec"]["template"]["spec"])))
        made += [Part(obj) for obj in ingresses(document.identity, spec.expose)]
    # One for a planned number, too, whatever it is: it lets one pod go, so it never keeps a node from being drained.
    if (_least(spec) >= 2 or (open_ and spec.scale is None)) and not view.guarded:
        made.append(Part(disruption_budget(document.identity, pods)))
    return made


def _workload(document: Document, spec: DeploymentSpec, resolver: Resolver, view: View) -> Iterator[Part]:
    """The object with the pods, and its autoscaler. With shares, those of one pool."""
    portion = view.portion
    labels = pod_labels(document.identity, portion)
    body: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": pod_template(document, spec, resolver, labels, view),
        **_rollout(spec.rollout or Rollout()),
    }
    scaler = spec.scale if spec.scale is not None and spec.scale.query is None else None
    planned = view.record.replicas if view.record is not None else None
    count = spec.replicas if spec.replicas is not None else planned
    if portion is not None:
        count = portion.of(count) if count is not None else None
        planned = portion.of(planned) if planned is not None else None
        scaler = portion.scale(scaler) if scaler is not None else None
    if count is not None and not view.scaled and scaler is None:
        body["replicas"] = count
    identity = object_of(document.identity, portion)
    shown = {name: value for name, value in labels.items() if name != LABEL_VARIANT}
    metadata = metadata_of(identity, shown, view.record)
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}
    open_ = spec.replicas is None and "replicas" in body
    yield Part(obj, main=True, planned=(REPLICAS,) if open_ else (), portion=portion)
    if scaler is not None:
        yield Part(autoscaler(identity, scaler, floor=planned))


def object_of(document: Identity, portion: Portion | None = None) -> Identity:
    """The object with the pods of a Deployment document, or of a part of it."""
    named = document if portion is None else portion.identity
    return Identity("apps", "Deployment", named.namespace, named.name)


def pod_labels(document: Identity, portion: Portion | None = None) -> dict[str, str]:
    """The labels that the stable pods of a Deployment document have, and its selector asks for. Those of its parts
    have their pool too, so that no two of them select the same pods."""
    pool = {} if portion is None else {LABEL_POOL: portion.pool}
    return {_LABEL_NAME: document.name, LABEL_VARIANT: "stable", **pool}


def _least(spec: DeploymentSpec) -> int:
    """Pods that there always are, as far as the spec says so."""
    return spec.scale.min if spec.scale is not None else spec.replicas or 0


def _rollout(rollout: Rollout) -> dict[str, Any]:
    stated: dict[str, Any] = {}
    rolling = {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable}
    if rolling := {name: value for name, value in rolling.items() if value is not None}:
        stated["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    if rollout.progress_deadline_seconds is not None:
        stated["progressDeadlineSeconds"] = rollout.progress_deadline_seconds
    return stated
