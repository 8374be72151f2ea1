"""What waits for what: by reference, and because somebody says so."""

from typing import Any

import pytest

from reconciler.kube.names import Identity

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: pod, namespace: shop}
spec:
  serviceAccountName: account
  priorityClassName: high
  imagePullSecrets: [{name: pull}]
  containers:
    - name: c
      envFrom: [{configMapRef: {name: c1}}, {secretRef: {name: s1}}]
      env: [{name: A, valueFrom: {configMapKeyRef: {name: c2, key: k}}}, {name: B, value: b}]
  initContainers: [{name: i, env: [{name: A, valueFrom: {secretKeyRef: {name: s2, key: k}}}]}]
  volumes:
    - {name: a, configMap: {name: c3}}
    - {name: b, secret: {secretName: s3}}
    - {name: c, persistentVolumeClaim: {claimName: claim}}
    - {name: d, projected: {sources: [{configMap: {name: c4}}, {secret: {name: s4}}]}}
"""


def obj(api: str, kind: str, name: str, more: str = "", namespace: str = "shop") -> str:
    space = f", namespace: {namespace}" if namespace else ""
    return f"---\n{{apiVersion: {api}, kind: {kind}, metadata: {{name: {name}{space}}}{more}}}\n"


def test_a_pod_waits_for_everything_it_mounts_or_runs_as(good: Any) -> None:
    others = [("v1", "ConfigMap", f"c{n}", "shop") for n in (1, 2, 3, 4, 5)]
    others += [("v1", "Secret", f"s{n}", "shop") for n in (1, 2, 3, 4, 5)]
    others += [("v1", "Secret", "pull", "shop"), ("v1", "ServiceAccount", "account", "shop")]
    others += [("v1", "PersistentVolumeClaim", "claim", "shop"), ("v1", "Namespace", "shop", "")]
    others += [("scheduling.k8s.io/v1", "PriorityClass", "high", ""), ("v1", "ConfigMap", "c1", "other")]
    made = good(PODS + "".join(obj(api, kind, name, namespace=space) for api, kind, name, space in others))
    assert made.waits("Pod/pod") == [
        *(f"ConfigMap/c{n}" for n in (1, 2, 3, 4)),
        "Namespace/shop",
        "PersistentVolumeClaim/claim",
        "Secret/pull",
        *(f"Secret/s{n}" for n in (1, 2, 3, 4)),
        "ServiceAccount/account",
        "PriorityClass/high",
    ]


def test_what_is_not_in_the_source_is_not_waited_for(good: Any) -> None:
    assert good(PODS).waits("Pod/pod") == []


@pytest.mark.parametrize(
    ("one", "others"),
    [
        (
            obj("rbac.authorization.k8s.io/v1", "RoleBinding", "b", ", roleRef: {kind: Role, name: r}, subjects: "
                "[{kind: ServiceAccount, name: a}, {kind: User, name: u}]"),
            [obj("rbac.authorization.k8s.io/v1", "Role", "r"), obj("v1", "ServiceAccount", "a")],
        ),
        (
            obj("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "b", ", roleRef: {kind: ClusterRole, name: r}, "
                "subjects: [{kind: ServiceAccount, name: a, namespace: shop}]", ""),
            [obj("rbac.authorization.k8s.io/v1", "ClusterRole", "r", "", ""), obj("v1", "ServiceAccount", "a")],
        ),
        (
            obj("networking.k8s.io/v1", "Ingress", "i", ", spec: {tls: [{secretName: s}], ingressClassName: nginx, "
                "defaultBackend: {service: {name: d}}, rules: [{http: {paths: [{backend: {service: {name: w}}}]}}]}"),
            [
                obj("v1", "Secret", "s"),
                obj("v1", "Service", "d"),
                obj("v1", "Service", "w"),
                obj("networking.k8s.io/v1", "IngressClass", "nginx", "", ""),
            ],
        ),
        (
            obj("example.com/v1", "Thing", "t", ", spec: {}"),
            [obj("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.com",
                 ", spec: {group: example.com, names: {kind: Thing}}", "")],
        ),
        (
            obj("apps/v1", "StatefulSet", "s", ", spec: {serviceName: s, volumeClaimTemplates: "
                "[{spec: {storageClassName: fast}}]}"),
            [obj("v1", "Service", "s"), obj("storage.k8s.io/v1", "StorageClass", "fast", "", "")],
        ),
        (
            obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "v",
                ", webhooks: [{clientConfig: {service: {name: s, namespace: shop}}}]", ""),
            [obj("v1", "Service", "s")],
        ),
        (
            obj("apiregistration.k8s.io/v1", "APIService", "v", ", spec: {service: {name: s, namespace: shop}}", ""),
            [obj("v1", "Service", "s")],
        ),
    ],
)  # fmt: skip
def test_rule_15_an_object_waits_for_what_it_refers_to(good: Any, one: str, others: list[str]) -> None:
    made = good((one + "".join(others) + obj("v1", "Secret", "unrelated")).removeprefix("---\n"))
    waiting = [m for m in made.manifests.items.values() if m.depends_on]
    assert len(waiting) == 1
    assert len(waiting[0].depends_on) == len(others)


@pytest.mark.parametrize(
    "spec", ["[]", "{template: 3}", "{template: {spec: [1]}}", "{template: {spec: {volumes: {a: 1}}}}"]
)
def test_an_object_of_a_wrong_shape_refers_to_nothing(good: Any, spec: str) -> None:
    """Naming what is wrong is validation's business; here it must only not stop the others."""
    assert (
        good(obj("apps/v1", "StatefulSet", "s", f", spec: {spec}").removeprefix("---\n")).waits("StatefulSet/s") == []
    )


