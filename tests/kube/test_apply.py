"""Server-side apply: who owns what, what goes, what stays, who is in whose way."""

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.kube.apply import Applied, ApplyConflict, ApplyError, apply, update, zero
from reconciler.kube.fieldset import EMPTY, Field, FieldSet
from reconciler.kube.managed import owned_by
from reconciler.kube.merge import compare
from reconciler.kube.names import LAST_APPLIED, GroupVersionKind
from reconciler.kube.openapi import catalog
from reconciler.kube.schema import Schema

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
REFERENCE = json.loads((Path(__file__).parent / "reference_applies.json").read_text())


class Cluster:
    """One Deployment that several managers write to."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.object: dict[str, Any] | None = None

    def apply(self, obj: dict[str, Any], manager: str = "us", *, force: bool = False, time: str = EARLY) -> Applied:
        done = apply(self.object, obj, self.schema, manager=manager, force=force, api_version="apps/v1", time=time)
        self.object = done.object
        return done

    def update(self, obj: dict[str, Any], manager: str = "them", *, time: str = EARLY) -> None:
        fields = update(self.object, obj, self.schema, manager=manager, api_version="apps/v1", time=time)
        self.object = {**obj, "metadata": {**obj["metadata"], "managedFields": fields}}
        if not fields:
            del self.object["metadata"]["managedFields"]

    def edit(self, change: Any, manager: str = "them", *, time: str = EARLY) -> None:
        edited = deepcopy(self.object)
        assert edited is not None
        change(edited)
        self.update(edited, manager, time=time)

    @property
    def spec(self) -> dict[str, Any]:
        assert self.object is not None
        return self.object["spec"]

    @property
    def pod(self) -> dict[str, Any]:
        return self.spec["template"]["spec"]

    def owners(self) -> dict[tuple[str, str], dict[str, Any]]:
        assert self.object is not None
        stored = self.object["metadata"].get("managedFields", [])
        return {(entry["manager"], entry["operation"]): entry for entry in stored}


@pytest.fixture
def cluster(deployment: Schema) -> Cluster:
    return Cluster(deployment)


def deployment_of(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def pod_of(**pod: Any) -> dict[str, Any]:
    return deployment_of(template={"spec": pod})


def without_fields(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in ("managedFields", "uid")}}


@pytest.mark.parametrize("steps", REFERENCE, ids=range(len(REFERENCE)))
def test_agrees_with_the_reference(steps: list[dict[str, Any]], cluster: Cluster) -> None:
    """Sequences recorded from structured-merge-diff 6.3.2 under apimachinery 0.36's field manager."""
    for step in steps:
        force = step.get("force", False)
        if "conflict" in step:
            with pytest.raises(ApplyConflict) as caught:
                cluster.apply(step["object"], step["manager"], force=force)
            assert sorted(str(caught.value).splitlines()) == sorted(step["conflict"].splitlines())
            continue
        if step["op"] == "apply":
            done = cluster.apply(step["object"], step["manager"], force=force)
            assert without_fields(done.object) == step["result"]
        else:
            cluster.update(deepcopy(step["object"]), step["manager"])
        assert cluster.object is not None
        fields = [
            {"manager": entry["manager"], "operation": entry["operation"], "fieldsV1": entry["fieldsV1"]}
            | ({} if "time" in entry else {"untimed": True})
            for entry in cluster.object["metadata"].get("managedFields", [])
        ]
        assert sorted(fields, key=lambda entry: (entry["operation"], entry["manager"])) == step["fields"]


def test_an_apply_records_what_it_states(cluster: Cluster, web: dict[str, Any]) -> None:
    done = cluster.apply(web)
    assert done.changed
    (entry,) = done.object["metadata"]["managedFields"]
    assert {key: value for key, value in entry.items() if key != "fieldsV1"} == {
        "manager": "us",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": EARLY,
        "fieldsType": "FieldsV1",
    }
    assert "f:name" not in entry["fieldsV1"]["f:metadata"]
    assert "f:kind" not in entry["fieldsV1"]


