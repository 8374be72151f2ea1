"""Lists: selectors, pages, revisions, and the forms that clients ask for."""

import pytest
from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, PODS, Api, config_map, deployment, pod


@pytest.fixture
def filled(api: Api) -> Api:
    for index in range(7):
        labels = {"parity": "even" if index % 2 == 0 else "odd", "index": str(index)}
        api.post(CONFIG_MAPS, config_map(f"c{index}", labels=labels))
    return api


def test_a_list_has_its_kind_and_revision(filled: Api) -> None:
    body = filled.get(CONFIG_MAPS).body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert body["metadata"]["resourceVersion"].isdigit()
    assert all("kind" not in item for item in body["items"])


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("parity=even,index!=0", ["c2", "c4", "c6"]),
        ("index in (1,2), parity", ["c1", "c2"]),
        ("!parity", []),
        ("index notin (0,1,2,3,4)", ["c5", "c6"]),
    ],
)
def test_label_selectors(filled: Api, selector: str, found: list[str]) -> None:
    assert filled.names(CONFIG_MAPS, labelSelector=selector) == found


def test_field_selectors(filled: Api) -> None:
    assert filled.names(CONFIG_MAPS, fieldSelector="metadata.name=c3") == ["c3"]
    assert filled.names("/api/v1/configmaps", fieldSelector="metadata.namespace!=default") == []
    filled.post(PODS, pod("here", nodeName="n1"))
    filled.post(PODS, pod("nowhere"))
    assert filled.names(PODS, fieldSelector="spec.nodeName=n1") == ["here"]
    assert filled.names(PODS, fieldSelector="status.phase=Pending,spec.nodeName=") == ["nowhere"]
    assert filled.get(CONFIG_MAPS, fieldSelector="data.a=b").status == 400
    assert filled.get(CONFIG_MAPS, labelSelector="a in (").status == 400


def test_pages_show_one_revision_whatever_happens_between_them(filled: Api) -> None:
    first = filled.get(CONFIG_MAPS, limit="3").body
    assert first["metadata"]["remainingItemCount"] == 4
    filled.delete(f"{CONFIG_MAPS}/c4")
    filled.post(CONFIG_MAPS, config_map("c55"))
    filled.patch(f"{CONFIG_MAPS}/c5", {"data": {"a": "late"}})
    found, token = list(first["items"]), first["metadata"]["continue"]
    while token:
        page = filled.get(CONFIG_MAPS, **{"limit": "3", "continue": token}).body
        found += page["items"]
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        token = page["metadata"].get("continue", "")
    assert [item["metadata"]["name"] for item in found] == [f"c{index}" for index in range(7)]
    assert "data" not in found[5]


def test_pages_of_a_selection_go_on_until_the_last_key(filled: Api) -> None:
    page = filled.get(CONFIG_MAPS, limit="2", labelSelector="index in (0,1)").body
    assert "remainingItemCount" not in page["metadata"]
    rest = filled.get(CONFIG_MAPS, **{"continue": page["metadata"]["continue"], "labelSelector": "index in (0,1)"}).body
    assert rest["items"] == []
    assert "continue" not in rest["metadata"]


def test_a_token_that_is_too_old_is_answered_410_with_another() -> None:
    api = Api(history=3)
    for index in range(4):
        api.post(CONFIG_MAPS, config_map(f"c{index}"))
    token = api.get(CONFIG_MAPS, limit="2").body["metadata"]["continue"]
    for index in range(4):
        api.patch(f"{CONFIG_MAPS}/c0", {"data": {"n": str(index)}})
    answer = api.get(CONFIG_MAPS, **{"limit": "2", "continue": token})
    assert (answer.status, answer.reason) == (410, "Expired")
    fresh = answer.body["metadata"]["continue"]
    assert api.names(CONFIG_MAPS, **{"continue": fresh}) == ["c2", "c3"]


def test_an_exact_revision_can_be_read(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map("early"))
    revision = api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    api.post(CONFIG_MAPS, config_map("late"))
    assert api.names(CONFIG_MAPS, resourceVersion=revision, resourceVersionMatch="Exact") == ["early"]
    assert api.names(CONFIG_MAPS, resourceVersion=revision, resourceVersionMatch="NotOlderThan") == ["early", "late"]
    assert api.get(CONFIG_MAPS, resourceVersionMatch="Exact").status == 422
    assert api.get(CONFIG_MAPS, resourceVersion="999999").status == 504
    assert api.get(CONFIG_MAPS, resourceVersion="x").status == 400


def test_objects_are_ordered_by_namespace_and_name(api: Api) -> None:
    for namespace in ("b", "a", "a-b"):
        api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name in ("z", "y"):
            api.post(f"/api/v1/namespaces/{namespace}/configmaps", config_map(name))
    found = [
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in api.get("/api/v1/configmaps").body["items"]
    ]
    assert found == [("a-b", "y"), ("a-b", "z"), ("a", "y"), ("a", "z"), ("b", "y"), ("b", "z")]
    assert api.names("/api/v1/namespaces/a/configmaps") == ["y", "z"]


def test_metadata_alone_can_be_asked_for(filled: Api) -> None:
    headers = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    body = filled.call("GET", CONFIG_MAPS, headers=headers).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert set(body["items"][0]) == {"kind", "apiVersion", "metadata"}
    headers = {"accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"}
    assert filled.call("GET", f"{CONFIG_MAPS}/c1", headers=headers).body["kind"] == "PartialObjectMetadata"


def test_a_table_has_the_columns_that_kubectl_prints(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.clock.time = api.clock.time.replace(minute=5)
    headers = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = api.call("GET", DEPLOYMENTS, headers=headers).body
    columns = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert columns == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    (row,) = table["rows"]
    assert row["cells"] == ["web", "0/1", 0, 0, "5m", "main", "nginx:1.27", "app=web"]
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_an_answer_that_nobody_can_give_is_406(api: Api) -> None:
    assert api.call("GET", CONFIG_MAPS, headers={"accept": "text/html"}).status == 406
