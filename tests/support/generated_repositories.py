"""Repositories at random: a few Deployments, Tasks and plain objects, whose names recur so that commits meet."""

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


REPOSITORIES = st.builds(
    lambda deployments, tasks, configs: {
        **{f"{n}.yaml": yaml.safe_dump(ours("Deployment", n, s)) for n, s in deployments.items()},
        **{f"task-{n}.yaml": yaml.safe_dump(ours("Task", n, {"command": ["run"], **s})) for n, s in tasks.items()},
        **{f"config-{n}.yaml": yaml.safe_dump(plain(n, d)) for n, d in configs.items()},
    },
    st.dictionaries(NAMES, DEPLOYMENT, max_size=3),
    st.dictionaries(st.sampled_from(["migrate", "seed"]), TASK, max_size=2),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), CONFIG, max_size=3),
)
