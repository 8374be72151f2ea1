"""Validation in the API server's words, unknown fields, defaults."""

from typing import Any

import pytest

from reconciler.kube.defaults import set_defaults
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog, crd_resources
from reconciler.kube.schema import Schema
from reconciler.kube.validate import prune_unknown, unknown_fields, validate

WIDGET: dict[str, Any] = {
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
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
                                "required": ["size"],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 1, "maximum": 9},
                                    "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 2},
                                    "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                                    "parts": {
                                        "type": "array",
                                        "maxItems": 2,
                                        "x-kubernetes-list-type": "set",
                                        "items": {"type": "string"},
                                    },
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "ratio": {
                                        "type": "number",
                                        "exclusiveMinimum": True,
                                        "minimum": 0,
                                        "multipleOf": 0.5,
                                    },
                                    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "closed": {"type": "object", "properties": {"a": {"type": "string"}}},
                                    "limits": {
                                        "type": "object",
                                        "default": {},
                                        "properties": {"cpu": {"type": "integer", "default": 0}},
                                    },
                                    "source": {
                                        "type": "object",
                                        "properties": {"git": {"type": "string"}, "oci": {"type": "string"}},
                                        "oneOf": [{"required": ["git"]}, {"required": ["oci"]}],
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    }
}


@pytest.fixture(scope="module")
def widget() -> Schema:
    ((_, schema),) = crd_resources(WIDGET)
    return schema


def words(value: Any, schema: Schema) -> list[str]:
    return [str(violation) for violation in validate(value, schema)]


def test_a_good_object_has_no_violations(web: dict[str, Any], deployment: Schema) -> None:
    assert validate(web, deployment) == []
    assert unknown_fields(web, deployment) == []
    assert prune_unknown(web, deployment) is web


def test_all_violations_at_once_with_their_paths(deployment: Schema) -> None:
    containers = [{"image": "a"}, {"name": "b", "ports": [{"containerPort": "80"}]}, {"name": "b"}]
    bad = {
        "metadata": {"name": "x", "labels": {"a/b": 1}},
        "spec": {"replicas": "3", "template": {"spec": {"containers": containers}}},
    }
    found = {(violation.path, violation.reason) for violation in validate(bad, deployment)}
    assert found == {
        ("metadata.labels[a/b]", "FieldValueTypeInvalid"),
        ("spec.replicas", "FieldValueTypeInvalid"),
        ("spec.selector", "FieldValueRequired"),
        ("spec.template.spec.containers[0].name", "FieldValueRequired"),
        ("spec.template.spec.containers[1].ports[0].containerPort", "FieldValueTypeInvalid"),
        ("spec.template.spec.containers[2]", "FieldValueDuplicate"),
    }


BUILT_IN = {
    "a text for a number": (
        {"replicas": "3"},
        'spec.replicas: Invalid value: "3": spec.replicas in body must be of type integer: "3"',
    ),
    "a number beyond 32 bits": (
        {"replicas": 2**31},
        "spec.replicas: Invalid value: 2147483648: spec.replicas in body must be of type integer: 2147483648",
    ),
    "a list for an object": (
        {"template": []},
        'spec.template: Invalid value: "array": spec.template in body must be of type object: "array"',
    ),
    "a boolean for a number": (
        {"replicas": True},
        'spec.replicas: Invalid value: "boolean": spec.replicas in body must be of type integer: "boolean"',
    ),
}


@pytest.mark.parametrize("case", BUILT_IN)
def test_words_for_types(case: str, deployment: Schema) -> None:
    spec, text = BUILT_IN[case]
    assert words({"spec": {"selector": {}, "template": {}, **spec}}, deployment) == [text]


def test_null_is_absent(deployment: Schema) -> None:
    assert words({"spec": {"selector": None, "replicas": None}}, deployment) == ["spec.selector: Required value"]


