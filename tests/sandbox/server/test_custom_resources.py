"""Kinds that are defined while the server runs."""

from sandbox_api import CRDS, WIDGETS, Api, definition, widget

STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SCALABLE = {
    "spec": {"type": "object", "properties": {"count": {"type": "integer"}}},
    "status": {"type": "object", "properties": {"count": {"type": "integer"}, "selector": {"type": "string"}}},
}
CRD = f"{CRDS}/widgets.shop.example.com"


def test_a_definition_is_accepted_and_served(api: Api) -> None:
    assert api.get(WIDGETS).status == 404
    assert api.post(CRDS, definition()).status == 201
    status = api.get(CRD).body["status"]
    assert [(c["type"], c["status"]) for c in status["conditions"]] == [
        ("NamesAccepted", "True"),
        ("Established", "True"),
    ]
    assert status["acceptedNames"]["listKind"] == "WidgetList"
    assert status["storedVersions"] == ["v1"]
    assert api.get("/apis/shop.example.com/v1").body["resources"][0]["shortNames"] == ["wd"]
    assert "shop.example.com" in [group["name"] for group in api.get("/apis").body["groups"]]
    body = api.get(WIDGETS).body
    assert (body["kind"], body["items"]) == ("WidgetList", [])


def test_defaults_are_set_and_unknown_fields_pruned(api: Api) -> None:
    api.post(CRDS, definition())
    answer = api.post(WIDGETS, widget(spec={"colour": "red"}))
    assert answer.body["spec"] == {"size": 1}
    assert 'unknown field \\"spec.colour\\"' in answer.headers["warning"]
    assert answer.body["metadata"]["generation"] == 1
    assert api.post(WIDGETS, widget("two", {"colour": "red"}), fieldValidation="Strict").status == 400


def test_a_value_must_fit_the_schema(api: Api) -> None:
    api.post(CRDS, definition())
    answer = api.post(WIDGETS, widget(spec={"size": "large"}))
    assert (answer.status, answer.fields) == (422, ["spec.size"])
    assert answer.body["details"]["causes"][0]["reason"] == "FieldValueTypeInvalid"


def test_items_of_a_list_name_their_kind(api: Api) -> None:
    api.post(CRDS, definition())
    api.post(WIDGETS, widget())
    assert api.get(WIDGETS).body["items"][0]["kind"] == "Widget"


def test_an_update_must_name_its_revision(api: Api) -> None:
    api.post(CRDS, definition())
    api.post(WIDGETS, widget())
    assert api.put(f"{WIDGETS}/one", widget(spec={"size": 2})).fields == ["metadata.resourceVersion"]
    assert api.patch(f"{WIDGETS}/one", {"spec": {"size": 2}}).body["metadata"]["generation"] == 2
    assert api.patch(f"{WIDGETS}/one", {}, "application/strategic-merge-patch+json").status == 415


def test_apply_merges_custom_resources(api: Api) -> None:
    api.post(CRDS, definition())
    assert api.apply(f"{WIDGETS}/one", widget(spec={"size": 2})).status == 201
    assert api.apply(f"{WIDGETS}/one", widget(spec={"size": 3}), "other").status == 409
    assert api.apply(f"{WIDGETS}/one", widget(spec={"size": 2})).body["metadata"]["generation"] == 1
    assert api.apply(f"{WIDGETS}/one", widget(spec={"colour": 2})).status == 500


def test_a_status_of_its_own(api: Api) -> None:
    spec = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    api.post(CRDS, definition({**spec, "status": STATUS}, subresources={"status": {}}))
    assert "status" not in api.post(WIDGETS, widget(status={"ready": True})).body
    stated = {"status": {"ready": True}, "spec": {"size": 9}, "metadata": {"labels": {"a": "b"}}}
    body = api.patch(f"{WIDGETS}/one/status", stated).body
    assert (body["status"], body["spec"], body["metadata"]["generation"]) == ({"ready": True}, {"size": 1}, 1)
    assert "labels" not in body["metadata"]


