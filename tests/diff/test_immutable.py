"""Fields that Kubernetes refuses to change."""

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.diff.compare import compare
from reconciler.model.change import Action, Change, Live
from reconciler.model.manifest import Policy

Make = Callable[..., dict[str, Any]]


def obj(api_version: str, kind: str, namespace: str = "shop", **parts: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": namespace} if namespace else {"name": "x"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def decide(bench: Any, old: dict[str, Any], new: dict[str, Any], *, replace: bool = False, **live: Any) -> Change:
    """Of `new` over `old` as applied; `live` is merged over the live object."""
    before = bench.live(old)
    before = Live(before.identity, {**before.object, **live})
    return compare(bench.manifest(new, policy=Policy(replace=replace)), before, bench.schema(new), owner=bench.owner)


def pod(image: str = "a") -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def workload(kind: str, app: str = "x", image: str = "a", **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": app}}
    return obj("apps/v1", kind, spec={"selector": selector, "template": pod(image), **spec})


def claim(size: str = "1Gi", storage_class: str = "fast") -> dict[str, Any]:
    resources = {"requests": {"storage": size}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": resources, "storageClassName": storage_class}
    return obj("v1", "PersistentVolumeClaim", spec=spec)


def job(completions: int = 1, image: str = "a", **spec: Any) -> dict[str, Any]:
    return obj("batch/v1", "Job", spec={"completions": completions, "template": pod(image), **spec})


def service(**spec: Any) -> dict[str, Any]:
    return obj("v1", "Service", spec={"selector": {"app": "x"}, **spec})


def binding(role: str) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
    return obj("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=reference)


def volume(path: str, **spec: Any) -> dict[str, Any]:
    return obj("v1", "PersistentVolume", "", spec={"hostPath": {"path": path}, "capacity": {"storage": "1Gi"}, **spec})


def crd(scope: str) -> dict[str, Any]:
    names = {"kind": "Foo", "plural": "foos"}
    return obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", spec={"scope": scope, "names": names})


FROZEN = {
    "deployment selector": (workload("Deployment"), workload("Deployment", app="y"), {}),
    "daemon set selector": (workload("DaemonSet"), workload("DaemonSet", app="y"), {}),
    "stateful set": (workload("StatefulSet", serviceName="a"), workload("StatefulSet", serviceName="b"), {}),
    "stateful set field gone": (workload("StatefulSet", serviceName="a"), workload("StatefulSet"), {}),
    "job template": (job(), job(image="b"), {}),
    "job completions": (job(), job(completions=2), {}),
    "service address": (service(clusterIP="10.0.0.1"), service(clusterIP="10.0.0.2"), {}),
    "service first address": (service(clusterIPs=["10.0.0.1"]), service(clusterIPs=["10.0.0.2", "fd00::1"]), {}),
    "claim class": (claim(), claim(storage_class="slow"), {}),
    "claim shrinks": (claim("2Gi"), claim("1Gi"), {"status": {"phase": "Bound"}}),
    "claim grows too early": (claim("1Gi"), claim("2Gi"), {}),
    "sealed config": (
        obj("v1", "ConfigMap", data={"a": "1"}, immutable=True),
        obj("v1", "ConfigMap", data={"a": "2"}, immutable=True),
        {},
    ),
    "unsealing": (obj("v1", "ConfigMap", immutable=True), obj("v1", "ConfigMap", immutable=False), {}),
    "sealed secret": (
        obj("v1", "Secret", data={"a": "MQ=="}, immutable=True),
        obj("v1", "Secret", stringData={"a": "2"}, immutable=True),
        {},
    ),
    "secret type": (obj("v1", "Secret", type="Opaque"), obj("v1", "Secret", type="kubernetes.io/tls"), {}),
    "role of a binding": (binding("a"), binding("b"), {}),
    "volume source": (volume("/a"), volume("/b"), {}),
    "storage class": (
        obj("storage.k8s.io/v1", "StorageClass", "", provisioner="a", parameters={"x": "1"}),
        obj("storage.k8s.io/v1", "StorageClass", "", provisioner="a", parameters={"x": "2"}),
        {},
    ),
    "scope of a definition": (crd("Namespaced"), crd("Cluster"), {}),
    "priority": (
        obj("scheduling.k8s.io/v1", "PriorityClass", "", value=1),
        obj("scheduling.k8s.io/v1", "PriorityClass", "", value=2),
        {},
    ),
}

FREE = {
    "deployment template": (workload("Deployment"), workload("Deployment", image="b"), {}),
    "stateful set template": (workload("StatefulSet"), workload("StatefulSet", image="b", replicas=2), {}),
    "job parallelism": (job(), job(parallelism=2), {}),
    "indexed completions": (job(completionMode="Indexed"), job(completions=2, completionMode="Indexed"), {}),
    "suspended job": (job(suspend=True), job(suspend=True, image="b"), {}),
    "second address": (service(clusterIPs=["10.0.0.1"]), service(clusterIPs=["10.0.0.1", "fd00::1"]), {}),
    "address no longer stated": (service(clusterIP="10.0.0.1"), service(), {}),
    "external name": (
        service(clusterIP="10.0.0.1"),
        service(clusterIP="10.0.0.2", type="ExternalName"),
        {"spec": {"clusterIP": "10.0.0.1", "type": "ExternalName", "selector": {"app": "x"}}},
    ),
    "claim grows": (claim("1Gi"), claim("2Gi"), {"status": {"phase": "Bound"}}),
    "config": (obj("v1", "ConfigMap", data={"a": "1"}), obj("v1", "ConfigMap", data={"a": "2"}), {}),
    "sealing": (obj("v1", "ConfigMap", data={"a": "1"}), obj("v1", "ConfigMap", data={"a": "1"}, immutable=True), {}),
    "reclaim policy": (volume("/a"), volume("/a", persistentVolumeReclaimPolicy="Retain"), {}),
    "labels": (obj("v1", "Namespace", ""), obj("v1", "Namespace", "", spec={"finalizers": ["kubernetes"]}), {}),
}


@pytest.mark.parametrize("case", FROZEN)
def test_rule_8_immutable_fields_are_explained(bench: Any, case: str) -> None:
    old, new, live = FROZEN[case]
    change = decide(bench, old, new, **live)
    assert change.action is Action.REFUSE, change
    assert change.reason.endswith("immutable")
    assert change.fields
    assert change.hint


@pytest.mark.parametrize("case", FREE)
def test_rule_8_what_can_be_changed_is_changed(bench: Any, case: str) -> None:
    old, new, live = FREE[case]
    assert decide(bench, old, new, **live).action is Action.UPDATE


@pytest.mark.parametrize("case", FROZEN)
def test_rule_8_replace_recreates_but_never_what_holds_data(bench: Any, case: str) -> None:
    old, new, live = FROZEN[case]
    change = decide(bench, old, new, replace=True, **live)
    if new["kind"] in ("PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition"):
        assert change.action is Action.REFUSE
        assert "is never recreated" in change.hint
    else:
        assert change.action is Action.REPLACE
        assert change.uid == "uid-of-x"


def test_rule_8_the_field_and_the_way_out_are_named(bench: Any) -> None:
    change = decide(bench, workload("Deployment"), workload("Deployment", app="y"))
    assert change.reason == "spec.selector is immutable"
    assert change.hint == 'annotate it reconciler.dev/replace: "true" to delete it and create it anew'


def test_rule_8_adopting_an_object_with_another_selector_is_refused(bench: Any) -> None:
    foreign = bench.apply(None, workload("Deployment", app="y"), manager="helm")
    new = workload("Deployment")
    manifest = bench.manifest(new, policy=Policy(adopt=True))
    change = compare(manifest, None, bench.schema(new), owner=bench.owner, existing=foreign)
    assert (change.action, change.reason) == (Action.REFUSE, "spec.selector is immutable")
