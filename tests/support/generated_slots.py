"""What one revision of a generated repository holds: slots, each about a few names of its own, so that two revisions
state something of the same names more often than not.

Words in capitals stand for names that are the test's own on a server that others use too.
"""

from collections.abc import Mapping
from typing import Any, Final

import yaml
from generated_repositories import CONFIG, DEPLOYMENT, MEMORY, NAMES, QUANTITY, TASK, optional
from hypothesis import strategies as st

Files = dict[str, str]
Object = dict[str, Any]

EXTRA: Final = "EXTRA"  # a namespace beside the source's own
GROUP: Final = "GROUP.example.com"  # of custom resources
RBAC: Final = "rbac.authorization.k8s.io/v1"
OURS: Final = "reconciler.dev/v1"


def doc(api: str, kind: str, name: str, marks: Mapping[str, str] | None = None, **body: Any) -> Object:
    """A document; of `body`, `namespace` and `labels` go to its metadata."""
    metadata: Object = {"name": name}
    for key in ("namespace", "labels"):
        if value := body.pop(key, None):
            metadata[key] = value
    if marks:
        metadata["annotations"] = {f"reconciler.dev/{key}": value for key, value in marks.items()}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def text(*documents: Object) -> str:
    return yaml.safe_dump_all(documents)


MARKS = st.one_of(
    st.just({}),
    optional(
        prune=st.just("false"),
        replace=st.just("true"),
        adopt=st.just("true"),
        drift=st.sampled_from(["heal", "alert", "ignore"]),
    ),
)
IGNORING = st.builds(
    lambda marks, ignored: {**marks, **ignored},
    MARKS,
    st.one_of(st.just({}), st.sampled_from([{"ignore": "/data/a"}, {"ignore": "/data"}])),
)
VALUE = st.sampled_from(["1", "2", "3"])

FREEDOM = st.sampled_from(
    [
        {"spec": {"hostNetwork": True}},
        {"spec": {"hostPID": True}},
        {"metadata": {"labels": {"tier": "front"}}},
    ]
)
SCALED = st.builds(
    lambda low, more, cpu: {"scale": {"min": low, "max": low + more, "target": {"cpu": cpu}}, "resources": ASKED},
    st.integers(1, 3),
    st.integers(1, 5),
    st.sampled_from(["50%", "70%"]),
)
ASKED = {"requests": {"cpu": "100m", "memory": "64Mi"}}
PORTS = [{"name": "http", "containerPort": 8080}]
EXPOSED = st.builds(
    lambda host, path: {"ports": PORTS, "expose": [{"port": 80, "targetPort": "http", "host": host, "path": path}]},
    st.sampled_from(["a.example.com", "b.example.com"]),
    st.sampled_from(["/", "/x"]),
)
HUGE = st.just({"resources": {"requests": {"cpu": "500", "memory": "64Mi"}}})
BUDGETED = st.just({"replicas": 2})
MADE_CLAIM = st.builds(
    lambda size: {"volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": size}}]},
    st.sampled_from(["1Gi", "2Gi"]),
)


@st.composite
def workloads(draw: st.DrawFn) -> Files:
    """A Deployment of ours and the files that it mounts."""
    name = draw(NAMES)
    spec: Object = {"image": draw(st.sampled_from([f"example.com/{name}:1", f"example.com/{name}:2", "shared"]))}
    for part in draw(st.lists(st.sampled_from([DEPLOYMENT, EXPOSED, HUGE, BUDGETED, MADE_CLAIM]), max_size=2)):
        spec |= draw(part)
    if draw(st.booleans()):
        spec = {key: value for key, value in spec.items() if key != "replicas"} | draw(SCALED)
    if draw(st.booleans()):
        spec["template"] = draw(FREEDOM)
    files: Files = {}
    if draw(st.booleans()):
        spec["files"] = {"/etc/app": "./conf"}
        files["conf/app.ini"] = f"a={draw(VALUE)}\n"
        if draw(st.booleans()):
            files["conf/more.ini"] = f"b={draw(VALUE)}\n"
    place = draw(st.sampled_from(["", "apps-"])) + name
    return {f"{place}.yaml": text(doc(OURS, "Deployment", name, draw(MARKS), spec=spec)), **files}


