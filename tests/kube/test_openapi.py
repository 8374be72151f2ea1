"""The catalog of kinds, and what CustomResourceDefinitions add."""

from typing import Any

from reconciler.kube.fieldset import FieldSet
from reconciler.kube.names import GroupKind, GroupVersionKind
from reconciler.kube.openapi import catalog, crd_resources
from reconciler.kube.openapi_document import document_v2, document_v3, groups_v3
from reconciler.kube.resources import version_rank
from reconciler.kube.schema import Merge, Schema, Shape


def kind(api_version: str, name: str) -> Schema:
    return catalog().schema(GroupVersionKind.parse(api_version, name))


def at(schema: Schema, path: str) -> Schema:
    """The schema at a path of field names; an item of a list is `[]`."""
    for part in path.split("."):
        found = schema.element if part == "[]" else schema.fields[part]
        assert found is not None
        schema = found
    return schema


def test_how_lists_and_maps_are_shared(deployment: Schema) -> None:
    pod = at(deployment, "spec.template.spec")
    expected = {
        "containers": (Merge.KEYED, ("name",)),
        "containers.[].ports": (Merge.KEYED, ("containerPort", "protocol")),
        "containers.[].args": (Merge.ATOMIC, ()),
        "containers.[].volumeMounts": (Merge.KEYED, ("mountPath",)),
        "tolerations": (Merge.ATOMIC, ()),
        "topologySpreadConstraints": (Merge.KEYED, ("topologyKey", "whenUnsatisfiable")),
        "nodeSelector": (Merge.ATOMIC, ()),
        "securityContext.supplementalGroups": (Merge.ATOMIC, ()),
        "containers.[].resources.requests": (Merge.GRANULAR, ()),
        "containers.[].env.[].valueFrom.fieldRef": (Merge.ATOMIC, ()),
    }
    for path, (merge, keys) in expected.items():
        assert (at(pod, path).merge, at(pod, path).keys) == (merge, keys), path
    assert at(deployment, "spec.selector").merge is Merge.ATOMIC
    assert at(deployment, "metadata.finalizers").merge is Merge.SET
    assert at(deployment, "metadata.ownerReferences").keys == ("uid",)


def test_kinds_of_scalars(deployment: Schema) -> None:
    pod = at(deployment, "spec.template.spec")
    resources = at(pod, "containers.[].resources.requests")
    assert resources.shape is Shape.MAP
    assert resources.element is not None
    assert resources.element.type == "quantity"
    assert at(pod, "containers.[].livenessProbe.httpGet.port").type == "int-or-string"
    assert at(deployment, "metadata.creationTimestamp").format == "date-time"
    assert at(deployment, "spec.replicas").format == "int32"


def test_defaults_of_keys_and_fields(deployment: Schema) -> None:
    ports = at(deployment, "spec.template.spec.containers.[].ports")
    assert ports.key_defaults["protocol"] == "TCP"
    assert at(ports, "[].protocol").default == "TCP"
    assert not at(ports, "[].name").has_default


def test_recursive_definitions_are_cycles() -> None:
    props = at(kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "spec.versions.[].schema.openAPIV3Schema")
    assert at(props, "properties").element is props
    assert at(props, "default").shape is Shape.UNTYPED


def test_the_same_kind_is_built_once() -> None:
    assert kind("apps/v1", "Deployment") is kind("apps/v1", "Deployment")
    assert at(kind("apps/v1", "Deployment"), "metadata") is at(kind("v1", "Pod"), "metadata")


def test_every_kind_has_a_schema() -> None:
    for resource in catalog().resources():
        for version in resource.versions:
            gvk = resource.gvk._replace(version=version)
            assert catalog().knows(gvk)
            assert catalog().schema(gvk).gvk == gvk


def test_an_unknown_kind_is_an_untyped_object_with_metadata() -> None:
    schema = kind("example.com/v1", "Widget")
    assert at(schema, "metadata.labels").shape is Shape.MAP
    widget = {"metadata": {"labels": {"a": "1"}}, "spec": {"list": [1], "deep": {"b": 2}}}
    assert FieldSet.of(widget, schema).to_v1() == {
        "f:metadata": {"f:labels": {"f:a": {}}},
        "f:spec": {".": {}, "f:deep": {".": {}, "f:b": {}}, "f:list": {}},
    }


