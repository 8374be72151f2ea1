"""Create, read, replace and delete, as every kind has it."""

import pytest
from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, PODS, Api, config_map, deployment, pod


def test_a_new_object_gets_what_the_server_gives(api: Api) -> None:
    answer = api.post(DEPLOYMENTS, deployment())
    assert answer.status == 201
    about = answer.body["metadata"]
    assert about["namespace"] == "default"
    assert about["creationTimestamp"] == "2026-03-01T12:00:00Z"
    assert about["generation"] == 1
    assert about["uid"]
    assert int(about["resourceVersion"]) > 0
    assert answer.body["status"] == {}
    assert api.get(f"{DEPLOYMENTS}/web").body == answer.body


def test_what_a_caller_says_of_system_fields_does_not_count(api: Api) -> None:
    stated = config_map(uid="mine", creationTimestamp="2001-01-01T00:00:00Z", generation=7, selfLink="/x")
    about = api.post(CONFIG_MAPS, stated).body["metadata"]
    assert about["uid"] != "mine"
    assert about["creationTimestamp"].startswith("2026")
    assert "selfLink" not in about


def test_a_second_object_of_one_name_is_refused(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    answer = api.post(CONFIG_MAPS, config_map())
    assert (answer.status, answer.reason) == (409, "AlreadyExists")
    assert answer.body["details"] == {"name": "settings", "kind": "configmaps"}


def test_a_missing_object_is_told_as_a_status(api: Api) -> None:
    answer = api.get(f"{DEPLOYMENTS}/web")
    assert answer.status == 404
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.apps "web" not found',
        "reason": "NotFound",
        "details": {"name": "web", "group": "apps", "kind": "deployments"},
        "code": 404,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/apis/nothing.example.com/v1/things", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("POST", f"{DEPLOYMENTS}/web", 405),
        ("POST", "/apis/apps/v1/deployments", 405),
        ("GET", "/apis/apps/v1/deployments/web", 404),
        ("GET", "/api/v1/namespaces/default/nodes/one", 404),
        ("GET", f"{CONFIG_MAPS}/settings/status", 404),
    ],
)
def test_paths_that_lead_nowhere(api: Api, method: str, path: str, status: int) -> None:
    assert api.call(method, path).status == status


def test_generate_name_makes_names_that_differ(api: Api) -> None:
    stated = config_map()
    stated["metadata"] = {"generateName": "settings-"}
    names = {api.post(CONFIG_MAPS, stated).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("settings-") and len(name) == len("settings-") + 5 for name in names)


def test_a_body_of_another_kind_or_namespace_is_refused(api: Api) -> None:
    assert api.post(CONFIG_MAPS, deployment()).status == 400
    assert api.post(CONFIG_MAPS, config_map(namespace="kube-system")).status == 400
    assert api.post(CONFIG_MAPS, []).status == 400
    assert api.post(CONFIG_MAPS, b"{").status == 400
    assert api.call("POST", CONFIG_MAPS, config_map(), media="text/html").status == 415


def test_a_yaml_body_is_read_and_a_yaml_answer_given(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
    answer = api.call("POST", CONFIG_MAPS, body, media="application/yaml", headers={"accept": "application/yaml"})
    assert answer.status == 201
    assert "kind: ConfigMap" in answer.text


def test_an_update_needs_the_revision_that_it_was_made_from(api: Api) -> None:
    first = api.post(CONFIG_MAPS, config_map(data={"a": "1"})).body
    changed = {**first, "data": {"a": "2"}}
    assert api.put(f"{CONFIG_MAPS}/settings", changed).status == 200
    answer = api.put(f"{CONFIG_MAPS}/settings", changed)
    assert (answer.status, answer.reason) == (409, "Conflict")


def test_an_update_without_a_revision_overwrites_where_the_kind_allows_it(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert api.put(f"{CONFIG_MAPS}/settings", config_map(data={"a": "1"})).body["data"] == {"a": "1"}
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}
    api.post(leases, lease)
    answer = api.put(f"{leases}/l", lease)
    assert (answer.status, answer.fields) == (422, ["metadata.resourceVersion"])


def test_a_put_creates_only_kinds_that_allow_it(api: Api) -> None:
    assert api.put(f"{CONFIG_MAPS}/settings", config_map()).status == 404
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}}
    assert api.put(f"{roles}/r", role).status == 201


