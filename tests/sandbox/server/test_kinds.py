"""What the server fills in and refuses, kind by kind."""

import base64
from typing import Any

import pytest
from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, Api, Object, config_map, deployment, pod, service

JOBS = "/apis/batch/v1/namespaces/default/jobs"
CRON_JOBS = "/apis/batch/v1/namespaces/default/cronjobs"
STATEFUL = "/apis/apps/v1/namespaces/default/statefulsets"
SECRETS = "/api/v1/namespaces/default/secrets"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
SCALERS = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"


def job(name: str = "task", **spec: Any) -> Object:
    containers = [{"name": "main", "image": "busybox"}]
    template = {"spec": {"containers": containers, "restartPolicy": "Never"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, **spec}}


def secret(**more: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **more}


def claim(size: str = "1Gi", **spec: Any) -> Object:
    stated = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": stated}


def changed(obj: Object, path: str, value: Any) -> Object:
    """A copy with one field set, or removed where `value` is None; list indexes are numbers."""
    name, _, rest = path.partition(".")
    if isinstance(obj, list):
        items = list(obj)
        items[int(name)] = changed(items[int(name)], rest, value) if rest else value
        return items  # type: ignore[return-value]
    if rest:
        return {**obj, name: changed(obj.get(name, {}), rest, value)}
    return {key: part for key, part in {**obj, name: value}.items() if not (key == name and value is None)}


