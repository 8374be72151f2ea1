"""What the engine's rules rely on, as a server does it. The numbers are those of the rules.

What controllers do beside the server is asked of a `World`, which has them on both servers.
"""

import time
from typing import Any

from both_servers import on_both
from sandbox_api import APPLY, CONFIG_MAPS, CRDS, DEPLOYMENTS, STRATEGIC, Answer, Api, config_map, deployment, service
from world import World

from reconciler.sandbox.kubelet.behavior import DURATION

SETTINGS = f"{CONFIG_MAPS}/settings"
WEB = f"{DEPLOYMENTS}/web"
SCALE = f"{WEB}/scale"


def scaled(replicas: int) -> dict[str, object]:
    stated = deployment()
    stated["spec"]["replicas"] = replicas
    return stated


def managers(answer: Answer) -> list[tuple[str, str]]:
    return [(entry["manager"], entry["operation"]) for entry in answer.body["metadata"].get("managedFields", [])]


async def in_a_namespace(w: World) -> None:
    """Make the world's namespace, and wait for what a pod in it needs."""
    await w.call("POST", "/api/v1/namespaces", {"metadata": {"name": w.space}})
    await w.until(lambda: there(w, w.path("serviceaccounts/default")))


async def there(w: World, path: str) -> bool:
    collection, _, name = path.rpartition("/")
    return any(item["metadata"]["name"] == name for item in (await w.call("GET", collection))["items"])


async def applied(w: World, path: str, body: Any, manager: str = "reconciler") -> Any:
    return await w.call("PATCH", path, body, kind="apply-patch+yaml", fieldManager=manager)


@on_both(controllers=True)
async def test_rule_1_a_services_labels_land_on_endpoints_that_name_no_owner(w: World) -> None:
    await in_a_namespace(w)
    marks = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": "shop"}
    stated = service()
    stated["metadata"] |= {"labels": marks, "annotations": {"reconciler.dev/id": "of the Service"}}
    await applied(w, w.path("services/web"), stated)
    await w.until(lambda: there(w, w.path("endpoints/web")))
    endpoints = (await w.call("GET", w.path("endpoints/web")))["metadata"]
    assert marks.items() <= endpoints["labels"].items()
    assert "ownerReferences" not in endpoints
    assert "reconciler.dev/id" not in endpoints.get("annotations", {})


@on_both(controllers=True)
async def test_rule_1_a_services_labels_land_on_its_endpoint_slices(w: World) -> None:
    await in_a_namespace(w)
    marks = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": "shop"}
    stated = service()
    stated["metadata"]["labels"] = marks
    await applied(w, w.path("services/web"), stated)
    slices = w.path("endpointslices", "apis/discovery.k8s.io/v1")

    async def listed() -> bool:
        return bool((await w.call("GET", slices))["items"])

    await w.until(listed)
    (found,) = (await w.call("GET", slices))["items"]
    assert found["metadata"]["labels"]["reconciler.dev/source"] == "shop"
    assert [owner["kind"] for owner in found["metadata"]["ownerReferences"]] == ["Service"]


def test_rule_2_two_appliers_under_one_manager_never_conflict(api: Api) -> None:
    assert api.apply(SETTINGS, config_map(data={"a": "1"}), "reconciler").status == 201
    second = api.apply(SETTINGS, config_map(data={"a": "2"}), "reconciler")
    assert (second.status, second.body["data"]) == (200, {"a": "2"})


def test_rule_2_what_kubectl_apply_stated_stays_when_only_our_apply_drops_it(api: Api) -> None:
    api.post(CONFIG_MAPS, config_map(data={"a": "1", "b": "1"}), fieldManager="kubectl-client-side-apply")
    api.apply(SETTINGS, config_map(data={"a": "1", "b": "1"}), "reconciler")
    assert api.apply(SETTINGS, config_map(data={"a": "1"}), "reconciler").body["data"] == {"a": "1", "b": "1"}


def test_rule_5_taking_an_image_back_needs_force(api: Api) -> None:
    api.apply(WEB, deployment(), "reconciler")
    theirs = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "other:1"}]}}}}
    api.patch(WEB, theirs, STRATEGIC, fieldManager="kubectl-set")
    refused = api.apply(WEB, deployment(), "reconciler")
    assert (refused.status, refused.reason) == (409, "Conflict")
    assert refused.fields == ['.spec.template.spec.containers[name="main"].image']
    taken = api.apply(WEB, deployment(), "reconciler", force="true").body
    assert taken["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"


def test_rule_6_dropping_replicas_resets_them(api: Api) -> None:
    api.apply(WEB, scaled(5), "reconciler")
    assert api.apply(WEB, deployment(), "reconciler").body["spec"]["replicas"] == 1


@on_both(controllers=True)
async def test_rule_6_dropping_replicas_resets_them_beside_an_autoscaler_that_has_not_scaled(w: World) -> None:
    await in_a_namespace(w)
    web = w.path("deployments/web", "apis/apps/v1")
    await applied(w, web, scaled(5))
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 9},
    }
    await applied(w, w.path("horizontalpodautoscalers/web", "apis/autoscaling/v2"), autoscaler)
    assert (await applied(w, web, deployment()))["spec"]["replicas"] == 1


def test_rule_6_a_second_manager_that_applies_the_same_value_keeps_it(api: Api) -> None:
    api.apply(WEB, scaled(5), "reconciler")
    partial = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    assert api.apply(WEB, partial, "planner").status == 200
    assert api.apply(WEB, deployment(), "reconciler").body["spec"]["replicas"] == 5