def test_a_write_that_changes_nothing_makes_no_revision(api: Api) -> None:
    first = api.post(DEPLOYMENTS, deployment()).body
    api.clock.time = api.clock.time.replace(hour=13)
    path = f"{DEPLOYMENTS}/web"
    assert api.put(path, first).body == first
    assert api.patch(path, {"spec": {"revisionHistoryLimit": 10}}).body == first
    assert api.get(path).body == first


def test_the_generation_counts_changes_of_the_specification(api: Api) -> None:
    path = f"{DEPLOYMENTS}/web"
    api.post(DEPLOYMENTS, deployment())
    assert api.patch(path, {"spec": {"replicas": 2}}).body["metadata"]["generation"] == 2
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 2
    assert api.patch(f"{path}/status", {"status": {"replicas": 2}}).body["metadata"]["generation"] == 2
    assert api.patch(path, {"metadata": {"generation": 9}}).body["metadata"]["generation"] == 2


def test_a_dry_run_answers_and_leaves_nothing(api: Api) -> None:
    assert api.post(CONFIG_MAPS, config_map(), dryRun="All").status == 201
    assert api.get(f"{CONFIG_MAPS}/settings").status == 404
    api.post(CONFIG_MAPS, config_map())
    assert api.patch(f"{CONFIG_MAPS}/settings", {"data": {"a": "1"}}, dryRun="All").body["data"] == {"a": "1"}
    assert "data" not in api.get(f"{CONFIG_MAPS}/settings").body
    assert api.delete(f"{CONFIG_MAPS}/settings", dryRun="All").status == 200
    assert api.get(f"{CONFIG_MAPS}/settings").status == 200
    assert api.post(CONFIG_MAPS, config_map(), dryRun="some").status == 422