WEB = """
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: x
  expose: [{port: 80}]
  dependsOn: [%s]
"""
MIGRATE = """---
apiVersion: reconciler.dev/v1
kind: Task
metadata: {name: migrate, namespace: shop}
spec: {image: x}
"""


def test_depends_on_a_task_is_depends_on_its_job_and_holds_for_the_workload_only(good: Any) -> None:
    made = good((WEB % "Task/migrate") + MIGRATE)
    assert made.after("Deployment/web") == [f"Job/{made.manifest('Job/migrate-').identity.name}"]
    assert made.after("Service/web") == []


@pytest.mark.parametrize("reference", ["ConfigMap/c", "ConfigMap/shop/c", "ConfigMap/other/d", "Namespace/other"])
def test_any_document_of_the_source_can_be_meant(good: Any, reference: str) -> None:
    others = (
        obj("v1", "ConfigMap", "c") + obj("v1", "ConfigMap", "d", "", "other") + obj("v1", "Namespace", "other", "", "")
    )
    kind, *_, name = reference.split("/")
    assert good((WEB % reference) + others).after("Deployment/web") == [f"{kind}/{name}"]


def test_any_object_can_say_what_it_depends_on(good: Any) -> None:
    annotation = "annotations: {reconciler.dev/depends-on: 'Deployment/web, Task/migrate'}"
    text = obj("v1", "ConfigMap", "c").replace("namespace: shop", f"namespace: shop, {annotation}")
    made = good((WEB % "") + MIGRATE + text)
    assert made.after("ConfigMap/c") == ["Deployment/web", f"Job/{made.manifest('Job/migrate-').identity.name}"]


def test_who_depends_on_a_quarantined_document_is_kept_as_it_is(render: Any) -> None:
    """The new web must not start before the migration that nobody can read."""
    found = render(WEB % "Task/migrate", quarantined=frozenset({Identity("reconciler.dev", "Task", "shop", "migrate")}))
    assert [p.code for p in found.problems] == ["depends-on-invalid"]
    assert found.names() == []


def test_being_left_out_goes_on_along_the_dependents_and_stops_there(render: Any) -> None:
    second = (WEB % "Deployment/web").replace("name: web", "name: second")
    third = (WEB % "").replace("name: web", "name: third")
    gone = frozenset({Identity("reconciler.dev", "Task", "shop", "gone")})
    found = render("---".join([WEB % "Task/gone", second, third]), quarantined=gone)
    assert {p.identity.name for p in found.problems} == {"web", "second"}
    assert found.names() == ["Service/third", "Deployment/third"]