def test_a_scale_of_its_own(api: Api) -> None:
    scale = {
        "specReplicasPath": ".spec.count",
        "statusReplicasPath": ".status.count",
        "labelSelectorPath": ".status.selector",
    }
    api.post(CRDS, definition(SCALABLE, subresources={"status": {}, "scale": scale}))
    api.post(WIDGETS, widget(spec={"count": 2}))
    api.patch(f"{WIDGETS}/one/status", {"status": {"count": 1, "selector": "app=one"}})
    body = api.get(f"{WIDGETS}/one/scale").body
    assert (body["spec"], body["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "app=one"})
    api.patch(f"{WIDGETS}/one/scale", {"spec": {"replicas": 5}})
    assert api.get(f"{WIDGETS}/one").body["spec"]["count"] == 5


def test_columns_of_its_own(api: Api) -> None:
    columns = [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}]
    api.post(CRDS, definition(additionalPrinterColumns=columns))
    api.post(WIDGETS, widget())
    table = api.call("GET", WIDGETS, headers={"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["one", 1]


def test_a_second_version_shows_the_same_objects(api: Api) -> None:
    crd = definition()
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    api.post(CRDS, crd)
    api.post(WIDGETS, widget())
    body = api.get(f"{WIDGETS.replace('/v1/', '/v2/')}/one").body
    assert (body["apiVersion"], body["spec"]) == ("shop.example.com/v2", {"size": 1})


def test_a_changed_definition_changes_what_is_served(api: Api) -> None:
    api.post(CRDS, definition())
    schema = definition({"spec": {"type": "object", "properties": {"colour": {"type": "string"}}}})["spec"]["versions"]
    assert api.patch(CRD, {"spec": {"versions": schema}}).status == 200
    assert api.post(WIDGETS, widget(spec={"colour": "red"})).body["spec"] == {"colour": "red"}
    assert api.patch(CRD, {"spec": {"scope": "Cluster"}}).fields == ["spec.scope"]


def test_a_definition_goes_with_its_objects(api: Api) -> None:
    api.post(CRDS, definition())
    api.post(WIDGETS, widget())
    assert api.delete(CRD).status == 200
    assert api.get(CRD).status == 404
    assert api.get(WIDGETS).status == 404


def test_a_definition_waits_for_objects_with_finalizers(api: Api) -> None:
    api.post(CRDS, definition())
    held = widget()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    api.post(WIDGETS, held)
    api.delete(CRD)
    assert api.get(CRD).body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    api.patch(f"{WIDGETS}/one", {"metadata": {"finalizers": None}})
    assert api.get(CRD).status == 404


def test_taken_names_are_not_accepted(api: Api) -> None:
    api.post(CRDS, definition())
    other = definition()
    other["metadata"]["name"] = "gadgets.shop.example.com"
    other["spec"]["names"] = {"plural": "gadgets", "kind": "Gadget", "shortNames": ["wd"]}
    api.post(CRDS, other)
    conditions = {c["type"]: c for c in api.get(f"{CRDS}/gadgets.shop.example.com").body["status"]["conditions"]}
    assert conditions["NamesAccepted"]["reason"] == "NamesConflict"
    assert conditions["Established"]["status"] == "False"
    assert api.get(WIDGETS.replace("widgets", "gadgets")).status == 404


def test_a_definition_must_be_structural(api: Api) -> None:
    wrong = definition({"spec": {"properties": {"size": {"type": "list"}}}})
    path = "spec.validation.openAPIV3Schema.properties[spec]"  # a schema that all versions share
    assert api.post(CRDS, wrong).fields == [f"{path}.type", f"{path}.properties[size].type"]
    wrong = definition()
    wrong["metadata"]["name"] = "other"
    assert api.post(CRDS, wrong).fields == ["metadata.name"]