def test_a_deletion_answers_with_a_status_or_with_the_object(api: Api) -> None:
    uid = api.post(CONFIG_MAPS, config_map()).body["metadata"]["uid"]
    answer = api.delete(f"{CONFIG_MAPS}/settings")
    assert answer.body["status"] == "Success"
    assert answer.body["details"] == {"name": "settings", "kind": "configmaps", "uid": uid}
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    api.post(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    assert api.delete(f"{accounts}/robot").body["kind"] == "ServiceAccount"


def test_preconditions_guard_a_deletion(api: Api) -> None:
    about = api.post(CONFIG_MAPS, config_map()).body["metadata"]
    path = f"{CONFIG_MAPS}/settings"
    assert api.delete(path, {"preconditions": {"uid": "other"}}).status == 409
    assert api.delete(path, {"preconditions": {"resourceVersion": "1"}}).status == 409
    stated = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
    assert api.delete(path, {"preconditions": stated}).status == 200


def test_finalizers_hold_an_object_until_they_are_gone(api: Api) -> None:
    path = f"{DEPLOYMENTS}/web"
    api.post(DEPLOYMENTS, deployment(finalizers=["example.com/hold"]))
    answer = api.delete(path)
    assert answer.body["metadata"]["deletionTimestamp"] == "2026-03-01T12:00:00Z"
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert answer.body["metadata"]["generation"] == 2
    revision = answer.body["metadata"]["resourceVersion"]
    assert api.delete(path).body["metadata"]["resourceVersion"] == revision
    refused = api.patch(path, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert (refused.status, refused.fields) == (422, ["metadata.finalizers"])
    assert api.patch(path, {"metadata": {"finalizers": None}}).status == 200
    assert api.get(path).status == 404


@pytest.mark.parametrize(
    ("policy", "finalizers"), [("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None)]
)
def test_the_propagation_policy_leaves_work_to_the_garbage_collector(
    api: Api, policy: str, finalizers: list[str] | None
) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.delete(f"{DEPLOYMENTS}/web", {"propagationPolicy": policy})
    answer = api.get(f"{DEPLOYMENTS}/web")
    if finalizers is None:
        assert answer.status == 404
    else:
        assert answer.body["metadata"]["finalizers"] == finalizers


def test_a_pod_is_given_its_grace_period_once_a_node_runs_it(api: Api) -> None:
    api.post(PODS, pod("waiting"))
    api.delete(f"{PODS}/waiting")
    assert api.get(f"{PODS}/waiting").status == 404
    api.post(PODS, pod("running", nodeName="n1", terminationGracePeriodSeconds=20))
    about = api.delete(f"{PODS}/running").body["metadata"]
    assert (about["deletionTimestamp"], about["deletionGracePeriodSeconds"]) == ("2026-03-01T12:00:20Z", 20)
    about = api.delete(f"{PODS}/running", {"gracePeriodSeconds": 5}).body["metadata"]
    assert (about["deletionTimestamp"], about["deletionGracePeriodSeconds"]) == ("2026-03-01T12:00:05Z", 5)
    assert api.delete(f"{PODS}/running", {"gracePeriodSeconds": 60}).body["metadata"]["deletionGracePeriodSeconds"] == 5
    assert api.delete(f"{PODS}/running", {"gracePeriodSeconds": 0}).status == 200
    assert api.get(f"{PODS}/running").status == 404


def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.post(CONFIG_MAPS, config_map(name, labels={"odd": "yes" if name != "b" else "no"}))
    assert api.delete(CONFIG_MAPS, labelSelector="odd=yes").status == 200
    assert api.names(CONFIG_MAPS) == ["b"]


@pytest.mark.parametrize(
    ("directive", "status", "warned"),
    [("Strict", 400, False), ("Warn", 201, True), ("Ignore", 201, False), ("", 201, True)],
)
def test_field_validation_decides_what_an_unknown_field_is(api: Api, directive: str, status: int, warned: bool) -> None:
    stated = deployment()
    stated["spec"]["template"]["spec"]["containers"][0]["imag"] = "x"
    answer = api.post(DEPLOYMENTS, stated, **({"fieldValidation": directive} if directive else {}))
    assert answer.status == status
    warning = answer.headers.get("warning", "")
    assert ('unknown field \\"spec.template.spec.containers[0].imag\\"' in warning) is warned
    if status == 201:
        assert "imag" not in answer.body["spec"]["template"]["spec"]["containers"][0]


def test_every_write_records_who_owns_the_fields(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1"}), fieldManager="maker")
    api.patch(f"{CONFIG_MAPS}/settings", {"data": {"b": "2"}})
    fields = api.get(f"{CONFIG_MAPS}/settings").body["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in fields] == [("maker", "Update"), ("test", "Update")]
    assert fields[1]["fieldsV1"] == {"f:data": {"f:b": {}}}
    assert fields[1]["time"] == "2026-03-01T12:00:00Z"


def test_an_empty_list_of_owners_forgets_them_until_the_next_apply(api: Api) -> None:
    path = f"{CONFIG_MAPS}/settings"
    stored = api.post(CONFIG_MAPS, config_map(data={"a": "1"})).body
    stored["metadata"]["managedFields"] = []
    assert "managedFields" not in api.put(path, stored).body["metadata"]
    assert "managedFields" not in api.patch(path, {"data": {"b": "2"}}).body["metadata"]
    entries = api.apply(path, config_map(data={"a": "1"})).body["metadata"]["managedFields"]
    assert [entry["manager"] for entry in entries] == ["tool", "before-first-apply"]


def test_an_unknown_group_is_no_page(api: Api) -> None:
    answer = api.get("/apis/nothing.example.com/v1/things")
    assert (answer.status, answer.text) == (404, "404 page not found\n")
