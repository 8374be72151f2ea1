"""Nodes, storage, access, events and configuration."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.tables.column import AGE, NAME, NONE, UNKNOWN, Column, at, dig, joined, number, since

Value = dict[str, Any]

_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _data(*names: str) -> Any:
    return lambda value, _now: str(sum(len(value.get(name) or {}) for name in names))


def _node_status(node: Value, _now: datetime) -> str:
    ready = [c for c in dig(node, "status", "conditions") or () if c.get("type") == "Ready"]
    word = ("Ready" if ready[0].get("status") == "True" else "NotReady") if ready else "Unknown"
    return word + (",SchedulingDisabled" if node["spec"].get("unschedulable") else "")


def _roles(node: Value, _now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = dig(node, "metadata", "labels") or {}
    found = {key.removeprefix(prefix) for key in labels if key.startswith(prefix) and key != prefix}
    if role := labels.get("kubernetes.io/role"):
        found.add(role)
    return joined(sorted(found))


def _address(kind: str) -> Any:
    def cell(node: Value, _now: datetime) -> str:
        found = (a.get("address") for a in dig(node, "status", "addresses") or () if a.get("type") == kind)
        return next(found, None) or NONE

    return cell


def _kernel(node: Value, _now: datetime) -> str:
    about = dig(node, "status", "nodeInfo") or {}
    text = about.get("kernelVersion") or UNKNOWN
    return f"{text} ({about['architecture']})" if about.get("architecture") else text


def _modes(*path: str) -> Any:
    return lambda value, _now: ",".join(_MODES.get(mode, mode) for mode in dig(value, *path) or ())


def _claim_status(claim: Value, _now: datetime) -> str:
    return "Terminating" if dig(claim, "metadata", "deletionTimestamp") else dig(claim, "status", "phase") or ""


def _volume_claim(volume: Value, _now: datetime) -> str:
    reference = dig(volume, "spec", "claimRef")
    return f"{reference.get('namespace', '')}/{reference.get('name', '')}" if reference else ""


def _role(binding: Value, _now: datetime) -> str:
    return f"{dig(binding, 'roleRef', 'kind')}/{dig(binding, 'roleRef', 'name')}"


def _subjects(kind: str) -> Any:
    def cell(binding: Value, _now: datetime) -> str:
        found = [s for s in binding.get("subjects") or () if s.get("kind") == kind]
        return ", ".join(f"{s['namespace']}/{s['name']}" if s.get("namespace") else s["name"] for s in found)

    return cell


def _event_time(event: Value, now: datetime, *names: str) -> str:
    found = next((event[name] for name in names if event.get(name)), None)
    return since(found, now)


def _event_last(event: Value, now: datetime) -> str:
    if series := event.get("series"):
        return since(series.get("lastObservedTime"), now)
    return _event_time(event, now, "lastTimestamp", "firstTimestamp", "eventTime")


def _event_object(event: Value, _now: datetime) -> str:
    about = event.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}".rstrip("/")


def _event_source(event: Value, _now: datetime) -> str:
    about = event.get("source") or {}
    component = about.get("component") or event.get("reportingComponent") or ""
    host = about.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


_BINDING: Final = (
    NAME,
    Column("Role", _role),
    AGE,
    Column("Users", _subjects("User"), wide=True),
    Column("Groups", _subjects("Group"), wide=True),
    Column("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)
_CREATED: Final = Column("Created At", at("metadata", "creationTimestamp"), "date")

COLUMNS: Final[Mapping[GroupKind, tuple[Column, ...]]] = {
    GroupKind("", "Node"): (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        AGE,
        Column("Version", at("status", "nodeInfo", "kubeletVersion")),
        Column("Internal-IP", _address("InternalIP"), wide=True),
        Column("External-IP", _address("ExternalIP"), wide=True),
        Column("OS-Image", at("status", "nodeInfo", "osImage", default=UNKNOWN), wide=True),
        Column("Kernel-Version", _kernel, wide=True),
        Column("Container-Runtime", at("status", "nodeInfo", "containerRuntimeVersion", default=UNKNOWN), wide=True),
    ),
    GroupKind("", "Event"): (
        Column("Last Seen", _event_last),
        Column("Type", at("type")),
        Column("Reason", at("reason")),
        Column("Object", _event_object),
        Column("Subobject", at("involvedObject", "fieldPath"), wide=True),
        Column("Source", _event_source, wide=True),
        Column("Message", lambda v, _: (v.get("message") or "").strip()),
        Column("First Seen", lambda v, now: _event_time(v, now, "firstTimestamp", "eventTime"), wide=True),
        Column("Count", lambda v, _: dig(v, "series", "count") or v.get("count") or 1, wide=True),
        Column("Name", at("metadata", "name"), wide=True),
    ),
    GroupKind("", "Namespace"): (NAME, Column("Status", at("status", "phase")), AGE),
    GroupKind("", "Secret"): (NAME, Column("Type", at("type")), Column("Data", _data("data")), AGE),
    GroupKind("", "ConfigMap"): (NAME, Column("Data", _data("data", "binaryData")), AGE),
    GroupKind("", "PersistentVolumeClaim"): (
        NAME,
        Column("Status", _claim_status),
        Column("Volume", at("spec", "volumeName")),
        Column("Capacity", at("status", "capacity", "storage")),
        Column("Access Modes", _modes("status", "accessModes")),
        Column("StorageClass", at("spec", "storageClassName")),
        Column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default="<unset>")),
        AGE,
        Column("VolumeMode", at("spec", "volumeMode"), wide=True),
    ),
    GroupKind("", "PersistentVolume"): (
        NAME,
        Column("Capacity", at("spec", "capacity", "storage")),
        Column("Access Modes", _modes("spec", "accessModes")),
        Column("Reclaim Policy", at("spec", "persistentVolumeReclaimPolicy")),
        Column("Status", _claim_status),
        Column("Claim", _volume_claim),
        Column("StorageClass", at("spec", "storageClassName")),
        Column("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default="<unset>")),
        Column("Reason", at("status", "reason")),
        AGE,
        Column("VolumeMode", at("spec", "volumeMode"), wide=True),
    ),
    GroupKind("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    GroupKind("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    GroupKind("rbac.authorization.k8s.io", "Role"): (NAME, _CREATED),
    GroupKind("rbac.authorization.k8s.io", "ClusterRole"): (NAME, _CREATED),
    GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"): (NAME, _CREATED),
    GroupKind("coordination.k8s.io", "Lease"): (NAME, Column("Holder", at("spec", "holderIdentity")), AGE),
    GroupKind("scheduling.k8s.io", "PriorityClass"): (
        NAME,
        Column("Value", number("value"), "integer"),
        Column("Global-Default", lambda v, _: bool(v.get("globalDefault")), "boolean"),
        AGE,
        Column("PreemptionPolicy", at("preemptionPolicy")),
    ),
    GroupKind("storage.k8s.io", "StorageClass"): (
        NAME,
        Column("Provisioner", at("provisioner")),
        Column("ReclaimPolicy", at("reclaimPolicy")),
        Column("VolumeBindingMode", at("volumeBindingMode")),
        Column("AllowVolumeExpansion", lambda v, _: bool(v.get("allowVolumeExpansion"))),
        AGE,
    ),
}