def test_the_same_again_changes_nothing_not_even_the_time(cluster: Cluster, web: dict[str, Any]) -> None:
    first = cluster.apply(web)
    again = cluster.apply(deepcopy(web), time=LATE)
    assert not again.changed
    assert again.object == first.object


def test_what_is_given_stays_as_it_is(cluster: Cluster, web: dict[str, Any]) -> None:
    stated = deepcopy(web)
    before = deepcopy(cluster.apply(web).object)
    live = cluster.object
    changed = deepcopy(web)
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "NEW", "value": "1"}]
    cluster.apply(changed)
    assert web == stated
    assert live == before


def test_a_dropped_field_goes(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2, paused=True))
    cluster.apply(deployment_of(paused=True))
    assert cluster.spec == {"paused": True}


def test_a_dropped_field_that_another_applier_states_stays(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2))
    cluster.apply(deployment_of(replicas=2), "planner")
    cluster.apply(deployment_of())
    assert cluster.spec["replicas"] == 2


def test_a_dropped_field_that_a_writer_took_over_stays(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2))
    cluster.edit(lambda live: live["spec"].update(replicas=5))
    cluster.apply(deployment_of())
    assert cluster.spec["replicas"] == 5


def test_a_dropped_item_goes_with_what_nobody_owns_in_it(cluster: Cluster) -> None:
    cluster.apply(pod_of(containers=[{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]))
    assert cluster.object is not None
    cluster.pod["containers"][1]["imagePullPolicy"] = "Always"  # a default: no owner
    cluster.apply(pod_of(containers=[{"name": "a", "image": "a:1"}]))
    assert cluster.pod["containers"] == [{"name": "a", "image": "a:1"}]


def test_a_dropped_item_that_another_applier_shares_keeps_their_part(cluster: Cluster) -> None:
    cluster.apply(pod_of(containers=[{"name": "a", "image": "a:1", "args": ["x"]}]))
    cluster.apply(pod_of(containers=[{"name": "a", "env": [{"name": "E", "value": "1"}]}]), "other")
    cluster.apply(pod_of(nodeName="n"))
    assert cluster.pod == {"containers": [{"name": "a", "env": [{"name": "E", "value": "1"}]}], "nodeName": "n"}


def test_a_dropped_map_entry_leaves_the_others(cluster: Cluster) -> None:
    cluster.apply({**deployment_of(), "metadata": {"name": "web", "labels": {"a": "1", "b": "1"}}})
    cluster.apply({**deployment_of(), "metadata": {"name": "web", "labels": {"c": "1"}}}, "other")
    done = cluster.apply({**deployment_of(), "metadata": {"name": "web", "labels": {"a": "1"}}})
    assert done.object["metadata"]["labels"] == {"a": "1", "c": "1"}


def test_a_conflict_names_owner_and_field(cluster: Cluster) -> None:
    cluster.apply(pod_of(containers=[{"name": "a", "image": "a:1"}]))
    cluster.edit(lambda live: live["spec"]["template"]["spec"]["containers"][0].update(image="a:2"), "kubectl-set")
    with pytest.raises(ApplyConflict) as caught:
        cluster.apply(pod_of(containers=[{"name": "a", "image": "a:1"}]))
    assert str(caught.value) == (
        'Apply failed with 1 conflict: conflict with "kubectl-set" using apps/v1: '
        '.spec.template.spec.containers[name="a"].image'
    )
    ((manager, path),) = caught.value.conflicts
    assert (manager, path[-1]) == ("kubectl-set", Field("image"))
    assert caught.value.causes[0]["reason"] == "FieldManagerConflict"


def test_force_takes_the_field_and_nothing_else(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=1))
    cluster.edit(lambda live: live["spec"].update(replicas=5, paused=True))
    cluster.apply(deployment_of(replicas=1), force=True)
    assert cluster.spec == {"replicas": 1, "paused": True}
    assert cluster.owners()["them", "Update"]["fieldsV1"] == {"f:spec": {"f:paused": {}}}


