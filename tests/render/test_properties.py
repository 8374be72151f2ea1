"""What holds for every spec: generated Deployments and Tasks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.openapi import catalog
from reconciler.kube.validate import validate
from reconciler.render.stamp import canonical

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
values = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.just({"secretKeyRef": {"name": "s", "key": "k"}})
)


def containers(prefix: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    named = {"name": names.map(lambda name: f"{prefix}-{name}"), "image": names}
    one = st.fixed_dictionaries(named, optional={"args": st.lists(names, max_size=2)})
    return st.lists(one, max_size=2, unique_by=lambda container: container["name"])


shared = {
    "command": st.lists(names, max_size=3),
    "env": st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,5}", fullmatch=True), values, max_size=4),
    "resources": st.just({"requests": {"cpu": "1"}}),
    "initContainers": containers("init"),
    "sidecars": containers("side"),
    "securityContext": st.sampled_from(
        [{}, {"privileged": True}, {"runAsUser": 0}, {"capabilities": {"add": ["CHOWN"]}}]
    ),
    "podSecurityContext": st.sampled_from([{}, {"runAsUser": 0}, {"fsGroup": 1}]),
    "volumes": st.lists(
        st.builds(lambda n: {"name": n, "mountPath": f"/{n}", "emptyDir": {}}, names), max_size=2, unique_by=str
    ),
    "placement": st.just({"nodeSelector": {"a": "b"}}),
    "template": st.sampled_from([{}, {"metadata": {"labels": {"reconciler.dev/variant": "x", "l": "m"}}}]),
}
exposed = st.builds(
    lambda port, host: {"port": port} | ({"host": f"{host}.example.com"} if host else {}),
    st.integers(1, 65535),
    st.one_of(st.none(), names),
)
exposures = st.lists(exposed, max_size=3, unique_by=lambda e: e["port"])
deployments = st.fixed_dictionaries(
    {"image": names}, optional=shared | {"replicas": st.integers(0, 5), "expose": exposures}
)
tasks = st.fixed_dictionaries(
    {"image": names},
    optional=shared | {"retries": st.integers(0, 3), "timeout": st.just("5m"), "suspend": st.booleans()},
)


def written(kind: str, name: str, spec: dict[str, Any]) -> str:
    document = {"apiVersion": "reconciler.dev/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}}
    text: str = yaml.safe_dump({**document, "spec": spec})
    return text


@pytest.fixture(scope="session")
def shop(good: Any) -> Any:
    return lambda web, migrate: good(f"{written('Deployment', 'web', web)}\n---\n{written('Task', 'migrate', migrate)}")


@given(deployments, tasks)
def test_rendering_twice_gives_the_same(shop: Any, web: dict[str, Any], migrate: dict[str, Any]) -> None:
    first, second = (shop(web, migrate).manifests for _ in range(2))
    assert first == second
    assert list(first.items) == sorted(first.items)
    reordered = shop(dict(reversed(web.items())), dict(reversed(migrate.items()))).manifests.items
    assert {i: m.digest for i, m in reordered.items()} == {i: m.digest for i, m in first.items.items()}


@given(deployments, tasks)
def test_selectors_select_the_pods_of_the_workload_and_no_others(
    shop: Any, web: dict[str, Any], migrate: dict[str, Any]
) -> None:
    made = shop(web, migrate)
    labels = made.spec("Deployment/web")["template"]["metadata"]["labels"].items()
    others = made.spec("Job/migrate-")["template"]["metadata"]["labels"].items()
    assert made.spec("Deployment/web")["selector"]["matchLabels"].items() <= labels
    for name in ("Service/web", "PodDisruptionBudget/web"):
        if name in made.names():
            selector = made.spec(name)["selector"]
            selected = selector.get("matchLabels", selector)
            assert selected.items() <= labels
            assert not selected.items() <= others


@given(deployments, tasks)
def test_rule_6_a_planners_field_is_there_only_where_it_was_stated(
    shop: Any, web: dict[str, Any], migrate: dict[str, Any]
) -> None:
    made = shop(web, migrate)
    assert ("replicas" in made.spec("Deployment/web")) == ("replicas" in web)
    for name, stated in (("Deployment/web", web), ("Job/migrate-", migrate)):
        assert ("resources" in made.container(name)) == ("resources" in stated)
        assert ("nodeSelector" in made.pod(name)) == ("placement" in stated)
        assert {"affinity", "topologySpreadConstraints"}.isdisjoint(made.pod(name))


@given(deployments, tasks)
def test_what_is_rendered_fits_kubernetes_schema_and_is_marked(
    shop: Any, web: dict[str, Any], migrate: dict[str, Any]
) -> None:
    for identity, manifest in shop(web, migrate).manifests.items.items():
        assert json.loads(canonical(manifest.object)) == manifest.object
        assert validate(manifest.object, catalog().schema(manifest.gvk)) == []
        assert not any(part is None for part in parts(manifest.object))
        assert manifest.object["metadata"]["annotations"]["reconciler.dev/id"].endswith("/".join(identity))
        assert manifest.identity == identity


@given(tasks, st.sampled_from(["suspend", "keep", "dependsOn"]))
def test_rule_16_a_tasks_name_depends_on_what_runs(good: Any, task: dict[str, Any], around: str) -> None:
    changes: dict[str, Any] = {"suspend": not task.get("suspend"), "keep": {"failed": 9}, "dependsOn": []}
    before, after = (
        good(written("Task", "m", spec)).manifests.items for spec in (task, {**task, around: changes[around]})
    )
    assert list(before) == list(after)
    other = good(written("Task", "m", {**task, "args": ["another"]})).manifests.items
    assert list(before) != list(other)


def parts(value: Any) -> Iterator[Any]:
    """A JSON value and all that is in it."""
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from parts(inner)
