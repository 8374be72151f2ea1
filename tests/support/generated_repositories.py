"""Repositories at random: a few Deployments, Tasks and plain objects of several kinds, some of which are never pruned,
whose names recur so that commits meet."""

from typing import Any

import yaml
from hypothesis import strategies as st

NAMES = st.sampled_from(["web", "api", "cart"])
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
QUANTITY = st.sampled_from(["100m", "0.1", "1", "1.5", "250m"])
MEMORY = st.sampled_from(["64Mi", "67108864", "1Gi", "1024Mi", "0.5Gi"])


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


CONTAINER = {
    "command": st.lists(st.sampled_from(["serve", "--verbose", "x"]), min_size=1, max_size=2),
    "env": st.dictionaries(st.sampled_from(["A", "B", "C"]), TEXT, max_size=3),
    "workingDir": st.sampled_from(["/srv", "/app"]),
    "terminationGracePeriodSeconds": st.integers(0, 60),
    "resources": st.builds(lambda c, m: {"requests": {"cpu": c, "memory": m}}, QUANTITY, MEMORY),
    "securityContext": st.just({"readOnlyRootFilesystem": True}),
    "placement": optional(
        nodeSelector=st.dictionaries(st.sampled_from(["disk", "arch"]), st.sampled_from(["ssd", "arm64"]), max_size=2),
        tolerations=st.lists(st.just({"key": "spot", "operator": "Exists", "effect": "NoSchedule"}), max_size=1),
    ),
    "volumes": st.just([{"name": "tmp", "mountPath": "/tmp", "emptyDir": {"sizeLimit": "1Gi"}}]),
}
DEPLOYMENT = st.builds(
    lambda spec, more: {**spec, **more},
    optional(
        replicas=st.integers(0, 4),
        rollout=optional(maxSurge=st.sampled_from([1, "25%", "50%"]), progressDeadlineSeconds=st.integers(60, 600)),
        **CONTAINER,
    ),
    st.one_of(
        st.just({}),
        st.builds(
            lambda port, probe: {
                "ports": [{"name": "http", "containerPort": port}],
                "expose": [{"port": 80, "targetPort": "http"}],
                **({"readinessProbe": {"httpGet": {"path": "/", "port": "http"}}} if probe else {}),
            },
            st.integers(1024, 9000),
            st.booleans(),
        ),
    ),
)
TASK = optional(retries=st.integers(0, 3), parallelism=st.integers(1, 3), timeout=st.just("90s"), **CONTAINER)
CONFIG = st.dictionaries(st.sampled_from(["a", "b", "c"]), TEXT, max_size=3)


def ours(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    image = f"example.com/{name}:1"
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"image": image, **spec},
    }


def plain(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


SERVICE = st.builds(
    lambda port, app: {"spec": {"selector": {"app": app}, "ports": [{"port": port}]}}, st.integers(80, 90), NAMES
)
ROLE = st.builds(
    lambda verbs: {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": sorted(verbs)}]},
    st.sets(st.sampled_from(["get", "list", "watch"]), min_size=1),
)
SECRET = st.builds(lambda data: {"stringData": data}, st.dictionaries(st.sampled_from(["a", "b"]), TEXT, max_size=2))
KEPT = st.builds(
    lambda data, annotations: {"data": data, "annotations": annotations},
    CONFIG,
    st.fixed_dictionaries({}, optional={"reconciler.dev/prune": st.just("false")}),
)
PLAIN = {
    "Service": ("v1", SERVICE),
    "Role": ("rbac.authorization.k8s.io/v1", ROLE),
    "Secret": ("v1", SECRET),
    "ConfigMap": ("v1", KEPT),
}


def other(kind: str, fields: dict[str, Any]) -> str:
    """A plain object, whose name is its kind's own."""
    body = {key: value for key, value in fields.items() if key != "annotations"}
    metadata = {"name": f"plain-{kind.lower()}", "annotations": fields.get("annotations", {})}
    return yaml.safe_dump({"apiVersion": PLAIN[kind][0], "kind": kind, "metadata": metadata, **body})


OTHERS = st.fixed_dictionaries({}, optional={kind: fields for kind, (_, fields) in PLAIN.items()})

REPOSITORIES = st.builds(
    lambda deployments, tasks, configs, others: {
        **{f"{n}.yaml": yaml.safe_dump(ours("Deployment", n, s)) for n, s in deployments.items()},
        **{f"task-{n}.yaml": yaml.safe_dump(ours("Task", n, {"command": ["run"], **s})) for n, s in tasks.items()},
        **{f"config-{n}.yaml": yaml.safe_dump(plain(n, d)) for n, d in configs.items()},
        **{f"plain-{kind.lower()}.yaml": other(kind, fields) for kind, fields in others.items()},
    },
    st.dictionaries(NAMES, DEPLOYMENT, max_size=3),
    st.dictionaries(st.sampled_from(["migrate", "seed"]), TASK, max_size=2),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), CONFIG, max_size=3),
    OTHERS,
)
