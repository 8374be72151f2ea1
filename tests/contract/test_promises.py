"""What the engine's rules rely on, as a server does it. The numbers are those of the rules."""

import time

from sandbox_api import APPLY, CONFIG_MAPS, CRDS, DEPLOYMENTS, STRATEGIC, Answer, Api, config_map, deployment

SETTINGS = f"{CONFIG_MAPS}/settings"
WEB = f"{DEPLOYMENTS}/web"
SCALE = f"{WEB}/scale"


def scaled(replicas: int) -> dict[str, object]:
    stated = deployment()
    stated["spec"]["replicas"] = replicas
    return stated


def managers(answer: Answer) -> list[tuple[str, str]]:
    return [(entry["manager"], entry["operation"]) for entry in answer.body["metadata"].get("managedFields", [])]


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
    deadline = time.monotonic() + 10  # the authorizer follows its own watch, a moment behind the write
    while (allowed := api.call("GET", CONFIG_MAPS, headers=tenant).status) != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert allowed == 200
    everywhere = api.call("GET", "/api/v1/configmaps", headers=tenant, labelSelector="app.kubernetes.io/managed-by=x")
    assert (everywhere.status, everywhere.reason) == (403, "Forbidden")
    assert api.call("PATCH", SETTINGS, config_map(), media=APPLY, headers=tenant, fieldManager="t").status == 201
    assert api.call("GET", CRDS, headers=tenant).status == 403