@st.composite
def tasks(draw: st.DrawFn) -> Files:
    """A Task that runs on change or on a schedule."""
    spec = {"image": draw(st.sampled_from(["example.com/job:1", "shared"])), "command": ["run"], **draw(TASK)}
    if draw(st.integers(0, 3)) == 0:
        spec |= {"run": "schedule", "schedule": draw(st.sampled_from(["0 3 1 1 *", "30 4 1 1 *"]))}
    elif draw(st.integers(0, 3)) == 0:
        spec["keep"] = {"succeeded": draw(st.integers(0, 1))}
    if draw(st.integers(0, 4)) == 0:
        spec["suspend"] = True
    return {"migrate.yaml": text(doc(OURS, "Task", "migrate", spec=spec))}


@st.composite
def configs(draw: st.DrawFn) -> Files:
    """A ConfigMap that moves between files, into a List, beside another, and may be immutable."""
    body: Object = {"data": draw(CONFIG)}
    if draw(st.integers(0, 3)) == 0:
        body["immutable"] = True
    one = doc("v1", "ConfigMap", draw(st.sampled_from(["x", "y"])), draw(IGNORING), **body)
    match draw(st.integers(0, 3)):
        case 0:
            return {"moved/config.yaml": text(one)}
        case 1:
            return {"config.yaml": text({"apiVersion": "v1", "kind": "List", "items": [one]})}
        case 2:
            return {"config.yaml": text(one, doc("v1", "ConfigMap", "beside", data={"a": draw(VALUE)}))}
        case _:
            return {"config.yaml": text(one)}


@st.composite
def secrets(draw: st.DrawFn) -> Files:
    """A Secret, whose type is immutable."""
    kind = draw(st.sampled_from(["Opaque", "example.com/own"]))
    key = draw(st.sampled_from(["a", "b"]))
    return {"secret.yaml": text(doc("v1", "Secret", "s", draw(MARKS), type=kind, stringData={key: draw(VALUE)}))}


@st.composite
def services(draw: st.DrawFn) -> Files:
    """A Service, whose clusterIP is immutable, for one of the workloads or for nobody."""
    spec: Object = {"selector": draw(SELECTORS), "ports": [{"port": draw(st.integers(80, 82))}]}
    if draw(st.integers(0, 2)) == 0:
        spec["clusterIP"] = "None"
    return {"service.yaml": text(doc("v1", "Service", "front", draw(MARKS), spec=spec))}


SELECTORS = st.sampled_from(
    [{"app": "db"}, {"app": "nobody"}, {"app.kubernetes.io/name": "web"}, {"app.kubernetes.io/name": "api"}]
)


def pods(app: str, **spec: Any) -> Object:
    container = {"name": "main", "image": "example.com/db:1"}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **spec}}


@st.composite
def stateful_sets(draw: st.DrawFn) -> Files:
    """A StatefulSet: most of it is immutable."""
    spec: Object = {
        "replicas": draw(st.integers(0, 2)),
        "serviceName": draw(st.sampled_from(["db", "db-2"])),
        "selector": {"matchLabels": {"app": "db"}},
        "template": pods("db", terminationGracePeriodSeconds=draw(st.sampled_from([10, 20]))),
    }
    if draw(st.booleans()):
        storage = draw(st.sampled_from(["1Gi", "2Gi", "1024Mi"]))
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
    return {"db.yaml": text(doc("apps/v1", "StatefulSet", "db", draw(MARKS), spec=spec))}


@st.composite
def spaces(draw: st.DrawFn) -> Files:
    """A namespace beside the source's own, and what is in it, one without the other too."""
    files: Files = {}
    if draw(st.integers(0, 3)):
        level = draw(st.sampled_from([None, "baseline", "restricted"]))
        labels = {"pod-security.kubernetes.io/enforce": level} if level else {"team": draw(VALUE)}
        files["space.yaml"] = text(doc("v1", "Namespace", EXTRA, draw(MARKS), labels=labels))
    if draw(st.integers(0, 3)):
        inside = doc("v1", "ConfigMap", "inside", draw(MARKS), namespace=EXTRA, data={"a": draw(VALUE)})
        files["inside.yaml"] = text(inside)
    if draw(st.booleans()):
        spec = {"image": "example.com/web:1", "replicas": draw(st.integers(0, 1))}
        files["inside-web.yaml"] = text(doc(OURS, "Deployment", "inside", namespace=EXTRA, spec=spec))
    return files


