"""Secret values never reach a log, diff, event, error, metric, page or stored history."""

from collections.abc import Mapping
from typing import Any, Final

REDACTED: Final = "(secret)"
CHANGED: Final = "(changed)"
_MARKS: Final = ("data", "stringData")


def is_secret(obj: Mapping[str, Any]) -> bool:
    """Whether `obj` is a core/v1 Secret."""
    return obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"


def redacted(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """`obj` with a Secret's values replaced; anything else comes back as it is.

    The annotation that `kubectl apply` keeps of the last applied object repeats the values, so it goes too.
    """
    if not is_secret(obj):
        return obj
    shown = dict(obj)
    for part in _MARKS:
        if isinstance(shown.get(part), Mapping):
            shown[part] = dict.fromkeys(shown[part], REDACTED)
        elif part in shown:
            shown[part] = REDACTED
    metadata = shown.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("annotations"), Mapping):
        annotations = dict(metadata["annotations"])
        if "kubectl.kubernetes.io/last-applied-configuration" in annotations:
            annotations["kubectl.kubernetes.io/last-applied-configuration"] = REDACTED
        shown["metadata"] = {**metadata, "annotations": annotations}
    return shown
