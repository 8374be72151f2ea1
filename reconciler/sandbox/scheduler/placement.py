"""What a node's labels and taints allow. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.kube.affinity import PREFERRED, REQUIRED
from reconciler.sandbox.client import Object


def node_matches(pod_spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether `node` satisfies nodeSelector and the required node affinity of `pod_spec`."""
    labels = node["metadata"].get("labels") or {}
    selector = pod_spec.get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return False
    required = ((pod_spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
    if required is None:
        return True
    return any(term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def preference(pod_spec: Mapping[str, Any], node: Mapping[str, Any]) -> int:
    """The weights of the preferred node affinity terms that `node` satisfies, added up."""
    preferred = ((pod_spec.get("affinity") or {}).get("nodeAffinity") or {}).get(PREFERRED) or ()
    return sum(int(entry["weight"]) for entry in preferred if term_matches(entry["preference"], node))


def term_matches(term: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether `node` satisfies every expression of a node selector term; an empty term matches nothing."""
    labels = node["metadata"].get("labels") or {}
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    name = {"metadata.name": node["metadata"]["name"]}
    return all(_holds(entry, labels) for entry in expressions) and all(_holds(entry, name) for entry in fields)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values: Sequence[str] = expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            try:
                difference = int(value or "") - int(values[0])
            except (ValueError, IndexError):
                return False
            return difference > 0 if operator == "Gt" else difference < 0
        case _:
            return False


def untolerated(
    taints: Iterable[Object],
    tolerations: Sequence[Object],
    effects: tuple[str, ...] = ("NoSchedule", "NoExecute"),
) -> Object | None:
    """The first of `taints` with one of `effects` that no toleration covers."""
    for taint in taints:
        if taint["effect"] in effects and not any(tolerates(entry, taint) for entry in tolerations):
            return taint
    return None


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether `toleration` covers `taint`; an absent key or effect covers every one."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
