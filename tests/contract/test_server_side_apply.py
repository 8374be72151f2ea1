"""Server-side apply: who owns what, what goes when nobody states it any more, how lists are merged."""

from typing import Any

from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, MERGE, SERVICES, Answer, Api, Object, config_map, deployment

SETTINGS = f"{CONFIG_MAPS}/settings"
WEB = f"{DEPLOYMENTS}/web"
SERVICE = f"{SERVICES}/web"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/robot"


def owned(answer: Answer, manager: str) -> Any:
    """The fields of an applier, as the server writes them."""
    for entry in answer.body["metadata"]["managedFields"]:
        if (entry["manager"], entry["operation"]) == (manager, "Apply"):
            return entry["fieldsV1"]
    return None


def service(*ports: Object) -> Object:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": list(ports)}}


def with_containers(*containers: Object, **spec: Any) -> Object:
    stated = deployment()
    stated["spec"]["template"]["spec"] = {"containers": list(containers), **spec}
    return stated


def test_an_apply_owns_what_it_states_and_nothing_else(api: Api) -> None:
    answer = api.apply(SETTINGS, config_map(data={"a": "1"}, labels={"x": "y"}), "one")
    assert answer.status == 201
    assert owned(answer, "one") == {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}


def test_a_value_that_another_owns_is_a_conflict_that_names_owner_and_field(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1", "b": "1"}), "one")
    refused = api.apply(SETTINGS, config_map(data={"a": "2", "b": "2"}), "two")
    assert (refused.status, refused.reason, refused.fields) == (409, "Conflict", [".data.a", ".data.b"])
    assert all(cause["message"] == 'conflict with "one"' for cause in refused.body["details"]["causes"])


def test_force_takes_the_field_from_its_owner(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1", "b": "1"}), "one")
    taken = api.apply(SETTINGS, config_map(data={"a": "2"}), "two", force="true")
    assert taken.body["data"] == {"a": "2", "b": "1"}
    assert owned(taken, "one") == {"f:data": {"f:b": {}}}


def test_the_same_value_is_owned_together_and_stays_until_the_last_lets_go(api: Api) -> None:
    for manager in ("one", "two"):
        assert api.apply(SETTINGS, config_map(data={"a": "1"}), manager).status in (200, 201)
    assert api.apply(SETTINGS, config_map(), "one").body["data"] == {"a": "1"}
    assert "data" not in api.apply(SETTINGS, config_map(), "two").body


def test_what_an_applier_states_no_longer_goes(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1", "b": "1"}), "one")
    assert api.apply(SETTINGS, config_map(data={"a": "1"}), "one").body["data"] == {"a": "1"}


def test_what_a_writer_changed_meanwhile_is_a_conflict_and_no_longer_ours(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1"}), "one")
    edited = api.patch(SETTINGS, {"data": {"a": "2"}}, fieldManager="editor")
    assert owned(edited, "one") is None
    assert api.apply(SETTINGS, config_map(data={"a": "1"}), "one").status == 409


def test_a_list_by_one_key_is_merged_item_by_item(api: Api) -> None:
    api.apply(WEB, with_containers({"name": "main", "image": "a"}), "one")
    template = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "b"}]}}}}
    side = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, **template}
    merged = api.apply(WEB, side, "two")
    assert [c["name"] for c in merged.body["spec"]["template"]["spec"]["containers"]] == ["main", "side"]
    item = {'k:{"name":"side"}': {".": {}, "f:image": {}, "f:name": {}}}
    assert owned(merged, "two") == {"f:spec": {"f:template": {"f:spec": {"f:containers": item}}}}


