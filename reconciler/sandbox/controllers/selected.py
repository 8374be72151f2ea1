"""From a pod to what selects it and back, by one label each: nobody compares every pod with every selector."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.kube.selector import LabelSelector
from reconciler.sandbox.client import Object
from reconciler.sandbox.informer import Informer

LABEL: Final = "label"
SELECTED: Final = "selected"


def index_pods(pods: Informer) -> None:
    """Let `pods_matching` look into `pods`."""
    pods.add_index(LABEL, places)


def places(pod: Object) -> list[str]:
    """Where selectors find `pod`: its namespace with each of its labels, and its namespace alone."""
    namespace = pod["metadata"]["namespace"]
    labels = pod["metadata"].get("labels") or {}
    return [namespace, *(f"{namespace}/{name}={value}" for name, value in labels.items())]


def place(namespace: str, match_labels: Mapping[str, str] | None) -> str:
    """The one place where every pod is found that a selector with `match_labels` may match."""
    first = min((match_labels or {}).items(), default=None)
    return f"{namespace}/{first[0]}={first[1]}" if first else namespace


def pods_matching(pods: Informer, namespace: str, selector: Mapping[str, Any] | None) -> list[Object]:
    """The pods in `namespace` that a JSON label selector matches, by name; none where it is None."""
    found: Iterable[Object] = pods.by(LABEL, place(namespace, (selector or {}).get("matchLabels")))
    matching = LabelSelector.of(selector)
    chosen = (pod for pod in found if matching.matches(pod["metadata"].get("labels") or {}))
    return sorted(chosen, key=lambda pod: str(pod["metadata"]["name"]))
