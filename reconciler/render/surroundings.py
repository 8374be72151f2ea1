"""What rendering one document reads of its surroundings: images, autoscalers, disruption budgets, pools, the plan."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.kinds import AUTOSCALER, BUDGET
from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.filled import Filling, Record
from reconciler.model.image import Pinned
from reconciler.model.planning import LABEL_POOL
from reconciler.model.shares import Portion, portions
from reconciler.model.spec import DeploymentSpec, Document, ObjectSpec, Specs, TaskSpec
from reconciler.render.deployment import object_of, pod_labels
from reconciler.render.image import images
from reconciler.render.passthrough import SCALABLE
from reconciler.render.references import scale_target
from reconciler.render.view import View

_PLAIN: Final = View()
Pools = Mapping[str, Mapping[str, str]]  # by name: the labels of its nodes


def views(identity: Identity, workload: DeploymentSpec | TaskSpec, pools: Pools, filling: Filling) -> View:
    """What a document reads of the pools and of what was filled in. A workload with shares has a part for each pool."""
    parts = portions(identity, workload) if isinstance(workload, DeploymentSpec) else ()
    if parts:
        return View(parts=tuple(_view(filling.get(each.identity), each.pool, pools, each) for each in parts))
    return _view(filling.get(identity), workload.placement.pool if workload.placement is not None else None, pools)


def _view(record: Record | None, pool: str | None, pools: Pools, portion: Portion | None = None) -> View:
    return View(record=record, pool=None if pool is None else _labels(pool, pools, record), portion=portion)


def _labels(pool: str, pools: Pools, record: Record | None) -> Mapping[str, str] | None:
    """Of the nodes of a pool; None where it does not exist. Where none is configured, those that it had when its pods
    were planned, else nodes carry a pool's name."""
    if pools:
        return pools.get(pool)
    return record.pool if record is not None and record.pool else {LABEL_POOL: pool}


def _selector(budget: Mapping[str, Any]) -> LabelSelector | None:
    """None where none is stated, or one that the server will refuse: that is no other document's fault."""
    spec = budget.get("spec")
    selector = spec.get("selector") if isinstance(spec, Mapping) else None
    try:
        return LabelSelector.of(selector) if isinstance(selector, Mapping) else None
    except (ValueError, TypeError, AttributeError, LookupError):
        return None


class Surroundings:
    """Of one revision, and what was filled in for it."""

    def __init__(self, specs: Specs, filling: Filling, pools: Pools, pinned: Pinned | None = None) -> None:
        self.images: Pinned = images(specs) if pinned is None else pinned
        self._filling = filling
        self._pools = pools
        self._scaled: set[Identity] = set()
        self._budgets: dict[str, list[LabelSelector]] = {}
        for identity, document in specs.documents.items():
            if not isinstance(document.spec, ObjectSpec):
                continue
            if identity.group == AUTOSCALER.group and identity.kind == AUTOSCALER.kind:
                if (target := scale_target(document.spec.object, identity.namespace)) is not None:
                    self._scaled.add(target)
            elif identity.group_kind == BUDGET and (selector := _selector(document.spec.object)) is not None:
                self._budgets.setdefault(identity.namespace, []).append(selector)

    def view(self, document: Document) -> View:
        """What surrounds `document`: a part of the key under which its rendering is cached."""
        identity = document.identity
        if isinstance(document.spec, DeploymentSpec):
            view = views(identity, document.spec, self._pools, self._filling)
            whose = [each.portion for each in view.parts or (view,)]
            budgets = self._budgets.get(identity.namespace, ())
            return view._replace(
                scaled=any(object_of(identity, portion) in self._scaled for portion in whose),
                guarded=any(s.matches(pod_labels(identity, portion)) for s in budgets for portion in whose),
            )
        if isinstance(document.spec, TaskSpec):
            return views(identity, document.spec, self._pools, self._filling)
        if self._scaled and identity in self._scaled and identity.group_kind in SCALABLE:
            return View(scaled=True)
        return _PLAIN