def test_a_list_by_two_keys_takes_the_default_of_a_key_that_is_left_out(api: Api) -> None:
    api.apply(SERVICE, service({"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "web", "port": 53}), "one")
    answer = api.apply(SERVICE, service({"name": "web", "port": 53, "protocol": "TCP"}), "two")
    assert len(answer.body["spec"]["ports"]) == 2
    port = {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}
    assert owned(answer, "two") == {"f:spec": {"f:ports": {'k:{"port":53,"protocol":"TCP"}': port}}}


def test_a_keyed_list_within_a_keyed_list(api: Api) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    api.apply(WEB, with_containers({"name": "main", "image": "a", "env": variables}), "one")
    dropped = api.apply(WEB, with_containers({"name": "main", "image": "a", "env": variables[1:]}), "one")
    (container,) = dropped.body["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "B", "value": "1"}]


def test_an_atomic_list_has_one_owner(api: Api) -> None:
    api.apply(
        WEB, with_containers({"name": "main", "image": "a"}, tolerations=[{"key": "x", "operator": "Exists"}]), "one"
    )
    other = with_containers({"name": "main", "image": "a"}, tolerations=[{"key": "y", "operator": "Exists"}])
    refused = api.apply(WEB, other, "two")
    assert (refused.status, refused.fields) == (409, [".spec.template.spec.tolerations"])


def test_a_set_is_owned_value_by_value(api: Api) -> None:
    api.apply(SETTINGS, config_map(finalizers=["example.com/a"]), "one")
    both = api.apply(SETTINGS, config_map(finalizers=["example.com/b"]), "two")
    assert sorted(both.body["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    assert owned(both, "two") == {"f:metadata": {"f:finalizers": {'v:"example.com/b"': {}}}}
    assert api.apply(SETTINGS, config_map(), "one").body["metadata"]["finalizers"] == ["example.com/b"]


def test_an_empty_string_takes_the_place_of_null_in_a_map(api: Api) -> None:
    assert api.apply(SETTINGS, {**config_map(), "data": {"a": None}}, "one").body["data"] == {"a": ""}


def test_a_field_that_does_not_exist_is_refused_whatever_the_validation(api: Api) -> None:
    for directive in ("Strict", "Ignore"):
        assert api.apply(SETTINGS, {**config_map(), "foo": 1}, fieldValidation=directive).status == 500


def test_an_apply_needs_a_manager(api: Api) -> None:
    refused = api.call("PATCH", SETTINGS, config_map(), media="application/apply-patch+yaml")
    assert (refused.status, refused.fields) == (422, ["fieldManager"])


def test_force_is_for_applies_only(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    refused = api.patch(SETTINGS, {}, MERGE, force="true")
    assert (refused.status, refused.fields) == (422, ["force"])


def test_a_dry_run_tells_and_stores_nothing(api: Api) -> None:
    assert api.apply(SETTINGS, config_map(data={"a": "1"}), dryRun="All").status == 201
    assert api.get(SETTINGS).status == 404


def test_yaml_is_read_too(api: Api) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
    assert api.apply(SETTINGS, text, "one").body["data"] == {"a": "1"}


def test_a_status_is_applied_by_a_manager_of_its_own(api: Api) -> None:
    api.apply(WEB, deployment(), "one")
    stated = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 2}}
    answer = api.apply(f"{WEB}/status", stated, "one")
    entries = answer.body["metadata"]["managedFields"]
    assert [(entry["manager"], entry.get("subresource")) for entry in entries] == [("one", None), ("one", "status")]


def test_one_answers_404_for_the_status_of_what_is_not_there(api: Api) -> None:
    stated = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"replicas": 2}}
    assert api.apply(f"{WEB}/status", stated, "one").status == 404


def test_resetting_managed_fields_forgets_all_owners_until_the_next_apply(api: Api) -> None:
    api.apply(SETTINGS, config_map(data={"a": "1"}), "one")
    reset = api.patch(SETTINGS, {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in reset.body["metadata"]
    names = [
        e["manager"] for e in api.apply(SETTINGS, config_map(data={"b": "1"}), "two").body["metadata"]["managedFields"]
    ]
    assert names == ["two", "before-first-apply"]
