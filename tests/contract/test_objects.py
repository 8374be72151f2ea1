"""The life of an object: created, patched, counted, refused, deleted."""

import pytest
from sandbox_api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    JSON_PATCH,
    MERGE,
    SERVICES,
    STRATEGIC,
    Api,
    config_map,
    deployment,
    service,
)

SETTINGS = f"{CONFIG_MAPS}/settings"
WEB = f"{DEPLOYMENTS}/web"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
SPACES = "/api/v1/namespaces"


def test_a_generation_counts_changes_of_the_spec_only(api: Api) -> None:
    assert api.post(DEPLOYMENTS, deployment()).body["metadata"]["generation"] == 1
    assert api.patch(WEB, {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 1
    assert api.patch(f"{WEB}/status", {"status": {"replicas": 1}}).body["metadata"]["generation"] == 1
    assert api.patch(WEB, {"spec": {"paused": True}}).body["metadata"]["generation"] == 2


def test_a_write_that_changes_nothing_makes_no_revision(api: Api) -> None:
    first = api.post(CONFIG_MAPS, config_map(data={"a": "1"})).body
    second = api.patch(SETTINGS, {"data": {"a": "1"}}).body
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


def test_a_stale_update_is_a_conflict(api: Api) -> None:
    old = api.post(CONFIG_MAPS, config_map(data={"a": "1"})).body
    api.patch(SETTINGS, {"data": {"a": "2"}})
    answer = api.put(SETTINGS, old)
    assert (answer.status, answer.reason) == (409, "Conflict")


def test_a_uid_in_an_update_is_a_precondition_and_in_a_patch_a_change(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert api.put(SETTINGS, config_map(uid="another")).status == 409
    refused = api.patch(SETTINGS, {"metadata": {"uid": "another"}})
    assert (refused.status, set(refused.fields)) == (422, {"metadata.uid"})


def test_a_merge_patch_takes_null_for_nothing(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1", "b": "1"}))
    assert api.patch(SETTINGS, {"data": {"a": None, "c": "2"}}, MERGE).body["data"] == {"b": "1", "c": "2"}


def test_a_merge_patch_replaces_lists_and_a_strategic_one_merges_them(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    change = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "b"}]}}}}
    for media, names in ((STRATEGIC, ["side", "main"]), (MERGE, ["side"])):
        containers = api.patch(WEB, change, media).body["spec"]["template"]["spec"]["containers"]
        assert [container["name"] for container in containers] == names


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "test", "path": "/data/a", "value": "1"}, {"op": "remove", "path": "/data/a"}], 200),
        ([{"op": "test", "path": "/data/a", "value": "2"}], 422),
        ([{"op": "remove", "path": "/data/none"}], 422),
        ([{"op": "replace", "path": "/data/none", "value": "1"}], 200),  # the library's way, not the standard's
        ([{"op": "copy", "from": "/data/none", "path": "/data/c"}], 200),
        ([{"op": "add", "path": "/none/c", "value": "1"}], 422),
    ],
)
def test_a_json_patch(api: Api, operations: list[dict[str, str]], status: int) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1"}))
    assert api.patch(SETTINGS, operations, JSON_PATCH).status == status


def test_contradicting_directives_are_an_error_of_the_server(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    assert api.patch(WEB, {"spec": {"$patch": "unheard"}}, STRATEGIC).status == 500


@pytest.mark.parametrize(("directive", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)])
def test_field_validation_decides_about_unknown_fields(api: Api, directive: str, status: int) -> None:
    answer = api.post(CONFIG_MAPS, {**config_map(), "foo": 1}, fieldValidation=directive)
    assert answer.status == status
    assert ("warning" in answer.headers) == (directive == "Warn")


def test_dry_runs_answer_like_the_real_thing_and_store_nothing(api: Api) -> None:
    assert api.post(CONFIG_MAPS, config_map(), dryRun="All").status == 201
    assert api.get(SETTINGS).status == 404
    api.post(CONFIG_MAPS, config_map())
    assert api.patch(SETTINGS, {"data": {"a": "1"}}, dryRun="All").body["data"] == {"a": "1"}
    assert api.delete(SETTINGS, dryRun="All").status == 200
    assert "data" not in api.get(SETTINGS).body


