"""Server-side apply through the server. The merge itself is tested with `kube.apply`."""

import json

from sandbox_api import APPLY, CONFIG_MAPS, DEPLOYMENTS, SERVICES, Api, config_map, deployment, service

SETTINGS = f"{CONFIG_MAPS}/settings"
WEB = f"{DEPLOYMENTS}/web"


def test_apply_creates_and_then_changes_nothing(api: Api) -> None:
    first = api.apply(WEB, deployment())
    assert first.status == 201
    again = api.apply(WEB, deployment())
    assert again.status == 200
    assert again.body == first.body


def test_defaults_belong_to_nobody(api: Api) -> None:
    body = api.apply(WEB, deployment()).body
    assert body["spec"]["strategy"]["type"] == "RollingUpdate"
    (entry,) = body["metadata"]["managedFields"]
    assert entry["operation"] == "Apply"
    assert "f:strategy" not in entry["fieldsV1"]["f:spec"]


def test_another_managers_value_is_a_conflict_that_force_overcomes(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1"}), "one")
    answer = api.apply(SETTINGS, config_map(data={"a": "2"}), "two")
    assert (answer.status, answer.reason) == (409, "Conflict")
    (cause,) = answer.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.a")
    assert '"one"' in cause["message"]
    assert api.apply(SETTINGS, config_map(data={"a": "2"}), "two", force="true").body["data"] == {"a": "2"}


def test_a_field_that_is_no_longer_applied_goes(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1", "b": "2"}))
    assert api.apply(SETTINGS, config_map(data={"a": "1"})).body["data"] == {"a": "1"}


def test_a_dropped_replicas_falls_back_to_its_default(api: Api) -> None:
    stated = deployment()
    stated["spec"]["replicas"] = 5
    api.apply(WEB, stated)
    del stated["spec"]["replicas"]
    assert api.apply(WEB, stated).body["spec"]["replicas"] == 1


def test_yaml_is_what_the_media_type_says(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  when: '2026-01-01'\n"
    answer = api.call("PATCH", SETTINGS, body, media=APPLY, fieldManager="tool")
    assert answer.body["data"] == {"when": "2026-01-01"}
    assert api.call("PATCH", SETTINGS, b"a: [", media=APPLY, fieldManager="tool").status == 400


def test_what_cannot_be_applied_is_refused(api: Api) -> None:
    assert api.patch(SETTINGS, config_map(), APPLY).fields == ["fieldManager"]
    assert api.apply(SETTINGS, config_map("other")).status == 400
    assert api.apply(SETTINGS, config_map(managedFields=[])).status == 400
    assert api.apply(SETTINGS, {**config_map(), "apiVersion": "v2"}).status == 400
    assert api.apply(SETTINGS, {**config_map(), "kind": "Secret"}).status == 400
    assert api.apply(SETTINGS, {**config_map(), "dat": {}}).status == 500
    wrong = api.apply(WEB, {**deployment(), "spec": {"replicas": "many"}})
    assert wrong.status == 500
    assert ".spec.replicas" in wrong.body["message"]
    assert api.get(SETTINGS).status == 404


def test_apply_checks_the_revision_and_uid_that_it_states(api: Api) -> None:
    assert api.apply(SETTINGS, config_map(uid="gone")).status == 409
    api.apply(SETTINGS, config_map())
    assert api.apply(SETTINGS, config_map(resourceVersion="1")).status == 409


def test_status_is_not_applied_through_the_main_path(api: Api) -> None:
    answer = api.apply(WEB, {**deployment(), "status": {"replicas": 9}})
    assert answer.body["status"] == {}
    assert "f:status" not in json.dumps(answer.body["metadata"]["managedFields"])


def test_status_can_be_applied_on_its_own_path(api: Api) -> None:
    api.apply(WEB, deployment())
    stated = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 3}}
    answer = api.apply(f"{WEB}/status", stated, "controller")
    assert answer.body["status"]["replicas"] == 3
    entries = {entry["manager"]: entry.get("subresource", "") for entry in answer.body["metadata"]["managedFields"]}
    assert entries == {"tool": "", "controller": "status"}


def test_a_given_address_stays_with_an_applied_service(api: Api) -> None:
    path = f"{SERVICES}/web"
    first = api.apply(path, service()).body
    again = api.apply(path, service(ports=[{"port": 81}])).body
    assert again["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    assert [port["port"] for port in again["spec"]["ports"]] == [81]


def test_a_dry_run_of_an_apply_leaves_the_object_alone(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1"}))
    assert api.apply(SETTINGS, config_map(data={"a": "2"}), dryRun="All").body["data"] == {"a": "2"}
    assert api.get(SETTINGS).body["data"] == {"a": "1"}
