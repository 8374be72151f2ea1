"""Schemas that many tests of this room use."""

from typing import Any

import pytest
from hypothesis import strategies as st

from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.kube.schema import Schema


@pytest.fixture(scope="session")
def deployment() -> Schema:
    return catalog().schema(GroupVersionKind("apps", "v1", "Deployment"))


@pytest.fixture(scope="session")
def service() -> Schema:
    return catalog().schema(GroupVersionKind("", "v1", "Service"))


@pytest.fixture
def web() -> dict[str, Any]:
    """A Deployment as people write it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "registry.example.com/web:1",
                            "args": ["serve", "--fast"],
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "env": [{"name": "LOG", "value": "info"}, {"name": "MODE", "value": "prod"}],
                            "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}},
                        }
                    ],
                    "volumes": [{"name": "cache", "emptyDir": {}}],
                },
            },
        },
    }


NAMES = st.sampled_from("abc")
TEXT_MAP = st.dictionaries(st.sampled_from(["a", "b", "example.com/c"]), st.sampled_from("12"), max_size=3)


def some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that have any of these fields."""
    return st.fixed_dictionaries({}, optional=parts)


def keyed(key: str, items: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of items whose `key` is different."""
    return st.lists(
        st.tuples(NAMES, items).map(lambda pair: {key: pair[0], **pair[1]}),
        max_size=3,
        unique_by=lambda item: item[key],
    )


@pytest.fixture(scope="session")
def deployments() -> st.SearchStrategy[dict[str, Any]]:
    """Deployments with any part of what makes ownership interesting: keyed and atomic lists, sets, maps, empty ones."""
    port = st.tuples(st.sampled_from([80, 81]), some(protocol=st.sampled_from(["TCP", "UDP"]), name=NAMES))
    container = some(
        image=st.sampled_from(["i:1", "i:2"]),
        args=st.lists(NAMES, max_size=2),
        env=keyed("name", some(value=NAMES)),
        ports=st.lists(
            port.map(lambda pair: {"containerPort": pair[0], **pair[1]}),
            max_size=2,
            unique_by=lambda item: (item["containerPort"], item.get("protocol", "TCP")),
        ),
        resources=some(requests=some(cpu=st.sampled_from(["1", "2"]))),
    )
    pod = some(
        containers=keyed("name", container),
        volumes=keyed("name", some(emptyDir=st.just({}))),
        nodeSelector=TEXT_MAP,
        tolerations=st.lists(some(key=NAMES), max_size=2),
    )
    spec = some(
        replicas=st.integers(1, 3),
        selector=some(matchLabels=TEXT_MAP),
        strategy=some(type=NAMES, rollingUpdate=some(maxSurge=st.sampled_from([1, "25%"]))),
        template=some(metadata=some(labels=TEXT_MAP), spec=pod),
    )
    metadata = some(labels=TEXT_MAP, annotations=TEXT_MAP, finalizers=st.lists(NAMES, max_size=3, unique=True))
    return st.fixed_dictionaries(
        {
            "apiVersion": st.just("apps/v1"),
            "kind": st.just("Deployment"),
            "metadata": metadata.map(lambda parts: {"name": "web", **parts}),
            "spec": spec,
        }
    )
