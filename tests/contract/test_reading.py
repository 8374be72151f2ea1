"""Lists in pages, selectors, and watches: what was, what is, and what comes."""

from typing import Any

import pytest
from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, PODS, Api, config_map, deployment, pod

SETTINGS = f"{CONFIG_MAPS}/settings"


def told(events: list[Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_list_comes_in_pages_that_belong_together(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.post(CONFIG_MAPS, config_map(name))
    first = api.get(CONFIG_MAPS, limit="2").body
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    api.post(CONFIG_MAPS, config_map("d"))
    rest = api.get(CONFIG_MAPS, limit="2", **{"continue": first["metadata"]["continue"]}).body
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in rest["metadata"]


def test_a_token_that_is_none_is_refused(api: Api) -> None:
    assert api.get(CONFIG_MAPS, **{"continue": "nonsense"}).status == 400


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=web", ["a"]),
        ("tier!=web", ["b", "c"]),
        ("tier in (web,db)", ["a", "b"]),
        ("tier notin (web)", ["b", "c"]),
        ("tier", ["a", "b"]),
        ("!tier", ["c"]),
        ("tier=web,!other", ["a"]),
    ],
)
def test_label_selectors(api: Api, selector: str, names: list[str]) -> None:
    for name, labels in (("a", {"tier": "web"}), ("b", {"tier": "db"}), ("c", {})):
        api.post(DEPLOYMENTS, deployment(name, labels=labels))
    assert api.names(DEPLOYMENTS, labelSelector=selector) == names


def test_field_selectors_know_names_and_a_few_fields(api: Api) -> None:
    api.post(PODS, pod("one", nodeName="n1"))
    api.post(PODS, pod("two"))
    assert api.names(PODS, fieldSelector="metadata.name=one") == ["one"]
    assert api.names(PODS, fieldSelector="spec.nodeName=n1") == ["one"]
    assert api.names(PODS, fieldSelector="status.phase!=Running") == ["one", "two"]
    assert api.get(PODS, fieldSelector="spec.priority=1").status == 400


def test_a_revision_that_is_yet_to_come_is_not_answered(api: Api) -> None:
    refused = api.get(CONFIG_MAPS, resourceVersion="900000000", resourceVersionMatch="NotOlderThan")
    assert (refused.status, refused.reason) == (504, "Timeout")


def test_a_watch_replays_what_happened_since_a_revision(api: Api) -> None:
    since = api.get(CONFIG_MAPS).body["metadata"]["resourceVersion"]
    api.post(CONFIG_MAPS, config_map())
    api.patch(SETTINGS, {"data": {"a": "1"}})
    api.delete(SETTINGS)
    events = api.watch(CONFIG_MAPS, resourceVersion=since)
    assert told(events) == [("ADDED", "settings"), ("MODIFIED", "settings"), ("DELETED", "settings")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(versions)


def test_a_watch_without_a_revision_begins_with_what_is_there(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    assert told(api.watch(CONFIG_MAPS)) == [("ADDED", "settings")]


def test_what_ceases_to_match_is_deleted_for_a_selective_watch(api: Api) -> None:
    since = api.post(CONFIG_MAPS, config_map(labels={"tier": "web"})).body["metadata"]["resourceVersion"]
    api.patch(SETTINGS, {"metadata": {"labels": {"tier": "db"}}})
    api.patch(SETTINGS, {"metadata": {"labels": {"tier": "web"}}})
    events = api.watch(CONFIG_MAPS, resourceVersion=since, labelSelector="tier=web")
    assert told(events) == [("DELETED", "settings"), ("ADDED", "settings")]


def test_a_streamed_list_ends_with_a_bookmark_that_says_so(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map())
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    first, end, *_later = api.watch(CONFIG_MAPS, **asked)
    assert told([first]) == [("ADDED", "settings")]
    assert end["type"] == "BOOKMARK"
    assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_from_a_revision_that_is_forgotten_is_told_so() -> None:
    """A real server forgets after five minutes, which no test waits for."""
    api = Api(history=2)
    for number in range(5):
        api.post(CONFIG_MAPS, config_map(f"n{number}"))
    (event,) = api.watch(CONFIG_MAPS, resourceVersion="1")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_tables_are_what_kubectl_shows(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = api.call("GET", DEPLOYMENTS, headers={"accept": accept}).body
    names = [column["name"] for column in table["columnDefinitions"] if not column["priority"]]
    assert names == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][:4] == ["web", "0/1", 0, 0]


def test_metadata_alone(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1"}))
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    body = api.call("GET", CONFIG_MAPS, headers={"accept": accept}).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in body["items"]] == [{"kind", "apiVersion", "metadata"}]
