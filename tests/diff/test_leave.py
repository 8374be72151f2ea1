"""Fields that are left to others without anybody's rule, and those that rules name by their managers."""

from typing import Any

import pytest

from reconciler.diff.leave import left_to_others, owned_by
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog

Object = dict[str, Any]

TEMPLATE = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
RESTARTED = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_restart_by_kubectl_is_no_drift(kind: str) -> None:
    assert left_to_others({"kind": kind, "spec": {"template": RESTARTED}}, {}) == (TEMPLATE,)
    assert left_to_others({"kind": kind, "spec": {"template": {"metadata": {}}}}, {}) == ()


@pytest.mark.parametrize("kind", ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
def test_an_injected_certificate_of_a_webhook_is_no_drift(kind: str) -> None:
    webhooks = [
        {"name": "stated", "clientConfig": {"caBundle": "c29tZXRoaW5n"}},
        {"name": "empty", "clientConfig": {"caBundle": ""}},
        {"name": "a line's end", "clientConfig": {"caBundle": "Cg=="}},
        {"name": "none", "clientConfig": {}},
        {"name": "wrong", "clientConfig": {"caBundle": "%"}},
    ]
    desired: Object = {"kind": kind, "metadata": {}, "webhooks": webhooks}
    paths = tuple(f"/webhooks/{number}/clientConfig/caBundle" for number in (1, 2))
    assert left_to_others(desired, {}) == paths
    desired["metadata"] = {"annotations": {"cert-manager.io/inject-ca-from": "shop/ca"}}
    assert "/webhooks/0/clientConfig/caBundle" in left_to_others(desired, {}), "asked for, whatever Git states"


def test_an_injected_certificate_of_a_conversion_is_no_drift() -> None:
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": {"caBundle": "Cg=="}}}
    desired = {"kind": "CustomResourceDefinition", "spec": {"conversion": conversion}}
    assert left_to_others(desired, {}) == ("/spec/conversion/webhook/clientConfig/caBundle",)
    assert left_to_others({"kind": "CustomResourceDefinition", "spec": {"conversion": {"strategy": "None"}}}, {}) == ()


def test_an_injected_certificate_of_an_api_service_is_no_drift() -> None:
    assert left_to_others({"kind": "APIService", "spec": {"caBundle": ""}}, {}) == ("/spec/caBundle",)
    assert left_to_others({"kind": "APIService", "spec": {"caBundle": "c29tZXRoaW5n"}}, {}) == ()
    assert left_to_others({"kind": "APIService", "spec": {"insecureSkipTLSVerify": True}}, {}) == ()


def test_what_a_cluster_adds_to_a_service_account_is_no_drift() -> None:
    desired = {"kind": "ServiceAccount", "secrets": [{"name": "a"}], "imagePullSecrets": [{"name": "pull"}]}
    more = {"secrets": [{"name": "a"}, {"name": "a-token-x7"}], "imagePullSecrets": [{"name": "pull"}, {"name": "x"}]}
    assert left_to_others(desired, more) == ("/imagePullSecrets", "/secrets")
    assert left_to_others(desired, {"secrets": [{"name": "b"}]}) == (), "one that Git states is gone: that is drift"


def test_other_kinds_have_nothing_of_the_sort() -> None:
    assert left_to_others({"kind": "Service", "spec": {"template": RESTARTED, "caBundle": ""}}, {}) == ()
    assert left_to_others({}, {}) == ()


def test_fields_of_managers_by_name() -> None:
    def entry(manager: str, fields: Object) -> Object:
        return {"manager": manager, "operation": "Update", "fieldsV1": fields}

    web = {"f:name": {}, "f:image": {}}
    live = {
        "metadata": {
            "managedFields": [
                entry("keda-operator", {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
                entry("sidecar", {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': web}}}}}),
                entry("kubectl", {"f:spec": {"f:minReadySeconds": {}}}),
            ]
        }
    }
    containers = [{"name": "web", "image": "web:1"}]
    spec = {"replicas": 3, "minReadySeconds": 5, "template": {"spec": {"containers": containers}}}
    desired = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    schema = catalog().schema(GroupVersionKind("apps", "v1", "Deployment"))
    container = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}')
    assert owned_by(["keda-*"], desired, live, schema) == (("f:spec", "f:replicas"),), "paused is not stated"
    assert owned_by(["sidecar"], desired, live, schema) == ((*container, "f:image"), (*container, "f:name"))
    assert owned_by([], desired, live, schema) == ()
