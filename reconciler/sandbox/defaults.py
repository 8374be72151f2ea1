"""What the server fills in where an object says nothing, by the Go type it belongs to.

Fixed defaults of single fields that the types themselves declare are in `data/gotypes.json`. Each function here
completes one value in place; the walk (`gotypes.Struct.default`) calls it before those of the value's parts.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

from reconciler.kube import quantity

Value = dict[str, Any]


def _fixed(**values: Any) -> Callable[[Value], None]:
    """A default that sets each field that is absent or empty. Containers are copied."""

    def apply(value: Value) -> None:
        for name, default in values.items():
            if value.get(name) in (None, ""):
                value[name] = default.copy() if isinstance(default, dict | list) else default

    return apply


def tag_of(image: str) -> str:
    """An image reference's tag: "latest" where it names neither tag nor digest, "" where only a digest."""
    rest, at, _ = image.partition("@")
    _, colon, tag = rest.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return "" if at else "latest"


def _container(value: Value) -> None:
    if not value.get("imagePullPolicy"):
        value["imagePullPolicy"] = "Always" if tag_of(value.get("image") or "") == "latest" else "IfNotPresent"
    value.setdefault("terminationMessagePath", "/dev/termination-log")
    value.setdefault("terminationMessagePolicy", "File")


def _volume(value: Value) -> None:
    if len(value) == 1:
        value["emptyDir"] = {}
    image = value.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = "Always" if tag_of(image.get("reference") or "") == "latest" else "IfNotPresent"


def _pod_spec(value: Value) -> None:
    value.setdefault("dnsPolicy", "ClusterFirst")
    value.setdefault("restartPolicy", "Always")
    value.setdefault("schedulerName", "default-scheduler")
    value.setdefault("securityContext", {})
    value.setdefault("terminationGracePeriodSeconds", 30)
    if "serviceAccountName" in value:  # the deprecated name always mirrors it
        value["serviceAccount"] = value["serviceAccountName"]
    elif "serviceAccount" in value:
        value["serviceAccountName"] = value["serviceAccount"]


def _pod(value: Value) -> None:
    spec = value["spec"]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        needs = container.get("resources") or {}
        if limits := needs.get("limits"):
            needs["requests"] = {**limits, **(needs.get("requests") or {})}
        for port in (container.get("ports") or ()) if spec.get("hostNetwork") else ():
            if not port.get("hostPort"):
                port["hostPort"] = port.get("containerPort", 0)
    spec.setdefault("enableServiceLinks", True)


