"""What holds for every object, of every kind: Hypothesis makes the objects from the schemas themselves."""

import copy
import functools
from collections.abc import Iterator
from typing import Any

from deepdiff import DeepDiff
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.diff import managers
from reconciler.diff.compare import compare
from reconciler.diff.fields import Kind, differences
from reconciler.diff.paths import Path, is_items, is_map, owns, step
from reconciler.diff.unchanged import unchanged
from reconciler.kube import fieldset, merge
from reconciler.kube.compare import as_stored, same
from reconciler.kube.fieldset import FieldSet, item_key
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.kube.schema import UNTYPED, Merge, Schema, Shape
from reconciler.model.change import Action, Live
from reconciler.model.manifest import MANAGER

KINDS = [
    GroupVersionKind(group, version, kind)
    for group, version, kind in (
        ("", "v1", "ConfigMap"),
        ("", "v1", "Pod"),
        ("", "v1", "Service"),
        ("apps", "v1", "Deployment"),
        ("apps", "v1", "StatefulSet"),
        ("autoscaling", "v2", "HorizontalPodAutoscaler"),
        ("batch", "v1", "CronJob"),
        ("networking.k8s.io", "v1", "Ingress"),
        ("networking.k8s.io", "v1", "NetworkPolicy"),
        ("rbac.authorization.k8s.io", "v1", "Role"),
        ("example.com", "v1", "Unknown"),
    )
]
SCALARS = {
    "string": st.sampled_from(["a", "b", "c<&>", "line\nline", "0"]),
    "integer": st.integers(0, 3),
    "number": st.sampled_from([0.5, 1, 2]),
    "boolean": st.booleans(),
    "int-or-string": st.sampled_from([80, "http", "25%"]),
    "quantity": st.sampled_from(["1", "250m", "64Mi"]),
}
# No 0 and 1 among the booleans: inside lists DeepDiff takes 1 for true.
json_values = st.recursive(
    st.booleans() | st.integers(2, 5) | st.sampled_from(["", "a", "b", "1"]) | st.just(0.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
CHOSEN = ("f:clusterIP", "f:healthCheckNodePort", "f:nodePort")
quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@functools.cache
def values(schema: Schema, depth: int) -> st.SearchStrategy[Any]:
    """Values of a schema, at most `depth` levels of containers deep."""
    if schema.shape is Shape.UNTYPED:
        return json_values
    if schema.shape is Shape.SCALAR:
        return st.sampled_from(schema.enum) if schema.enum else SCALARS.get(schema.type, SCALARS["string"])
    if depth == 0:
        return st.just([] if schema.shape is Shape.LIST else {})
    inner = values(schema.element, depth - 1) if schema.element else json_values
    if schema.shape is Shape.MAP:
        return st.dictionaries(st.sampled_from(["a", "b", "c.d/e"]), inner, max_size=3)
    if schema.shape is Shape.STRUCT:
        return struct(schema, depth)
    if schema.merge is Merge.ATOMIC:
        return st.lists(inner, max_size=2)
    return st.lists(inner.filter(lambda item: keyed(item, schema)), max_size=3, unique_by=lambda i: item_key(i, schema))


def keyed(item: Any, schema: Schema) -> bool:
    return schema.merge is Merge.SET or any(name in item for name in schema.keys)


@st.composite
def struct(draw: st.DrawFn, schema: Schema, depth: int) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(schema.fields)), unique=True, max_size=4)) if schema.fields else []
    return {name: draw(values(schema.fields[name], depth - 1)) for name in names}


@st.composite
def objects(draw: st.DrawFn, gvk: GroupVersionKind) -> dict[str, Any]:
    schema = catalog().schema(gvk)
    metadata = {"name": "x", "namespace": "shop", "labels": draw(values(schema.fields["metadata"].fields["labels"], 1))}
    parts = {
        name: draw(values(known, 6))
        for name, known in schema.fields.items()
        if name not in ("apiVersion", "kind", "metadata", "status") and (name == "spec" or draw(st.booleans()))
    }
    if not schema.fields.get("spec") and gvk.group == "example.com":
        parts["spec"] = draw(json_values)
    return {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata, **parts}


any_object = st.sampled_from(KINDS).flatmap(objects)
two_objects = st.sampled_from(KINDS).flatmap(lambda gvk: st.tuples(objects(gvk), objects(gvk)))


def owned(live: Live) -> Any:
    applied = managers.applied(live, MANAGER)
    assert applied is not None
    return applied.fields


def _unknown(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Unknown",
        "metadata": {"name": "x", "namespace": "shop"},
        "spec": spec,
    }


@quick
@given(obj=any_object)
def test_what_was_applied_is_as_git_states_it(bench: Any, obj: dict[str, Any]) -> None:
    change = compare(bench.manifest(obj), bench.live(obj), bench.schema(obj), owner=bench.owner)
    assert (change.action, change.fields) == (Action.NONE, ())


