"""The escape hatch: what a spec states under `template`, merged into the pod template as server-side apply would."""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.kube.merge import merge
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog

_CARRIER: Final = GroupVersionKind("", "v1", "PodTemplate")  # the built-in kind that is a pod template and no more


def merge_template(template: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """`template` with `stated` over it: containers by name, variables by name, ports by number, maps by key."""
    merged: dict[str, Any] = merge(template, stated, catalog().schema(_CARRIER).fields["template"])
    return merged
