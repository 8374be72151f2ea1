"""`placement.shares`: one Deployment of Kubernetes for each pool, and all else once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.filled import Record

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: "registry.example.com/web:1"
  resources: {requests: {cpu: 250m, memory: 256Mi}}
  placement: {shares: {on-demand: 30%, spot: 70%}}
"""
STATED = WEB + "  replicas: 10\n"
POOLS = {"on-demand": {"lifecycle": "normal"}, "spot": {"lifecycle": "spot"}}
PARTS = ["web-on-demand", "web-spot"]


def replicas(made: Any) -> list[Any]:
    return [made.spec(f"Deployment/{name}").get("replicas") for name in PARTS]


def planned(count: int) -> dict[Identity, Record]:
    return {Identity("reconciler.dev", "Deployment", "shop", name): Record("", replicas=count) for name in PARTS}


def test_a_pool_is_the_one_that_the_daemon_configures(good: Any) -> None:
    made = good(STATED, pools=POOLS)
    selectors = [made.spec(f"Deployment/{name}")["template"]["spec"]["nodeSelector"] for name in PARTS]
    assert selectors == [POOLS["on-demand"], POOLS["spot"]]


def test_no_two_deployments_select_the_same_pods_and_the_budget_selects_them_all(good: Any) -> None:
    made = good(STATED)
    parts = [made.spec(f"Deployment/{name}") for name in PARTS]
    assert [part["selector"]["matchLabels"]["reconciler.dev/pool"] for part in parts] == ["on-demand", "spot"]
    budget = made.spec("PodDisruptionBudget/web")["selector"]["matchLabels"]
    for part in parts:
        labels = part["template"]["metadata"]["labels"]
        assert part["selector"]["matchLabels"].items() <= labels.items()
        assert budget.items() <= labels.items()
    assert [name for name in made.names() if name.startswith("PodDisruptionBudget")] == ["PodDisruptionBudget/web"]


@given(st.integers(0, 200))
def test_the_parts_have_all_pods_that_are_planned(good: Any, count: int) -> None:
    made = good(WEB, filling=planned(count))
    assert sum(replicas(made)) == count
    assert abs(replicas(made)[0] - 0.3 * count) < 1


def test_a_planned_number_yields_to_people_in_every_part(good: Any) -> None:
    made = good(WEB, filling=planned(10))
    assert [made.manifest(f"Deployment/{name}").planned for name in PARTS] == [("/spec/replicas",)] * 2


def test_a_number_that_nobody_states_is_not_rendered(good: Any) -> None:
    assert replicas(good(WEB)) == [None, None]


@pytest.mark.parametrize(("floor", "least"), [(None, [1, 2]), (10, [3, 7]), (500, [12, 28])])
def test_rule_20_the_planners_floor_is_shared_too(good: Any, floor: int | None, least: list) -> None:
    scaled = WEB + "  scale: {min: 2, max: 40, target: {cpu: 65%}}\n"
    made = good(scaled, filling=planned(floor) if floor is not None else {})
    scalers = [made.spec(f"HorizontalPodAutoscaler/{name}") for name in PARTS]
    assert [scaler["minReplicas"] for scaler in scalers] == least
    assert [scaler["maxReplicas"] for scaler in scalers] == [12, 28]
    assert replicas(made) == [None, None]


def test_other_shares_change_no_pod(good: Any) -> None:
    before, after = good(STATED), good(STATED.replace("30%", "50%").replace("70%", "50%"))
    templates = [[made.spec(f"Deployment/{name}")["template"] for name in PARTS] for made in (before, after)]
    assert templates[0] == templates[1]
    assert (replicas(before), replicas(after)) == ([3, 7], [5, 5])


def test_what_waits_for_the_document_waits_for_all_its_parts(good: Any) -> None:
    waiting = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop, annotations: %s}\n"
    made = good(STATED + "---" + "\n" + waiting % "{reconciler.dev/depends-on: Deployment/web}")
    assert [identity.name for identity in made.manifest("ConfigMap/c").after] == PARTS


TWIN = STATED.replace("name: web", "name: web-spot").replace("  placement", "  #")
SCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: h, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web-spot}, maxReplicas: 3}
"""


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [(TWIN, "made-twice", "web-spot"), (SCALER, "two-autoscalers", "another autoscaler")],
)
def test_what_collides_is_refused(render: Any, more: str, code: str, message: str) -> None:
    problems = render(f"{STATED}\n---\n{more}").problems
    assert {problem.code for problem in problems} == {code}
    assert message in problems[0].message


@pytest.mark.parametrize(
    ("spec", "pools", "said"),
    [
        (STATED, {"spot": {"lifecycle": "spot"}}, 'spec.placement.shares: there is no pool "on-demand"'),
        (
            STATED.replace("{shares", "{nodeSelector: {lifecycle: spot}, shares"),
            POOLS,
            'spec.placement.nodeSelector: it leads away from the pool "on-demand", whose nodes are lifecycle=normal',
        ),
    ],
)
def test_a_pool_that_is_none_is_refused(render: Any, spec: str, pools: Any, said: str) -> None:
    made = render(spec, pools=pools)
    assert not made.manifests.items
    assert said in str(made.problems[0])


def test_a_budget_of_the_source_for_one_part_is_enough(good: Any) -> None:
    """Two budgets for one pod would block every eviction."""
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b, namespace: shop}\n"
    made = good(
        STATED + "---\n" + budget + "spec: {maxUnavailable: 1, selector: {matchLabels: {reconciler.dev/pool: spot}}}\n"
    )
    assert [name for name in made.names() if name.startswith("PodDisruptionBudget")] == ["PodDisruptionBudget/b"]