@quick
@given(pair=two_objects)
@example(pair=(_unknown({"a": False}), _unknown({})))
def test_the_diff_applied_gives_what_git_states(bench: Any, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = pair
    manifest, schema = bench.manifest(new), bench.schema(new)
    after = bench.apply(bench.live(old), manifest.object)
    change = compare(manifest, after, schema, owner=bench.owner)
    assert (change.action, change.fields) == (Action.NONE, ())


@quick
@given(pair=two_objects)
def test_the_quick_look_and_the_close_look_agree(bench: Any, pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = pair
    desired, live, schema = bench.stamped(new), bench.live(old), bench.schema(new)
    for stated in (bench.stamped(old), desired):
        found = differences(stated, live.object, schema, owned(live))
        assert not (unchanged(stated, live.object, schema, owned(live)) and found)


@quick
@given(
    three=st.sampled_from(KINDS).flatmap(lambda gvk: st.tuples(objects(gvk), objects(gvk), st.none() | objects(gvk)))
)
def test_what_is_announced_is_what_an_apply_does(bench: Any, three: tuple[Any, Any, Any]) -> None:
    old, new, theirs = three
    desired, live, schema = bench.stamped(new), bench.live(old), bench.schema(new)
    if theirs is not None:
        live = bench.apply(live, theirs, manager="other")
    after = bench.apply(live, desired)
    ignored = ("f:metadata", "f:resourceVersion"), ("f:metadata", "f:managedFields")
    done = merge.compare(live.object, after.object, schema)
    changed = [path for part in done for path in leaves(part.tree) if path[:2] not in ignored]
    others = managers.others(live, MANAGER)
    all_found = differences(desired, live.object, schema, owned(live), others)
    found = [d.path for d in all_found if d.kind in (Kind.CHANGED, Kind.REMOVED)]
    for path in changed:
        if same(at(live.object, path, schema), at(after.object, path, schema), UNTYPED):
            continue  # an empty list is as good as none
        assert any(path[: len(one)] == one or one[: len(path)] == path for one in found), fieldset_text(path)
    for one in found:
        assert any(owns(part.tree, one) for part in done), fieldset_text(one)


@quick
@given(data=st.data(), obj=any_object)
def test_one_edit_is_one_difference(bench: Any, data: st.DataObject, obj: dict[str, Any]) -> None:
    desired, live, schema = bench.stamped(obj), bench.live(obj), bench.schema(obj)
    edited = copy.deepcopy(dict(live.object))
    path, parent, key = data.draw(st.sampled_from(sorted(scalars(edited, schema), key=lambda found: found[0])))
    parent[key] = "edited by hand"
    assert [d.path for d in differences(desired, edited, schema, owned(live))] == [path]
    del parent[key]
    found = differences(desired, edited, schema, owned(live))
    assert [d.path for d in found] in ([path], [])  # a value that is empty may have been left out


@quick
@given(data=st.data(), obj=any_object)
def test_the_order_of_keyed_lists_and_sets_is_no_difference(
    bench: Any, data: st.DataObject, obj: dict[str, Any]
) -> None:
    live, schema = bench.live(obj), bench.schema(obj)
    shuffled = permuted(bench.stamped(obj), schema, data)
    assert differences(shuffled, live.object, schema, owned(live)) == []


@settings(max_examples=300, deadline=None)
@given(json_values.map(lambda v: {"x": v}), json_values.map(lambda v: {"x": v}))
def test_deepdiff_agrees_on_what_is_equal(desired: dict[str, Any], live: dict[str, Any]) -> None:
    fields = FieldSet.of(live, UNTYPED).to_v1()
    found = differences(desired, live, UNTYPED, fields)
    equal = not DeepDiff(desired, live)
    assert (not found) is equal
    assert unchanged(desired, live, UNTYPED, fields) is equal


def fieldset_text(path: Path) -> str:
    return fieldset.render(tuple(e for part in path if (e := fieldset.decode(part))))


def at(value: Any, path: Path, schema: Schema) -> Any:
    """What is at `path`, less what a server of typed objects does not store."""
    for part in path:
        try:
            value, schema = step(value, schema, part)
        except KeyError:
            return None
    return as_stored(value, schema) or None


def leaves(tree: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    for part, inside in tree.items():
        if part != ".":
            below = list(leaves(inside, (*path, part)))
            yield from below or [(*path, part)]


def scalars(value: Any, schema: Schema, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Every granular scalar that Git may state, less keys of items: its path, its container and its place there."""
    if is_map(schema, value):
        for name, part in value.items():
            at = (*path, f"f:{name}")
            known = schema.member(name)
            if at in (("f:apiVersion",), ("f:kind",)) or at[-1] == "f:reconciler.dev/origin":
                continue
            if at[0] == "f:metadata" and len(at) > 1 and at[1] not in ("f:labels", "f:annotations"):
                continue
            if at[0] == "f:spec" and at[-1] in CHOSEN and part in ("", 0):
                continue  # of a Service: whatever the server has chosen is as stated
            if isinstance(part, str | int | float | bool):
                yield at, value, name
            else:
                yield from scalars(part, known, at)
    elif is_items(schema, value) and schema.merge is Merge.KEYED:
        for item in value:
            at = (*path, item_key(item, schema))
            for found in scalars(item, schema.item, at):
                if not (len(found[0]) == len(at) + 1 and found[2] in schema.keys):
                    yield found


def permuted(value: Any, schema: Schema, data: st.DataObject, name: str = "") -> Any:
    if is_map(schema, value):
        return {key: permuted(part, schema.member(key), data, key) for key, part in value.items()}
    if is_items(schema, value):
        changed = [permuted(item, schema.item, data) for item in value]
        return changed if name in ("containers", "env", "initContainers") else data.draw(st.permutations(changed))
    return value
