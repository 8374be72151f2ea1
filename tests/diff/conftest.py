"""A small cluster in a value: objects as an API server would hold them after our apply."""

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.kube.apply import apply
from reconciler.kube.names import GroupVersionKind, Identity
from reconciler.kube.openapi import catalog
from reconciler.kube.schema import Schema
from reconciler.model.change import Live
from reconciler.model.manifest import (
    ANNOTATION_ID,
    ANNOTATION_ORIGIN,
    ANNOTATION_SPEC,
    LABEL_MANAGED_BY,
    LABEL_SOURCE,
    MANAGER,
    Manifest,
    Owner,
    Policy,
)
from reconciler.model.spec import Origin

Object = dict[str, Any]


class Bench:
    """Makes manifests and live objects of one source, `shop` of install `one`."""

    owner = Owner("one", "shop")
    time = datetime(2026, 1, 1, tzinfo=UTC)

    def schema(self, obj: Mapping[str, Any]) -> Schema:
        return catalog().schema(GroupVersionKind.of(obj))

    def stamped(self, obj: Mapping[str, Any], *, owner: Owner | None = None, path: str = "web.yaml") -> Object:
        """`obj` with the marks that rendering writes."""
        owner = owner or self.owner
        identity = Identity.of(obj)
        made: Object = copy.deepcopy(dict(obj))
        metadata = made["metadata"]
        labels = {LABEL_MANAGED_BY: "reconciler", LABEL_SOURCE: owner.source}
        marks = {
            ANNOTATION_ID: owner.id_of(identity),
            ANNOTATION_SPEC: str(identity),
            ANNOTATION_ORIGIN: f"{path}#0123",
        }
        metadata["labels"] = {**metadata.get("labels", {}), **labels}
        metadata["annotations"] = {**metadata.get("annotations", {}), **marks}
        return made

    def manifest(self, obj: Mapping[str, Any], *, policy: Policy | None = None, once: bool = False) -> Manifest:
        identity = Identity.of(obj)
        return Manifest(
            identity=identity,
            gvk=GroupVersionKind.of(obj),
            object=self.stamped(obj),
            origin=Origin("web.yaml", 1, "0123"),
            spec=identity,
            depends_on=(),
            policy=policy or Policy(),
            digest="",
            once=once,
        )

    def apply(self, live: Live | None, obj: Mapping[str, Any], *, manager: str = MANAGER, force: bool = True) -> Live:
        """`obj` applied as it stands."""
        applied = apply(
            copy.deepcopy(dict(live.object)) if live else None,
            copy.deepcopy(dict(obj)),
            self.schema(obj),
            manager=manager,
            force=force,
            api_version=str(obj["apiVersion"]),
            time=self.time,
        )
        made = copy.deepcopy(dict(applied.object))
        metadata = made["metadata"]
        metadata.setdefault("uid", f"uid-of-{metadata['name']}")
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", "0")) + 1)
        return Live(Identity.of(obj), made)

    def live(self, obj: Mapping[str, Any], *, owner: Owner | None = None, path: str = "web.yaml") -> Live:
        """`obj` stamped and applied by us."""
        return self.apply(None, self.stamped(obj, owner=owner, path=path))


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture
def deployment() -> Callable[..., Object]:
    def make(**spec: Any) -> Object:
        """A typical Deployment; `spec` is merged over its spec, None takes a field out."""
        container = {
            "name": "web",
            "image": "registry.example.com/shop/web@sha256:" + "0" * 64,
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "REGION", "value": "eu-1"}],
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        }
        stated = {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web", "reconciler.dev/variant": "stable"}},
            "template": {
                "metadata": {"labels": {"app": "web", "reconciler.dev/variant": "stable"}},
                "spec": {"containers": [container], "volumes": [{"name": "cache", "emptyDir": {}}]},
            },
            **spec,
        }
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {name: value for name, value in stated.items() if value is not None},
        }

    return make


@pytest.fixture
def config_map() -> Callable[..., Object]:
    def make(name: str = "config", namespace: str = "shop", **data: str) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": data or {"mode": "fast"},
        }

    return make
