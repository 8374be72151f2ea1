"""On which line a field is stated."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.kube.path import Field, Index, render
from reconciler.model.spec import Origin
from reconciler.specs.limits import Limits
from reconciler.specs.lines import Found, Layer, Wish, follow, layers, locate
from reconciler.specs.parts import read_file

WEB = Identity("apps", "Deployment", "shop", "web")
TEXT = """\
# About the shop.
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  annotations:
    example.com/a: "1"
    example.com/a.b: "2"
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: web
          image: web:1
          env:
            - {name: LOG, value: info}
            - name: MODE
              value: |
                production
                and more
          ports:
            - containerPort: 80
            - containerPort: 80
              protocol: UDP
        - image: proxy:2
          name: proxy
          args: [a, b]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a.yaml: x, a: y}
"""
CONTAINER = "spec.template.spec.containers[name=web]"


def of(document: Identity, *texts: str, line: int = 1, json: bool = False) -> tuple[Layer, ...]:
    paths = [f"{number}.{'json' if json else 'yaml'}" for number in range(len(texts))]
    files = {path: read_file(text.encode(), Limits(), json=json) for path, text in zip(paths, texts, strict=True)}
    return layers(document, Origin(paths[0], line, "0" * 16, tuple(paths[1:])), files)


def place(found: Found | None) -> str | None:
    return str(found.location) + ("" if found.exact else " around") if found else None


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("spec.replicas", "12"),
        ("spec.template.spec.containers", "15"),
        (CONTAINER, "16"),
        (f"{CONTAINER}.image", "17"),
        (f"{CONTAINER}.env[name=LOG].value", "19"),
        (f"{CONTAINER}.env[name=MODE].value", "21"),
        (f"{CONTAINER}.env[name=GONE].value", "18 around"),
        (f"{CONTAINER}.ports[containerPort=80,protocol=TCP]", "25"),
        (f"{CONTAINER}.ports[containerPort=80,protocol=UDP]", "26"),
        ("spec.template.spec.containers[name=proxy]", "28"),
        ("spec.template.spec.containers[name=proxy].image", "28"),
        ("spec.template.spec.containers[name=proxy].args[1]", "30"),
        ("spec.template.spec.containers[name=proxy].args[=b]", "30"),
        ("spec.template.spec.containers[1].name", "29"),
        ("metadata.annotations.example.com/a", "9"),
        ("metadata.annotations.example.com/a.b", "10"),
        ("metadata.annotations.example.com/none", None),
        ("metadata.finalizers", None),
        ("spec.paused", None),
        ("data", None),
    ],
)
def test_the_line_of_a_field(path: str, where: str | None) -> None:
    found = locate(of(WEB, TEXT, line=3), [Wish(path)])
    assert place(found) == (where and f"0.yaml:{where}")


def test_a_later_document_of_a_file_counts_from_the_files_first_line() -> None:
    settings = of(Identity("", "ConfigMap", "shop", "settings"), TEXT, line=32)
    assert place(locate(settings, [Wish("data.a")])) == "0.yaml:35"
    found = locate(settings, [Wish("data.a.yaml")])
    assert found is not None
    assert (place(found), found.value) == ("0.yaml:35", "x")


def test_what_must_be_whole_is_not_found_around_and_what_is_stated_goes_before_what_is_around() -> None:
    text = of(WEB, TEXT, line=3)
    assert locate(text, [Wish(f"{CONTAINER}.command", whole=True)]) is None
    assert place(locate(text, [Wish(f"{CONTAINER}.command"), Wish("spec.replicas")])) == "0.yaml:12"
    assert place(locate(text, [Wish(f"{CONTAINER}.command"), Wish("spec.nothing")])) == "0.yaml:16 around"


OVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 7
"""


def test_of_several_layers_the_last_that_states_it() -> None:
    prod = OVER + "  template: {spec: {containers: [{name: web, image: 'web:2'}]}}\n"
    both = of(WEB, TEXT, OVER, prod, line=3)
    assert place(locate(both, [Wish("spec.replicas")])) == "2.yaml:5"
    assert place(locate(both, [Wish(f"{CONTAINER}.image")])) == "2.yaml:6"
    assert place(locate(both, [Wish(f"{CONTAINER}.env[name=LOG].value")])) == "0.yaml:19"
    assert place(locate(both, [Wish(f"{CONTAINER}.env[name=GONE]")])) == "0.yaml:18 around"


LIST = """\
apiVersion: v1
kind: ConfigMapList
items:
- metadata: {name: a}
  data: {x: "1"}
- metadata:
    name: b
  data:
    x: "2"
---
apiVersion: v1
kind: List
items:
- kind: List
  apiVersion: v1
  items:
  - kind: ConfigMap
    apiVersion: v1
    metadata: {name: c, namespace: shop}
    data:

      x: "3"
"""


@pytest.mark.parametrize(("name", "line", "where"), [("a", 4, 5), ("b", 6, 9), ("c", 14, 22)])
def test_items_of_lists(name: str, line: int, where: int) -> None:
    item = of(Identity("", "ConfigMap", "shop", name), LIST, line=line)
    assert place(locate(item, [Wish("data.x")])) == f"0.yaml:{where}"


def test_what_an_alias_or_a_merge_key_brings_stands_where_it_is_used() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: &l {x: "1"}}
data:
  <<: *l
  y: "2"
