"""Specs → what a planner has to know of each workload: its pods as they are stated, before anything is filled in."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from reconciler.kube.kinds import DEPLOYMENT, STATEFUL_SET
from reconciler.kube.names import Identity
from reconciler.model.filled import NOTHING, Draft
from reconciler.model.image import Pinned, Unknown
from reconciler.model.manifest import LABEL_TASK
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.spec import DeploymentSpec, Document, ObjectSpec, Specs, TaskSpec
from reconciler.render.deployment import AROUND, object_of, pod_labels
from reconciler.render.fingerprint import fingerprint
from reconciler.render.image import Resolver, images, stands
from reconciler.render.pod import pod_template
from reconciler.render.refusal import Refusal
from reconciler.render.surroundings import Pools, views
from reconciler.render.task import job_name, task_hash
from reconciler.render.view import View

_NO_WORD: Final = PlannerSettings()
_PLAIN: Final = frozenset({DEPLOYMENT, STATEFUL_SET})


class Drafter:
    """Of one source's revisions, one after the other: only documents that changed are drafted anew."""

    def __init__(self) -> None:
        self._drafts: dict[Identity, tuple[str, Mapping[Identity, str | Unknown | None], View, list[Draft]]] = {}

    def drafts(
        self,
        specs: Specs,
        pools: Pools,
        only: Collection[Identity] | None = None,
        pinned: Pinned | None = None,
    ) -> dict[Identity, Draft]:
        """Every Deployment, every Task that is a Job, and every plain Deployment and StatefulSet; of these `only` some.

        A Deployment with shares is one for each pool. Left out: what cannot be rendered, and scheduled Tasks, whose
        pods come and go. `pinned` as for the Renderer.
        """
        around = images(specs) if pinned is None else pinned
        last, self._drafts = self._drafts, {}
        for identity in specs.documents if only is None else sorted(only):
            document = specs.documents[identity]
            spec = document.spec
            if isinstance(spec, DeploymentSpec | TaskSpec):
                view = views(identity, spec, pools, NOTHING)
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
                found = [_draft(document, resolver, each) for each in view.parts or (view,)]
                known = (document.digest, resolver.read, view, [draft for draft in found if draft is not None])
            self._drafts[identity] = known
        # A part named as another document is: that document keeps its name, and rendering refuses both.
        parts = {d.identity: d for *_, drafts in self._drafts.values() for d in drafts if d.portion is not None}
        return parts | {d.identity: d for *_, drafts in self._drafts.values() for d in drafts if d.portion is None}


def _draft(document: Document, resolver: Resolver, view: View) -> Draft | None:
    identity, spec, portion = document.identity, document.spec, view.portion
    if isinstance(spec, ObjectSpec):
        return _plain(identity, spec.object.get("spec"))
    if not isinstance(spec, DeploymentSpec | TaskSpec) or getattr(spec, "run", "") == "schedule":
        return None
    labels = pod_labels(identity, portion) if isinstance(spec, DeploymentSpec) else {LABEL_TASK: identity.name}
    try:
        template = pod_template(document, spec, resolver, labels, view)
    except Refusal:
        return None
    if isinstance(spec, DeploymentSpec):
        workload, stated = object_of(identity, portion), fingerprint(document, spec, resolver, AROUND)
    else:
        workload = Identity("batch", "Job", identity.namespace, job_name(document, spec, resolver))
        stated = task_hash(document, spec, resolver)
    return Draft(
        identity=identity if portion is None else portion.identity,
        workload=workload,
        template=template,
        hash=stated,
        replicas=spec.replicas if isinstance(spec, DeploymentSpec) else spec.parallelism or 1,
        scale=spec.scale if isinstance(spec, DeploymentSpec) else None,
        requests=frozenset((spec.resources or {}).get("requests") or {}),
        spread=bool(template["spec"].get("topologySpreadConstraints")),
        weighs=spec.planner if spec.planner != _NO_WORD else None,
        portion=portion,
    )


def _plain(identity: Identity, spec: Any) -> Draft | None:
    """It takes room, and nothing of it is left to a planner."""
    if not isinstance(spec, Mapping) or not isinstance(spec.get("template"), Mapping):
        return None
    replicas = spec.get("replicas")
    count = replicas if isinstance(replicas, int) else 1
    return Draft(identity, identity, spec["template"], "", count, plannable=False)
