"""One object of Git beside the same object of the cluster."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.diff.compare import compare
from reconciler.kube.apply import update
from reconciler.model.change import ABSENT, Action, Change, FieldChange, Live
from reconciler.model.manifest import Owner, Policy

Make = Callable[..., dict[str, Any]]


def decide(bench: Any, obj: dict[str, Any], live: Live | None, **options: Any) -> Change:
    policy = options.pop("policy", None)
    once = options.pop("once", False)
    manifest = bench.manifest(obj, policy=policy, once=once)
    return compare(manifest, live, bench.schema(obj), owner=bench.owner, **options)


def fields(change: Change) -> dict[str, tuple[Any, Any]]:
    return {field.path: (field.before, field.after) for field in change.fields}


def edited(bench: Any, live: Live, edit: Callable[[dict[str, Any]], None], *, manager: str = "kubectl-edit") -> Live:
    """`live` after somebody's `kubectl edit`."""
    new = copy.deepcopy(dict(live.object))
    edit(new)
    new["metadata"]["managedFields"] = update(
        live.object,
        new,
        bench.schema(new),
        manager=manager,
        api_version=str(new["apiVersion"]),
        time=bench.time,
    )
    return Live(live.identity, new)


def metadata_only(live: Live) -> Live:
    partial = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": live.metadata}
    return Live(live.identity, partial)


def test_what_does_not_exist_is_created(bench: Any, deployment: Make) -> None:
    change = decide(bench, deployment(), None)
    assert (change.action, change.reason, change.fields) == (Action.CREATE, "new in Git", ())


def test_what_was_applied_is_unchanged(bench: Any, deployment: Make, config_map: Make) -> None:
    for obj in (deployment(), config_map()):
        change = decide(bench, obj, bench.live(obj))
        assert (change.action, change.fields) == (Action.NONE, ())
        assert (change.uid, change.resource_version) == (f"uid-of-{obj['metadata']['name']}", "1")


def test_rule_13_only_stated_fields_are_compared(bench: Any, deployment: Make) -> None:
    def fill_in(obj: dict[str, Any]) -> None:
        obj["status"] = {"replicas": 3}
        obj["spec"].update(progressDeadlineSeconds=600, revisionHistoryLimit=10)
        pod = obj["spec"]["template"]["spec"]
        pod.update(dnsPolicy="ClusterFirst", restartPolicy="Always")
        pod["containers"].append({"name": "injected", "image": "sidecar"})
        pod["containers"][0]["ports"][0]["protocol"] = "TCP"
        obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"

    live = edited(bench, bench.live(deployment()), fill_in, manager="kube-controller-manager")
    assert decide(bench, deployment(), live).action is Action.NONE


def test_a_changed_field_is_listed(bench: Any, deployment: Make) -> None:
    change = decide(bench, deployment(replicas=5), bench.live(deployment()))
    assert change.action is Action.UPDATE
    assert change.reason == "differs: spec.replicas"
    assert change.fields == (FieldChange("spec.replicas", 3, 5),)


def test_paths_name_items_by_their_keys(bench: Any, deployment: Make) -> None:
    new = deployment()
    container = new["spec"]["template"]["spec"]["containers"][0]
    container["env"][0]["value"] = "debug"
    container["ports"].append({"name": "metrics", "containerPort": 9090})
    change = decide(bench, new, bench.live(deployment()))
    place = "spec.template.spec.containers[name=web]"
    assert fields(change) == {
        f"{place}.env[name=LOG_LEVEL].value": ("info", "debug"),
        f"{place}.ports[containerPort=9090,protocol=TCP]": (ABSENT, {"name": "metrics", "containerPort": 9090}),
    }