def test_rule_6_scaling_is_on_record_where_somebody_had_stated_the_replicas(api: Api) -> None:
    api.apply(WEB, scaled(5), "reconciler")
    api.patch(SCALE, {"spec": {"replicas": 3}}, fieldManager="kubectl")
    assert managers(api.get(WEB)) == [("reconciler", "Apply"), ("kubectl", "Update")]


def test_rule_6_scaling_is_on_nobodys_record_where_nobody_had_stated_the_replicas(api: Api) -> None:
    """The Scale that is patched has no managedFields then, and a server only tracks what was tracked before."""
    api.apply(WEB, deployment(), "reconciler")
    api.patch(SCALE, {"spec": {"replicas": 3}}, fieldManager="kubectl")
    live = api.get(WEB)
    assert live.body["spec"]["replicas"] == 3
    assert managers(live) == [("reconciler", "Apply")]


def test_rule_10_a_delete_takes_preconditions(api: Api) -> None:
    about = api.post(CONFIG_MAPS, config_map()).body["metadata"]
    options = {"apiVersion": "v1", "kind": "DeleteOptions"}
    for wrong in ({"uid": "another"}, {"resourceVersion": "1"}):
        refused = api.delete(SETTINGS, {**options, "preconditions": wrong})
        assert (refused.status, refused.reason) == (409, "Conflict")
    right = {"uid": about["uid"], "resourceVersion": about["resourceVersion"]}
    assert api.delete(SETTINGS, {**options, "preconditions": right}).status == 200


def test_rule_13_an_apply_that_changes_nothing_makes_no_revision(api: Api) -> None:
    first = api.apply(WEB, deployment(), "reconciler").body
    assert api.apply(WEB, deployment(), "reconciler").body == first
    assert api.apply(WEB, deployment(), "reconciler", dryRun="All").body == first


def test_rule_15_a_dry_run_in_a_namespace_that_is_not_there_is_not_found(api: Api) -> None:
    path = SETTINGS.replace("default", "nowhere")
    assert api.apply(path, config_map(), "reconciler", dryRun="All").status == 404


def test_rule_15_a_custom_resource_without_its_definition_is_not_found(api: Api) -> None:
    path = "/apis/none.example.com/v1/namespaces/default/things/one"
    body = {"apiVersion": "none.example.com/v1", "kind": "Thing", "metadata": {"name": "one"}}
    assert api.apply(path, body, "reconciler", dryRun="All").status == 404


@on_both(controllers=True)
async def test_rule_16_suspending_a_running_job_deletes_its_pods(w: World) -> None:
    await in_a_namespace(w)
    long = {"annotations": {DURATION: "10m"}}  # what runs on both servers' nodes is simulated
    spec = {"containers": [{"name": "main", "image": "example.com/migrate:1"}], "restartPolicy": "Never"}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}}
    path = w.path("jobs/migrate", "apis/batch/v1")
    await applied(w, path, {**job, "spec": {"template": {"metadata": long, "spec": spec}}})

    async def phases() -> list[str]:
        pods = await w.call("GET", w.path("pods"), labelSelector="job-name=migrate")
        return [pod["status"].get("phase") for pod in pods["items"]]

    async def running() -> bool:
        return await phases() == ["Running"]

    async def gone() -> bool:
        return await phases() == []

    await w.until(running)
    await w.patch(path, {"spec": {"suspend": True}})
    await w.until(gone)
    status = (await w.call("GET", path))["status"]
    assert status.get("succeeded", 0) == 0
    assert ("Suspended", "True") in [(each["type"], each["status"]) for each in status["conditions"]]


def test_rule_22_a_namespaced_tenant_may_not_list_everywhere_whatever_the_selector(kubernetes_api: Api) -> None:
    api, rbac = kubernetes_api, "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "tenant"}}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}]
    assert api.post(f"{rbac}/roles", {**head, "kind": "Role", "rules": rules}).status == 201
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tenant"}]
    bound = {**head, "kind": "RoleBinding", "roleRef": role, "subjects": subjects}
    assert api.post(f"{rbac}/rolebindings", bound).status == 201
    tenant = {"impersonate-user": "tenant"}
    deadline = time.monotonic() + 60  # the authorizer follows its own watch, a moment behind the write
    while (allowed := api.call("GET", CONFIG_MAPS, headers=tenant).status) != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert allowed == 200
    everywhere = api.call("GET", "/api/v1/configmaps", headers=tenant, labelSelector="app.kubernetes.io/managed-by=x")
    assert (everywhere.status, everywhere.reason) == (403, "Forbidden")
    assert api.call("PATCH", SETTINGS, config_map(), media=APPLY, headers=tenant, fieldManager="t").status == 201
    assert api.call("GET", CRDS, headers=tenant).status == 403


@on_both(controllers=True)
async def test_a_roll_out_that_has_finished_stays_so_when_its_pods_go(w: World) -> None:
    """What tells an outage from a roll-out on its way."""
    await in_a_namespace(w)
    web = w.path("deployments/web", "apis/apps/v1")
    await applied(w, web, scaled(2))

    async def conditions() -> dict[str, tuple[str, str]]:
        found = (await w.call("GET", web)).get("status", {}).get("conditions", [])
        return {each["type"]: (each["status"], each["reason"]) for each in found}

    async def complete() -> bool:
        found = await conditions()
        return found.get("Progressing") == ("True", "NewReplicaSetAvailable") and found["Available"][0] == "True"

    async def unavailable() -> bool:
        return (await conditions())["Available"] == ("False", "MinimumReplicasUnavailable")

    await w.until(complete)
    await applied(
        w,
        w.path("resourcequotas/none"),
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}},
    )
    await w.call("DELETE", w.path("pods"))
    await w.until(unavailable)
    assert (await conditions())["Progressing"] == ("True", "NewReplicaSetAvailable")
