"""Who owns a field: asked of managedFields as the merge of server-side apply writes them."""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from amount import examples
from hypothesis import given
from hypothesis import strategies as st
from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, JSON_PATCH, Api, config_map, deployment

from reconciler.kube.apply import ApplyConflict, apply, update
from reconciler.kube.fieldset import FieldSet, Path, render
from reconciler.kube.names import GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.kube.owners import FieldOwner, owners_at

SCHEMA = catalog().schema(GroupVersionKind("apps", "v1", "Deployment"))
MANAGERS = ("us", "them", "somebody")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def names(obj: dict[str, Any], path: str) -> list[str]:
    return [owner.manager for owner in owners_at(obj, path)]


@st.composite
def written(draw: st.DrawFn, deployments: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A Deployment after some managers applied and updated it."""
    live: dict[str, Any] | None = None
    for hour in range(draw(st.integers(1, 5))):
        obj, manager = deepcopy(draw(deployments)), draw(st.sampled_from(MANAGERS))
        how: dict[str, Any] = {"manager": manager, "api_version": "apps/v1", "time": f"2026-03-01T1{hour}:00:00Z"}
        if live is None or draw(st.booleans()):
            with suppress(ApplyConflict):
                live = apply(live, obj, SCHEMA, force=draw(st.booleans()), **how).object
        else:
            fields = update(live, obj, SCHEMA, **how)
            live = {**obj, "metadata": {**obj["metadata"], "managedFields": fields}}
    assert live is not None
    return live


def stated(obj: dict[str, Any]) -> Iterator[tuple[str, FieldSet]]:
    for entry in obj["metadata"].get("managedFields") or ():
        yield entry["manager"] + entry["operation"], FieldSet.from_v1(entry["fieldsV1"])


def leads_to(path: Path, other: Path) -> bool:
    return other[: len(path)] == path


def expected(sets: list[tuple[str, set[Path]]], path: Path) -> set[str]:
    """By the letter of the definition, from the sets of paths."""
    everything = {member for _, members in sets for member in members}
    found = set()
    for name, members in sets:
        inside = any(leads_to(path, member) for member in members)
        around = (member for member in members if leads_to(member, path) and member != path)
        atomic = (m for m in around if not any(leads_to(m, other) and other != m for other in everything))
        if inside or any(True for _ in atomic):
            found.add(name)
    return found


@examples(150)
@given(data=st.data())
def test_an_owner_owns_the_field_or_what_is_in_it_or_the_atomic_value_around_it(
    data: st.DataObject, deployments: st.SearchStrategy[dict[str, Any]]
) -> None:
    obj = data.draw(written(deployments))
    sets = [(name, set(fields.paths())) for name, fields in stated(obj)]
    members = {member for _, some in sets for member in some}
    for member in members:
        for length in range(1, len(member) + 1):
            path = member[:length]
            found = {owner.manager + owner.operation for owner in owners_at(obj, render(path))}
            assert found == expected(sets, path), render(path)


@examples(100)
@given(data=st.data())
def test_nothing_but_its_parts_is_found_where_nobody_has_been(
    data: st.DataObject, deployments: st.SearchStrategy[dict[str, Any]]
) -> None:
    obj = data.draw(written(deployments))
    assert owners_at(obj, "spec.paused") == ()
    assert owners_at(obj, "spec.repl") == (), "a name's beginning is another name"
    assert owners_at(obj, "spec.template.spec.containers[name=nobody]") == ()
    assert owners_at({}, "spec") == ()


def test_the_last_writer_comes_first_with_time_operation_and_subresource() -> None:
    api = Api()
    obj = deployment()
    obj["spec"]["replicas"] = 2
    api.apply(f"{DEPLOYMENTS}/web", obj, "us")
    api.clock.time = NOON.replace(hour=13)
    api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 4}}, fieldManager="kubectl-scale")
    api.clock.time = NOON.replace(hour=14)
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:evil"}]
    api.patch(f"{DEPLOYMENTS}/web", image, JSON_PATCH, fieldManager="kubectl-edit")
    live = api.get(f"{DEPLOYMENTS}/web").body
    scaled = FieldOwner("kubectl-scale", "Update", None, "scale")  # as a server writes it, without a time
    edited = FieldOwner("kubectl-edit", "Update", NOON.replace(hour=14))
    us = FieldOwner("us", "Apply", NOON)
    assert owners_at(live, "spec.replicas") == (scaled,)
    assert owners_at(live, "spec.template.spec.containers[name=main].image") == (edited,)
    assert owners_at(live, "spec.template.spec.containers[name=main].name") == (us,)
    assert owners_at(live, "spec.template.spec.containers[name=main]") == (edited, us)
    assert owners_at(live, "spec") == (edited, us, scaled)
    assert owners_at(live, "spec.template.spec.containers[name=main].terminationMessagePath") == ()


def test_names_with_dots_are_told_from_paths() -> None:
    api = Api()
    annotations = {"example.com/a": "1", "example.com/a.b": "2"}
    api.apply(f"{CONFIG_MAPS}/settings", config_map(data={"a.yaml": "x"}, annotations=annotations), "us")
    body = {"metadata": {"annotations": {"example.com/a.b": "3"}}, "data": {"a": "y"}}
    api.patch(f"{CONFIG_MAPS}/settings", body, fieldManager="them")
    live = api.get(f"{CONFIG_MAPS}/settings").body
    assert names(live, "metadata.annotations.example.com/a") == ["us"]
    assert names(live, "metadata.annotations.example.com/a.b") == ["them"]
    assert names(live, "data.a.yaml") == ["us"]
    assert names(live, "data.a") == ["them"]
    assert names(live, "data") == ["them", "us"]


def test_a_part_of_an_atomic_value_belongs_to_the_owner_of_the_whole() -> None:
    api = Api()
    obj = deployment()
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    api.apply(f"{DEPLOYMENTS}/web", obj, "us")
    live = api.get(f"{DEPLOYMENTS}/web").body
    assert names(live, "spec.template.spec.nodeSelector.disk") == ["us"]
    assert names(live, "spec.selector.matchLabels.app") == ["us"]


def test_an_empty_map_that_others_share_is_not_atomic() -> None:
    api = Api()
    api.apply(f"{CONFIG_MAPS}/settings", config_map(data={}, annotations={}), "us")
    api.patch(f"{CONFIG_MAPS}/settings", {"data": {"a": "1"}}, fieldManager="them")
    live = api.get(f"{CONFIG_MAPS}/settings").body
    assert names(live, "data.a") == ["them"]


@pytest.mark.parametrize("time", ["", "then"])
def test_a_time_that_is_none_is_no_error(time: str) -> None:
    entry = {"manager": "m", "operation": "Update", "time": time, "fieldsV1": {"f:spec": {"f:a": {}}}}
    assert owners_at({"metadata": {"managedFields": [entry]}}, "spec.a") == (FieldOwner("m", "Update"),)
