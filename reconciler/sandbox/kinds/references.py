"""What of a pod its own containers can read: its fields, and the resources of a container."""

import re
from collections.abc import Container
from typing import Any, Final

from reconciler.kube import quantity
from reconciler.sandbox import naming
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

IN_ENVIRONMENT: Final = frozenset(
    (
        *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
        *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
    )
)
IN_FILES: Final = frozenset(
    ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
)
_KNOWN: Final = IN_ENVIRONMENT | IN_FILES | {"spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host"}
_SUBSCRIPTED: Final = re.compile(r"([^\[]*)\['(.*)'\]")
_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_SIZES: Final = frozenset(quantity.canonical(text) for text in ("1", "1k", "1M", "1G", "1T", "1P", "1E")) | frozenset(
    f"1{unit}i" for unit in "KMGTPE"
)


def validate_field(reference: Value, field: str, expressions: Container[str], causes: Causes) -> None:
    """A reference to a field of the pod, of which `expressions` can be read."""
    path = reference.get("fieldPath", "")
    if not reference.get("apiVersion"):
        causes.required(f"{field}.apiVersion")
        return
    if not path:
        causes.required(f"{field}.fieldPath")
        return
    subscripted = _SUBSCRIPTED.fullmatch(path)
    parent = subscripted[1] if subscripted else path
    known = parent in ("metadata.annotations", "metadata.labels") if subscripted else path in _KNOWN
    if reference["apiVersion"] != "v1" or not known:
        causes.invalid(f"{field}.fieldPath", path, f"error converting fieldPath: field label not supported: {path}")
    elif subscripted:
        key = subscripted[2].lower() if parent == "metadata.annotations" else subscripted[2]
        causes.words(field, key, naming.qualified_name(key))
    elif path not in expressions:
        causes.unsupported(f"{field}.fieldPath", path, ())


def validate_resource(reference: Value, field: str, causes: Causes, *, in_file: bool) -> None:
    """A reference to what a container asks for or may use."""
    name = reference.get("resource", "")
    group, _, resource = name.partition(".")
    if in_file and not reference.get("containerName"):
        causes.required(f"{field}.containerName")
    elif not name:
        causes.required(f"{field}.resource")
    elif group not in ("limits", "requests") or not (resource in _RESOURCES or resource.startswith("hugepages-")):
        causes.unsupported(f"{field}.resource", name, ())
    divisor = reference.get("divisor", "0")
    if quantity.parse(divisor) == 0 or group not in ("limits", "requests"):
        return
    if (resource == "cpu" and divisor not in ("1m", "1")) or (
        (resource in _RESOURCES[1:] or resource.startswith("hugepages-")) and divisor not in _SIZES
    ):
        causes.invalid(f"{field}.divisor", name, f"this divisor is not supported with the {resource} resource")