def test_resources() -> None:
    deployment = catalog().resource(GroupKind("apps", "Deployment"))
    assert deployment is not None
    assert (deployment.plural, deployment.singular, deployment.short_names) == (
        "deployments",
        "deployment",
        ("deploy",),
    )
    assert deployment.namespaced
    assert deployment.categories == ("all",)
    assert set(deployment.subresources) == {"scale", "status"}
    assert deployment.subresources["scale"].kind == "Scale"
    assert "deletecollection" in deployment.verbs
    assert deployment.path("shop", "web", "scale") == "/apis/apps/v1/namespaces/shop/deployments/web/scale"
    namespace = catalog().resource(GroupKind("", "Namespace"))
    assert namespace is not None
    assert not namespace.namespaced
    assert namespace.path(name="shop") == "/api/v1/namespaces/shop"
    assert catalog().resource(GroupKind("example.com", "Widget")) is None


def test_the_preferred_version_comes_first() -> None:
    autoscaler = catalog().resource(GroupKind("autoscaling", "HorizontalPodAutoscaler"))
    assert autoscaler is not None
    assert (autoscaler.version, autoscaler.versions) == ("v2", ("v2", "v1"))
    assert catalog().at_version(autoscaler, "v1").api_version == "autoscaling/v1"
    ordered = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "foo1", "foo10"]
    assert sorted(set(ordered), key=version_rank) == ordered


CRD: dict[str, Any] = {
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"], "categories": ["all"]},
        "versions": [
            {"name": "v1beta1", "served": True, "storage": False},
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n"}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name", "zone"],
                                        "items": {
                                            "type": "object",
                                            "properties": {
                                                "name": {"type": "string"},
                                                "zone": {"type": "string", "default": "a"},
                                            },
                                        },
                                    },
                                    "any": {"x-kubernetes-preserve-unknown-fields": True},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                },
                            },
                        },
                    }
                },
            },
            {"name": "v1alpha1", "served": False, "storage": False},
        ],
    }
}


def test_what_a_custom_resource_definition_adds() -> None:
    (resource, schema), (older, untyped) = crd_resources(CRD)
    assert (resource.version, older.version) == ("v1", "v1beta1")
    assert resource.versions == ("v1", "v1beta1")
    assert (resource.plural, resource.singular, resource.short_names) == ("widgets", "widget", ("wd",))
    assert not resource.namespaced
    assert set(resource.subresources) == {"status", "scale"}
    assert schema.gvk == ("example.com", "v1", "Widget")
    assert at(schema, "metadata.finalizers").merge is Merge.SET
    assert at(schema, "spec.parts").keys == ("name", "zone")
    assert at(schema, "spec.any").shape is Shape.UNTYPED
    assert at(schema, "spec.labels").shape is Shape.MAP
    assert untyped.preserve_unknown
    owned = FieldSet.of({"spec": {"parts": [{"name": "x"}]}}, schema).to_v1()
    assert owned == {"f:spec": {"f:parts": {'k:{"name":"x","zone":"a"}': {".": {}, "f:name": {}}}}}


def test_the_v2_document_names_every_kind() -> None:
    document = document_v2(catalog(), [CRD])
    widget = document["definitions"]["com.example.v1.Widget"]
    assert widget["x-kubernetes-group-version-kind"] == [{"group": "example.com", "version": "v1", "kind": "Widget"}]
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"fieldValidation", "dryRun"} <= {parameter["name"] for parameter in patch["parameters"]}
    assert "/apis/example.com/v1/widgets" in document["paths"]


def test_the_v3_documents_are_complete() -> None:
    parts = groups_v3(catalog(), [CRD])
    assert {"api/v1", "apis/apps/v1", "apis/example.com/v1"} <= set(parts)
    for group, version in (("apps", "v1"), ("", "v1"), ("example.com", "v1"), ("apiextensions.k8s.io", "v1")):
        document = document_v3(catalog(), group, version, [CRD])
        schemas = document["components"]["schemas"]
        references = set(references_in(document))
        assert references
        assert {reference.rpartition("/")[2] for reference in references} <= set(schemas)
        assert all(reference.startswith("#/components/schemas/") for reference in references)


def references_in(node: Any) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references_in(value)
    elif isinstance(node, list):
        for item in node:
            yield from references_in(item)
