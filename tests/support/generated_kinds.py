"""Objects to generate calls about: for each kind a small valid one, and what may be stated in it, valid or not.

`menu` names fields by their dotted path and lists values for each. A whole list is a value: what is in it is not chosen
one by one. Names are `one` and `two`; those of cluster-scoped objects hold the group or the namespace, which are the
test's own on a real server.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Object = dict[str, Any]
Menu = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Kind:
    api_version: str
    kind: str
    plural: str
    base: Callable[[str], Object]
    menu: Menu
    status: Menu = field(default_factory=dict)
    scale: bool = False
    names: tuple[str, ...] = ("one", "two")
    namespaced: bool = True

    @property
    def collection(self) -> str:
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}/namespaces/default/{self.plural}" if self.namespaced else f"{root}/{self.plural}"

    def identity(self, name: str) -> Object:
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": name}}

    def valid(self, name: str) -> Object:
        return {**self.identity(name), **self.base(name)}


METADATA: Final[Menu] = {
    "metadata.labels": ({"a": "1"}, {"a": "2", "b": ""}, {"bad key": "x"}, {"a": "not a value!"}, {}, None),
    "metadata.labels.a": ("1", "3", None, 4),
    "metadata.labels.c": ("x", None),
    "metadata.annotations": ({"note": "one"}, {"note": "two", "example.com/x": "y"}, {"bad key": "x"}, None),
    "metadata.annotations.note": ("three", None, {"a": "b"}),
    "metadata.finalizers": (["example.com/hold"], ["example.com/hold", "example.com/more"], ["plain"], [], None),
    "metadata.ownerReferences": (
        [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1"}],
        [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1", "controller": True}],
        [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1"},
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "p", "uid": "u-2", "blockOwnerDeletion": True},
        ],
        [{"apiVersion": "v1", "kind": "ConfigMap", "name": "o"}],
        [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1", "controller": True},
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "p", "uid": "u-2", "controller": True},
        ],
        [{"apiVersion": "v1", "kind": "Event", "name": "o", "uid": "u-1"}],
        None,
    ),
    "metadata.generateName": ("made-",),
    "metadata.generation": (7,),
    "metadata.uid": ("not-this-one",),
    "metadata.resourceVersion": ("1",),
    "metadata.namespace": ("other",),
    "metadata.name": ("mine-Not_A_Name",),
    "metadata.managedFields": ([], [{"manager": "x", "operation": "Wrong"}]),
    "metadata.deletionTimestamp": ("2026-01-01T00:00:00Z",),
    "metadata.selfLink": ("/x",),
    "metadata.unheard": ("of",),
    "unheard": ({"of": 1}, None),
}

_CONTAINERS: Final = (
    [{"name": "main", "image": "nginx:1"}],
    [{"name": "main", "image": "nginx:2", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}],
    [
        {
            "name": "main",
            "image": "nginx",
            "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
            "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP", "name": "dns"}],
            "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": 1}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "livenessProbe": {"httpGet": {"port": 80}},
        },
        {"name": "side", "image": "busybox:1", "command": ["sh", "-c"], "args": ["sleep 1"]},
    ],
    [{"name": "side", "image": "busybox:1", "securityContext": {"runAsUser": 5, "privileged": False}}],
    [{"name": "main", "image": "nginx:1", "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}]}],
    [{"name": "main", "image": "nginx:1"}, {"name": "main", "image": "nginx:2"}],
    [{"name": "Main", "image": "nginx:1"}],
    [{"name": "main"}],
    [{"image": "nginx:1"}],
    [{"name": "main", "image": "nginx:1", "resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1"}}}],
    [{"name": "main", "image": "nginx:1", "env": [{"name": "A=", "value": "x"}, {"name": "", "value": "x"}]}],
    [{"name": "main", "image": "nginx:1", "ports": [{"containerPort": 0}, {"containerPort": 70000}]}],
    [{"name": "main", "image": "nginx:1", "imagePullPolicy": "Sometimes"}],
    [{"name": "main", "image": "nginx:1", "resources": {"requests": {"cpu": "a lot"}}}],
    [{"name": "main", "image": "nginx:1", "volumeMounts": [{"name": "nowhere", "mountPath": "/v"}]}],
    [{"name": "main", "image": "nginx:1", "unheard": True}],
    [{"name": "main", "image": "nginx:1", "env": {"A": "1"}}],
    [],
    None,
)

_POD: Final[Menu] = {
    "containers": _CONTAINERS,
    "initContainers": ([{"name": "init", "image": "busybox"}], [{"name": "main", "image": "busybox"}], [], None),
    "volumes": (
        [{"name": "v", "emptyDir": {}}],
        [{"name": "v", "configMap": {"name": "c"}}, {"name": "w", "secret": {"secretName": "s"}}],
        [{"name": "v"}, {"name": "v", "emptyDir": {}}],
        [{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}],
        None,
    ),
    "restartPolicy": ("Always", "Never", "OnFailure", "Sometimes"),
    "terminationGracePeriodSeconds": (0, 60, -1, "soon"),
    "serviceAccountName": ("default", "Not_A_Name", None),
    "serviceAccount": ("robot",),
    "nodeSelector": ({"disk": "ssd"}, {}, None),
    "nodeSelector.zone": ("a", None, 3),
    "dnsPolicy": ("Default", "Whatever"),
    "hostNetwork": (True, False),
    "securityContext": ({"runAsNonRoot": True, "fsGroup": 2000}, {"fsGroup": -1}, {}, None),
    "tolerations": (
        [{"key": "a", "operator": "Exists"}],
        [{"key": "a", "operator": "Exists", "value": "b"}],
        [{"operator": "Maybe"}],
        None,
    ),
    "imagePullSecrets": ([{"name": "p"}, {"name": "q"}], [{}], None),
    "priorityClassName": ("high", None),
    "affinity": (
        {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        None,
    ),
    "topologySpreadConstraints": (
        [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        [{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Never"}],
    ),
    "activeDeadlineSeconds": (10, 0),
    "hostAliases": ([{"ip": "1.2.3.4", "hostnames": ["a"]}], None),
}


def _below(prefix: str, menu: Menu) -> Menu:
    return {f"{prefix}.{path}": values for path, values in menu.items()}


_TEMPLATE: Final[Menu] = {
    "spec.template.metadata.labels": ({"app": "one"}, {"app": "two", "x": "y"}, {"app": "one", "x": "y"}, {}, None),
    "spec.template.metadata.annotations.note": ("x", None),
    **_below("spec.template.spec", _POD),
}
_SELECTOR: Final[Menu] = {
    "spec.selector": (
        {"matchLabels": {"app": "one"}},
        {"matchLabels": {"app": "two"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["one", "two"]}]},
        {"matchExpressions": [{"key": "app", "operator": "Sometimes"}]},
        {},
        None,
    ),
}
_REPLICAS: Final[Menu] = {"spec.replicas": (0, 1, 3, 3, -1, "3", 1.5, None)}
_CONDITIONS: Final = (
    [{"type": "Ready", "status": "True"}],
    [{"type": "Ready", "status": "False", "reason": "Wait"}, {"type": "Other", "status": "Unknown"}],
    [],
    None,
)


def _pod_template(name: str, **spec: Any) -> Object:
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "nginx"}], **spec}}


def _workload(name: str) -> Object:
    return {"spec": {"selector": {"matchLabels": {"app": name}}, "template": _pod_template(name)}}


def _role(_name: str) -> Object:
    return {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}


_RBAC: Final = "rbac.authorization.k8s.io"
_RULES: Final = (
    [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"], "resourceNames": ["a"]}],
    [{"nonResourceURLs": ["/healthz"], "verbs": ["get"]}],
    [{"apiGroups": [""], "resources": ["pods"]}],
    [{"verbs": ["get"]}],
    [{"apiGroups": [""], "resources": ["pods"], "nonResourceURLs": ["/x"], "verbs": ["get"]}],
    [],
    None,
)
_SUBJECTS: Final = (
    [{"kind": "User", "name": "me", "apiGroup": _RBAC}],
    [{"kind": "User", "name": "me"}, {"kind": "Group", "name": "us"}],
    [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
    [{"kind": "ServiceAccount", "name": "robot"}],
    [{"kind": "User", "name": "me", "apiGroup": "other"}],
    [{"kind": "Robot", "name": "me"}],
    [{"kind": "User"}],
    [],
    None,
)


def _binding(kind: str) -> Callable[[str], Object]:
    return lambda _name: {
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": "view"},
        "subjects": [{"kind": "User", "name": "me"}],
    }


_BINDING: Final[Menu] = {
    "subjects": _SUBJECTS,
    "roleRef": (
        {"apiGroup": _RBAC, "kind": "Role", "name": "view"},
        {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "edit"},
        {"kind": "ClusterRole", "name": "view"},
        {"apiGroup": "x", "kind": "Thing", "name": ""},
        {},
    ),
}
_CLUSTER_NAMES: Final = ("mine-a", "mine-b")


def _schema(**spec: Any) -> Object:
    properties = {"spec": {"type": "object", "properties": spec}, "status": {"type": "object", **_ANYTHING}}
    return {"openAPIV3Schema": {"type": "object", "properties": properties}}


_ANYTHING: Final = {"x-kubernetes-preserve-unknown-fields": True}
_PORTS: Final = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["port", "protocol"],
    "items": {
        "type": "object",
        "required": ["port"],
        "properties": {
            "port": {"type": "integer"},
            "protocol": {"type": "string", "default": "TCP"},
            "name": {"type": "string", "maxLength": 5},
        },
    },
}
WIDGET_SCHEMA: Final = _schema(
    size={"type": "integer", "default": 1, "minimum": 0, "maximum": 10},
    color={"type": "string", "enum": ["red", "blue"], "nullable": True},
    title={"type": "string", "pattern": "^[a-z]*$", "minLength": 1},
    ports=_PORTS,
    tags={"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    steps={"type": "array", "items": {"type": "object", "properties": {"run": {"type": "string"}}}},
    limit={"x-kubernetes-int-or-string": True},
    free={"type": "object", **_ANYTHING},
    counts={"type": "object", "additionalProperties": {"type": "integer"}},
    exact={
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    },
    nested={
        "type": "object",
        "default": {"on": False},
        "required": ["on"],
        "properties": {"on": {"type": "boolean", "default": True}, "off": {"type": "number"}},
    },
    pod={"type": "object", "x-kubernetes-embedded-resource": True, **_ANYTHING},
)


def definition(plural: str, kind: str, group: str = "shop.example.com", **version: Any) -> Object:
    stated = {"name": "v1", "served": True, "storage": True, "schema": WIDGET_SCHEMA, **version}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [stated],
        },
    }


WIDGETS: Final = definition(
    "widgets",
    "Widget",
    subresources={"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
)
GADGETS: Final = definition("gadgets", "Gadget")

_WIDGET: Final[Menu] = {
    "spec": ({}, {"size": 2}, None, "x"),
    "spec.size": (0, 5, 11, -1, "5", 1.5, None),
    "spec.color": ("red", "green", None, 1),
    "spec.title": ("abc", "ABC", "", None),
    "spec.ports": (
        [{"port": 80}],
        [{"port": 80, "protocol": "TCP"}, {"port": 80, "protocol": "UDP", "name": "dns"}],
        [{"port": 80, "name": "too long"}],
        [{"port": 80}, {"port": 80, "protocol": "TCP"}],
        [{"name": "x"}],
        [{"port": 81, "other": 1}],
        {},
        [],
        None,
    ),
    "spec.tags": (["a", "b"], ["b", "c"], ["a", "a"], [1], [], None),
    "spec.steps": ([{"run": "x"}], [{"run": "x"}, {"run": "y", "more": 1}], [None], ["x"], None),
    "spec.limit": (1, "50%", True, 1.5, None),
    "spec.free": ({"a": 1, "b": {"c": [1, 2]}}, {"a": None}, [], None),
    "spec.free.b": ({"c": 1}, "x", None),
    "spec.counts": ({"a": 1}, {"a": "1", "b": 2}, None),
    "spec.counts.b": (7, None, "x"),
    "spec.exact": ({"a": "1"}, {"b": "2", "c": "3"}, {}, None),
    "spec.exact.a": ("9", None),
    "spec.nested": ({}, {"on": False}, {"on": None, "off": 1}, {"off": "x"}, None),
    "spec.pod": (
        {"apiVersion": "v1", "kind": "Pod", "x": 1},
        {"kind": "Pod"},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 1, "wrong": 2}},
        None,
    ),
    "spec.unknown": (1, None),
    "status": ({"size": 2}, None),
    "status.seen": (1, {"a": "b"}, None),
}

_CLAIM: Final = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_PATH: Final = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "w", "port": {"number": 1}}}}
_USE: Final = {"type": "Utilization", "averageUtilization": 60}

_VERSION: Final = {"name": "v1", "served": True, "storage": True, "schema": _schema(n={"type": "integer"})}
_FAULTY_SCHEMAS: Final[tuple[Object, ...]] = (
    {"type": "strange"},
    {},
    {"type": "array"},
    {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "map"},
    {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
    {"type": "integer", "default": "x"},
    {"type": "object", "default": {}, "required": ["a"], "properties": {"a": {"type": "string", "default": "b"}}},
    {"type": "string", "pattern": "("},
    {"type": "string", "x-kubernetes-int-or-string": True},
    {"type": "object", "x-kubernetes-embedded-resource": True},
    {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
    {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
    {"type": "string", "enum": ["a", "b"], "default": "a", "description": "a letter"},
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "uniqueItems": True}}},
)


def _definition(_name: str) -> Object:
    return {"spec": definition("apples", "Apple", "mine-x.example.com")["spec"]}


KINDS: Final = (
    Kind(
        "v1",
        "Namespace",
        "namespaces",
        lambda _name: {},
        {"spec.finalizers": (["kubernetes"], ["example.com/x"], ["x"], []), "spec": ({}, None), "status.phase": ("X",)},
        {"status.phase": ("Active", "Terminating", "Other"), "status.conditions": _CONDITIONS},
        names=_CLUSTER_NAMES,
        namespaced=False,
    ),
    Kind(
        "v1",
        "ConfigMap",
        "configmaps",
        lambda _name: {"data": {"a": "1"}},
        {
            "data": ({"a": "1"}, {"a": "2", "b": "3"}, {"bad key": "x"}, {"a": 1}, None, []),
            "data.a": ("5", None, 6),
            "data.c": ("7", None),
            "binaryData": ({"b": "AAAA"}, {"a": "AAAA"}, {"b": "not base64!"}, None),
            "immutable": (True, True, False, None, "yes"),
        },
    ),
    Kind(
        "v1",
        "Secret",
        "secrets",
        lambda _name: {"stringData": {"a": "1"}},
        {
            "data": ({"a": "MQ=="}, {"a": "Mg==", "b": ""}, {"a": "not base64!"}, {"bad key": ""}, None),
            "data.a": ("Mw==", None, 1),
            "stringData": ({"a": "x"}, {"b": "y"}, {"a": 1}, None),
            "type": (
                "Opaque",
                "kubernetes.io/tls",
                "kubernetes.io/basic-auth",
                "kubernetes.io/dockerconfigjson",
                "own",
            ),
            "immutable": (True, False, None),
        },
    ),
    Kind(
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        lambda _name: {},
        {
            "secrets": ([{"name": "a"}], [{"name": "a"}, {"name": "b"}], [{"name": "b", "namespace": "x"}], [], None),
            "imagePullSecrets": ([{"name": "p"}], [{"name": "p"}, {"name": "p"}], None),
            "automountServiceAccountToken": (True, False, None, "no"),
        },
    ),
    Kind(
        "v1",
        "Service",
        "services",
        lambda name: {"spec": {"selector": {"app": name}, "ports": [{"port": 80}]}},
        {
            "spec.type": ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName", "Other"),
            "spec.ports": (
                [{"port": 80}],
                [{"port": 80, "name": "a"}, {"port": 80, "protocol": "UDP", "name": "b", "targetPort": "dns"}],
                [{"port": 80, "name": "a", "targetPort": 8080}, {"port": 443, "name": "b", "appProtocol": "https"}],
                [{"port": 80}, {"port": 81}],
                [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}],
                [{"port": 0}],
                [{"port": 80, "protocol": "XXX"}],
                [{"port": 80, "targetPort": "Not A Name"}],
                [{"port": 80, "targetPort": 70000}],
                [],
                None,
            ),
            "spec.selector": ({"app": "x"}, {"app": "one", "tier": "web"}, {"bad key": "x"}, {}, None),
            "spec.selector.tier": ("db", None),
            "spec.clusterIP": ("None", "not an address", ""),
            "spec.externalName": ("example.com", "Not_A_Name", None),
            "spec.sessionAffinity": ("None", "ClientIP", "Other"),
            "spec.sessionAffinityConfig": ({"clientIP": {"timeoutSeconds": 60}}, {"clientIP": {"timeoutSeconds": 0}}),
            "spec.externalTrafficPolicy": ("Local", "Cluster", "Other", None),
            "spec.internalTrafficPolicy": ("Local", "Cluster", "Other"),
            "spec.externalIPs": (["1.2.3.4"], ["x"], None),
            "spec.loadBalancerSourceRanges": (["10.0.0.0/8"], ["x"], None),
            "spec.allocateLoadBalancerNodePorts": (True, False, None),
            "spec.loadBalancerClass": ("example.com/lb", "x y"),
            "spec.ipFamilyPolicy": ("SingleStack", "PreferDualStack", "RequireDualStack", "Other"),
            "spec.ipFamilies": (["IPv4"], ["IPv6"], ["IPv4", "IPv4"], ["x"]),
            "spec.publishNotReadyAddresses": (True, False),
        },
        {
            "status.loadBalancer": ({"ingress": [{"ip": "1.2.3.4"}]}, {"ingress": [{"ip": "x"}]}, {}, None),
            "status.conditions": (
                [{"type": "A", "status": "True", "reason": "B", "message": "", "lastTransitionTime": None}],
                None,
            ),
        },
    ),
    Kind(
        "apps/v1",
        "Deployment",
        "deployments",
        _workload,
        {
            **_REPLICAS,
            **_SELECTOR,
            **_TEMPLATE,
            "spec.strategy": (
                {"type": "Recreate"},
                {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "50%"}},
                {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
                {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
                {"rollingUpdate": {"maxSurge": "x"}},
                {"type": "Other"},
                {},
                None,
            ),
            "spec.strategy.rollingUpdate.maxSurge": (2, "10%", -1, None),
            "spec.minReadySeconds": (0, 5, -5),
            "spec.revisionHistoryLimit": (0, 3, -3, None),
            "spec.progressDeadlineSeconds": (0, 60, 5, None),
            "spec.paused": (True, False, "yes"),
        },
        {
            "status.replicas": (1, 2, -1, "2"),
            "status.readyReplicas": (0, 1, 5),
            "status.availableReplicas": (1, 2),
            "status.observedGeneration": (1, -1),
            "status.conditions": _CONDITIONS,
            "status.collisionCount": (1, 0, -1),
        },
        scale=True,
    ),
    Kind(
        "apps/v1",
        "StatefulSet",
        "statefulsets",
        lambda name: {"spec": {**_workload(name)["spec"], "serviceName": name}},
        {
            **_REPLICAS,
            **_SELECTOR,
            **_TEMPLATE,
            "spec.serviceName": ("one", "other", "", "Not_A_Name", None),
            "spec.volumeClaimTemplates": (
                [{"metadata": {"name": "data"}, "spec": _CLAIM}],
                [{"metadata": {"name": "v"}, "spec": {**_CLAIM, "storageClassName": "fast"}}],
                [{"metadata": {"name": "data"}, "spec": {}}],
                None,
            ),
            "spec.podManagementPolicy": ("Parallel", "OrderedReady", "Other"),
            "spec.updateStrategy": (
                {"type": "OnDelete"},
                {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
                {"type": "RollingUpdate", "rollingUpdate": {"partition": -1}},
                {"type": "OnDelete", "rollingUpdate": {"partition": 2}},
                {"type": "Other"},
                {},
                None,
            ),
            "spec.minReadySeconds": (5, -5),
            "spec.revisionHistoryLimit": (3, -3, None),
            "spec.persistentVolumeClaimRetentionPolicy": (
                {"whenDeleted": "Delete"},
                {"whenScaled": "Delete", "whenDeleted": "Retain"},
                {"whenScaled": "Other"},
                None,
            ),
            "spec.ordinals": ({"start": 2}, {"start": -2}, None),
        },
        {
            "status.replicas": (1, 2, -1),
            "status.readyReplicas": (1, 5),
            "status.currentRevision": ("one-1", None),
            "status.conditions": _CONDITIONS,
        },
        scale=True,
    ),
    Kind(
        "batch/v1",
        "Job",
        "jobs",
        lambda name: {"spec": {"template": _pod_template(name, restartPolicy="Never")}},
        {
            **_TEMPLATE,
            "spec.parallelism": (0, 2, -2, None),
            "spec.completions": (1, 3, -3, None),
            "spec.backoffLimit": (0, 4, -4),
            "spec.activeDeadlineSeconds": (10, 0, -1, None),
            "spec.ttlSecondsAfterFinished": (0, 60, -1, None),
            "spec.suspend": (True, False, None),
            "spec.completionMode": ("Indexed", "NonIndexed", "Other"),
            "spec.manualSelector": (True, False),
            "spec.selector": ({"matchLabels": {"app": "one"}}, {}, None),
            "spec.podReplacementPolicy": ("Failed", "TerminatingOrFailed", "Other"),
            "spec.managedBy": ("example.com/own", "bad name!"),
        },
        {
            "status.active": (1, 0, -1, None),
            "status.succeeded": (1, None),
            "status.failed": (1, -1),
            "status.startTime": ("2026-01-01T00:00:00Z", "then", None),
            "status.conditions": (
                [{"type": "Suspended", "status": "True"}],
                [{"type": "Failed", "status": "True"}, {"type": "Complete", "status": "True"}],
                None,
            ),
        },
    ),
    Kind(
        "batch/v1",
        "CronJob",
        "cronjobs",
        lambda name: {
            "spec": {
                "schedule": "*/5 * * * *",
                "jobTemplate": {"spec": {"template": _pod_template(name, restartPolicy="Never")}},
            }
        },
        {
            "spec.schedule": (
                "0 3 * * 1-5",
                "@daily",
                "@every 5m",
                "",
                "* * * *",
                "61 * * * *",
                "TZ=UTC * * * * *",
                None,
            ),
            "spec.timeZone": ("Europe/Berlin", "Mars/Olympus", "", "Local", None),
            "spec.concurrencyPolicy": ("Forbid", "Replace", "Allow", "Other"),
            "spec.suspend": (True, False, None),
            "spec.startingDeadlineSeconds": (10, -1, None),
            "spec.successfulJobsHistoryLimit": (0, 5, -1, None),
            "spec.failedJobsHistoryLimit": (0, 5, -1, None),
            "spec.jobTemplate.spec.backoffLimit": (1, -1, None),
            "spec.jobTemplate.spec.selector": ({"matchLabels": {"a": "b"}}, None),
            "spec.jobTemplate.spec.manualSelector": (True, False),
            "spec.jobTemplate.metadata.labels": ({"a": "b"}, {"bad key": "x"}, None),
            **_below("spec.jobTemplate.spec.template.spec", _POD),
        },
        {
            "status.active": ([{"kind": "Job", "name": "x"}], [], None),
            "status.lastScheduleTime": ("2026-01-01T00:00:00Z", "then"),
        },
    ),
    Kind(
        "networking.k8s.io/v1",
        "Ingress",
        "ingresses",
        lambda _name: {"spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}},
        {
            "spec.ingressClassName": ("nginx", "Not_A_Name", None),
            "spec.defaultBackend": (
                {"service": {"name": "web", "port": {"name": "http"}}},
                {"service": {"name": "web", "port": {"name": "http", "number": 80}}},
                {"service": {"name": "web", "port": {}}},
                {"service": {"name": "", "port": {"number": 0}}},
                {"resource": {"apiGroup": "x.io", "kind": "Bucket", "name": "b"}},
                {"resource": {"kind": "B", "name": "b"}, "service": {"name": "web", "port": {"number": 80}}},
                {},
                None,
            ),
            "spec.rules": (
                [{"host": "a.example.com"}],
                [{"host": "*.example.com", "http": {"paths": [_PATH]}}],
                [{"http": {"paths": [_PATH, {**_PATH, "path": "/x", "pathType": "Exact"}]}}],
                [{"http": {"paths": [{**_PATH, "path": "no"}]}}],
                [{"http": {"paths": [{**_PATH, "pathType": "Other"}]}}],
                [{"http": {"paths": [{"path": "/", "backend": _PATH["backend"]}]}}],
                [{"http": {"paths": [{**_PATH, "path": "", "pathType": "ImplementationSpecific"}]}}],
                [{"http": {"paths": [{**_PATH, "path": "/a//b"}]}}],
                [{"http": {"paths": []}}],
                [{"host": "1.2.3.4"}],
                [{"host": "Not_A_Name"}],
                [],
                None,
            ),
            "spec.tls": (
                [{"hosts": ["a.example.com"], "secretName": "s"}],
                [{"hosts": ["Not_A_Name"]}],
                [{"secretName": "Not_A_Name"}],
                [{}],
                None,
            ),
            "metadata.annotations": ({"kubernetes.io/ingress.class": "nginx"}, {"note": "x"}, None),
        },
        {
            "status.loadBalancer": (
                {"ingress": [{"hostname": "a.b"}]},
                {"ingress": [{"ip": "1.2.3.4"}]},
                {"ingress": [{"ip": "x"}]},
                {},
                None,
            )
        },
    ),
    Kind(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        lambda name: {
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "maxReplicas": 3}
        },
        {
            "spec.minReplicas": (1, 2, 0, 5, -1, None),
            "spec.maxReplicas": (1, 9, 0, -1, None),
            "spec.scaleTargetRef": (
                {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
                {"kind": "Deployment", "name": ""},
                {"kind": "a/b", "name": "x/y"},
                {},
            ),
            "spec.metrics": (
                [{"type": "Resource", "resource": {"name": "cpu", "target": _USE}}],
                [
                    {"type": "Resource", "resource": {"name": "cpu", "target": {**_USE, "averageUtilization": 80}}},
                    {
                        "type": "Resource",
                        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1000m"}},
                    },
                ],
                [
                    {
                        "type": "Pods",
                        "pods": {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "10"}},
                    }
                ],
                [
                    {
                        "type": "External",
                        "external": {"metric": {"name": "q"}, "target": {"type": "Value", "value": "3"}},
                    }
                ],
                [
                    {
                        "type": "Object",
                        "object": {
                            "metric": {"name": "q"},
                            "describedObject": {"kind": "Service", "name": "s"},
                            "target": {"type": "Value", "value": "3"},
                        },
                    }
                ],
                [{"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "m", "target": _USE}}],
                [{"type": "Resource"}],
                [{"type": "Other"}],
                [{"type": "Resource", "resource": {"name": "cpu", "target": {**_USE, "averageUtilization": 0}}}],
                [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
                [{"type": "Pods", "pods": {"metric": {}, "target": {"type": "Value", "value": "3"}}}],
                [],
                None,
            ),
            "spec.behavior": (
                {"scaleDown": {"stabilizationWindowSeconds": 60}},
                {"scaleUp": {"selectPolicy": "Min", "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}},
                {"scaleUp": {"policies": [{"type": "Other", "value": 0, "periodSeconds": 9999}]}},
                {"scaleDown": {"selectPolicy": "Other", "stabilizationWindowSeconds": 9999}},
                {},
                None,
            ),
        },
        {
            "status.currentReplicas": (1, -1),
            "status.desiredReplicas": (2, 0),
            "status.conditions": _CONDITIONS,
        },
    ),
    Kind(
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        lambda name: {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}}},
        {
            "spec.minAvailable": (1, "50%", "150%", -1, "x", None),
            "spec.maxUnavailable": (1, "50%", "150%", -1, None),
            **_SELECTOR,
            "spec.unhealthyPodEvictionPolicy": ("AlwaysAllow", "IfHealthyBudget", "Other", None),
        },
        {
            "status.disruptionsAllowed": (1, 0, -1),
            "status.currentHealthy": (1, -1),
            "status.desiredHealthy": (1,),
            "status.expectedPods": (1,),
            "status.conditions": (
                [
                    {
                        "type": "DisruptionAllowed",
                        "status": "True",
                        "reason": "SufficientPods",
                        "message": "",
                        "lastTransitionTime": "2026-01-01T00:00:00Z",
                    }
                ],
                _CONDITIONS[1],
                None,
            ),
        },
    ),
    Kind(f"{_RBAC}/v1", "Role", "roles", _role, {"rules": _RULES}),
    Kind(
        f"{_RBAC}/v1",
        "ClusterRole",
        "clusterroles",
        _role,
        {
            "rules": _RULES,
            "aggregationRule": (
                {"clusterRoleSelectors": [{"matchLabels": {"shop.example.com": "x"}}]},
                {"clusterRoleSelectors": []},
                None,
            ),
        },
        names=_CLUSTER_NAMES,
        namespaced=False,
    ),
    Kind(f"{_RBAC}/v1", "RoleBinding", "rolebindings", _binding("Role"), _BINDING),
    Kind(
        f"{_RBAC}/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        _binding("ClusterRole"),
        _BINDING,
        names=_CLUSTER_NAMES,
        namespaced=False,
    ),
    Kind(
        "shop.example.com/v1",
        "Widget",
        "widgets",
        lambda _name: {"spec": {"size": 2}},
        _WIDGET,
        {"status": ({"size": 3}, None, "x"), "status.size": (1, 4, None), "status.deep": ({"a": {"b": 1}}, None)},
        scale=True,
    ),
    Kind("shop.example.com/v1", "Gadget", "gadgets", lambda _name: {"spec": {}}, _WIDGET),
    Kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        _definition,
        {
            "spec.scope": ("Cluster", "Other", None),
            "spec.group": ("other.example.com", "", None),
            "spec.names": (
                {"plural": "apples", "kind": "Apple", "shortNames": ["ap"], "categories": ["all", "fruit"]},
                {"plural": "apples", "kind": "Fruit", "listKind": "Fruits", "singular": "fruit"},
                {"plural": "pears", "kind": "Pear"},
                {"plural": "Apples", "kind": "not a kind"},
                {},
            ),
            "spec.preserveUnknownFields": (True, False),
            "spec.conversion": ({"strategy": "None"}, {"strategy": "Webhook"}, {"strategy": "Other"}, None),
            "spec.versions": (
                [_VERSION],
                [_VERSION, {**_VERSION, "name": "v2", "storage": False}],
                [{**_VERSION, "storage": False}],
                [_VERSION, {**_VERSION, "name": "v2"}],
                [{**_VERSION, "served": False}],
                [{**_VERSION, "name": "V_1"}],
                [{"name": "v1", "served": True, "storage": True}],
                [{**_VERSION, "subresources": {"status": {}}}],
                [{**_VERSION, "subresources": {"scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": "n"}}}],
                [{**_VERSION, "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}]}],
                [{**_VERSION, "additionalPrinterColumns": [{"name": "N", "type": "x", "jsonPath": "n"}]}],
                [{**_VERSION, "deprecated": True, "deprecationWarning": "old"}],
                *([{**_VERSION, "schema": _schema(n=each)}] for each in _FAULTY_SCHEMAS),
                [],
                None,
            ),
        },
        names=("apples.mine-x.example.com",),
        namespaced=False,
    ),
)
