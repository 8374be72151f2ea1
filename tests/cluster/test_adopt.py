"""Whose fields become ours when an object is adopted."""

import json
from typing import Any

import pytest

from reconciler.cluster.adopt import LAST_APPLIED, migration


def ours(applied: Any, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    """What we own after adopting an object of which kubectl owned `fields`."""
    manager = "kubectl" if operation == "Apply" else "kubectl-client-side-apply"
    entry = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields}
    annotations = {} if applied is None else {LAST_APPLIED: json.dumps(applied)}
    (managed,) = migration({"annotations": annotations, "managedFields": [entry]})[1]["value"]
    assert (managed["manager"], managed["operation"]) == ("reconciler", "Apply")
    return dict(managed["fieldsV1"])


def test_what_the_server_filled_in_when_kubectl_made_the_object_becomes_nobodys_and_stays() -> None:
    applied = {
        "kind": "Pod",
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}], "args": ["x"]},
    }
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    fields = {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"keep"': {}}, "f:labels": {".": {}, "f:a": {}, "f:made": {}}},
        "f:spec": {
            "f:restartPolicy": {},
            "f:args": {'v:"x"': {}, 'v:"y"': {}},
            "f:containers": {
                'k:{"name":"c"}': {".": {}, "f:name": {}, "f:ports": {port: {".": {}, "f:protocol": {}}}},
                'k:{"name":"injected"}': {".": {}, "f:name": {}},
            },
        },
    }
    assert ours(applied, fields) == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {
            "f:args": {'v:"x"': {}},
            "f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:ports": {port: {}}}},
        },
    }


@pytest.mark.parametrize("operation", ["Update", "Apply"])
def test_a_secrets_texts_become_ours_as_the_data_that_they_are(operation: str) -> None:
    """So that a key which Git drops afterwards really goes."""
    stored = {"f:data": {"f:a": {}}} if operation == "Update" else {"f:stringData": {"f:a": {}}}
    assert ours({"kind": "Secret", "stringData": {"a": "b"}}, stored, operation)["f:data"] == {"f:a": {}}


def test_without_the_annotation_everything_becomes_ours_but_finalizers() -> None:
    fields = {"f:metadata": {"f:finalizers": {'v:"keep"': {}}, "f:labels": {"f:a": {}}}, "f:data": {"f:a": {}}}
    assert ours(None, fields) == {"f:metadata": {"f:labels": {"f:a": {}}}, "f:data": {"f:a": {}}}
