"""The escape hatch: what a spec states under `template`, merged into the pod template as server-side apply would."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.names import GroupVersionKind

_CARRIER: Final = GroupVersionKind("", "v1", "PodTemplate")  # the built-in kind that is a pod template and no more


def merge_template(template: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """`template` with `stated` over it: containers by name, variables by name, ports by number, maps by key.

    Raises `reconciler.kube.apply`'s errors for what no pod template can hold.
    """
    from reconciler.kube.apply import apply
    from reconciler.kube.openapi import catalog

    applied = apply(
        _carried(template),
        _carried(stated),
        catalog().schema(_CARRIER),
        manager="template",
        force=True,
        api_version="v1",
        time="1970-01-01T00:00:00Z",
    )
    merged: dict[str, Any] = applied.object["template"]
    return merged


def _carried(template: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "template"}, "template": dict(template)}