def test_another_spelling_of_the_same_value_is_no_change(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment())
    container = live.object["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["requests"] = {"cpu": "0.25", "memory": "268435456"}
    assert decide(bench, deployment(), live).action is Action.NONE


def test_null_is_absent(bench: Any, deployment: Make) -> None:
    stated = deployment(paused=None)
    stated["spec"]["paused"] = None
    stated["metadata"]["annotations"] = {}
    assert decide(bench, stated, bench.live(deployment())).action is Action.NONE


def test_defaults_inside_atomic_values_are_no_change(bench: Any, deployment: Make) -> None:
    def with_field_ref() -> dict[str, Any]:
        obj = deployment()
        env = obj["spec"]["template"]["spec"]["containers"][0]["env"]
        env.append({"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
        return obj

    live = bench.live(with_field_ref())
    reference = live.object["spec"]["template"]["spec"]["containers"][0]["env"][2]["valueFrom"]["fieldRef"]
    reference["apiVersion"] = "v1"
    assert decide(bench, with_field_ref(), live).action is Action.NONE
    reference["apiVersion"] = "v2"
    assert decide(bench, with_field_ref(), live).action is Action.UPDATE


def test_empty_values_that_the_server_leaves_out_are_no_change(bench: Any) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "x"}, "rules": []}
    live = bench.live(role)
    live.object.pop("rules", None)  # type: ignore[attr-defined]
    assert decide(bench, role, live).action is Action.NONE


def test_the_order_of_items_matters_only_where_kubernetes_reads_it(bench: Any, deployment: Make) -> None:
    live, new = bench.live(deployment()), deployment()
    pod = new["spec"]["template"]["spec"]
    pod["volumes"].append({"name": "tmp", "emptyDir": {}})
    live = bench.live(new)
    pod["volumes"].reverse()
    assert decide(bench, new, live).action is Action.NONE
    pod["containers"][0]["env"].reverse()
    change = decide(bench, new, live)
    place = "spec.template.spec.containers[name=web].env"
    assert fields(change) == {place: (["LOG_LEVEL", "REGION"], ["REGION", "LOG_LEVEL"])}


def test_rule_5_what_somebody_edited_is_named(bench: Any, deployment: Make) -> None:
    def scale(obj: dict[str, Any]) -> None:
        obj["spec"]["replicas"] = 9

    change = decide(bench, deployment(), edited(bench, bench.live(deployment()), scale))
    assert change.action is Action.UPDATE
    assert change.fields == (FieldChange("spec.replicas", 9, 3, "set by kubectl-edit"),)


def test_rule_13_ownership_lost_is_noticed_although_the_value_is_equal(bench: Any, deployment: Make) -> None:
    def scale(replicas: int) -> Callable[[dict[str, Any]], None]:
        return lambda obj: obj["spec"].update(replicas=replicas)

    live = edited(bench, edited(bench, bench.live(deployment()), scale(9)), scale(3))
    change = decide(bench, deployment(), live)
    assert (change.action, change.reason) == (Action.UPDATE, "ownership lost: spec.replicas")
    assert change.fields == (FieldChange("spec.replicas", 3, 3, "taken over by kubectl-edit"),)


def test_what_is_no_longer_stated_is_removed(bench: Any, deployment: Make, config_map: Make) -> None:
    old = deployment()
    del old["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    change = decide(bench, old, bench.live(deployment()))
    assert change.reason == "no longer states spec.template.spec.containers[name=web].readinessProbe"
    ((before, after),) = fields(change).values()
    assert (before["httpGet"], after) == ({"path": "/healthz", "port": "http"}, ABSENT)
    change = decide(bench, config_map(a="1"), bench.live(config_map(a="1", b="2")))
    assert fields(change) == {"data.b": ("2", ABSENT)}


def test_what_others_also_own_stays(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map(a="1", b="2"))
    live = bench.apply(live, config_map(b="2"), manager="helm")
    change = decide(bench, config_map(a="1"), live)
    assert change.fields == (FieldChange("data.b", "2", "2", "no longer stated, stays with helm"),)


def test_rule_7_the_origin_alone_changes_nothing(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(), path="moved/web.yaml")
    assert decide(bench, deployment(), live).action is Action.NONE
    change = decide(bench, deployment(replicas=4), live)
    assert list(fields(change)) == ["spec.replicas"]


def test_a_status_in_git_is_not_compared(bench: Any, deployment: Make) -> None:
    stated = {**deployment(), "status": {"replicas": 0}}
    live = bench.live(deployment())
    assert decide(bench, stated, live).action is Action.NONE


def test_a_moved_api_version_is_applied_once(bench: Any) -> None:
    def scaler(version: str) -> dict[str, Any]:
        return {
            "apiVersion": f"autoscaling/{version}",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "maxReplicas": 4,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            },
        }

    old = bench.live(scaler("v1"))
    read = Live(old.identity, {**old.object, "apiVersion": "autoscaling/v2"})
    change = decide(bench, scaler("v2"), read)
    assert (change.action, change.reason) == (Action.UPDATE, "moves from autoscaling/v1 to autoscaling/v2")
    assert decide(bench, scaler("v2"), old).reason == "was read as autoscaling/v1, Git states autoscaling/v2"
    assert decide(bench, scaler("v2"), bench.live(scaler("v2"))).action is Action.NONE


# --- who owns it ------------------------------------------------------------------------------------------------------


def test_rule_2_another_source_is_refused_and_both_places_are_named(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map(), owner=Owner("one", "blog"), path="blog/config.yaml")
    for options in ({"live": live}, {"live": None, "existing": metadata_only(live)}):
        change = decide(bench, config_map(), **options)
        assert change.action is Action.REFUSE
        assert change.reason == "source blog has it from blog/config.yaml, here it is stated in web.yaml:1"


def test_rule_2_the_same_file_under_another_name_is_taken_for_the_same_folder(bench: Any, config_map: Make) -> None:
    change = decide(bench, config_map(), bench.live(config_map(), owner=Owner("one", "my-shop"), path="web.yaml"))
    assert change.action is Action.REFUSE
    assert change.hint.startswith("is it the same folder, applied by hand? then give the source of the configuration")


def test_rule_2_an_object_moves_once_the_other_source_let_go(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map(), owner=Owner("one", "blog"))
    change = decide(bench, config_map(), live, released=True)
    assert (change.action, change.reason) == (Action.UPDATE, "moves here from source blog")
    assert "metadata.annotations.reconciler.dev/id" in fields(change)
    assert decide(bench, config_map(), None, existing=metadata_only(live), released=True).action is Action.UPDATE


def test_rule_2_another_install_is_refused(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map(), owner=Owner("two", "shop"))
    change = decide(bench, config_map(), live, released=True)
    assert change.action is Action.REFUSE
    assert change.reason.startswith("another install (source shop) has it from web.yaml")


@pytest.mark.parametrize("whole", [True, False])
def test_rule_2_foreign_objects_are_held_unless_adopted(bench: Any, config_map: Make, whole: bool) -> None:
    foreign = bench.apply(None, config_map(mode="slow"), manager="kubectl-client-side-apply")
    existing = foreign if whole else metadata_only(foreign)
    change = decide(bench, config_map(), None, existing=existing)
    assert change.action is Action.HOLD
    assert change.reason == "exists already and it is not ours, made by kubectl-client-side-apply"
    assert 'reconciler.dev/adopt: "true"' in change.hint
    change = decide(bench, config_map(), None, existing=existing, policy=Policy(adopt=True))
    assert (change.action, change.reason) == (Action.ADOPT, "taken over, made by kubectl-client-side-apply")
    assert (fields(change).get("data.mode") == ("slow", "fast")) is whole


def test_rule_1_a_copy_is_foreign(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map())
    restored = Live(live.identity, {**live.object, "metadata": {**live.metadata, "managedFields": []}})
    change = decide(bench, config_map(), restored)
    assert change.action is Action.HOLD
    assert change.reason == "exists already and it bears our marks, but we never applied it (a backup?)"
    copied = Live(live.identity, bench.live(config_map("other")).object)
    change = decide(bench, config_map(), copied)
    assert (change.action, change.reason) == (Action.HOLD, "exists already and its marks are copies")


def test_rule_14_an_object_that_left_our_selector_is_labelled_again(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map())
    bare = Live(live.identity, {**live.object, "metadata": {**live.metadata, "labels": {}}})
    change = decide(bench, config_map(), None, existing=metadata_only(bare))
    assert (change.action, change.reason) == (Action.UPDATE, "our labels do not find it")
    assert list(fields(change)) == [
        "metadata.labels.app.kubernetes.io/managed-by",
        "metadata.labels.reconciler.dev/source",
    ]


def test_what_is_being_deleted_is_waited_for(bench: Any, config_map: Make) -> None:
    live = bench.live(config_map())
    going = Live(
        live.identity, {**live.object, "metadata": {**live.metadata, "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    )
    assert decide(bench, config_map(), going).action is Action.HOLD


def test_rule_16_a_job_of_that_name_is_never_changed(bench: Any) -> None:
    def job(image: str) -> dict[str, Any]:
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": image}]}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "migrate-1", "namespace": "shop"},
            "spec": {"template": {"spec": pod}},
        }

    assert decide(bench, job("b"), bench.live(job("a")), once=True).action is Action.NONE
    assert decide(bench, job("b"), None, once=True).action is Action.CREATE


# --- yielded fields ---------------------------------------------------------------------------------------------------


def test_rule_5_ignored_fields_are_not_compared(bench: Any, deployment: Make) -> None:
    live = edited(bench, bench.live(deployment()), lambda obj: obj["spec"].update(replicas=9))
    change = decide(bench, deployment(), live, policy=Policy(ignore=("/spec/replicas",)))
    assert change.action is Action.NONE


def test_rule_5_ignored_fields_are_not_claimed_by_the_next_apply(bench: Any, deployment: Make) -> None:
    live = edited(bench, bench.live(deployment()), lambda obj: obj["spec"].update(replicas=9))
    change = decide(bench, deployment(minReadySeconds=5), live, policy=Policy(ignore=("/spec/replicas",)))
    assert list(fields(change)) == ["spec.minReadySeconds"]
    assert change.manifest is not None
    assert "replicas" not in change.manifest.object["spec"]  # kubectl-edit's
    after = bench.apply(live, change.manifest.object)
    assert after.object["spec"]["replicas"] == 9


def test_rule_5_ignored_fields_that_are_still_ours_keep_their_value(bench: Any, deployment: Make) -> None:
    image = "/spec/template/spec/containers/0/image"
    live = bench.live(deployment())
    new = deployment(replicas=4)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    change = decide(bench, new, live, policy=Policy(ignore=(image,)))
    assert list(fields(change)) == ["spec.replicas"]
    assert change.manifest is not None
    after = bench.apply(live, change.manifest.object)
    assert after.object["spec"]["template"]["spec"]["containers"][0]["image"].startswith("registry.example.com")


def test_an_ignored_part_of_an_atomic_value_is_left_out(bench: Any) -> None:
    def policy(app: str) -> dict[str, Any]:
        rule = {"from": [{"podSelector": {"matchLabels": {"app": app}}}]}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x", "namespace": "shop"},
            "spec": {"podSelector": {}, "ingress": [rule]},
        }

    pointer = "/spec/ingress/0/from/0/podSelector/matchLabels/app"
    live = bench.live(policy("a"))
    assert decide(bench, policy("b"), live).action is Action.UPDATE
    assert decide(bench, policy("b"), live, policy=Policy(ignore=(pointer,))).action is Action.NONE


# --- secrets ----------------------------------------------------------------------------------------------------------


def secret(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, **parts}


def test_a_secret_s_values_are_in_no_change(bench: Any) -> None:
    live = bench.live(secret(data={"a": "b2xkLXZhbHVl", "b": "c2FtZQ==", "c": "Z29uZQ=="}))
    stated = secret(data={"a": "bmV3LXZhbHVl", "b": "c2FtZQ==", "d": "YWRkZWQ="})
    change = decide(bench, stated, live)
    assert fields(change) == {
        "data.a": ("(secret)", "(changed)"),
        "data.c": ("(secret)", ABSENT),
        "data.d": (ABSENT, "(secret)"),
    }
    assert decide(bench, secret(data={"a": "b2xkLXZhbHVl", "b": "c2FtZQ=="}), live).fields == (
        FieldChange("data.c", "(secret)", ABSENT),
    )


def test_an_adopted_secret_shows_no_values(bench: Any) -> None:
    kept = {"kubectl.kubernetes.io/last-applied-configuration": "plain-text"}
    foreign = bench.apply(None, secret(data={"a": "b2xk"}), manager="kubectl")
    foreign.object["metadata"]["annotations"] = kept
    change = decide(bench, secret(stringData={"a": "new"}), None, existing=foreign, policy=Policy(adopt=True))
    assert "data.a" in fields(change)
    assert all("b2xk" not in repr(field) and "new" not in repr(field) for field in change.fields)


def test_string_data_is_compared_as_the_server_stores_it(bench: Any) -> None:
    live = bench.live(secret(stringData={"a": "old"}))
    stored = {name: value for name, value in live.object.items() if name != "stringData"}
    live = Live(live.identity, {**stored, "data": {"a": "b2xk"}})
    assert decide(bench, secret(stringData={"a": "old"}), live).action is Action.NONE
    assert fields(decide(bench, secret(stringData={"a": "new"}), live)) == {"data.a": ("(secret)", "(changed)")}


@pytest.mark.parametrize(("old", "new"), [({}, {"podSelector": {}}), ({"podSelector": {}}, {})])
def test_an_empty_selector_is_not_no_selector(bench: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    def policy(peer: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x", "namespace": "shop"},
            "spec": {"podSelector": {}, "ingress": [{"from": [peer]}]},
        }

    assert decide(bench, policy(new), bench.live(policy(old))).action is Action.UPDATE


def test_what_the_server_fills_in_into_claim_templates_is_no_change(bench: Any) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    stated = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"serviceName": "db", "volumeClaimTemplates": [claim]},
    }
    live = bench.live(stated)
    (template,) = live.object["spec"]["volumeClaimTemplates"]
    template.update(apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
    template["spec"]["volumeMode"] = "Filesystem"
    assert decide(bench, stated, live).action is Action.NONE
