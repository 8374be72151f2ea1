"""Scale, status, binding, eviction, logs, tokens and questions."""

from sandbox_api import APPLY, DEPLOYMENTS, JSON_PATCH, PODS, Api, deployment, pod

SCALE = f"{DEPLOYMENTS}/web/scale"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def test_a_scale_is_read_and_written(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    body = api.get(SCALE).body
    assert (body["kind"], body["apiVersion"], body["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 1})
    assert body["status"] == {"replicas": 0, "selector": "app=web"}
    assert api.put(SCALE, {**body, "spec": {"replicas": 3}}).body["spec"] == {"replicas": 3}
    assert api.put(SCALE, {**body, "spec": {"replicas": 4}}).status == 409
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    assert api.patch(SCALE, operations, JSON_PATCH).body["spec"] == {}
    assert api.get(f"{DEPLOYMENTS}/web").body["spec"]["replicas"] == 0
    assert api.patch(SCALE, {"spec": {"replicas": -1}}).status == 422
    assert api.patch(SCALE, {"spec": {"replicas": "x"}}).status == 422


def test_scaling_owns_the_replicas(api: Api) -> None:
    api.apply(f"{DEPLOYMENTS}/web", {**deployment(), "spec": {**deployment()["spec"], "replicas": 2}})
    api.patch(SCALE, {"spec": {"replicas": 3}}, fieldManager="kubectl")
    entries = api.get(f"{DEPLOYMENTS}/web").body["metadata"]["managedFields"]
    (entry,) = [entry for entry in entries if entry["manager"] == "kubectl"]
    assert (entry["subresource"], entry["fieldsV1"]) == ("scale", {"f:spec": {"f:replicas": {}}})


def test_a_scale_can_be_applied(api: Api) -> None:
    api.apply(f"{DEPLOYMENTS}/web", {**deployment(), "spec": {**deployment()["spec"], "replicas": 2}})
    stated = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    assert api.apply(SCALE, stated, "scaler").status == 409
    assert api.apply(SCALE, stated, "scaler", force="true").body["spec"] == {"replicas": 5}
    entries = api.get(f"{DEPLOYMENTS}/web").body["metadata"]["managedFields"]
    assert [(e["manager"], e["operation"], e.get("subresource")) for e in entries] == [
        ("scaler", "Apply", "scale"),
        ("tool", "Apply", None),
    ]
    assert api.patch(SCALE, stated, APPLY).status == 422


def test_a_status_write_touches_nothing_else(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    change = {
        "status": {"replicas": 2},
        "spec": {"replicas": 9},
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
    }
    body = api.patch(f"{DEPLOYMENTS}/web/status", change).body
    assert body["status"] == {"replicas": 2}
    assert body["spec"]["replicas"] == 1
    assert "labels" not in body["metadata"]
    assert body["metadata"]["annotations"] == {"c": "d"}
    assert api.patch(f"{DEPLOYMENTS}/web", {"status": {"replicas": 7}}).body["status"] == {"replicas": 2}
    assert api.put(f"{DEPLOYMENTS}/none/status", deployment("none")).status == 404


def test_a_pod_is_bound_once(api: Api) -> None:
    api.post(PODS, pod())
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "one"},
        "target": {"kind": "Node", "name": "n1"},
    }
    assert api.post(f"{PODS}/one/binding", binding).status == 201
    body = api.get(f"{PODS}/one").body
    assert body["spec"]["nodeName"] == "n1"
    assert [(c["type"], c["status"]) for c in body["status"]["conditions"]] == [("PodScheduled", "True")]
    assert api.post("/api/v1/namespaces/default/bindings", binding).status == 409
    assert api.post(f"{PODS}/none/binding", {**binding, "metadata": {"name": "none"}}).status == 404


def test_an_eviction_spends_the_budget(api: Api) -> None:
    for name in ("a", "b"):
        api.post(PODS, pod(name, nodeName="n1"))
        api.patch(f"{PODS}/{name}", {"metadata": {"labels": {"app": "web"}}})
        ready = {"type": "Ready", "status": "True"}
        api.patch(f"{PODS}/{name}/status", {"status": {"phase": "Running", "conditions": [ready]}})
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    api.post(BUDGETS, budget)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    assert api.post(f"{PODS}/a/eviction", eviction).status == 429
    status = {
        "disruptionsAllowed": 1,
        "observedGeneration": 1,
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
    }
    api.patch(f"{BUDGETS}/web/status", {"status": status})
    assert api.post(f"{PODS}/a/eviction", eviction).status == 201
    assert "deletionTimestamp" in api.get(f"{PODS}/a").body["metadata"]
    refused = api.post(f"{PODS}/b/eviction", {**eviction, "metadata": {"name": "b"}})
    assert (refused.status, refused.body["details"]["causes"][0]["reason"]) == (429, "DisruptionBudget")


def test_logs_are_what_the_kubelet_left(api: Api) -> None:
    api.post(PODS, pod())
    assert api.get(f"{PODS}/one/log").status == 204
    api.post(PODS, pod("two", nodeName="n1"))
    lines = {"sandbox.reconciler.dev/log": "first\nsecond\nthird"}
    api.patch(f"{PODS}/two", {"metadata": {"annotations": lines}})
    assert api.get(f"{PODS}/two/log").text == "first\nsecond\nthird\n"
    assert api.get(f"{PODS}/two/log", tailLines="1").text == "third\n"
    assert api.get(f"{PODS}/two/log", container="none").status == 400


def test_a_container_that_runs_has_written_something(api: Api) -> None:
    api.post(PODS, pod(nodeName="n1"))
    running = {"name": "main", "image": "busybox", "state": {"running": {"startedAt": "2026-03-01T11:59:45Z"}}}
    api.patch(f"{PODS}/one/status", {"status": {"phase": "Running", "containerStatuses": [running]}})
    assert api.get(f"{PODS}/one/log").text == "main: started, image busybox\nmain: alive\n"
    assert api.get(f"{PODS}/one/log", sinceSeconds="10", timestamps="true").text == "2026-03-01T11:59:55Z main: alive\n"
    assert api.get(f"{PODS}/one/log", previous="true").text == ""


def test_questions_are_answered_and_not_stored(api: Api) -> None:
    wanted = {"resourceAttributes": {"verb": "create", "resource": "pods"}}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": wanted,
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert api.post(path, review).body["status"] == {"allowed": True}
    assert api.get(path).status == 405
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
    body = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review).body
    assert body["status"]["userInfo"]["username"] == "system:admin"


def test_a_service_account_gets_a_token(api: Api) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    api.post(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}})
    body = api.post(f"{accounts}/robot/token", {"spec": {"expirationSeconds": 600}}).body
    assert body["status"]["token"]
    assert body["status"]["expirationTimestamp"] == "2026-03-01T12:10:00Z"
    assert api.post(f"{accounts}/none/token", {}).status == 404
