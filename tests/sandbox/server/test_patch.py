"""The three older kinds of patch."""

from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, JSON_PATCH, MERGE, STRATEGIC, Api, config_map, deployment

WEB = f"{DEPLOYMENTS}/web"


def test_a_merge_patch_replaces_lists_and_removes_by_null(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1", "b": "2"}))
    answer = api.patch(f"{CONFIG_MAPS}/settings", {"data": {"a": None, "c": "3"}}, MERGE)
    assert answer.body["data"] == {"b": "2", "c": "3"}


def test_a_strategic_patch_merges_containers_by_name(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "log", "image": "tail"}]}}}}
    answer = api.patch(WEB, sidecar, STRATEGIC)
    containers = answer.body["spec"]["template"]["spec"]["containers"]
    assert sorted(container["name"] for container in containers) == ["log", "main"]
    assert all(container["imagePullPolicy"] for container in containers)


def test_a_json_patch_is_all_or_nothing(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1"}))
    path = f"{CONFIG_MAPS}/settings"
    add = {"op": "add", "path": "/data/b", "value": "2"}
    assert api.patch(path, [add, {"op": "test", "path": "/data/a", "value": "9"}], JSON_PATCH).status == 422
    assert api.get(path).body["data"] == {"a": "1"}
    assert api.patch(path, [add], JSON_PATCH).body["data"] == {"a": "1", "b": "2"}
    assert api.patch(path, {"op": "add"}, JSON_PATCH).status == 400


def test_a_patch_that_makes_nonsense_is_blamed(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    answer = api.patch(WEB, {"spec": {"replicas": "many"}})
    assert (answer.status, answer.fields) == (422, ["patch"])
    answer = api.patch(WEB, {"spec": {"replicas": -1}})
    assert (answer.status, answer.fields) == (422, ["spec.replicas"])
    assert api.patch(WEB, {"spec": {"nope": 1}}, fieldValidation="Strict").status == 422
    assert api.patch(WEB, {"metadata": {"name": "other"}}).status == 400
    assert api.patch(WEB, {"kind": "Pod"}).status == 422
    assert api.patch(WEB, {}, force="true").status == 422
    assert api.patch(WEB, {}, "application/json").status == 415
    assert api.patch(f"{DEPLOYMENTS}/none", {}).status == 404


def test_a_stale_revision_in_a_patch_is_a_conflict(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    answer = api.patch(f"{CONFIG_MAPS}/settings", {"metadata": {"resourceVersion": "1"}, "data": {"a": "1"}})
    assert answer.status == 409
