"""Fields that a planner fills in change hands without a change of value."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.diff.compare import compare
from reconciler.model.change import Action, Change, FieldChange, Live

Make = Callable[..., dict[str, Any]]


def decide(bench: Any, obj: dict[str, Any], live: Live) -> Change:
    return compare(bench.manifest(obj), live, bench.schema(obj), owner=bench.owner)


def carried_out(bench: Any, change: Change, live: Live) -> Live:
    """`live` after the requests that `change` costs."""
    assert change.manifest is not None
    if change.handover is not None:
        live = bench.apply(live, change.handover, manager="reconciler-planner")
    return bench.apply(live, change.manifest.object, force=False)


def container(obj: Any) -> Any:
    return obj["spec"]["template"]["spec"]["containers"][0]


def without_resources(obj: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(obj)
    del container(made)["resources"]
    return made


def test_rule_6_replicas_that_git_no_longer_states_keep_their_value(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=7))
    change = decide(bench, deployment(replicas=None), live)
    assert (change.action, change.reason) == (Action.UPDATE, "no longer states spec.replicas")
    assert change.fields == (FieldChange("spec.replicas", 7, 7, "kept: no longer stated, left as it is"),)
    assert change.handover == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 7},
    }
    after = carried_out(bench, change, live)
    assert after.object["spec"]["replicas"] == 7
    assert decide(bench, deployment(replicas=None), after).action is Action.NONE


def test_rule_6_requests_that_git_no_longer_states_keep_their_values(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment())
    change = decide(bench, without_resources(deployment()), live)
    assert [field.path for field in change.fields] == ["spec.template.spec.containers[name=web].resources"]
    after = carried_out(bench, change, live)
    assert container(after.object)["resources"] == container(live.object)["resources"]
    assert decide(bench, without_resources(deployment()), after).action is Action.NONE


def test_rule_6_a_second_handover_keeps_what_the_first_took(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=7))
    live = carried_out(bench, decide(bench, deployment(replicas=None), live), live)
    live = carried_out(bench, decide(bench, without_resources(deployment(replicas=None)), live), live)
    assert live.object["spec"]["replicas"] == 7
    assert container(live.object)["resources"]["requests"] == {"cpu": "250m", "memory": "256Mi"}


def test_rule_6_an_unrelated_change_hands_nothing_over(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=7))
    live = carried_out(bench, decide(bench, deployment(replicas=None), live), live)
    change = decide(bench, deployment(replicas=None, minReadySeconds=5), live)
    assert (change.action, change.handover) == (Action.UPDATE, None)
    assert carried_out(bench, change, live).object["spec"]["replicas"] == 7


def test_rule_6_a_person_s_scale_of_an_unstated_field_is_no_drift(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=None))
    scaled = copy.deepcopy(dict(live.object))
    scaled["spec"]["replicas"] = 9
    assert decide(bench, deployment(replicas=None), Live(live.identity, scaled)).action is Action.NONE


def test_rule_6_git_can_state_the_field_again(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=7))
    live = carried_out(bench, decide(bench, deployment(replicas=None), live), live)
    change = decide(bench, deployment(replicas=4), live)
    assert [(field.path, field.before, field.after) for field in change.fields] == [("spec.replicas", 7, 4)]
    live = carried_out(bench, change, live)  # no conflict: nothing is forced
    assert live.object["spec"]["replicas"] == 4
    assert decide(bench, deployment(replicas=4), live).action is Action.NONE


def test_rule_6_what_somebody_else_owns_needs_no_handover(bench: Any, deployment: Make) -> None:
    live = bench.live(deployment(replicas=7))
    partial = {**deployment(), "spec": {"replicas": 7}}
    live = bench.apply(live, partial, manager="autoscaler")
    change = decide(bench, deployment(replicas=None), live)
    assert change.handover is None
    assert change.fields == (FieldChange("spec.replicas", 7, 7, "no longer stated, stays with autoscaler"),)
    assert carried_out(bench, change, live).object["spec"]["replicas"] == 7


def test_rule_6_a_container_that_goes_is_let_go(bench: Any, deployment: Make) -> None:
    def with_sidecar(**spec: Any) -> dict[str, Any]:
        obj = deployment(**spec)
        sidecar = {"name": "side", "image": "s", "resources": {"requests": {"cpu": "1"}}}
        obj["spec"]["template"]["spec"]["containers"].append(sidecar)
        return obj

    planned = with_sidecar()
    del planned["spec"]["template"]["spec"]["containers"][1]["resources"]
    live = bench.live(with_sidecar())
    live = carried_out(bench, decide(bench, planned, live), live)
    live = carried_out(bench, decide(bench, deployment(), live), live)
    assert [one["name"] for one in live.object["spec"]["template"]["spec"]["containers"]] == ["web"]
    assert decide(bench, deployment(), live).action is Action.NONE


def test_rule_6_an_autoscaler_s_minimum_is_kept(bench: Any) -> None:
    def scaler(**spec: int) -> dict[str, Any]:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"scaleTargetRef": target, "maxReplicas": 9, **spec},
        }

    live = bench.live(scaler(minReplicas=3))
    change = decide(bench, scaler(), live)
    assert change.handover is not None
    assert change.handover["spec"] == {"minReplicas": 3}


@pytest.mark.parametrize("field", ["minReadySeconds", "paused"])
def test_other_fields_are_simply_dropped(bench: Any, deployment: Make, field: str) -> None:
    live = bench.live(deployment(**{field: 1}))
    change = decide(bench, deployment(), live)
    assert change.handover is None
    assert field not in carried_out(bench, change, live).object["spec"]
