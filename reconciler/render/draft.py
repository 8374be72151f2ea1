"""Specs → what a planner has to know of each workload: its pods as they are stated, before anything is filled in."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from reconciler.kube.names import GroupKind, Identity
from reconciler.model.filled import Draft
from reconciler.model.image import Pinned, Unknown
from reconciler.model.manifest import LABEL_TASK
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.spec import DeploymentSpec, Document, ObjectSpec, Specs, TaskSpec
from reconciler.render.deployment import AROUND, pod_labels
from reconciler.render.fingerprint import fingerprint
from reconciler.render.image import Resolver, images, stands
from reconciler.render.pod import pod_template
from reconciler.render.refusal import Refusal
from reconciler.render.surroundings import Pools, pool
from reconciler.render.task import job_name, task_hash
from reconciler.render.view import View

_NO_WORD: Final = PlannerSettings()
_PLAIN: Final = frozenset({GroupKind("apps", "Deployment"), GroupKind("apps", "StatefulSet")})


class Drafter:
    """Of one source's revisions, one after the other: only documents that changed are drafted anew."""

    def __init__(self) -> None:
        self._drafts: dict[Identity, tuple[str, Mapping[Identity, str | Unknown | None], View, Draft | None]] = {}

    def drafts(
        self,
        specs: Specs,
        pools: Pools,
        only: Collection[Identity] | None = None,
        pinned: Pinned | None = None,
    ) -> dict[Identity, Draft]:
        """Every Deployment, every Task that is a Job, and every plain Deployment and StatefulSet; of these `only` some.

        Left out: what cannot be rendered, and scheduled Tasks, whose pods come and go. `pinned` as for the Renderer.
        """
        around = images(specs) if pinned is None else pinned
        last, self._drafts = self._drafts, {}
        for identity in specs.documents if only is None else sorted(only):
            document = specs.documents[identity]
            spec = document.spec
            if isinstance(spec, DeploymentSpec | TaskSpec):
                view = View(pool=pool(spec, pools))
            elif isinstance(spec, ObjectSpec) and identity.group_kind in _PLAIN:
                view = View()
            else:
                continue
            known = last.get(identity)
            if (
                known is None
                or known[0] != document.digest
                or known[2] != view
                or not all(stands(found, around.get(image)) for image, found in known[1].items())
            ):
                resolver = Resolver(around, identity.namespace)
                known = (document.digest, resolver.read, view, _draft(document, resolver, view))
            self._drafts[identity] = known
        return {identity: draft for identity, (*_, draft) in self._drafts.items() if draft is not None}


def object_of(deployment: Identity) -> Identity:
    """The object with the pods of a Deployment document."""
    return Identity("apps", "Deployment", deployment.namespace, deployment.name)


def _draft(document: Document, resolver: Resolver, view: View) -> Draft | None:
    identity, spec = document.identity, document.spec
    if isinstance(spec, ObjectSpec):
        return _plain(identity, spec.object.get("spec"))
    if not isinstance(spec, DeploymentSpec | TaskSpec) or getattr(spec, "run", "") == "schedule":
        return None
    labels = pod_labels(identity) if isinstance(spec, DeploymentSpec) else {LABEL_TASK: identity.name}
    try:
        template = pod_template(document, spec, resolver, labels, view)
    except Refusal:
        return None
    if isinstance(spec, DeploymentSpec):
        workload, stated = object_of(identity), fingerprint(document, spec, resolver, AROUND)
    else:
        workload = Identity("batch", "Job", identity.namespace, job_name(document, spec, resolver))
        stated = task_hash(document, spec, resolver)
    return Draft(
        identity=identity,
        workload=workload,
        template=template,
        hash=stated,
        replicas=spec.replicas if isinstance(spec, DeploymentSpec) else spec.parallelism or 1,
        scale=spec.scale if isinstance(spec, DeploymentSpec) else None,
        requests=frozenset((spec.resources or {}).get("requests") or {}),
        spread=bool(template["spec"].get("topologySpreadConstraints")),
        weighs=spec.planner if spec.planner != _NO_WORD else None,
    )


def _plain(identity: Identity, spec: Any) -> Draft | None:
    """It takes room, and nothing of it is left to a planner."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("template"), Mapping):
        return None
    replicas = spec.get("replicas")
    count = replicas if isinstance(replicas, int) else 1
    return Draft(identity, identity, spec["template"], "", count, plannable=False)
