"""Security contexts, of a pod and of a container."""

import re
from typing import Any, Final

from reconciler.sandbox.kinds import checks
from reconciler.sandbox.rules import Causes

Value = dict[str, Any]

_SYSCTL: Final = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([\./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_PROFILES: Final = ("Localhost", "RuntimeDefault", "Unconfined")


def validate_pod_security(spec: Value, field: str, causes: Causes) -> None:
    context, path = spec.get("securityContext") or {}, f"{field}.securityContext"
    for name in ("fsGroup", "runAsGroup", "runAsUser"):
        checks.identity(causes, f"{path}.{name}", context.get(name))
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        checks.identity(causes, f"{path}.supplementalGroups[{index}]", group)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        causes.invalid(f"{path}.shareProcessNamespace", True, why)
    seen: set[str] = set()
    for index, item in enumerate(context.get("sysctls") or ()):
        name, where = item.get("name", ""), f"{path}.sysctls[{index}].name"
        if not name:
            causes.required(where)
        elif len(name) > 253 or not _SYSCTL.fullmatch(name):
            causes.invalid(where, name, "must have at most 253 characters and be the name of one")
        elif name in seen:
            causes.duplicate(where, name)
        seen.add(name)
    for name, words in (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
        ("seLinuxChangePolicy", ("MountOption", "Recursive")),
    ):
        if name in context:
            checks.supported(causes, f"{path}.{name}", context[name], words)
    _profiles(context, path, causes)
    if spec.get("hostUsers") is False:
        for name, told in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if spec.get(name):
                causes.forbidden(f"{field}.{told}", "when `hostUsers` is false")


def validate_container_security(context: Value, field: str, causes: Causes, *, host_users: bool) -> None:
    for name in ("runAsGroup", "runAsUser"):
        checks.identity(causes, f"{field}.{name}", context.get(name))
    if (mount := context.get("procMount")) is not None:
        checks.supported(causes, f"{field}.procMount", mount, ("Default", "Unmasked"))
        if host_users and mount == "Unmasked":
            causes.invalid(f"{field}.procMount", mount, "`hostUsers` must be false to use `Unmasked`")
    _profiles(context, field, causes)
    if context.get("allowPrivilegeEscalation") is False:
        added = (context.get("capabilities") or {}).get("add") or ()
        if context.get("privileged") or "CAP_SYS_ADMIN" in added:
            causes.invalid(field, context, "cannot set `allowPrivilegeEscalation` to false and grant it otherwise")


def _profiles(context: Value, field: str, causes: Causes) -> None:
    for name in ("seccompProfile", "appArmorProfile"):
        if (profile := context.get(name)) is None:
            continue
        path, kind, local = f"{field}.{name}", profile.get("type", ""), profile.get("localhostProfile")
        if not kind:
            causes.required(f"{path}.type", f"type is required when {name} is set")
        else:
            checks.supported(causes, f"{path}.type", kind, _PROFILES)
        where = f"{path}.localhostProfile"
        if kind != "Localhost":
            if local is not None and (name == "seccompProfile" or kind in _PROFILES):
                causes.invalid(where, local, "can only be set when the type is Localhost")
        elif local is None or (name == "appArmorProfile" and not local):
            causes.required(where, "must be set when the type is Localhost")
        elif name == "seccompProfile":
            checks.descends(causes, where, local)
        elif local.strip() != local:
            causes.invalid(where, local, "must not be padded with whitespace")
