"""What others do to fields that Git states, and that is no drift all the same."""

from typing import Any

from both_servers import on_both
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.model.event import EventType

APPS = "apis/apps/v1"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def plain(name: str = "web", extra: str = "", annotations: str = "{}") -> str:
    """A Deployment of Kubernetes itself."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  {extra}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}, annotations: {annotations}}}
    spec: {{containers: [{{name: web, image: "example.com/web:1"}}]}}
"""


def autoscaler(name: str = "web") -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10},
    }


async def replicas(w: World) -> Any:
    live = await w.get("Deployment", "web", group="apps")
    return live and live["spec"]["replicas"]


def drifted(w: World) -> list[str]:
    return [event.message for event in w.heard(EventType.DRIFTED)]


async def touched(w: World, path: str, patch: dict[str, Any], by: str = "somebody") -> None:
    await w.patch(path, patch, by=by)
    await w.settled()


@on_both
async def test_rule_6_replicas_belong_to_an_autoscaler_that_somebody_else_made(w: World) -> None:
    await w.started({"web.yaml": plain(extra="replicas: 2")})
    scalers = w.path("horizontalpodautoscalers", "apis/autoscaling/v2")
    await w.create(scalers, autoscaler())
    await touched(w, w.path("deployments/web/scale", APPS), {"spec": {"replicas": 5}}, "kube-controller-manager")
    assert drifted(w) == []
    assert await replicas(w) == 5
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil.example.com/web"}]}}}}
    await w.call(
        "PATCH", w.path("deployments/web", APPS), image, kind="strategic-merge-patch+json", fieldManager="kubectl-edit"
    )
    await w.settled()
    assert len(drifted(w)) == 1
    assert "image" in drifted(w)[0]
    assert await replicas(w) == 5, "healing the image leaves them alone"
    w.repositories["shop"].commit({"web.yaml": plain(extra="replicas: 3")})
    assert (await w.sync()).ok
    assert await replicas(w) == 5, "so does a commit"


@virtual
async def test_rule_6_replicas_are_gits_again_when_the_autoscaler_is_gone() -> None:
    async with world() as w:
        await w.started({"web.yaml": plain(extra="replicas: 2")})
        await w.create(w.path("horizontalpodautoscalers", "apis/autoscaling/v2"), autoscaler())
        scale = w.path("deployments/web/scale", APPS)
        await touched(w, scale, {"spec": {"replicas": 5}}, "kube-controller-manager")
        assert await replicas(w) == 5
        await w.call("DELETE", w.path("horizontalpodautoscalers/web", "apis/autoscaling/v2"))
        await w.clock.sleep(10)
        await touched(w, scale, {"spec": {"replicas": 6}}, "kubectl")
        assert await replicas(w) == 2
        assert len(drifted(w)) == 1


@on_both
async def test_rule_6_replicas_that_nobody_scales_are_gits(w: World) -> None:
    await w.started({"web.yaml": plain(extra="replicas: 2"), "b.yaml": plain("b", extra="replicas: 2")})
    await w.create(w.path("horizontalpodautoscalers", "apis/autoscaling/v2"), autoscaler("b"))
    await touched(w, w.path("deployments/web/scale", APPS), {"spec": {"replicas": 5}}, "kubectl")
    assert await replicas(w) == 2
    assert len(drifted(w)) == 1


@on_both
async def test_a_restart_by_kubectl_is_no_drift_though_git_states_an_older_one(w: World) -> None:
    annotations = f"{{{RESTARTED}: '2026-01-01T00:00:00Z', note: mine}}"
    await w.started({"web.yaml": plain(annotations=annotations)})
    restart = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: "2026-02-02T00:00:00Z"}}}}}
    await touched(w, w.path("deployments/web", APPS), restart, "kubectl-rollout")
    assert drifted(w) == []
    noted = {"spec": {"template": {"metadata": {"annotations": {"note": "theirs"}}}}}
    await touched(w, w.path("deployments/web", APPS), noted, "kubectl-edit")
    assert len(drifted(w)) == 1
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert live["spec"]["template"]["metadata"]["annotations"] == {RESTARTED: "2026-02-02T00:00:00Z", "note": "mine"}


