"""What rendering one document reads of the others: images, autoscalers, disruption budgets."""

from collections.abc import Mapping
from typing import Final

from reconciler.kube.names import GroupKind, Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.plan import Plan
from reconciler.model.spec import DeploymentSpec, Document, ObjectSpec, Specs
from reconciler.render.deployment import pod_labels
from reconciler.render.image import Images, images
from reconciler.render.passthrough import SCALABLE
from reconciler.render.references import scale_target
from reconciler.render.view import View

_AUTOSCALER: Final = GroupKind("autoscaling", "HorizontalPodAutoscaler")
_BUDGET: Final = GroupKind("policy", "PodDisruptionBudget")


_PLAIN: Final = View()


class Surroundings:
    """Of one revision and its plan."""

    def __init__(self, specs: Specs, plan: Plan) -> None:
        self.images: Images = images(specs)
        self._plan = plan
        self._scaled: set[Identity] = set()
        self._budgets: dict[str, list[LabelSelector]] = {}
        for identity, document in specs.documents.items():
            if not isinstance(document.spec, ObjectSpec):
                continue
            if identity.group == _AUTOSCALER.group and identity.kind == _AUTOSCALER.kind:
                if (target := scale_target(document.spec.object, identity.namespace)) is not None:
                    self._scaled.add(target)
            elif identity.group == _BUDGET.group and identity.kind == _BUDGET.kind:
                spec = document.spec.object.get("spec")
                selector = spec.get("selector") if isinstance(spec, Mapping) else None
                if isinstance(selector, Mapping):
                    self._budgets.setdefault(identity.namespace, []).append(LabelSelector.of(selector))

    def view(self, document: Document) -> View:
        """What surrounds `document`: a part of the key under which its rendering is cached."""
        identity = document.identity
        if isinstance(document.spec, DeploymentSpec):
            return View(
                scaled=Identity("apps", "Deployment", identity.namespace, identity.name) in self._scaled,
                guarded=any(s.matches(pod_labels(identity)) for s in self._budgets.get(identity.namespace, ())),
                replicas=self._plan.replicas.get(identity),
                requests=self._plan.requests.get(identity),
            )
        if self._scaled and identity in self._scaled and identity.group_kind in SCALABLE:
            return View(scaled=True)
        return _PLAIN
