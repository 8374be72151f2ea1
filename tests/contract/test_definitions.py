"""CustomResourceDefinitions and the objects that they define."""

from typing import Any

import pytest
from kubernetes_api import Connection, KubernetesApi
from sandbox_api import CRDS, WIDGETS, Api, Object, definition, widget

ONE = f"{WIDGETS}/one"
SCHEMA: Object = {
    "spec": {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "default": 1, "maximum": 10},
            "color": {"type": "string", "enum": ["red", "blue"]},
            "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "pod": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    },
    "status": {"type": "object", "properties": {"size": {"type": "integer"}}},
}


SCALE = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
DEFINITION = definition(SCHEMA, subresources={"status": {}, "scale": SCALE})


@pytest.fixture(scope="module")
def defined(connection: Connection) -> str:
    """A group of the real server that has the definition: it takes two seconds to be served."""
    group = f"{connection.tag()}.defined.example.com"
    assert KubernetesApi(connection, group=group).post(CRDS, DEFINITION).status == 201
    return group


@pytest.fixture(params=["sandbox", "kubernetes"])
def widgets(request: pytest.FixtureRequest) -> Api:
    if request.param == "kubernetes":
        return KubernetesApi(request.getfixturevalue("connection"), group=request.getfixturevalue("defined"))
    api = Api()
    assert api.post(CRDS, DEFINITION).status == 201
    return api


def test_a_definition_is_served_once_it_is_established(api: Api) -> None:
    assert api.get(WIDGETS).status == 404
    api.post(CRDS, definition())
    assert api.get(WIDGETS).body["kind"] == "WidgetList"
    names = [resource["name"] for resource in api.get("/apis/shop.example.com/v1").body["resources"]]
    assert names == ["widgets"]


def test_defaults_are_filled_in_and_unknown_fields_dropped(widgets: Api) -> None:
    made = widgets.post(WIDGETS, widget(spec={"other": 1, "free": {"any": {"thing": 1}}}))
    assert made.body["spec"] == {"size": 1, "free": {"any": {"thing": 1}}}
    assert widgets.post(WIDGETS, widget("two", {"other": 1}), fieldValidation="Strict").status == 400


@pytest.mark.parametrize(
    ("spec", "field", "reason"),
    [
        ({"size": "x"}, "spec.size", "FieldValueTypeInvalid"),
        ({"size": 11}, "spec.size", "FieldValueInvalid"),
        ({"color": "green"}, "spec.color", "FieldValueNotSupported"),
        ({"counts": {"a": "x"}}, "spec.counts.a", "FieldValueTypeInvalid"),
        ({"pod": {"kind": "Pod"}}, "spec.pod.apiVersion", "FieldValueRequired"),
    ],
)
def test_a_schema_is_enforced(widgets: Api, spec: Any, field: str, reason: str) -> None:
    refused = widgets.post(WIDGETS, widget(spec=spec))
    assert refused.status == 422
    assert (field, reason) in {(cause["field"], cause["reason"]) for cause in refused.body["details"]["causes"]}


def test_a_null_is_dropped_from_an_object_that_is_sent_and_refused_in_one_that_is_applied(widgets: Api) -> None:
    assert widgets.post(WIDGETS, widget(spec={"counts": None})).body["spec"] == {"size": 1}
    assert widgets.apply(f"{WIDGETS}/two", widget("two", {"counts": None})).fields == ["spec.counts"]


def test_a_field_that_is_not_in_the_schema_cannot_be_applied(widgets: Api) -> None:
    assert widgets.apply(ONE, widget(spec={"other": 1})).status == 500


def test_the_status_is_written_apart(widgets: Api) -> None:
    widgets.post(WIDGETS, widget(spec={"size": 2}, status={"size": 7}))
    assert "status" not in widgets.get(ONE).body
    answer = widgets.patch(f"{ONE}/status", {"spec": {"size": 5}, "status": {"size": 3}})
    assert (answer.body["spec"]["size"], answer.body["status"]) == (2, {"size": 3})
    assert answer.body["metadata"]["generation"] == 1


def test_scale_is_where_the_definition_says(widgets: Api) -> None:
    widgets.post(WIDGETS, widget(spec={"size": 2}))
    assert widgets.patch(f"{ONE}/scale", {"spec": {"replicas": 4}}).body["spec"] == {"replicas": 4}
    assert widgets.get(ONE).body["spec"]["size"] == 4


def test_strategic_patches_are_not_for_custom_resources(widgets: Api) -> None:
    widgets.post(WIDGETS, widget())
    assert widgets.patch(ONE, {}, "application/strategic-merge-patch+json").status == 415


def test_two_versions_are_the_same_object(api: Api) -> None:
    both = definition(SCHEMA)
    both["spec"]["versions"].append({**both["spec"]["versions"][0], "name": "v2", "storage": False})
    api.post(CRDS, both)
    api.post(WIDGETS, widget(spec={"size": 3}))
    other = api.get(ONE.replace("/v1/", "/v2/")).body
    assert (other["apiVersion"], other["spec"]["size"]) == ("shop.example.com/v2", 3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "Other"}, "spec.scope"),
        ({"group": ""}, "spec.group"),
        ({"names": {"plural": "others", "kind": "Widget"}}, "metadata.name"),
        ({"versions": []}, "spec.versions"),
        ({"preserveUnknownFields": True}, "spec.preserveUnknownFields"),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.webhookClientConfig"),
    ],
)
def test_a_definition_must_make_sense(api: Api, change: Object, field: str) -> None:
    stated = definition()
    stated["spec"].update(change)
    assert field in api.post(CRDS, stated).fields


def test_a_definition_takes_its_objects_along(api: Api) -> None:
    api.post(CRDS, definition())
    api.post(WIDGETS, widget())
    left = api.delete(f"{CRDS}/widgets.shop.example.com").body
    assert left["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert left["status"]["conditions"][-1]["type"] == "Terminating"
