"""Requests are counted by what they ask for."""

import pytest

from reconciler.cluster.traffic import kind_of
from reconciler.http.transport import Request

APPLY = {"content-type": "application/apply-patch+yaml"}


@pytest.mark.parametrize(
    ("request_", "verb", "resource"),
    [
        (Request("GET", "/api"), "get", "discovery"),
        (Request("GET", "/apis"), "get", "discovery"),
        (Request("GET", "/apis/apps/v1"), "get", "discovery"),
        (Request("GET", "/api/v1/pods"), "list", "pods"),
        (Request("GET", "/api/v1/pods", (("watch", "1"),)), "watch", "pods"),
        (Request("GET", "/api/v1/namespaces"), "list", "namespaces"),
        (Request("GET", "/api/v1/namespaces/shop"), "get", "namespaces"),
        (Request("PUT", "/api/v1/namespaces/shop/finalize"), "update", "namespaces/finalize"),
        (Request("GET", "/api/v1/namespaces/shop/pods"), "list", "pods"),
        (Request("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale"), "get", "deployments.apps/scale"),
        (Request("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", (), APPLY), "apply", "deployments.apps"),
        (Request("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web"), "patch", "deployments.apps"),
        (Request("POST", "/api/v1/namespaces/shop/configmaps"), "create", "configmaps"),
        (Request("DELETE", "/api/v1/namespaces/shop/configmaps/x"), "delete", "configmaps"),
    ],
)
def test_kinds(request_: Request, verb: str, resource: str) -> None:
    assert kind_of(request_, 200) == (verb, resource, 200)