"""
    found = of(Identity("", "ConfigMap", "shop", "a"), text)
    assert place(locate(found, [Wish("data.y")])) == "0.yaml:6"
    assert place(locate(found, [Wish("data.x")])) == "0.yaml:4", "the nearest thing around it that has a place"


def test_json() -> None:
    text = '{"apiVersion": "v1",\n "kind": "ConfigMap",\n "metadata": {"name": "a"},\n "data": {\n  "x": "1"}}'
    found = of(Identity("", "ConfigMap", "shop", "a"), text, json=True)
    assert place(locate(found, [Wish("data.x")])) == "0.json:5"


def test_windows_lines_and_a_byte_order_mark() -> None:
    text = "\ufeff" + OVER.replace("\n", "\r\n")
    assert place(locate(of(WEB, text), [Wish("spec.replicas")])) == "0.yaml:5"


def test_a_text_that_changed_meanwhile_or_states_something_else_is_left_out() -> None:
    assert of(WEB, "nothing: of this kind\n") == ()
    assert of(WEB, ":\n  - [broken") == ()
    assert of(WEB, OVER.replace("name: web", "name: cart")) == ()
    assert of(WEB, OVER.replace("name: web", "name: web, namespace: bank")) == ()
    assert locate((), [Wish("spec.replicas")]) is None


def test_documents_of_one_name_in_two_namespaces_are_told_apart() -> None:
    one = OVER.replace("name: web", "name: web, namespace: bank")
    two = OVER.replace("name: web", "name: web, namespace: shop").replace("7", "8")
    found = locate(of(WEB, "x: 1\n", one + "---\n" + two), [Wish("spec.replicas")])
    assert place(found) == "1.yaml:11"


NAMES = st.sampled_from(["a", "b", "a.b", "x/y", "c d"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["1", 2, True, "text: with", "-"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def marks(node: yaml.Node, prefix: tuple[Any, ...], line: int) -> Mapping[tuple[Any, ...], int]:
    """Where PyYAML itself says that everything stands."""
    found = {prefix: line}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found |= marks(value, (*prefix, Field(key.value)), key.start_mark.line + 1)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            found |= marks(value, (*prefix, Index(at)), value.start_mark.line + 1)
    return found


@given(values=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), flow=st.sampled_from([None, False, True]))
def test_every_field_stands_where_the_yaml_library_says(values: dict[str, Any], flow: bool | None) -> None:
    obj = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": values}
    text = f"# {values}\nother: document\n---\n\n" + yaml.safe_dump(obj, default_flow_style=flow, sort_keys=False)
    thing = of(Identity("example.com", "Thing", "shop", "t"), text)
    _, node = yaml.compose_all(text)
    found = marks(node, (), 0)
    for path, line in found.items():
        if path[:1] != (Field("spec"),) or path == (Field("spec"),):
            continue
        if sum(render(other) == render(path) for other in found) == 1:  # a.b may be two things
            assert place(locate(thing, [Wish(render(path))])) == f"0.yaml:{line}", render(path)


@given(text=st.text(alphabet="ab.[]=,0/", max_size=12), value=VALUES)
def test_any_text_leads_somewhere_or_nowhere(text: str, value: Any) -> None:
    path, _ = follow(text, value)
    for step in path:
        value = value[step]


@given(
    values=st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), min_size=1, max_size=3),
    flow=st.sampled_from([None, False, True]),
    last=st.booleans(),
)
def test_every_field_of_a_lists_items_stands_where_the_yaml_library_says(
    values: list[dict[str, Any]], flow: bool | None, last: bool
) -> None:
    items = [
        {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": f"t{n}"}, "spec": value}
        for n, value in enumerate(values)
    ]
    head = {"apiVersion": "v1", "kind": "List"}
    obj = {**head, "items": items} if last else {"items": items, **head}
    text = "a: document\n---\n" + yaml.safe_dump(obj, default_flow_style=flow, sort_keys=False) + "---\nb: another\n"
    _, node, _ = yaml.compose_all(text)
    stated = next(value for key, value in node.value if key.value == "items")
    for number, item in enumerate(stated.value):
        thing = Identity("example.com", "Thing", "shop", f"t{number}")
        found = marks(item, (), 0)
        for path, line in found.items():
            if len(path) < 2 or path[0] != Field("spec") or sum(render(o) == render(path) for o in found) > 1:
                continue
            some = of(thing, text, line=item.start_mark.line + 1)
            assert place(locate(some, [Wish(render(path))])) == f"0.yaml:{line}", render(path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("items:\n- &x {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: &d {y: '1'}}\n", None),
        ("items:\n-\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n  data:\n    x: '1'\n- {}\n", 9),
        ("items:\n  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: a}\n    data:\n      x: '1'\n", 8),
    ],
)
def test_lists_in_other_styles(text: str, where: int | None) -> None:
    found = of(Identity("", "ConfigMap", "shop", "a"), "apiVersion: v1\nkind: List\n" + text, line=4)
    assert place(locate(found, [Wish("data.x")])) == (where and f"0.yaml:{where}")


def test_an_item_that_needs_an_anchor_of_another_one() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: &d {x: "1"}}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: b, labels: *d}
  data:
    y: "2"
"""
    found = of(Identity("", "ConfigMap", "shop", "b"), text, line=5)
    assert place(locate(found, [Wish("data.y")])) == "0.yaml:9"
    assert place(locate(found, [Wish("metadata.labels.x")])) == "0.yaml:7"