@on_both
async def test_an_injected_certificate_is_no_drift_though_git_states_an_empty_one(w: World) -> None:
    name = w.name("checks")
    text = f"""\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: {name}}}
webhooks:
  - name: a.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    clientConfig: {{url: "https://127.0.0.1:1/a", caBundle: ""}}
    rules: [{{apiGroups: [none.example.com], apiVersions: [v1], operations: [CREATE], resources: [nothings]}}]
"""
    await w.started({"checks.yaml": text})
    path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}"
    live = await w.get("ValidatingWebhookConfiguration", name, group="admissionregistration.k8s.io", namespace="")
    assert live is not None
    bundle = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": CERTIFICATE}]
    await w.call("PATCH", path, bundle, kind="json-patch+json", fieldManager="cainjector")
    await w.settled()
    assert drifted(w) == []
    timeout = [{"op": "replace", "path": "/webhooks/0/clientConfig/url", "value": "https://127.0.0.1:1/b"}]
    await w.call("PATCH", path, timeout, kind="json-patch+json", fieldManager="kubectl-edit")
    await w.settled()
    assert len(drifted(w)) == 1
    live = await w.get("ValidatingWebhookConfiguration", name, group="admissionregistration.k8s.io", namespace="")
    assert live is not None
    assert live["webhooks"][0]["clientConfig"] == {"url": "https://127.0.0.1:1/a", "caBundle": CERTIFICATE}
    await w.call("DELETE", path)


@on_both(controllers=True)
async def test_the_rules_of_an_aggregated_role_are_its_controllers(w: World) -> None:
    label = f"{w.name('shop')}.example.com/part"
    whole, part = w.name("whole"), w.name("part")
    roles = f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {whole}}}
aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{{label}: "true"}}}}]}}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {part}, labels: {{{label}: "true"}}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [get]}}]
"""
    await w.started({"roles.yaml": roles})
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{whole}"
    rules = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    await touched(w, path, rules, "clusterrole-aggregation-controller")
    assert drifted(w) == []
    for name in (whole, part):
        await w.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")


@on_both
async def test_what_a_cluster_adds_to_a_service_account_is_no_drift(w: World) -> None:
    text = (
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\nimagePullSecrets: [{name: pull}]\nsecrets: []\n"
    )
    await w.started({"account.yaml": text})
    more = {"imagePullSecrets": [{"name": "pull"}, {"name": "web-dockercfg"}], "secrets": [{"name": "web-token-1"}]}
    await touched(w, w.path("serviceaccounts/web"), more, "openshift-controller-manager")
    assert drifted(w) == []
    fewer = {"imagePullSecrets": [{"name": "web-dockercfg"}]}
    await touched(w, w.path("serviceaccounts/web"), fewer, "kubectl-edit")
    assert len(drifted(w)) == 1


RULES = """\
ignore:
  - {kind: Deployment, name: "we?", fields: [/spec/minReadySeconds]}
  - {group: "", kind: ConfigMap, namespace: "*", managers: ["tuner-*"]}
"""


@on_both
async def test_what_the_repositorys_rules_leave_to_others_is_no_drift(w: World) -> None:
    await w.started({"reconciler.yaml": RULES, "web.yaml": plain(extra="minReadySeconds: 1"), "a.yaml": config("a")})
    await touched(w, w.path("deployments/web", APPS), {"spec": {"minReadySeconds": 9}}, "kubectl-edit")
    await touched(w, w.path("configmaps/a"), {"data": {"value": "tuned"}}, "tuner-7")
    assert drifted(w) == []
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "tuned"}
    w.repositories["shop"].commit({"a.yaml": config("a", "2")})
    assert (await w.sync()).ok
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "tuned"}, "a commit leaves it too"
    await touched(w, w.path("configmaps/a"), {"data": {"value": "edited"}}, "kubectl-edit")
    assert len(drifted(w)) == 1, "the rule is about a manager, not about the field"


@virtual
async def test_without_its_rule_a_field_is_gits_again() -> None:
    async with world() as w:
        repository = await w.started({"reconciler.yaml": RULES, "web.yaml": plain(extra="minReadySeconds: 1")})
        await touched(w, w.path("deployments/web", APPS), {"spec": {"minReadySeconds": 9}}, "kubectl-edit")
        repository.commit({"reconciler.yaml": None})
        assert (await w.sync()).ok
        live = await w.get("Deployment", "web", group="apps")
        assert live is not None
        assert live["spec"]["minReadySeconds"] == 1


@virtual
async def test_where_the_rules_are_not_known_nothing_is_healed() -> None:
    async with world() as w:
        repository = await w.started({"reconciler.yaml": "ignore: [", "a.yaml": config("a")})
        await touched(w, w.path("configmaps/a"), {"data": {"value": "edited"}})
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "edited"}
        assert len(drifted(w)) == 1
        repository.commit({"reconciler.yaml": "ignore: []\n"})
        assert (await w.sync()).ok
        await w.settled()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "1"}


@on_both
async def test_values_that_a_spec_leaves_out_are_nobodys_drift(w: World) -> None:
    await w.started({"web.yaml": deployment()})
    await touched(w, w.path("deployments/web", APPS), {"spec": {"revisionHistoryLimit": 3}}, "kubectl-edit")
    assert drifted(w) == []


CERTIFICATE = (  # of nobody, and for nothing
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJkekNDQVIyZ0F3SUJBZ0lCQURBS0JnZ3Foa2pPUFFRREFqQWpNU0V3SHdZRFZRUUREQmhy"
)
