"""Values that mean the same, and what a server makes of a spelling."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kube.compare import as_stored, same
from reconciler.kube.openapi import crd_resources
from reconciler.kube.schema import Schema


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "a", **fields}]}}}}


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "quantities by amount": (
        container(resources={"requests": {"cpu": "1000m", "memory": "1Gi"}}),
        container(resources={"requests": {"cpu": 1, "memory": "1024Mi"}}),
    ),
    "null is absent": ({"spec": {"replicas": None, "paused": True}}, {"spec": {"paused": True}}),
    "empty lists and maps are absent": (
        {"metadata": {"annotations": {}, "finalizers": []}, "spec": {}},
        {"metadata": {"labels": None}, "spec": {}},
    ),
    "int-or-string by text": (
        {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "1"}}}},
        {"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1}}}},
    ),
    "sets in any order": ({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "a"]}}),
    "times by moment": (
        {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {"creationTimestamp": "2026-01-01T01:00:00+01:00"}},
    ),
}
DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another amount": (container(resources={"limits": {"cpu": "1"}}), container(resources={"limits": {"cpu": "1m"}})),
    "an empty object is something": (
        {"spec": {"template": {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}}},
        {"spec": {"template": {"spec": {"volumes": [{"name": "v"}]}}}},
    ),
    "the order of arguments": (container(args=["a", "b"]), container(args=["b", "a"])),
    "the order of variables": (
        container(env=[{"name": "A"}, {"name": "B"}]),
        container(env=[{"name": "B"}, {"name": "A"}]),
    ),
    "true is not one": ({"spec": {"unknown": True}}, {"spec": {"unknown": 1}}),
    "one item more": ({"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["a", "b"]}}),
    "a text and a number": ({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": 1}}}),
}


@pytest.mark.parametrize("case", SAME)
def test_same(case: str, deployment: Schema) -> None:
    a, b = SAME[case]
    assert same(a, b, deployment)
    assert same(b, a, deployment)


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str, deployment: Schema) -> None:
    a, b = DIFFERENT[case]
    assert not same(a, b, deployment)
    assert not same(b, a, deployment)


def test_custom_resources_keep_empty_lists() -> None:
    crd = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {
                                        "parts": {"type": "array", "items": {"type": "string"}},
                                        "note": {"type": "string", "nullable": True},
                                    },
                                }
                            },
                        }
                    },
                }
            ],
        }
    }
    ((_, schema),) = crd_resources(crd)
    assert not same({"spec": {"parts": []}}, {"spec": {}}, schema)
    assert not same({"spec": {"note": None}}, {"spec": {}}, schema)
    assert same({"spec": {"parts": None}}, {"spec": {}}, schema)


def test_as_stored(deployment: Schema) -> None:
    stated = {
        "metadata": {"name": "web", "annotations": None, "labels": {}},
        **container(resources={"requests": {"cpu": 0.5, "memory": "1024Mi", "odd": "what"}}, args=[], env=None),
    }
    assert as_stored(stated, deployment) == {
        "metadata": {"name": "web"},
        **container(resources={"requests": {"cpu": "500m", "memory": "1Gi", "odd": "what"}}),
    }


@settings(max_examples=50)
@given(data=st.data())
def test_what_is_stored_means_the_same(data: st.DataObject, deployment: Schema, deployments: Any) -> None:
    stated = data.draw(deployments)
    stored = as_stored(stated, deployment)
    assert same(stated, stored, deployment)
    assert as_stored(stored, deployment) is stored
