"""`scale` becomes an autoscaler of Kubernetes, `placement` node affinity and topology spread."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.filled import Record
from reconciler.model.spec import Scale
from reconciler.render.autoscaler import autoscaler

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: "registry.example.com/web:1"
  resources: {requests: {cpu: 250m, memory: 256Mi}}
"""
SCALE = WEB + "  scale: {min: 2, max: 40, target: {cpu: 65%, memory: 512Mi}}\n"
TASK = """
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate, namespace: shop}
spec: {image: "registry.example.com/web:1", placement: {spread: node, zones: [b, a]}}
"""


def test_rule_20_scale_is_an_autoscaler_of_kubernetes(good: Any) -> None:
    made = good(SCALE)
    assert made.names() == ["Deployment/web", "HorizontalPodAutoscaler/web", "PodDisruptionBudget/web"]
    assert made.spec("HorizontalPodAutoscaler/web") == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 40,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}},
            },
            {
                "type": "Resource",
                "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "512Mi"}},
            },
        ],
    }


def test_rule_6_who_scales_owns_the_replicas(good: Any) -> None:
    assert "replicas" not in good(SCALE).spec("Deployment/web")


QUERY = WEB + "  scale: {min: 0, max: 9, query: up, perReplica: 3}\n"


@pytest.mark.parametrize(("planned", "rendered"), [(None, None), (0, 0), (7, 7)])
def test_what_a_query_asks_for_is_a_number_of_the_planners(
    specs: Any, manifests: Any, planned: int | None, rendered: int | None
) -> None:
    web = Identity("reconciler.dev", "Deployment", "shop", "web")
    (made,) = manifests(specs(QUERY), filling={web: Record("", replicas=planned)}).items.values()
    assert made.identity.kind == "Deployment", "no autoscaler, and no disruption budget"
    assert made.object["spec"].get("replicas") == rendered


def test_one_pod_at_least_needs_no_disruption_budget(good: Any) -> None:
    assert "PodDisruptionBudget/web" not in good(WEB + "  scale: {max: 3, target: {cpu: 65%}}\n").names()


def test_two_autoscalers_are_refused(render: Any) -> None:
    other = """---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: other, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
"""
    problems = render(SCALE + other).manifests.problems
    assert [problem.code for problem in problems] == ["two-autoscalers"]


@given(floor=st.none() | st.integers(0, 100), least=st.integers(1, 50), more=st.integers(0, 50))
def test_a_planned_floor_stays_within_what_the_spec_allows(floor: int | None, least: int, more: int) -> None:
    scale = Scale(max=least + more, target={"cpu": "65%"}, min=least)
    made = autoscaler(Identity("", "", "shop", "web"), scale, floor=floor)["spec"]
    assert least <= made["minReplicas"] <= made["maxReplicas"] == least + more
    if floor is not None and least <= floor <= least + more:
        assert made["minReplicas"] == floor


def test_stated_zones_are_required_and_spreading_is_a_wish(good: Any) -> None:
    pod = good(WEB + "  placement: {zones: [eu-1b, eu-1a], spread: zone}\n").spec("Deployment/web")["template"]["spec"]
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1a", "eu-1b"]}
    ]
    (spread,) = pod["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    labels = {"app.kubernetes.io/name": "web", "reconciler.dev/variant": "stable"}
    assert spread["labelSelector"] == {"matchLabels": labels}


@pytest.mark.parametrize("text", [WEB, WEB + "  placement: {}\n"])
def test_what_is_not_stated_is_absent(good: Any, text: str) -> None:
    pod = good(text).spec("Deployment/web")["template"]["spec"]
    assert not {"affinity", "topologySpreadConstraints"} & pod.keys()


def test_a_task_is_placed_in_the_same_way(good: Any) -> None:
    made = good(TASK)
    (name,) = made.names()
    pod = made.spec(name)["template"]["spec"]
    assert pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == {"reconciler.dev/task": "migrate"}
    assert "nodeAffinity" in pod["affinity"]
