"""Deployment documents: the workload and what belongs to it."""

from typing import Any

WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {image: "registry.example.com/web:1"%s}
"""


def test_rule_6_what_was_never_stated_is_absent(good: Any) -> None:
    spec = good(WEB % "").spec("Deployment/web")
    assert set(spec) == {"selector", "template"}
    assert set(spec["template"]["spec"]) == {"containers", "securityContext"}
    assert set(spec["template"]["spec"]["containers"][0]) == {"name", "image", "securityContext"}


def test_a_small_deployment_is_one_object(good: Any) -> None:
    assert good(WEB % "").names() == ["Deployment/web"]


def test_stated_replicas_are_rendered_even_zero(good: Any) -> None:
    assert good(WEB % ", replicas: 0").spec("Deployment/web")["replicas"] == 0


def test_rule_9_the_selector_names_the_variant_and_the_service_leaves_it_out(good: Any) -> None:
    made = good(WEB % ", replicas: 2, expose: [{port: 80}]")
    workload = made.spec("Deployment/web")
    assert workload["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "web",
        "reconciler.dev/variant": "stable",
    }
    assert workload["template"]["metadata"]["labels"] == workload["selector"]["matchLabels"]
    assert made.spec("Service/web")["selector"] == {"app.kubernetes.io/name": "web"}
    assert made.spec("PodDisruptionBudget/web")["selector"]["matchLabels"] == {"app.kubernetes.io/name": "web"}


def test_rollout_fields_go_where_kubernetes_has_them(good: Any) -> None:
    spec = good(WEB % ", rollout: {maxSurge: 25%, maxUnavailable: 0, progressDeadlineSeconds: 300}").spec(
        "Deployment/web"
    )
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    assert spec["progressDeadlineSeconds"] == 300


def test_two_stated_replicas_make_a_disruption_budget(good: Any) -> None:
    assert good(WEB % ", replicas: 2").spec("PodDisruptionBudget/web")["maxUnavailable"] == 1
    assert "PodDisruptionBudget/web" not in good(WEB % ", replicas: 1").names()


def test_a_budget_of_the_source_for_the_same_pods_replaces_ours(good: Any) -> None:
    own = """---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all-web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app.kubernetes.io/name: web}}}"""
    made = good((WEB % ", replicas: 2") + own)
    assert made.names() == ["Deployment/web", "PodDisruptionBudget/all-web"]


def test_rule_20_an_autoscaler_of_the_source_takes_the_replicas_over(good: Any) -> None:
    scaler = """---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: any-name, namespace: shop}
spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}"""
    made = good((WEB % ", replicas: 3") + scaler)
    assert "replicas" not in made.spec("Deployment/web")
    assert made.waits("HorizontalPodAutoscaler/any-name") == ["Deployment/web"]


def test_a_claim_is_a_persistent_volume_claim_of_the_workload(good: Any) -> None:
    made = good(WEB % ", volumes: [{name: data, mountPath: /data, claim: {size: 10Gi, storageClassName: fast}}]")
    assert made.spec("PersistentVolumeClaim/web-data") == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        "storageClassName": "fast",
    }
    assert made.pod("Deployment/web")["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "web-data"}}
    ]
    assert made.waits("Deployment/web") == ["PersistentVolumeClaim/web-data"]


def test_labels_of_the_document_reach_its_objects_but_not_its_pods(good: Any) -> None:
    """Else a new team label would restart every pod."""
    text = (WEB % ", expose: [{port: 80}]").replace("namespace: shop}", "namespace: shop, labels: {team: a}}")
    made = good(text)
    assert made.object("Deployment/web")["metadata"]["labels"]["team"] == "a"
    assert made.object("Service/web")["metadata"]["labels"]["team"] == "a"
    assert "team" not in made.spec("Deployment/web")["template"]["metadata"]["labels"]