def test_quantities_and_bytes_are_read() -> None:
    secret = catalog().schema(GroupVersionKind("", "v1", "Secret"))
    assert words({"data": {"a": "YQ=="}}, secret) == []
    assert [violation.path for violation in validate({"data": {"a": "?"}}, secret)] == ["data[a]"]
    claim = catalog().schema(GroupVersionKind("", "v1", "PersistentVolumeClaim"))
    assert words({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}, claim) == []
    assert "quantities must match" in words({"spec": {"resources": {"requests": {"storage": "1GB"}}}}, claim)[0]


CUSTOM = {
    "required": ({}, "spec.size: Required value"),
    "minimum": ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
    "maximum": ({"size": 10}, "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"),
    "enum": ({"size": 1, "colour": "grey"}, 'spec.colour: Unsupported value: "grey": supported values: "red", "blue"'),
    "pattern": (
        {"size": 1, "name": "A1"},
        "spec.name: Invalid value: \"A1\": spec.name in body should match '^[a-z]+$'",
    ),
    "too long": ({"size": 1, "name": "abcdef"}, "spec.name: Too long: may not be more than 5 bytes"),
    "too short": (
        {"size": 1, "name": "a"},
        'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long',
    ),
    "too many": ({"size": 1, "parts": ["a", "b", "c"]}, "spec.parts: Too many: 3: must have at most 2 items"),
    "twice in a set": ({"size": 1, "parts": ["a", "a"]}, 'spec.parts[1]: Duplicate value: "a"'),
    "multiple": (
        {"size": 1, "ratio": 0.7},
        "spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5",
    ),
    "exclusive": ({"size": 1, "ratio": 0}, "spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0"),
    "one of": (
        {"size": 1, "source": {"git": "x", "oci": "y"}},
        'spec.source: Invalid value: "object": spec.source in body must validate one and only one schema (oneOf)',
    ),
    "a list for int-or-string": (
        {"size": 1, "port": []},
        'spec.port: Invalid value: "array": spec.port in body must be of type integer,string: "array"',
    ),
}


@pytest.mark.parametrize("case", CUSTOM)
def test_limits_of_custom_resources(case: str, widget: Schema) -> None:
    spec, text = CUSTOM[case]
    assert words({"spec": spec}, widget) == [text]


def test_a_good_custom_resource(widget: Schema) -> None:
    spec = {"size": 3, "name": "abc", "port": "http", "source": {"git": "x"}, "ratio": 1.5, "open": {"any": [1]}}
    assert words({"apiVersion": "example.com/v1", "kind": "Widget", "spec": spec}, widget) == []


def test_unknown_fields(deployment: Schema, widget: Schema) -> None:
    containers = [{"name": "a", "imag": "x"}]
    odd = {
        "spec": {"replica": 1, "template": {"spec": {"containers": containers}}},
        "metadata": {"labels": {"any": "x"}},
    }
    assert unknown_fields(odd, deployment) == ["spec.replica", "spec.template.spec.containers[0].imag"]
    assert prune_unknown(odd, deployment) == {
        "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}},
        "metadata": {"labels": {"any": "x"}},
    }
    custom = {"spec": {"open": {"any": 1}, "closed": {"a": "x", "b": 1}}, "extra": 1}
    assert unknown_fields(custom, widget) == ["spec.closed.b", "extra"]


def test_defaults(widget: Schema, deployment: Schema) -> None:
    assert set_defaults({"spec": {"size": 1}}, widget) == {
        "spec": {"size": 1, "colour": "red", "limits": {"cpu": 0}},
    }
    assert set_defaults({"spec": {"colour": None, "limits": {"cpu": 2}}}, widget) == {
        "spec": {"colour": "red", "limits": {"cpu": 2}},
    }
    full = {"spec": {"colour": "blue", "limits": {"cpu": 2}}}
    assert set_defaults(full, widget) is full
    pod = {"spec": {"template": {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}}}
    ports = set_defaults(pod, deployment)["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert ports == [{"containerPort": 80, "protocol": "TCP"}]


def test_defaults_are_fresh_each_time(widget: Schema) -> None:
    first = set_defaults({"spec": {}}, widget)
    first["spec"]["limits"]["cpu"] = 7
    assert set_defaults({"spec": {}}, widget)["spec"]["limits"] == {"cpu": 0}
