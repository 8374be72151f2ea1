"""A Service whose selector finds no pods: requests to it fail."""

from collections.abc import Iterator, Mapping

from reconciler.kube.kinds import SERVICE
from reconciler.kube.names import Identity
from reconciler.model.manifest import Manifest
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.render.podspec import pod_labels
from reconciler.review.risks.case import Case, Object, mapping, risk


def find(case: Case) -> Iterator[Risk]:
    """Services that no pod of the head matches: new ones, changed ones, and those that the base had pods for.

    Pods that somebody else makes are not seen, so an unchanged Service that never had any is left alone.
    """
    head, base = _labels(case.head), None
    for identity, manifest in case.head.items():
        if identity.group_kind != SERVICE:
            continue
        selector = _selector(manifest.object)
        if not selector or _found(selector, head.get(identity.namespace, ())):
            continue
        before = case.base.get(identity)
        if before is not None and before.digest == manifest.digest:
            base = _labels(case.base) if base is None else base
            if not _found(selector, base.get(identity.namespace, ())):
                continue
        wanted = ", ".join(f"{name}={value}" for name, value in sorted(selector.items()))
        yield risk(RiskCode.SERVICE_WITHOUT_ENDPOINTS, manifest, f"no pods that Git states have {wanted}")


def _selector(service: Object) -> Mapping[str, str]:
    spec = mapping(service.get("spec"))
    return mapping(spec.get("selector")) if spec.get("type") != "ExternalName" else {}


def _found(selector: Mapping[str, str], pods: "list[Mapping[str, str]] | tuple[()]") -> bool:
    return any(selector.items() <= labels.items() for labels in pods)


def _labels(manifests: Mapping[Identity, Manifest]) -> dict[str, list[Mapping[str, str]]]:
    """The labels of all pods that are stated, by namespace."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for identity, manifest in manifests.items():
        if (labels := pod_labels(identity.group_kind, manifest.object)) is not None:
            found.setdefault(identity.namespace, []).append(labels)
    return found
