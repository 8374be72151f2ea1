"""The columns of each kind that has more to show than its name and age."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.kube.names import GroupKind
from reconciler.sandbox.tables import pods
from reconciler.sandbox.tables.column import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    at,
    containers,
    dig,
    human,
    images,
    joined,
    labels_text,
    number,
    selector,
    since,
)

Value = dict[str, Any]

_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_JOB_STATES: Final = (
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _template(*path: str) -> tuple[Column, Column]:
    return (
        Column("Containers", containers(*path, "spec", "containers"), wide=True),
        Column("Images", images(*path, "spec", "containers"), wide=True),
    )


_TEMPLATE: Final = _template("spec", "template")
_SELECTOR: Final = Column("Selector", selector("spec", "selector"), wide=True)


def _of(up: str, total: str) -> Any:
    def cell(value: Value, _now: datetime) -> str:
        return f"{dig(value, 'status', up) or 0}/{dig(value, 'spec', total) or 0}"

    return cell


def _data(*names: str) -> Any:
    return lambda value, _now: str(sum(len(value.get(name) or {}) for name in names))


def _job_status(job: Value, _now: datetime) -> str:
    held = {c["type"] for c in dig(job, "status", "conditions") or () if c.get("status") == "True"}
    for condition, word in _JOB_STATES:
        if condition == "Suspended" and dig(job, "metadata", "deletionTimestamp"):
            return "Terminating"
        if condition in held:
            return word
    return "Running"


def _completions(job: Value, _now: datetime) -> str:
    done = dig(job, "status", "succeeded") or 0
    wanted = dig(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    parallelism = dig(job, "spec", "parallelism") or 0
    return f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"


def _duration(job: Value, now: datetime) -> str:
    started, ended = dig(job, "status", "startTime"), dig(job, "status", "completionTime")
    if not started:
        return ""
    if not ended:
        return since(started, now)
    return human((datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds())


def _last_schedule(job: Value, now: datetime) -> str:
    found = dig(job, "status", "lastScheduleTime")
    return since(found, now) if found else NONE


def _suspended(job: Value, _now: datetime) -> str:
    return "True" if dig(job, "spec", "suspend") else "False"


def _balancer(value: Value) -> str:
    found = dig(value, "status", "loadBalancer", "ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname") or "" for item in found)


def _external(service: Value, _now: datetime) -> str:
    spec = service["spec"]
    kind = spec.get("type")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    own = list(spec.get("externalIPs") or ())
    if kind == "LoadBalancer":
        balancer = _balancer(service)
        return ",".join([*([balancer] if balancer else []), *own]) or "<pending>"
    return joined(own)


def _ports(service: Value, _now: datetime) -> str:
    texts = []
    for port in service["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port.get('port')}{node}/{port.get('protocol')}")
    return joined(texts)


def _hosts(ingress: Value, _now: datetime) -> str:
    hosts = [rule.get("host") or "*" for rule in ingress["spec"].get("rules") or ()]
    if not any(host != "*" for host in hosts):
        return "*"
    shown = hosts[:3]
    return ",".join(shown) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")


def _ingress_ports(ingress: Value, _now: datetime) -> str:
    return "80, 443" if ingress["spec"].get("tls") else "80"


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


def _reference(value: Value, _now: datetime) -> str:
    found = dig(value, "spec", "scaleTargetRef") or {}
    return f"{found.get('kind', '')}/{found.get('name', '')}"


def _metric(spec: Value, current: Value) -> str:
    kind = spec.get("type", "")
    key = kind[:1].lower() + kind[1:]
    about, measured = spec.get(key) or {}, dig(current, key, "current") or {}
    target = about.get("target") or {}
    prefix = f"{about.get('name')}: " if kind in ("Resource", "ContainerResource") else ""
    if prefix and "averageUtilization" in target:
        now = measured.get("averageUtilization")
        return f"{prefix}{UNKNOWN if now is None else f'{now}%'}/{target['averageUtilization']}%"
    name = "averageValue" if "averageValue" in target else "value"
    average = " (avg)" if name == "averageValue" and kind in ("External", "Object") else ""
    return f"{prefix}{measured.get(name) or UNKNOWN}/{target.get(name, '<auto>')}{average}"


def _targets(value: Value, _now: datetime) -> str:
    specs = dig(value, "spec", "metrics") or ()
    current = dig(value, "status", "currentMetrics") or []
    texts = [_metric(spec, current[i] if len(current) > i else {}) for i, spec in enumerate(specs)]
    return (", ".join(texts[:2]) + (f" + {len(texts) - 2} more..." if len(texts) > 2 else "")) or NONE


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


def _endpoints(value: Value, _now: datetime) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in value.get("subsets") or ()
        for port in subset.get("ports") or ()
        for address in subset.get("addresses") or ()
    ]
    return joined(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


_WORKLOAD_OWNED: Final = (
    NAME,
    Column("Desired", number("spec", "replicas"), "integer"),
    Column("Current", number("status", "replicas"), "integer"),
    Column("Ready", number("status", "readyReplicas"), "integer"),
    AGE,
    *_TEMPLATE,
    _SELECTOR,
)
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
    GroupKind("", "Pod"): pods.COLUMNS,
    GroupKind("apps", "Deployment"): (
        NAME,
        Column("Ready", _of("readyReplicas", "replicas")),
        Column("Up-to-date", lambda v, _: str(dig(v, "status", "updatedReplicas") or 0)),
        Column("Available", lambda v, _: str(dig(v, "status", "availableReplicas") or 0)),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("apps", "ReplicaSet"): _WORKLOAD_OWNED,
    GroupKind("", "ReplicationController"): _WORKLOAD_OWNED,
    GroupKind("apps", "StatefulSet"): (NAME, Column("Ready", _of("readyReplicas", "replicas")), AGE, *_TEMPLATE),
    GroupKind("apps", "DaemonSet"): (
        NAME,
        Column("Desired", number("status", "desiredNumberScheduled"), "integer"),
        Column("Current", number("status", "currentNumberScheduled"), "integer"),
        Column("Ready", number("status", "numberReady"), "integer"),
        Column("Up-to-date", number("status", "updatedNumberScheduled"), "integer"),
        Column("Available", number("status", "numberAvailable"), "integer"),
        Column("Node Selector", lambda v, _: labels_text(dig(v, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("batch", "Job"): (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _completions),
        Column("Duration", _duration),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    GroupKind("batch", "CronJob"): (
        NAME,
        Column("Schedule", at("spec", "schedule")),
        Column("Timezone", at("spec", "timeZone", default=NONE)),
        Column("Suspend", _suspended, "boolean"),
        Column("Active", lambda v, _: len(dig(v, "status", "active") or ()), "integer"),
        Column("Last Schedule", _last_schedule),
        AGE,
        *_template("spec", "jobTemplate", "spec", "template"),
        Column("Selector", selector("spec", "jobTemplate", "spec", "selector"), wide=True),
    ),
    GroupKind("", "Service"): (
        NAME,
        Column("Type", at("spec", "type")),
        Column("Cluster-IP", at("spec", "clusterIPs", 0, default=NONE)),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        Column("Selector", lambda v, _: labels_text(dig(v, "spec", "selector")), wide=True),
    ),
    GroupKind("networking.k8s.io", "Ingress"): (
        NAME,
        Column("Class", at("spec", "ingressClassName", default=NONE)),
        Column("Hosts", _hosts),
        Column("Address", lambda v, _: _balancer(v)),
        Column("Ports", _ingress_ports),
        AGE,
    ),
    GroupKind("networking.k8s.io", "NetworkPolicy"): (
        NAME,
        Column("Pod-Selector", selector("spec", "podSelector")),
        AGE,
    ),
    GroupKind("networking.k8s.io", "IngressClass"): (
        NAME,
        Column("Controller", at("spec", "controller")),
        Column("Parameters", at("spec", "parameters", "name", default=NONE)),
        AGE,
    ),
    GroupKind("", "Endpoints"): (NAME, Column("Endpoints", _endpoints), AGE),
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
    GroupKind("autoscaling", "HorizontalPodAutoscaler"): (
        NAME,
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", lambda v, _: str(dig(v, "spec", "minReplicas") or "<unset>")),
        Column("MaxPods", number("spec", "maxReplicas"), "string"),
        Column("Replicas", number("status", "currentReplicas"), "string"),
        AGE,
    ),
    GroupKind("policy", "PodDisruptionBudget"): (
        NAME,
        Column("Min Available", lambda v, _: str(v["spec"].get("minAvailable", "N/A"))),
        Column("Max Unavailable", lambda v, _: str(v["spec"].get("maxUnavailable", "N/A"))),
        Column("Allowed Disruptions", number("status", "disruptionsAllowed"), "integer"),
        AGE,
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
DEFAULT: Final = (NAME, AGE)