@st.composite
def definitions(draw: st.DrawFn) -> Files:
    """A definition and objects of it, one without the other too; versions come and go."""
    served = draw(st.sampled_from([("v1",), ("v1", "v2"), ("v2",)]))
    files: Files = {}
    if draw(st.integers(0, 4)):
        files["definition.yaml"] = text(definition(served))
    for name in draw(st.lists(st.sampled_from(["desk", "floor"]), unique=True, max_size=2)):
        version = draw(st.sampled_from(["v1", "v1", "v2"]))
        lamp = doc(f"{GROUP}/{version}", "Lamp", name, draw(MARKS), spec={"watts": draw(st.integers(1, 3))})
        files[f"lamp-{name}.yaml"] = text(lamp)
    return files


def definition(served: tuple[str, ...]) -> Object:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"watts": {"type": "integer", "maximum": 2}}}},
    }
    versions = [
        {"name": name, "served": True, "storage": name == served[-1], "schema": {"openAPIV3Schema": schema}}
        for name in served
    ]
    spec = {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "lamps", "singular": "lamp", "kind": "Lamp", "listKind": "LampList"},
        "versions": versions,
    }
    return doc("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"lamps.{GROUP}", spec=spec)


@st.composite
def claims(draw: st.DrawFn) -> Files:
    """A PersistentVolumeClaim, whose spec is immutable."""
    size, mode = draw(st.sampled_from(["1Gi", "2Gi"])), draw(st.sampled_from(["ReadWriteOnce", "ReadWriteMany"]))
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}, "storageClassName": "by-hand"}
    return {"claim.yaml": text(doc("v1", "PersistentVolumeClaim", "data", draw(MARKS), spec=spec))}


@st.composite
def budgets(draw: st.DrawFn) -> Files:
    """A PodDisruptionBudget for pods of the StatefulSet."""
    limit = draw(st.sampled_from([{"maxUnavailable": 0}, {"maxUnavailable": 1}, {"minAvailable": 1}]))
    spec = {"selector": {"matchLabels": {"app": "db"}}, **limit}
    return {"budget.yaml": text(doc("policy/v1", "PodDisruptionBudget", "db", spec=spec))}


@st.composite
def privileges(draw: st.DrawFn) -> Files:
    """A Role, and a RoleBinding whose role is immutable."""
    verbs = draw(st.lists(st.sampled_from(["get", "list", "*"]), min_size=1, unique=True))
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": sorted(verbs)}]
    files = {"role.yaml": text(doc(RBAC, "Role", "ci", draw(MARKS), rules=rules))}
    if draw(st.booleans()):
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": draw(st.sampled_from(["ci", "cd"]))}
        names = draw(st.lists(st.sampled_from(["ann", "bob"]), unique=True, min_size=1))
        users = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name} for name in names]
        files["binding.yaml"] = text(doc(RBAC, "RoleBinding", "ci", draw(MARKS), roleRef=role, subjects=users))
    return files


BROKEN = st.sampled_from(
    [
        {"config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n"},
        {"broken.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n"},
        {"broken.yaml": text(doc("v1", "ConfigMap", "x", dats={"a": "1"}))},
        {"broken.yaml": text(doc("v1", "ConfigMap", "x", data={"a": 1}))},
        {"broken.yaml": text(doc("v1", "ConfigMap", "x", data={"a": "twice"}))},
        {"broken.yaml": text(doc(OURS, "Deployment", "web", spec={"image": "example.com/web:1", "replica": 2}))},
        {"broken.yaml": text(doc(OURS, "Deployment", "api", spec={"image": "Not An Image"}))},
        {"broken.yaml": text({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}})},
        {"web.yaml": text(doc(OURS, "Deployment", "web", spec={"image": "a", "files": {"/etc/app": "./nowhere"}}))},
    ]
)
REJECTED = st.sampled_from(
    [
        {"rejected.yaml": text(doc("v1", "ConfigMap", "rejected", data={"not a key": "1"}))},
        {"rejected.yaml": text(doc("v1", "ConfigMap", "rejected", data={"a": "1"}))},
        {"rejected.yaml": text(doc("v1", "ConfigMap", "rejected", labels={"team": "not a value!"}, data={"a": "1"}))},
        {
            "rejected.yaml": text(
                doc(
                    "v1", "Service", "rejected", spec={"ports": [{"port": 80}, {"port": 81}], "selector": {"app": "db"}}
                )
            )
        },
        {"rejected.yaml": text(doc("v1", "ConfigMap", "elsewhere", namespace="nobody-made-this", data={"a": "1"}))},
        {"rejected.yaml": text(doc("example.org/v1", "Ghost", "g", spec={"a": 1}))},
        {"rejected.yaml": text(doc("policy/v1beta1", "PodDisruptionBudget", "old", spec={"maxUnavailable": 1}))},
        {"rejected.yaml": text(doc("v1", "LimitRange", "denied", labels={"admission": "deny"}, spec={"limits": []}))},
        {"rejected.yaml": text(doc("v1", "LimitRange", "denied", spec={"limits": []}))},
    ]
)
IMAGES = st.sampled_from(
    [
        {"images.yaml": text(doc(OURS, "Image", "shared", spec={"repository": "example.com/shared", "tag": tag}))}
        for tag in ("1", "2")
    ]
)
SETTINGS = st.sampled_from(
    [
        {"reconciler.yaml": text({"ignore": [{"kind": "ConfigMap", "name": "x", "fields": ["/data"]}]})},
        {"reconciler.yaml": text({"ignore": [{"kind": "Deployment", "fields": ["/spec/replicas"]}]})},
        {"reconciler.yaml": text({"review": {"risks": {"deletion": "block"}}})},
        {"reconciler.yaml": "ignore: [{kind: 7"},
    ]
)