def test_a_deployments_template_is_completed(api: Api) -> None:
    spec = api.post(DEPLOYMENTS, deployment()).body["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert spec["template"]["spec"] == {
        "containers": [
            {
                "name": "main",
                "image": "nginx:1.27",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_values_are_stored_in_one_spelling(api: Api) -> None:
    stated = changed(
        deployment(),
        "spec.template.spec.containers.0.resources",
        {"requests": {"cpu": 0.5, "memory": "1024Mi"}, "limits": {"cpu": "1000m"}},
    )
    stated["spec"]["template"]["metadata"].update(creationTimestamp=None, annotations={})
    template = api.post(DEPLOYMENTS, stated).body["spec"]["template"]
    resources = template["spec"]["containers"][0]["resources"]
    assert resources == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1"}}
    assert template["metadata"] == {"labels": {"app": "web"}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [("nginx", "Always"), ("nginx:latest", "Always"), ("r:5000/nginx:1", "IfNotPresent"), ("r:5000/nginx", "Always")],
)
def test_the_pull_policy_follows_the_tag(api: Api, image: str, policy: str) -> None:
    body = api.post(PODS, pod(containers=[{"name": "main", "image": image}])).body
    assert body["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_pod_is_admitted_with_its_priority_tolerations_and_quality(api: Api) -> None:
    needs = {"limits": {"cpu": "1", "memory": "1Gi"}}
    body = api.post(PODS, pod(containers=[{"name": "main", "image": "x:1", "resources": needs}])).body
    assert body["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}
    assert body["spec"]["priority"] == 0
    assert body["spec"]["serviceAccountName"] == "default"
    assert {toleration["key"] for toleration in body["spec"]["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }


DEPLOYMENT_FAULTS = [
    ("spec.selector", None, ["spec.selector", "spec.template.metadata.labels"]),
    ("spec.selector", {}, ["spec.selector"]),
    ("spec.selector.matchLabels", {"app": "other"}, ["spec.template.metadata.labels"]),
    ("spec.replicas", -1, ["spec.replicas"]),
    ("spec.strategy", {"type": "Recreate", "rollingUpdate": {}}, ["spec.strategy.rollingUpdate"]),
    (
        "spec.strategy",
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        ["spec.strategy.rollingUpdate.maxUnavailable"],
    ),
    ("spec.progressDeadlineSeconds", 0, ["spec.progressDeadlineSeconds"]),
    ("spec.template.spec.restartPolicy", "Never", ["spec.template.spec.restartPolicy"]),
    ("spec.template.spec.containers", [], ["spec.template.spec.containers"]),
    ("spec.template.spec.containers.0.name", "Main", ["spec.template.spec.containers[0].name"]),
    ("spec.template.spec.containers.0.image", None, ["spec.template.spec.containers[0].image"]),
    (
        "spec.template.spec.containers.0.ports",
        [{"containerPort": 0}],
        ["spec.template.spec.containers[0].ports[0].containerPort"],
    ),
    (
        "spec.template.spec.containers.0.volumeMounts",
        [{"name": "none", "mountPath": "/x"}],
        ["spec.template.spec.containers[0].volumeMounts[0].name"],
    ),
    (
        "spec.template.spec.containers.0.resources",
        {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
        ["spec.template.spec.containers[0].resources.requests"],
    ),
    ("spec.template.spec.containers.0.livenessProbe", {}, ["spec.template.spec.containers[0].livenessProbe"]),
    ("metadata.name", "Web", ["metadata.name"]),
    ("metadata.labels", {"a b": "c"}, ["metadata.labels"]),
]


@pytest.mark.parametrize(("path", "value", "fields"), DEPLOYMENT_FAULTS)
def test_a_deployment_that_makes_no_sense_is_refused(api: Api, path: str, value: Any, fields: list[str]) -> None:
    answer = api.post(DEPLOYMENTS, changed(deployment(), path, value))
    assert (answer.status, answer.reason, answer.fields) == (422, "Invalid", fields)


def test_a_wrong_type_is_a_bad_request(api: Api) -> None:
    answer = api.post(DEPLOYMENTS, changed(deployment(), "spec.replicas", "three"))
    assert (answer.status, answer.reason) == (400, "BadRequest")
    assert "spec.replicas of type int32" in answer.body["message"]
    assert api.post(SECRETS, secret(data={"a": "not base64!"})).status == 400


IMMUTABLE = [
    (DEPLOYMENTS, deployment(), "spec.selector.matchLabels", {"app": "web", "more": "x"}, "spec.selector"),
    (JOBS, job(), "spec.template.spec.containers.0.image", "other", "spec.template"),
    (JOBS, job(), "spec.completions", 4, "spec.completions"),
    (CLAIMS, claim(), "spec.accessModes", ["ReadOnlyMany"], "spec"),
    (SERVICES, service(), "spec.clusterIP", "10.96.9.9", "spec.clusterIPs[0]"),
    (SECRETS, secret(), "type", "example.com/other", "type"),
    (PODS, pod(), "spec.containers.0.command", ["x"], "spec"),
]


@pytest.mark.parametrize(("path", "obj", "field", "value", "blamed"), IMMUTABLE)
def test_what_may_not_change(api: Api, path: str, obj: Object, field: str, value: Any, blamed: str) -> None:
    stored = api.post(path, obj).body
    new = changed(stored, field, value)
    if path == DEPLOYMENTS:
        new["spec"]["template"]["metadata"]["labels"] = value
    if path == SERVICES:
        new["spec"].pop("clusterIPs")
    answer = api.put(f"{path}/{stored['metadata']['name']}", new)
    assert answer.status == 422
    assert blamed in answer.fields


@pytest.mark.parametrize("path", [CONFIG_MAPS, SECRETS])
def test_immutable_config_stays_as_it_is(api: Api, path: str) -> None:
    stated = config_map() if path == CONFIG_MAPS else secret()
    name = api.post(path, {**stated, "immutable": True}).body["metadata"]["name"]
    assert api.patch(f"{path}/{name}", {"data": {"a": "eA=="}}).fields == ["data"]
    assert api.patch(f"{path}/{name}", {"immutable": False}).fields == ["immutable"]
    assert api.patch(f"{path}/{name}", {"metadata": {"labels": {"a": "b"}}}).status == 200


def test_a_secrets_plain_text_becomes_data(api: Api) -> None:
    body = api.post(SECRETS, secret(stringData={"password": "hunter2"})).body
    assert body["data"] == {"password": base64.b64encode(b"hunter2").decode()}
    assert "stringData" not in body
    assert api.post(SECRETS, {**secret(type="kubernetes.io/tls"), "metadata": {"name": "t"}}).fields == [
        "data[tls.crt]",
        "data[tls.key]",
    ]


def test_a_daemon_set_counts_its_templates(api: Api) -> None:
    path = "/apis/apps/v1/namespaces/default/daemonsets"
    name = "deprecated.daemonset.template.generation"
    body = api.post(path, {**deployment(), "kind": "DaemonSet"}).body
    assert body["metadata"]["annotations"][name] == "1"
    changes = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert api.patch(f"{path}/web", changes).body["metadata"]["annotations"][name] == "2"


def test_a_job_selects_its_own_pods(api: Api) -> None:
    body = api.post(JOBS, job()).body
    uid = body["metadata"]["uid"]
    assert body["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    labels = body["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == "task"
    assert api.post(JOBS, changed(job("other"), "spec.template.spec.restartPolicy", "Always")).status == 422


@pytest.mark.parametrize(
    ("schedule", "valid"),
    [
        ("*/5 * * * *", True),
        ("0 3 * jan-mar mon,fri", True),
        ("@daily", True),
        ("60 * * * *", False),
        ("* * * *", False),
        ("a * * * *", False),
        ("5-1 * * * *", False),
        ("*/0 * * * *", False),
    ],
)
def test_a_cron_jobs_schedule_is_checked(api: Api, schedule: str, valid: bool) -> None:
    spec = {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}}
    answer = api.post(CRON_JOBS, {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": spec})
    assert answer.status == (201 if valid else 422)
    if not valid:
        assert answer.fields == ["spec.schedule"]


def test_most_of_a_stateful_set_may_not_change(api: Api) -> None:
    stated = {**deployment(), "kind": "StatefulSet"}
    stated["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim()["spec"]}]
    mounts = [{"name": "data", "mountPath": "/data"}]
    stated = changed(stated, "spec.template.spec.containers.0.volumeMounts", mounts)
    body = api.post(STATEFUL, stated).body
    assert body["spec"]["podManagementPolicy"] == "OrderedReady"
    assert body["spec"]["volumeClaimTemplates"][0]["status"] == {"phase": "Pending"}
    assert api.patch(f"{STATEFUL}/web", {"spec": {"replicas": 3}}).status == 200
    assert api.patch(f"{STATEFUL}/web", {"spec": {"serviceName": "other"}}).fields == ["spec"]


def test_an_autoscaler_has_a_metric_and_a_maximum(api: Api) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": reference, "maxReplicas": 5},
    }
    spec = api.post(SCALERS, scaler).body["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    assert set(api.post(SCALERS, changed(scaler, "spec.maxReplicas", None)).fields) == {"spec.maxReplicas"}
    older = api.get(f"{SCALERS.replace('v2', 'v1')}/web").body
    assert older["apiVersion"] == "autoscaling/v1"
    assert older["spec"]["targetCPUUtilizationPercentage"] == 80


def test_an_ingress_needs_a_backend_and_a_path_type(api: Api) -> None:
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"rules": rules},
    }
    assert api.post(path, ingress).body["status"] == {"loadBalancer": {}}
    where = "spec.rules.0.http.paths.0"
    blamed = "spec.rules[0].http.paths[0]"
    assert api.post(path, changed(ingress, f"{where}.pathType", None)).fields == [f"{blamed}.pathType"]
    assert api.post(path, changed(ingress, f"{where}.backend", {})).fields == [f"{blamed}.backend"]
    assert api.post(path, changed(ingress, "spec", {})).fields == ["spec"]


def test_rbac_kinds_are_checked(api: Api) -> None:
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "shop:admin"}, "rules": [{}]}
    path = f"/apis/{group}/v1/clusterroles"
    assert api.post(path, role).fields == ["rules[0].verbs", "rules[0].apiGroups", "rules[0].resources"]
    assert api.post(path, {**role, "rules": None}).body["rules"] is None
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "u"}],
    }
    path = f"/apis/{group}/v1/namespaces/default/rolebindings"
    assert api.post(path, binding).body["subjects"][0]["apiGroup"] == group
    assert api.patch(f"{path}/b", {"roleRef": {"name": "other"}}).fields == ["roleRef"]


def test_services_get_addresses_and_ports_that_differ(api: Api) -> None:
    first = api.post(SERVICES, service("a", type="NodePort")).body["spec"]
    second = api.post(SERVICES, service("b", type="NodePort")).body["spec"]
    assert first["clusterIP"] != second["clusterIP"]
    assert first["clusterIPs"] == [first["clusterIP"]]
    assert first["ports"][0]["nodePort"] != second["ports"][0]["nodePort"]
    assert first["ports"][0]["targetPort"] == 80
    taken = api.post(SERVICES, service("c", clusterIP=first["clusterIP"]))
    assert (taken.status, taken.fields) == (422, ["spec.clusterIPs"])
    api.delete(f"{SERVICES}/a")
    assert api.post(SERVICES, service("c", clusterIP=first["clusterIP"])).status == 201


def test_a_refused_or_tried_service_keeps_no_address(api: Api) -> None:
    expected = api.post(SERVICES, service("a"), dryRun="All")
    assert expected.status == 201
    api.post(SERVICES, service("a", ports=[]))
    first = api.post(SERVICES, service("a")).body["spec"]["clusterIP"]
    api.post(SERVICES, service("a"))
    second = api.post(SERVICES, service("b")).body["spec"]["clusterIP"]
    assert (first, second) == ("10.96.0.2", "10.96.0.3")


def test_a_service_changes_its_type(api: Api) -> None:
    path = f"{SERVICES}/web"
    api.post(SERVICES, service())
    port = api.patch(path, {"spec": {"type": "NodePort"}}).body["spec"]["ports"][0]["nodePort"]
    assert port >= 30000
    assert "nodePort" not in api.patch(path, {"spec": {"type": "ClusterIP"}}).body["spec"]["ports"][0]
    external = api.patch(path, {"spec": {"type": "ExternalName", "externalName": "example.com"}}).body["spec"]
    assert "clusterIP" not in external
    assert api.patch(path, {"spec": {"type": "ClusterIP"}}).body["spec"]["clusterIP"]


def test_a_claim_grows_only_once_it_is_bound(api: Api) -> None:
    path = f"{CLAIMS}/data"
    assert api.post(CLAIMS, claim()).body["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    assert api.patch(path, larger).fields == ["spec"]
    api.patch(f"{path}/status", {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}})
    assert api.patch(path, larger).status == 200
    assert api.post(CLAIMS, claim(accessModes=[])).fields == ["spec.accessModes"]


def test_a_namespace_is_needed_and_must_not_be_going(api: Api) -> None:
    path = "/api/v1/namespaces/shop/configmaps"
    missing = api.post(path, config_map())
    assert (missing.status, missing.body["message"]) == (404, 'namespaces "shop" not found')
    body = api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}).body
    assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert (body["spec"], body["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
    api.post(path, config_map())
    assert api.delete("/api/v1/namespaces/shop").body["status"]["phase"] == "Terminating"
    refused = api.post(path, config_map("late"))
    assert (refused.status, refused.reason, refused.fields) == (403, "Forbidden", ["metadata.namespace"])
    assert api.get(f"{path}/settings").status == 200
    going = api.get("/api/v1/namespaces/shop").body
    assert api.put("/api/v1/namespaces/shop/finalize", {**going, "spec": {}}).status == 200
    assert api.get("/api/v1/namespaces/shop").status == 404


def test_the_first_namespaces_stay(api: Api) -> None:
    assert api.names("/api/v1/namespaces") == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert api.delete("/api/v1/namespaces/default").status == 403
