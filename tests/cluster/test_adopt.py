"""Whose fields become ours when an object is adopted."""

import json
from typing import Any

import pytest

from reconciler.cluster.migration import migration
from reconciler.kube.names import LAST_APPLIED


def ours(applied: Any, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    """What we own after adopting an object of which kubectl owned `fields`."""
    manager = "kubectl" if operation == "Apply" else "kubectl-client-side-apply"
    entry = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields}
    annotations = {} if applied is None else {LAST_APPLIED: json.dumps(applied)}
    (managed,) = migration({"annotations": annotations, "managedFields": [entry]}, {})[1]["value"]
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


def entry(manager: str, fields: dict[str, Any], operation: str = "Update", **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


STATED = {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"stated": "1"}}, "data": {"stated": "1"}}
OWNED = {
    "f:metadata": {"f:labels": {".": {}, "f:stated": {}, "f:more": {}}},
    "f:data": {".": {}, "f:stated": {}, "f:more": {}},
}


BOTH = {"f:metadata": {"f:labels": {".": {}, "f:stated": {}}}, "f:data": {".": {}, "f:stated": {}}}  # and stated
OURS = entry("reconciler", BOTH, "Apply")


@pytest.mark.parametrize("verb", ["create", "run", "expose", "autoscale", "replace"])
def test_of_what_made_the_object_only_what_git_states_is_owned_from_now_on(verb: str) -> None:
    metadata = {"resourceVersion": "5", "managedFields": [entry(f"kubectl-{verb}", OWNED)]}
    assert migration(metadata, STATED) == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "5"},
        {"op": "replace", "path": "/metadata/managedFields", "value": [OURS]},
    ]


@pytest.mark.parametrize("verb", ["edit", "patch", "set", "label", "annotate", "rollout"])
def test_who_changed_a_part_keeps_what_git_does_not_state(verb: str) -> None:
    metadata = {"managedFields": [entry(f"kubectl-{verb}", OWNED)]}
    left = {"f:metadata": {"f:labels": {"f:more": {}}}, "f:data": {"f:more": {}}}
    assert migration(metadata, STATED)[1]["value"] == [entry(f"kubectl-{verb}", left), OURS]
    assert migration({"managedFields": [entry("kubectl-edit", left)]}, STATED) == []


def test_an_object_never_is_without_a_manager() -> None:
    """A real server would make up one that owns everything."""
    fields = {"f:data": {"f:more": {}}}
    (made,) = migration({"managedFields": [entry("kubectl-create", fields)]}, {"kind": "ConfigMap"})[1]["value"]
    assert made["fieldsV1"] == {"f:metadata": {"f:annotations": {"f:reconciler.dev/id": {}}}}


def test_other_tools_controllers_and_subresources_are_left_alone() -> None:
    others = [
        entry("helm", OWNED),
        entry("kube-controller-manager", OWNED),
        entry("kubectl", OWNED, subresource="scale"),
        entry("kubectl-edit", OWNED, subresource="status"),
    ]
    assert migration({"managedFields": others}, STATED) == []
    mixed = [*others, entry("kubectl-create", OWNED)]
    assert migration({"managedFields": mixed}, STATED)[1]["value"] == [*others, OURS]