def test_the_same_value_is_shared_not_fought_over(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2))
    done = cluster.apply(deployment_of(replicas=2), "other", time=LATE)
    assert done.changed
    owners = cluster.owners()
    assert owners["us", "Apply"]["fieldsV1"] == owners["other", "Apply"]["fieldsV1"]
    assert "time" not in owners["other", "Apply"]  # the object stayed as it was


def test_a_writer_takes_what_it_changes(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2, paused=True))
    cluster.edit(lambda live: live["spec"].update(replicas=3), time=LATE)
    assert cluster.owners()["us", "Apply"]["fieldsV1"] == {"f:spec": {"f:paused": {}}}
    assert cluster.owners()["them", "Update"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert cluster.owners()["them", "Update"]["time"] == LATE


def test_a_writer_that_removes_a_field_owns_nothing(cluster: Cluster) -> None:
    cluster.apply(deployment_of(replicas=2))
    cluster.edit(lambda live: live["spec"].pop("replicas"))
    assert cluster.owners() == {}


def test_writers_are_told_apart_by_subresource(deployment: Schema, web: dict[str, Any]) -> None:
    common = {"manager": "m", "api_version": "apps/v1", "time": EARLY}
    web["metadata"]["managedFields"] = update(None, web, deployment, **common)
    scaled = deepcopy(web)
    scaled["spec"]["replicas"] = 9
    first, second = update(web, scaled, deployment, subresource="scale", **common)
    assert "subresource" not in first
    assert second["subresource"] == "scale"
    assert second["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


def test_a_create_owns_what_came_but_not_what_is_always_there(deployment: Schema, web: dict[str, Any]) -> None:
    (entry,) = update(None, web, deployment, manager="kubectl-create", api_version="apps/v1", time=EARLY)
    fields = entry["fieldsV1"]
    assert "." not in fields["f:spec"]
    assert "." not in fields["f:spec"]["f:template"]
    assert "." not in fields["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert "." in fields["f:metadata"]["f:labels"]
    assert "." in fields["f:spec"]["f:template"]["f:spec"]["f:volumes"]


def test_the_empty_object_of_a_kind(deployment: Schema) -> None:
    assert zero(deployment)["spec"] == {
        "selector": None,
        "strategy": {},
        "template": {"metadata": {}, "spec": {"containers": None}},
    }


def test_resetting_managed_fields_forgets_all_owners(cluster: Cluster, web: dict[str, Any]) -> None:
    cluster.apply(web)
    cluster.update({**web, "metadata": {**web["metadata"], "managedFields": [{}]}})
    assert cluster.owners() == {}
    cluster.edit(lambda live: live["spec"].update(replicas=7))
    assert cluster.owners() == {}


def test_the_first_apply_to_an_unowned_object_gives_the_rest_a_name(cluster: Cluster) -> None:
    cluster.object = deployment_of(replicas=2, paused=True)
    with pytest.raises(ApplyConflict, match="before-first-apply"):
        cluster.apply(deployment_of(replicas=3))
    cluster.apply(deployment_of(replicas=2))
    assert set(cluster.owners()) == {("us", "Apply"), ("before-first-apply", "Update")}


def test_reset_fields_are_not_owned(deployment: Schema) -> None:
    status = FieldSet.from_paths((Field("status"),))
    stated = {**deployment_of(replicas=1), "status": {"replicas": 1}}
    done = apply(None, stated, deployment, manager="us", api_version="apps/v1", time=EARLY, reset=status)
    assert owned_by(done.object, "us") == FieldSet.from_paths((Field("spec"), Field("replicas")))


def test_at_most_ten_writers_are_remembered(cluster: Cluster) -> None:
    cluster.update(deployment_of(replicas=1), "first")
    for i in range(12):
        label = {f"l{i}": "1"}
        cluster.edit(
            lambda live, label=label: live["metadata"].setdefault("labels", {}).update(label),
            f"m{i:02}",
            time=f"2026-01-01T00:00:{i + 10}Z",
        )
    updaters = [manager for manager, operation in cluster.owners() if operation == "Update"]
    assert len(updaters) == 10
    assert "ancient-changes" in updaters
    assert "m11" in updaters


def test_kubectl_takes_over_what_it_applied_from_the_client_side(cluster: Cluster) -> None:
    stated = deployment_of(replicas=1, paused=True)
    annotations = {LAST_APPLIED: json.dumps(stated)}
    cluster.update({**stated, "metadata": {"name": "web", "annotations": annotations}}, "kubectl-client-side-apply")
    wanted = deployment_of(replicas=2, paused=False)
    with pytest.raises(ApplyConflict, match="2 conflicts"):
        cluster.apply(wanted, "us")
    done = cluster.apply(wanted, "kubectl")
    assert cluster.spec == {"replicas": 2, "paused": False}
    assert json.loads(done.object["metadata"]["annotations"][LAST_APPLIED]) == wanted
    cluster.edit(lambda live: live["spec"].update(replicas=5))
    with pytest.raises(ApplyConflict, match=r"1 conflict: .* \.spec\.replicas"):
        cluster.apply(wanted, "kubectl")


def test_ports_are_known_by_number_and_protocol_tcp_by_default(cluster: Cluster) -> None:
    cluster.apply(pod_of(containers=[{"name": "a", "ports": [{"containerPort": 53}]}]))
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP", "name": "dns"}]
    cluster.apply(pod_of(containers=[{"name": "a", "ports": ports}]), "other")
    assert [port.get("name") for port in cluster.pod["containers"][0]["ports"]] == [None, "dns"]
    assert len(cluster.pod["containers"][0]["ports"]) == 2


ORDERS = {
    "theirs stay in place": ("abc", "b", "abc"),
    "ours in our order": ("abc", "ca", "bca"),
    "new ones at the end": ("ab", "cd", "abcd"),
    "new ones before what they precede": ("ab", "xb", "axb"),
    "all turned round": ("abc", "cba", "cba"),
}


@pytest.mark.parametrize("case", ORDERS)
def test_order_of_merged_lists(case: str, cluster: Cluster) -> None:
    live, applied, merged = ORDERS[case]
    cluster.update(pod_of(containers=[{"name": name} for name in live]))
    cluster.apply(pod_of(containers=[{"name": name} for name in applied]))
    assert "".join(container["name"] for container in cluster.pod["containers"]) == merged


def test_atomic_lists_are_replaced(cluster: Cluster) -> None:
    cluster.update(pod_of(tolerations=[{"key": "a"}]))
    with pytest.raises(ApplyConflict, match="tolerations"):
        cluster.apply(pod_of(tolerations=[{"key": "b"}]))
    cluster.apply(pod_of(tolerations=[{"key": "b"}]), force=True)
    assert cluster.pod["tolerations"] == [{"key": "b"}]


def test_an_empty_list_or_object_removes_nothing_of_others(cluster: Cluster) -> None:
    cluster.update(pod_of(containers=[{"name": "a"}], nodeSelector={"x": "1"}))
    cluster.apply(pod_of(containers=[]))
    assert cluster.pod["containers"] == [{"name": "a"}]


def test_null_removes_a_value_and_owns_its_absence(cluster: Cluster) -> None:
    cluster.update(deployment_of(replicas=2))
    cluster.apply(deployment_of(replicas=None), force=True)
    assert cluster.spec == {"replicas": None}  # whoever stores it drops what its type does not keep
    assert cluster.owners()["us", "Apply"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert not cluster.apply(deployment_of(replicas=None)).changed


def test_true_is_not_one_where_nothing_is_typed() -> None:
    schema = catalog().schema(GroupVersionKind("example.com", "v1", "Widget"))
    common = {"manager": "us", "api_version": "example.com/v1", "time": EARLY}
    live = apply(None, {"metadata": {"name": "w"}, "spec": {"on": True}}, schema, **common).object
    done = apply(live, {"metadata": {"name": "w"}, "spec": {"on": 1}}, schema, **common)
    assert done.changed
    assert done.object["spec"]["on"] is not True


@pytest.mark.parametrize("containers", [[{"name": "a"}, {"name": "a"}], ["a"], [None]])
def test_items_that_cannot_be_told_apart_are_refused(containers: list[Any], cluster: Cluster) -> None:
    with pytest.raises(ApplyError, match=r"^\.spec\.template\.spec\.containers: "):
        cluster.apply(pod_of(containers=containers))


def test_managed_fields_cannot_be_applied(cluster: Cluster) -> None:
    with pytest.raises(ApplyError, match="managedFields must be nil"):
        cluster.apply({**deployment_of(), "metadata": {"name": "web", "managedFields": []}})


def test_duplicates_that_are_live_do_not_stop_an_apply(cluster: Cluster) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    cluster.update(pod_of(containers=[{"name": "a", "env": env}]))
    cluster.apply(pod_of(containers=[{"name": "a", "env": [{"name": "A", "value": "4"}]}]), force=True)
    assert cluster.pod["containers"][0]["env"] == [{"name": "A", "value": "4"}, {"name": "B", "value": "3"}]


@settings(max_examples=60)
@given(data=st.data())
def test_applying_twice_is_applying_once(data: st.DataObject, deployment: Schema, deployments: Any) -> None:
    cluster = Cluster(deployment)
    cluster.update(data.draw(deployments))
    stated = data.draw(deployments)
    first = cluster.apply(stated, force=True)
    again = cluster.apply(stated, time=LATE)
    assert not again.changed
    assert again.object == first.object
    assert owned_by(first.object, "us") == FieldSet.of(stated, deployment) - FieldSet.from_v1(
        {"f:apiVersion": {}, "f:kind": {}, "f:metadata": {"f:name": {}, ".": {}}}
    )


@settings(max_examples=60)
@given(data=st.data())
def test_what_an_applier_drops_is_gone(data: st.DataObject, deployment: Schema, deployments: Any) -> None:
    first, second = data.draw(deployments), data.draw(deployments)
    cluster = Cluster(deployment)
    cluster.apply(first)
    cluster.apply(second)
    fresh = Cluster(deployment)
    fresh.apply(second)
    assert FieldSet.of(cluster.object or {}, deployment) - FieldSet.of(fresh.object or {}, deployment) == FieldSet()
    assert owned_by(cluster.object or {}, "us") == owned_by(fresh.object or {}, "us")


@settings(max_examples=60)
@given(data=st.data())
def test_shared_fields_survive_one_owners_drop(data: st.DataObject, deployment: Schema, deployments: Any) -> None:
    shared, bare = data.draw(deployments), {**deployment_of(), "metadata": {"name": "web"}}
    cluster = Cluster(deployment)
    cluster.apply(shared)
    cluster.apply(shared, "other")
    assume(cluster.object is not None)
    before = without_fields(cluster.object or {})
    cluster.apply(bare)
    assert without_fields(cluster.object or {}) == before


@settings(max_examples=60)
@given(data=st.data())
def test_no_field_of_an_applier_changes_without_force(
    data: st.DataObject, deployment: Schema, deployments: Any
) -> None:
    cluster = Cluster(deployment)
    before = cluster.apply(data.draw(deployments)).object
    with suppress(ApplyConflict):
        cluster.apply(data.draw(deployments), "other")
    changes = compare(before, cluster.object or {}, deployment)
    assert owned_by(before, "us") & (changes.modified | changes.removed) == EMPTY
