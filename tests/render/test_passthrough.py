"""Plain Kubernetes objects."""

from typing import Any

IMAGE = """---
apiVersion: reconciler.dev/v1
kind: Image
metadata: {name: redis, namespace: shop}
spec: {repository: registry.example.com/redis, digest: "sha256:abc"}"""


def test_an_object_is_applied_as_it_stands(good: Any) -> None:
    text = """
apiVersion: example.com/v1
kind: Thing
metadata: {name: a, namespace: shop, labels: {x: y}, annotations: {note: z}, finalizers: [keep]}
anything: {replicas: 3, list: [1, {two: 2}]}
"""
    obj = good(text).object("Thing/a")
    assert obj["anything"] == {"replicas": 3, "list": [1, {"two": 2}]}
    assert obj["metadata"]["labels"]["x"] == "y"
    assert obj["metadata"]["annotations"]["note"] == "z"
    assert obj["metadata"]["finalizers"] == ["keep"]


def test_an_image_by_name_is_substituted_in_every_workload(good: Any) -> None:
    for kind, path in (
        ("apps/v1, kind: StatefulSet", "spec: {template: {spec: %s}}"),
        ("apps/v1, kind: DaemonSet", "spec: {template: {spec: %s}}"),
        ("apps/v1, kind: Deployment", "spec: {template: {spec: %s}}"),
        ("batch/v1, kind: Job", "spec: {template: {spec: %s}}"),
        ("batch/v1, kind: CronJob", "spec: {jobTemplate: {spec: {template: {spec: %s}}}}"),
        ("v1, kind: Pod", "spec: %s"),
    ):
        containers = "containers: [{name: c, image: redis}, {name: d, image: x}]"
        pod = f"{{initContainers: [{{name: i, image: redis}}], {containers}}}"
        text = f"{{apiVersion: {kind}, metadata: {{name: r, namespace: shop}}, {path % pod}}}\n"
        made = good(text + IMAGE)
        obj = made.object(f"{kind.rpartition(' ')[2]}/r")
        spec = obj["spec"]
        while "containers" not in spec:
            spec = spec.get("jobTemplate") or spec.get("template") or spec["spec"]
        assert [c["image"] for c in (*spec["containers"], *spec["initContainers"])] == [
            "registry.example.com/redis@sha256:abc",
            "x",
            "registry.example.com/redis@sha256:abc",
        ]


def test_an_image_of_another_namespace_is_not_meant(good: Any) -> None:
    spec = "spec: {containers: [{name: c, image: redis}]}"
    text = f"{{apiVersion: v1, kind: Pod, metadata: {{name: r, namespace: other}}, {spec}}}\n"
    assert good(text + IMAGE).spec("Pod/r")["containers"][0]["image"] == "redis"


def test_what_the_server_fills_in_is_left_out(good: Any) -> None:
    """Files made with `kubectl get -o yaml`: a resourceVersion would be a conflict, a status never settles."""
    text = """
apiVersion: v1
kind: Service
metadata:
  name: a
  namespace: shop
  uid: 1-2
  resourceVersion: "7"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{manager: kubectl}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", mine: x}
spec: {ports: [{port: 80}]}
status: {loadBalancer: {}}
"""
    obj = good(text).object("Service/a")
    assert "status" not in obj
    assert set(obj["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in obj["metadata"]["annotations"]
    assert obj["metadata"]["annotations"]["mine"] == "x"


def test_rules_of_an_aggregated_role_are_its_controllers(good: Any) -> None:
    text = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}
rules: []
"""
    assert "rules" not in good(text).object("ClusterRole/all")


def test_rule_20_an_autoscaler_takes_the_replicas_of_a_plain_workload_over(good: Any) -> None:
    text = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec: {replicas: 3, serviceName: db}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: db, namespace: shop}
spec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: db}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: other}
spec: {replicas: 3}
"""
    made = good(text).manifests.items
    assert {i.namespace: "replicas" in m.object["spec"] for i, m in made.items() if i.kind == "StatefulSet"} == {
        "shop": False,
        "other": True,
    }


def test_a_secrets_texts_are_applied_as_the_server_stores_them(good: Any) -> None:
    """A key that is applied as stringData could never be taken away again."""
    made = good("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: b2xk, b: Yg==}\nstringData: {a: new}\n")
    secret = made.object("Secret/s")
    assert secret["data"] == {"a": "bmV3", "b": "Yg=="}
    assert "stringData" not in secret


def test_what_controllers_keep_for_themselves_is_left_to_them(good: Any) -> None:
    made = good(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: c\n"
        "  annotations: {deployment.kubernetes.io/revision: '4', note: x}\n"
        'spec: {volumeName: "", storageClassName: ""}\n'
    )
    claim = made.object("PersistentVolumeClaim/c")
    assert claim["spec"] == {"storageClassName": ""}
    assert claim["metadata"]["annotations"]["note"] == "x"
    assert "deployment.kubernetes.io/revision" not in claim["metadata"]["annotations"]
