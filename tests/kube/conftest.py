"""Schemas that many tests of this room use."""

from typing import Any

import pytest

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