def _resource_list(*names: str) -> Callable[[Value], None]:
    """Resource amounts are rounded up to thousandths; `canonical` never writes finer ones but for nano and micro."""

    def apply(value: Value) -> None:
        for name in names:
            for key, amount in (value.get(name) or {}).items():
                if amount[-1:] in ("n", "u"):
                    milli = -(-quantity.parse(amount) * 1000 // 1)
                    value[name][key] = quantity.canonical(f"{milli}m")

    return apply


def _service(value: Value) -> None:
    spec = value["spec"]
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and spec.get("externalIPs"))
    if outside and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in ((value.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def _namespace(value: Value) -> None:
    metadata = value["metadata"]
    if name := metadata.get("name"):
        metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": name}


def _node_status(value: Value) -> None:
    if "capacity" in value and "allocatable" not in value:
        value["allocatable"] = dict(value["capacity"])


def _limit_range_item(value: Value) -> None:
    if value.get("type") != "Container":
        return
    default = {**(value.get("max") or {}), **(value.get("default") or {})}
    request = {**(value.get("min") or {}), **default, **(value.get("defaultRequest") or {})}
    if default:
        value["default"] = default
    if request:
        value["defaultRequest"] = request


def _replication_controller(value: Value) -> None:
    spec = value["spec"]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        spec.setdefault("selector", dict(labels))
        value["metadata"].setdefault("labels", dict(labels))


def _deployment(value: Value) -> None:
    spec = value["spec"]
    strategy = spec["strategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    _fixed(replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)(spec)


def _daemon_set(value: Value) -> None:
    value["metadata"].setdefault("annotations", {}).setdefault("deprecated.daemonset.template.generation", "0")
    spec = value["spec"]
    strategy = spec["updateStrategy"]
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", 0)
        rolling.setdefault("maxUnavailable", 1)
    spec.setdefault("revisionHistoryLimit", 10)


def _stateful_set(value: Value) -> None:
    spec = value["spec"]
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec["updateStrategy"]
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for template in spec.get("volumeClaimTemplates") or ():
        template["kind"], template["apiVersion"] = "PersistentVolumeClaim", "v1"
    _fixed(whenDeleted="Retain", whenScaled="Retain")(retention)
    _fixed(replicas=1, revisionHistoryLimit=10)(spec)


def _replica_set(value: Value) -> None:
    value["spec"].setdefault("replicas", 1)


def _job(value: Value) -> None:
    spec = value["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels and not value["metadata"].get("labels"):
        value["metadata"]["labels"] = labels  # shared: what the template gets later, the Job gets too
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    spec.setdefault("manualSelector", False)


_SCALE_UP: Final[Value] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_SCALE_DOWN: Final[Value] = {
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def _horizontal_pod_autoscaler(value: Value) -> None:
    spec = value["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if (behavior := spec.get("behavior")) is not None:
        for name, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            own = behavior.get(name) or {}
            stated: list[Value] = own["policies"] if "policies" in own else rules["policies"]
            policies = [dict(policy) for policy in stated]
            behavior[name] = {**rules, **own, "policies": policies}


def _secret(value: Value) -> None:
    """`stringData` is written only: it becomes part of `data`."""
    value.setdefault("type", "Opaque")
    for key, text in (value.pop("stringData", None) or {}).items():
        value.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def _host_path(value: Value) -> None:
    value.setdefault("type", "")


def _slice_port(value: Value) -> None:
    value.setdefault("name", "")
    value.setdefault("protocol", "TCP")


def _network_policy(value: Value) -> None:
    spec = value.get("spec") or {}
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        value["spec"] = spec


def _ingress_class(value: Value) -> None:
    if parameters := value["spec"].get("parameters"):
        parameters.setdefault("scope", "Cluster")


def _role_ref(value: Value) -> None:
    if not value["roleRef"].get("apiGroup"):
        value["roleRef"]["apiGroup"] = "rbac.authorization.k8s.io"


def _subject(value: Value) -> None:
    if value.get("kind") in ("User", "Group") and not value.get("apiGroup"):
        value["apiGroup"] = "rbac.authorization.k8s.io"


def _custom_resource_definition(value: Value) -> None:
    spec = value["spec"]
    names = spec["names"]
    if not names.get("singular"):
        names["singular"] = (names.get("kind") or "").lower()
    if not names.get("listKind") and names.get("kind"):
        names["listKind"] = names["kind"] + "List"
    conversion = spec.setdefault("conversion", {"strategy": "None"})
    webhook = conversion.get("webhook") or {}
    if "clientConfig" not in webhook and not webhook.get("conversionReviewVersions"):
        conversion.pop("webhook", None)
    status = value["status"]
    if not status.get("storedVersions"):
        status["storedVersions"] = [v["name"] for v in spec.get("versions") or () if v.get("storage")][:1]


def _persistent_volume(value: Value) -> None:
    _fixed(persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")(value["spec"])
    value["status"].setdefault("phase", "Pending")


def _claim(value: Value) -> None:
    value["status"].setdefault("phase", "Pending")


def _storage_class(value: Value) -> None:
    _fixed(reclaimPolicy="Delete", volumeBindingMode="Immediate")(value)


def _csi_driver(value: Value) -> None:
    spec = value["spec"]
    _fixed(
        attachRequired=True,
        podInfoOnMount=False,
        storageCapacity=False,
        fsGroupPolicy="ReadWriteOnceWithFSType",
        requiresRepublish=False,
        seLinuxMount=False,
        volumeLifecycleModes=["Persistent"],
    )(spec)


_WEBHOOK: Final = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}
_RESOURCES: Final = _resource_list("limits", "requests")
_ATTEMPTS: Final = _fixed(timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
_FILE_MODE: Final = _fixed(defaultMode=0o644)

DEFAULTS: Final[dict[str, Callable[[Value], None]]] = {
    "admissionregistration/v1.MutatingWebhook": _fixed(**_WEBHOOK, reinvocationPolicy="Never"),
    "admissionregistration/v1.ValidatingWebhook": _fixed(**_WEBHOOK),
    "admissionregistration/v1.RuleWithOperations": _fixed(scope="*"),
    "admissionregistration/v1.ServiceReference": _fixed(port=443),
    "apiextensions/v1.CustomResourceDefinition": _custom_resource_definition,
    "apps/v1.DaemonSet": _daemon_set,
    "apps/v1.Deployment": _deployment,
    "apps/v1.ReplicaSet": _replica_set,
    "apps/v1.StatefulSet": _stateful_set,
    "authentication/v1.TokenRequestSpec": _fixed(expirationSeconds=3600),
    "autoscaling/v1.HorizontalPodAutoscalerSpec": _fixed(minReplicas=1),
    "autoscaling/v2.HorizontalPodAutoscaler": _horizontal_pod_autoscaler,
    "batch/v1.CronJobSpec": _fixed(
        concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1
    ),
    "batch/v1.Job": _job,
    "batch/v1.PodFailurePolicyOnPodConditionsPattern": _fixed(status="True"),
    "core/v1.ConfigMapVolumeSource": _FILE_MODE,
    "core/v1.Container": _container,
    "core/v1.DownwardAPIVolumeSource": _FILE_MODE,
    "core/v1.EndpointPort": _fixed(protocol="TCP"),
    "core/v1.EphemeralContainer": _container,
    "core/v1.HTTPGetAction": _fixed(path="/", scheme="HTTP"),
    "core/v1.HostPathVolumeSource": _host_path,
    "core/v1.LimitRangeItem": _limit_range_item,
    "core/v1.Namespace": _namespace,
    "core/v1.NamespaceStatus": _fixed(phase="Active"),
    "core/v1.NodeStatus": _node_status,
    "core/v1.ObjectFieldSelector": _fixed(apiVersion="v1"),
    "core/v1.PersistentVolume": _persistent_volume,
    "core/v1.PersistentVolumeClaim": _claim,
    "core/v1.PersistentVolumeClaimSpec": _fixed(volumeMode="Filesystem"),
    "core/v1.Pod": _pod,
    "core/v1.PodSpec": _pod_spec,
    "core/v1.Probe": _ATTEMPTS,
    "core/v1.ProjectedVolumeSource": _FILE_MODE,
    "core/v1.ReplicationController": _replication_controller,
    "core/v1.ResourceQuotaSpec": _resource_list("hard"),
    "core/v1.ResourceRequirements": _RESOURCES,
    "core/v1.Secret": _secret,
    "core/v1.SecretVolumeSource": _FILE_MODE,
    "core/v1.Service": _service,
    "core/v1.ServiceAccountTokenProjection": _fixed(expirationSeconds=3600),
    "core/v1.Volume": _volume,
    "core/v1.VolumeResourceRequirements": _RESOURCES,
    "discovery/v1.EndpointPort": _slice_port,
    "networking/v1.IngressClass": _ingress_class,
    "networking/v1.NetworkPolicy": _network_policy,
    "networking/v1.NetworkPolicyPort": _fixed(protocol="TCP"),
    "rbac/v1.ClusterRoleBinding": _role_ref,
    "rbac/v1.RoleBinding": _role_ref,
    "rbac/v1.Subject": _subject,
    "scheduling/v1.PriorityClass": _fixed(preemptionPolicy="PreemptLowerPriority"),
    "storage/v1.CSIDriver": _csi_driver,
    "storage/v1.StorageClass": _storage_class,
}
