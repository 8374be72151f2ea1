"""Field sets: what is owned, their algebra, and FieldsV1."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kube.fieldset import EMPTY, Field, FieldSet, Index, Key, Path, Value, render
from reconciler.kube.schema import Schema

elements = st.sampled_from(
    [Field("a"), Field("b"), Key({"name": "a"}), Key({"p": 80, "q": "TCP"}), Value("x"), Index(0)]
)
paths = st.lists(elements, min_size=1, max_size=3).map(tuple)
sets = st.lists(paths, max_size=6).map(lambda some: FieldSet.from_paths(*some))


def spec(*rest: Any) -> Path:
    return tuple(Field(part) if isinstance(part, str) else part for part in ("spec", "template", "spec", *rest))


def test_what_an_applier_owns(web: dict[str, Any], deployment: Schema) -> None:
    owned = FieldSet.of(web, deployment)
    container = Key({"name": "web"})
    for path in (
        (Field("metadata"), Field("labels"), Field("app")),
        (Field("spec"), Field("replicas")),
        (Field("spec"), Field("selector")),
        spec("containers", container),
        spec("containers", container, "args"),
        spec("containers", container, "ports", Key({"containerPort": 8080, "protocol": "TCP"}), "name"),
        spec("containers", container, "env", Key({"name": "LOG"}), "value"),
        spec("containers", container, "resources", "requests", "cpu"),
        spec("volumes", Key({"name": "cache"}), "emptyDir"),
    ):
        assert path in owned, render(path)
    for path in (
        (Field("spec"),),
        (Field("metadata"), Field("labels")),
        (Field("spec"), Field("selector"), Field("matchLabels")),
        spec("containers"),
        spec("containers", container, "args", Index(0)),
        (),
    ):
        assert path not in owned, render(path)


def test_paths_read_well() -> None:
    assert render(spec("containers", Key({"name": "web"}), "image")) == "spec.template.spec.containers[name=web].image"
    assert render((Field("ports"), Key({"protocol": "TCP", "port": 80}))) == "ports[port=80,protocol=TCP]"
    assert render((Field("finalizers"), Value("x"))) == "finalizers[=x]"
    assert render((Field("list"), Index(2))) == "list[2]"
    assert render((Field("list"), Key({"name": "web"})), quoted=True) == 'list[name="web"]'


V1 = {
    "f:metadata": {"f:annotations": {".": {}, "f:a/b": {}}, "f:finalizers": {'v:"x"': {}}},
    "f:spec": {
        "f:ports": {
            'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}},
            'k:{"port":443,"protocol":"TCP"}': {"f:port": {}},
        },
        "f:list": {"i:0": {}},
    },
}


def test_fields_v1_there_and_back() -> None:
    owned = FieldSet.from_v1(V1)
    assert owned.to_v1() == V1
    assert (Field("metadata"), Field("annotations")) in owned
    assert (Field("metadata"),) not in owned
    assert [render(path) for path in owned.paths() if Field("ports") in path] == [
        "spec.ports[port=80,protocol=TCP]",
        "spec.ports[port=80,protocol=TCP].port",
        "spec.ports[port=443,protocol=TCP].port",
    ]


def test_fields_v1_in_the_order_of_the_api_server() -> None:
    keys = ['k:{"port":80}', 'k:{"port":443}', 'k:{"port":8080}', 'v:"a"', "v:true"]
    owned = FieldSet.from_v1({"f:list": {key: {} for key in reversed(keys)}, "f:a": {}})
    assert list(owned.to_v1()) == ["f:a", "f:list"]
    assert list(owned.to_v1()["f:list"]) == keys


def test_fields_v1_that_others_wrote() -> None:
    assert FieldSet.from_v1(None) == EMPTY
    assert FieldSet.from_v1({"f:a": {".": {}}, "x:future": {}}).to_v1() == {"f:a": {}}
    loosely = FieldSet.from_v1({"f:list": {'k:{"q": "b", "p": 1}': {}}})
    assert (Field("list"), Key({"p": 1, "q": "b"})) in loosely
    for malformed in ({"spec": {}}, {"k:{": {}}, {"f:a": 1}, {"i:x": {}}, {"k:[]": {}}):
        with pytest.raises(ValueError, match=r"\w"):
            FieldSet.from_v1(malformed)


def test_special_characters_are_escaped_as_go_does() -> None:
    owned = FieldSet.from_paths((Field("hosts"), Value("<a&b>")))
    assert owned.to_v1() == {"f:hosts": {'v:"\\u003ca\\u0026b\\u003e"': {}}}
    assert FieldSet.from_v1(owned.to_v1()) == owned


def test_leaves_have_no_members_below() -> None:
    owned = FieldSet.from_v1({"f:env": {'k:{"name":"A"}': {".": {}, "f:value": {}}, 'k:{"name":"B"}': {}}})
    assert [render(path) for path in owned.leaves()] == ["env[name=A].value", "env[name=B]"]
    assert [render(path) for path in owned.paths()] == ["env[name=A]", "env[name=A].value", "env[name=B]"]


def test_a_parent_and_its_child_are_different_members() -> None:
    parent = FieldSet.from_paths((Field("a"),))
    child = FieldSet.from_paths((Field("a"), Field("b")))
    assert parent - child == parent
    assert child - parent == child
    assert not child.without(parent)
    assert parent & child == EMPTY


@given(a=sets, b=sets)
def test_algebra_is_that_of_sets_of_paths(a: FieldSet, b: FieldSet) -> None:
    assert set((a | b).paths()) == set(a.paths()) | set(b.paths())
    assert set((a & b).paths()) == set(a.paths()) & set(b.paths())
    assert set((a - b).paths()) == set(a.paths()) - set(b.paths())
    below = {path for path in a.paths() if any(path[: len(other)] == other for other in b.paths())}
    assert set(a.without(b).paths()) == set(a.paths()) - below


@given(a=sets)
def test_normal_form(a: FieldSet) -> None:
    assert FieldSet.from_v1(a.to_v1()) == a
    assert FieldSet.from_paths(*a.paths()) == a
    assert a - a == EMPTY
    assert (a | a) == a == (a & a)
    assert bool(a) is bool(list(a.paths()))
    assert all(path in a for path in a.paths())


@settings(max_examples=50)
@given(data=st.data())
def test_fields_of_objects_survive_fields_v1(data: st.DataObject, deployment: Schema, deployments: Any) -> None:
    owned = FieldSet.of(data.draw(deployments), deployment)
    assert FieldSet.from_v1(owned.to_v1()) == owned
