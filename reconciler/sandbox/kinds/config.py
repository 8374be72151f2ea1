"""Namespaces, ConfigMaps, Secrets, ServiceAccounts, quotas and limits."""

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox import naming
from reconciler.sandbox.metadata import STANDARD_FINALIZERS
from reconciler.sandbox.rules import IMMUTABLE, Causes, Rules

if TYPE_CHECKING:
    from reconciler.sandbox.core import Core

Value = dict[str, Any]

_POD_SECURITY: Final = "pod-security.kubernetes.io/"
_LEVEL: Final = re.compile("privileged|baseline|restricted")
_VERSION: Final = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")
_SIZE_LIMIT: Final = 1024 * 1024
_FROZEN: Final = "field is immutable when `immutable` is set"
_DOCKER_KEYS: Final = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}


def _namespace_before_create(namespace: Value, _core: "Core") -> None:
    finalizers = namespace["spec"].setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")
    namespace["status"] = {"phase": "Active"}
    _name_label(namespace)


def _name_label(namespace: Value) -> None:
    about = namespace["metadata"]
    about["labels"] = {**(about.get("labels") or {}), "kubernetes.io/metadata.name": about["name"]}


def _namespace_before_update(namespace: Value, old: Value, _core: "Core") -> None:
    if "finalizers" in old["spec"]:
        namespace["spec"]["finalizers"] = old["spec"]["finalizers"]
    else:
        namespace["spec"].pop("finalizers", None)
    _name_label(namespace)


def _namespace(value: Value, causes: Causes) -> None:
    field = "spec.finalizers"
    for finalizer in value["spec"].get("finalizers") or ():
        problems = naming.qualified_name(finalizer)
        causes.words(field, finalizer, problems)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            causes.invalid(field, finalizer, why)


def _namespace_status(new: Value, _old: Value, causes: Causes) -> None:
    phase = (new.get("status") or {}).get("phase", "")
    if "deletionTimestamp" in new["metadata"]:
        if phase != "Terminating":
            causes.invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
    elif phase != "Active":
        causes.invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")


def _pod_security(labels: Value) -> Causes:
    """What is wrong with the levels of security that a namespace asks for."""
    causes = Causes()
    for name in ("enforce", "audit", "warn"):
        for key, pattern, words in (
            (f"{_POD_SECURITY}{name}", _LEVEL, "must be one of privileged, baseline, restricted"),
            (f"{_POD_SECURITY}{name}-version", _VERSION, 'must be "latest" or "v1.x"'),
        ):
            if key in labels and not pattern.fullmatch(labels[key]):
                causes.invalid(f"metadata.labels[{key}]", labels[key], words)
    return causes


def _namespace_admit(new: Value, old: Value | None, causes: Causes) -> None:
    found = _pod_security(new["metadata"].get("labels") or {})
    if old is None or found != _pod_security(old["metadata"].get("labels") or {}):
        causes.extend(found)


def _config_map(value: Value, causes: Causes) -> None:
    data, binary = value.get("data") or {}, value.get("binaryData") or {}
    size = 0
    for key, text in data.items():
        causes.words(f"data[{key}]", key, naming.data_key(key))
        if key in binary:
            causes.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(text.encode())
    for key, text in binary.items():
        causes.words(f"binaryData[{key}]", key, naming.data_key(key))
        size += len(text or "") * 3 // 4
    if size > _SIZE_LIMIT:
        causes.too_long("", _SIZE_LIMIT)


def _frozen(new: Value, old: Value, names: tuple[str, ...], causes: Causes) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        causes.forbidden("immutable", _FROZEN)
    for name in names:
        if new.get(name) != old.get(name):
            causes.forbidden(name, _FROZEN)


def _config_map_update(new: Value, old: Value, causes: Causes) -> None:
    _frozen(new, old, ("data", "binaryData"), causes)


def _secret(value: Value, causes: Causes) -> None:
    data = value.get("data") or {}
    for key in data:
        causes.words(f"data[{key}]", key, naming.data_key(key))
    if sum(len(text or "") * 3 // 4 for text in data.values()) > _SIZE_LIMIT:
        causes.too_long("data", _SIZE_LIMIT)
    kind = value.get("type", "")
    if kind in _DOCKER_KEYS:
        _docker(data, _DOCKER_KEYS[kind], causes)
    elif kind == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in data:
                causes.required(f"data[{key}]")
    elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        causes.required("data[username]")
        causes.required("data[password]")
    elif kind == "kubernetes.io/ssh-auth" and not data.get("ssh-privatekey"):
        causes.required("data[ssh-privatekey]")
    elif kind == "kubernetes.io/service-account-token":
        name = "kubernetes.io/service-account.name"
        if not (value["metadata"].get("annotations") or {}).get(name):
            causes.required(f"metadata.annotations[{name}]")


def _docker(data: Value, key: str, causes: Causes) -> None:
    if key not in data:
        causes.required(f"data[{key}]")
        return
    try:
        json.loads(base64.b64decode(data[key]))
    except ValueError:
        causes.invalid(f"data[{key}]", "<secret contents redacted>", "it is not JSON")


def _secret_update(new: Value, old: Value, causes: Causes) -> None:
    if new.get("type") != old.get("type"):
        causes.invalid("type", new.get("type"), IMMUTABLE)
    _frozen(new, old, ("data",), causes)


def _service_account_before_create(account: Value, _core: "Core") -> None:
    """Of a secret only the name counts."""
    for secret in account.get("secrets") or ():
        for extra in secret.keys() - {"name"}:
            del secret[extra]


def _service_account_before_update(account: Value, _old: Value, core: "Core") -> None:
    _service_account_before_create(account, core)


RULES: Final = {
    GroupKind("", "Namespace"): Rules(
        name=naming.dns_label,
        before_create=_namespace_before_create,
        before_update=_namespace_before_update,
        validate=_namespace,
        admit=_namespace_admit,
        validate_status=_namespace_status,
        returns_deleted=True,
        collected=False,
    ),
    GroupKind("", "ConfigMap"): Rules(validate=_config_map, validate_update=_config_map_update),
    GroupKind("", "Secret"): Rules(validate=_secret, validate_update=_secret_update),
    GroupKind("", "ServiceAccount"): Rules(
        before_create=_service_account_before_create,
        before_update=_service_account_before_update,
        returns_deleted=True,
    ),
    GroupKind("", "ResourceQuota"): Rules(returns_deleted=True),
    GroupKind("", "LimitRange"): Rules(create_on_update=True),
    GroupKind("", "Endpoints"): Rules(create_on_update=True),
}