@st.composite
def renamed(draw: st.DrawFn) -> Files:
    """A program under one name, as one kind and then as another."""
    name, marks = "app", draw(MARKS)
    kind = draw(st.sampled_from(["ours", "Deployment", "StatefulSet", "DaemonSet", "Job"]))
    if kind == "ours":
        spec: Object = {"image": "example.com/app:1", "replicas": 1}
        return {"app.yaml": text(doc(OURS, "Deployment", name, marks, spec=spec))}
    made = pods(name)
    if kind == "Job":
        made["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": draw(st.sampled_from([60, 90]))}
        return {"app.yaml": text(doc("batch/v1", "Job", name, marks, spec={"template": made}))}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": made}
    spec |= {"serviceName": name} if kind == "StatefulSet" else {}
    return {"app.yaml": text(doc("apps/v1", kind, name, marks, spec=spec))}


@st.composite
def plain(draw: st.DrawFn) -> Files:
    """What else is applied as it stands."""
    ingress = {"defaultBackend": {"service": {"name": "front", "port": {"number": draw(st.integers(80, 81))}}}}
    scaled = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
    autoscaler = {"scaleTargetRef": scaled, "maxReplicas": draw(st.integers(2, 3))}
    network = {"podSelector": {"matchLabels": {"app": draw(NAMES)}}}
    account = doc("v1", "ServiceAccount", "robot", automountServiceAccountToken=draw(st.booleans()))
    limits = {"limits": [{"type": "Container", "default": {"cpu": draw(QUANTITY), "memory": draw(MEMORY)}}]}
    scheduled = {"spec": {"template": pods("cron", restartPolicy="Never")}}
    cron = {"schedule": draw(st.sampled_from(["0 3 1 1 *", "30 4 1 1 *"])), "jobTemplate": scheduled}
    every = [
        doc("networking.k8s.io/v1", "Ingress", "edge", spec=ingress),
        doc("autoscaling/v2", "HorizontalPodAutoscaler", "db", spec=autoscaler),
        doc("networking.k8s.io/v1", "NetworkPolicy", "wall", spec=network),
        account,
        doc("v1", "LimitRange", "most", spec=limits),
        doc("batch/v1", "CronJob", "nightly", spec=cron),
    ]
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique_by=lambda each: each["kind"]))
    return {f"plain-{each['kind'].lower()}.yaml": text(each) for each in chosen}


SLOTS: Final[dict[str, st.SearchStrategy[Files]]] = {
    "workload": workloads(),
    "another": workloads(),
    "task": tasks(),
    "config": configs(),
    "secret": secrets(),
    "service": services(),
    "stateful": stateful_sets(),
    "space": spaces(),
    "definition": definitions(),
    "claim": claims(),
    "budget": budgets(),
    "privileges": privileges(),
    "broken": BROKEN,
    "rejected": REJECTED,
    "settings": SETTINGS,
    "images": IMAGES,
    "renamed": renamed(),
    "plain": plain(),
}
OVERLAYS = st.sampled_from(
    [
        {"config.yaml": text(doc("v1", "ConfigMap", "x", data={"b": "over"}))},
        {"config.yaml": text(doc("v1", "ConfigMap", "x", data={"a": None}))},
        {"web.yaml": text(doc(OURS, "Deployment", "web", spec={"replicas": 3}))},
        {"only.yaml": text(doc("v1", "ConfigMap", "only", data={"a": "1"}))},
    ]
)
