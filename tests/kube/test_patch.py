"""The three patch types, by the examples of their specifications."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.patch import PatchError, json_patch, merge_patch, strategic_merge
from reconciler.kube.schema import Schema

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc~/", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc~/", max_size=2), inner, max_size=3),
    max_leaves=8,
)

RFC_6902: list[tuple[Any, list[dict[str, Any]], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/2"}],
        {"foo": ["all", "eat", "grass"]},
    ),
    ({"baz": "qux", "foo": ["a", 2]}, [{"op": "test", "path": "/foo/1", "value": 2}], {"baz": "qux", "foo": ["a", 2]}),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": 1, "xyz": 123}], {"foo": "bar", "baz": 1}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
    ({"": 1}, [{"op": "remove", "path": "/"}], {}),
]
AS_THE_API_SERVER = [
    ({"a": 1}, [{"op": "replace", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
    ({"a": 1}, [{"op": "copy", "from": "/none", "path": "/b"}], {"a": 1, "b": None}),
    ({"a": 1}, [{"op": "test", "path": "/none", "value": None}], {"a": 1}),
]


@pytest.mark.parametrize(("doc", "ops", "result"), [*RFC_6902, *AS_THE_API_SERVER])
def test_json_patch_examples(doc: Any, ops: list[dict[str, Any]], result: Any) -> None:
    assert json_patch(doc, ops) == result


@pytest.mark.parametrize(
    ("doc", "ops"),
    [
        ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}]),
        ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}]),
        ({"foo": 1}, [{"op": "test", "path": "/foo", "value": True}]),
        ({"foo": "bar"}, [{"op": "remove", "path": "/baz"}]),
        ({"foo": [1]}, [{"op": "remove", "path": "/foo/1"}]),
        ({"foo": [1]}, [{"op": "add", "path": "/foo/3", "value": 1}]),
        ({"foo": [1]}, [{"op": "replace", "path": "/foo/00", "value": 1}]),
        ({"foo": [1]}, [{"op": "remove", "path": "/foo/-"}]),
        ({"foo": {}}, [{"op": "move", "from": "/foo", "path": "/foo/bar"}]),
        ({}, [{"op": "add", "path": "/a"}]),
        ({}, [{"op": "add", "path": "a", "value": 1}]),
        ({}, [{"op": "spam", "path": "/a"}]),
        ({}, ["add"]),
        ({}, {"op": "add"}),
    ],
)
def test_json_patch_refusals(doc: Any, ops: Any) -> None:
    with pytest.raises(PatchError):
        json_patch(doc, ops)


def test_a_json_patch_that_fails_changes_nothing() -> None:
    doc = {"a": [1]}
    with pytest.raises(PatchError):
        json_patch(doc, [{"op": "add", "path": "/a/-", "value": 2}, {"op": "remove", "path": "/b"}])
    assert doc == {"a": [1]}


@given(doc=st.dictionaries(st.text("abc~/", max_size=2), json_values, max_size=3), value=json_values)
def test_a_json_patch_adds_and_removes_what_it_added(doc: dict[str, Any], value: Any) -> None:
    added = json_patch(doc, [{"op": "add", "path": "/n~1e~0w", "value": value}])
    assert added == {**doc, "n/e~w": value}
    assert json_patch(added, [{"op": "remove", "path": "/n~1e~0w"}]) == doc


RFC_7386: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("doc", "patch", "result"), RFC_7386)
def test_merge_patch_examples(doc: Any, patch: Any, result: Any) -> None:
    assert merge_patch(doc, patch) == result


@given(doc=json_values, patch=json_values)
def test_a_merge_patch_twice_is_once(doc: Any, patch: Any) -> None:
    once = merge_patch(doc, patch)
    assert merge_patch(once, patch) == once


def pod_spec(doc: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": doc}}}


A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")

STRATEGIC: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "an item is merged by its key": (
        {"containers": [A, B]},
        {"containers": [{"name": "b", "image": "b:2"}]},
        {"containers": [A, {"name": "b", "image": "b:2"}]},
    ),
    "a new item comes before those that the patch does not name": (
        {"containers": [A, B]},
        {"containers": [C]},
        {"containers": [C, A, B]},
    ),
    "the order is set": (
        {"containers": [A, B]},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}], "containers": [C]},
        {"containers": [B, C, A]},
    ),
    "the order alone": (
        {"containers": [A, B, C]},
        {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}]},
        {"containers": [A, C, B]},
    ),
    "an item is deleted": (
        {"containers": [A, B]},
        {"containers": [{"name": "a", "$patch": "delete"}]},
        {"containers": [B]},
    ),
    "a list is replaced": (
        {"containers": [A, B]},
        {"containers": [{"$patch": "replace"}, C]},
        {"containers": [C]},
    ),
    "a map is replaced": (
        {"nodeSelector": {"a": "1", "b": "2"}},
        {"nodeSelector": {"$patch": "replace", "c": "3"}},
        {"nodeSelector": {"c": "3"}},
    ),
    "a map is emptied": ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"$patch": "delete"}}, {"nodeSelector": {}}),
    "null deletes a field": ({"nodeName": "n", "hostPID": True}, {"nodeName": None}, {"hostPID": True}),
    "null leaves nothing behind": ({}, {"nodeSelector": {"a": None, "b": "1"}}, {"nodeSelector": {"b": "1"}}),
    "a list without a merge key is replaced": (
        {"tolerations": [{"key": "a"}]},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": [{"key": "b"}]},
    ),
    "only the kept keys stay": (
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]},
        {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
    ),
}


@pytest.mark.parametrize("case", STRATEGIC)
def test_strategic_merge(case: str, deployment: Schema) -> None:
    doc, patch, result = STRATEGIC[case]
    assert strategic_merge(pod_spec(doc), pod_spec(patch), deployment) == pod_spec(result)


def test_strategic_merge_of_primitive_lists(deployment: Schema) -> None:
    doc = {"metadata": {"finalizers": ["a", "b"]}}
    add = {"metadata": {"finalizers": ["c", "a"]}}
    assert strategic_merge(doc, add, deployment) == {"metadata": {"finalizers": ["c", "a", "b"]}}
    drop = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge(doc, drop, deployment) == {"metadata": {"finalizers": ["b"]}}


def test_strategic_merge_of_ports_by_port_number(service: Schema) -> None:
    doc = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    assert strategic_merge(doc, patch, service) == {
        "spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}]}
    }


@pytest.mark.parametrize(
    "patch",
    [
        {"containers": [{"image": "x"}]},
        {"containers": ["x"]},
        {"nodeSelector": {"$patch": "burn"}},
        {"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {"path": "/x"}}]},
        {"$setElementOrder/containers": "a", "containers": [A]},
    ],
)
def test_strategic_merge_refusals(patch: dict[str, Any], deployment: Schema) -> None:
    doc = pod_spec({"containers": [A], "volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {"a": "1"}})
    with pytest.raises(PatchError):
        strategic_merge(doc, pod_spec(patch), deployment)