def test_a_finalizer_holds_an_object_and_its_last_one_lets_it_go(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(finalizers=["example.com/hold"]))
    assert "deletionTimestamp" in api.delete(SETTINGS).body["metadata"]
    added = api.patch(SETTINGS, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert (added.status, set(added.fields)) == (422, {"metadata.finalizers"})
    assert api.patch(SETTINGS, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(SETTINGS).status == 404


def test_a_finalizer_of_a_built_in_kind_has_a_group(api: Api) -> None:
    refused = api.post(CONFIG_MAPS, config_map(finalizers=["plain"]))
    assert (refused.status, refused.fields) == (422, ["metadata.finalizers[0]"])


@pytest.mark.parametrize(
    ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)]
)
def test_a_deletion_leaves_to_the_garbage_collector_what_it_has_to_do(
    api: Api, policy: str, finalizers: list[str] | None
) -> None:
    api.post(DEPLOYMENTS, deployment())
    left = api.delete(WEB, propagationPolicy=policy)
    assert left.status == 200
    assert (left.body.get("metadata") or {}).get("finalizers") == finalizers
    assert api.get(WEB).status == (404 if finalizers is None else 200)


def test_a_job_is_orphaned_where_nothing_else_is_said(api: Api) -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}}
    api.post(JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}})
    assert api.delete(f"{JOBS}/j").body["metadata"]["finalizers"] == ["orphan"]


def test_a_frozen_config_map_stays_as_it_is(api: Api) -> None:
    api.post(CONFIG_MAPS, {**config_map(data={"a": "1"}), "immutable": True})
    for change, field in (({"data": {"a": "2"}}, "data"), ({"immutable": None}, "immutable")):
        assert api.patch(SETTINGS, change).fields == [field]
    assert api.patch(SETTINGS, {"metadata": {"labels": {"a": "b"}}}).status == 200


def test_a_selector_never_changes(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    change = {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}}
    refused = api.patch(WEB, change)
    assert (refused.status, refused.fields) == (422, ["spec.selector"])


def test_an_address_stays_and_node_ports_come_and_go_with_the_type(api: Api) -> None:
    address = api.post(SERVICES, service()).body["spec"]["clusterIP"]
    exposed = api.patch(f"{SERVICES}/web", {"spec": {"type": "NodePort"}}).body["spec"]
    assert exposed["clusterIP"] == address
    assert 30000 <= exposed["ports"][0]["nodePort"] < 32768
    assert "nodePort" not in api.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}}).body["spec"]["ports"][0]
    assert api.patch(f"{SERVICES}/web", {"spec": {"clusterIP": "10.96.200.200"}}).fields == ["spec.clusterIPs[0]"]


def test_an_address_is_chosen_before_anything_else_is_checked(api: Api) -> None:
    broken = service(clusterIP="no address", ports=[])
    assert api.post(SERVICES, broken).fields == ["spec.clusterIPs[0]"]


def test_a_status_must_be_possible(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    for status, field in (({"replicas": -1}, "status.replicas"), ({"readyReplicas": 3}, "status.readyReplicas")):
        assert field in api.patch(f"{WEB}/status", {"status": status}).fields


def test_scale_is_the_replicas_seen_from_elsewhere(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    assert api.get(f"{WEB}/scale").body["spec"] == {"replicas": 1}
    assert api.patch(f"{WEB}/scale", {"spec": {"replicas": 0}}).body["spec"] == {}
    assert api.get(WEB).body["spec"]["replicas"] == 0
    owners = [entry.get("subresource") for entry in api.get(WEB).body["metadata"]["managedFields"]]
    assert owners == [None]  # there is no zero in a Scale, so nobody owns one


def test_a_name_that_is_generated_is_told_where_it_collides(api: Api) -> None:
    made = api.post(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}})
    name = made.body["metadata"]["name"]
    assert name.startswith("made-")
    refused = api.post(CONFIG_MAPS, config_map(name, generateName="made-"))
    assert (refused.status, refused.body["details"]["retryAfterSeconds"]) == (409, 1)


def test_a_namespace_that_goes_takes_nothing_new(api: Api) -> None:
    space = "mine-passing"
    api.post(SPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    gone = api.delete(f"{SPACES}/{space}").body
    assert (gone["status"]["phase"], gone["spec"]["finalizers"]) == ("Terminating", ["kubernetes"])
    refused = api.post(f"{SPACES}/{space}/configmaps", config_map())
    assert (refused.status, refused.reason) == (403, "Forbidden")
    finalized = {**api.get(f"{SPACES}/{space}").body, "spec": {}}
    assert api.put(f"{SPACES}/{space}/finalize", finalized).status == 200
    assert api.get(f"{SPACES}/{space}").status == 404


def test_deleting_a_collection_takes_selectors(api: Api) -> None:
    for name in ("a", "b"):
        api.post(CONFIG_MAPS, config_map(name, labels={"name": name}))
    assert api.delete(CONFIG_MAPS, labelSelector="name=a").status == 200
    assert (api.get(f"{CONFIG_MAPS}/a").status, api.get(f"{CONFIG_MAPS}/b").status) == (404, 200)
