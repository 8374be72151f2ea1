"""A PodDisruptionBudget that lets no pod go: no node that has one can be drained."""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.kube.kinds import BUDGET, DEPLOYMENT, STATEFUL_SET
from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.manifest import Manifest
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.render.podspec import pod_labels
from reconciler.review.risks.case import Case, mapping, risk

_SCALED = frozenset({DEPLOYMENT, STATEFUL_SET})


def find(case: Case) -> Iterator[Risk]:
    """Budgets that block with the head and did not with the base."""
    for identity, manifest in case.head.items():
        if identity.group_kind != BUDGET or not (why := _blocks(manifest, case.head)):
            continue
        before = case.base.get(identity)
        if before is None or not _blocks(before, case.base):
            yield risk(RiskCode.BLOCKING_BUDGET, manifest, why)


def _blocks(budget: Manifest, around: Mapping[Identity, Manifest]) -> str:
    """Why no pod may go; "" where one may."""
    spec = mapping(budget.object.get("spec"))
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most in (0, "0", "0%") and most is not False:
        return "maxUnavailable is 0: no node with one of its pods can be drained"
    if least == "100%":
        return "minAvailable is 100%: no node with one of its pods can be drained"
    if isinstance(least, int) and not isinstance(least, bool):
        replicas = _replicas(spec.get("selector"), budget.identity.namespace, around)
        if replicas is not None and 0 < replicas <= least:
            return f"minAvailable is {least} of {replicas}: no node with one of its pods can be drained"
    return ""


def _replicas(selector: Any, namespace: str, around: Mapping[Identity, Manifest]) -> int | None:
    """How many pods Git states that match; None where that is left open, or nothing matches."""
    try:
        wanted = LabelSelector.of(selector)
    except (ValueError, TypeError, AttributeError, LookupError):
        return None
    total = None
    for identity, manifest in around.items():
        if identity.group_kind not in _SCALED or identity.namespace != namespace:
            continue
        if wanted.matches(pod_labels(identity.group_kind, manifest.object) or {}):
            count = mapping(manifest.object.get("spec")).get("replicas")
            if not isinstance(count, int):
                return None
            total = (total or 0) + count
    return total
