"""Safe defaults: pods pass the "restricted" Pod Security Standard unless the spec says otherwise.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Mapping
from typing import Any


def pod_security(stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """The pod's security context: the defaults, and over them what the spec states, field by field."""
    stated = stated or {}
    merged = _over({"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, stated)
    if stated.get("runAsUser") == 0 and "runAsNonRoot" not in stated:
        del merged["runAsNonRoot"]  # somebody asked for root: a kubelet would refuse both
    return merged


def container_security(stated: Mapping[str, Any] | None) -> dict[str, Any]:
    """A container's security context: the defaults, and over them what the spec states, field by field."""
    stated = stated or {}
    merged = _over({"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}, stated)
    added = (stated.get("capabilities") or {}).get("add") or ()
    if "allowPrivilegeEscalation" not in stated and (stated.get("privileged") or "SYS_ADMIN" in added):
        del merged["allowPrivilegeEscalation"]  # the API server refuses the combination
    if stated.get("runAsUser") == 0:
        merged.setdefault("runAsNonRoot", False)
    return merged


def _over(defaults: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **stated}
    for name, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(stated.get(name), Mapping):
            merged[name] = _over(default, stated[name])
    return merged
