"""What servers say to requests that are not quite right."""

from sandbox_api import CONFIG_MAPS, DEPLOYMENTS, PODS, Api, config_map, deployment, pod

WEB = f"{DEPLOYMENTS}/web"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def test_a_patch_that_changes_the_kind_makes_an_invalid_object(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    for patch in ({"kind": "Pod"}, {"apiVersion": "v1"}):
        answer = api.patch(WEB, patch)
        assert (answer.status, answer.reason, answer.fields) == (422, "Invalid", ["patch"])


def test_a_patch_of_a_scale_that_is_no_number_makes_an_invalid_object(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    answer = api.patch(f"{WEB}/scale", {"spec": {"replicas": "x"}})
    assert (answer.status, answer.reason, answer.fields) == (422, "Invalid", ["patch"])


def test_a_kind_without_generations_keeps_the_one_that_it_was_made_with(api: Api) -> None:
    assert api.post(CONFIG_MAPS, config_map(generation=7)).body["metadata"]["generation"] == 7


def test_a_question_that_asks_nothing_is_refused(api: Api) -> None:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": {}}
    answer = api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (answer.status, answer.fields) == (422, ["spec.resourceAttributes"])


def test_a_binding_must_name_its_pod(api: Api) -> None:
    api.post(PODS, pod())
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "other"}, "target": {"name": "n1"}}
    assert api.post(f"{PODS}/one/binding", binding).status == 400


def test_a_pod_without_a_node_has_logged_nothing(api: Api) -> None:
    api.post(PODS, pod())
    answer = api.get(f"{PODS}/one/log")
    assert (answer.status, answer.text) == (204, "")


def test_evicting_a_pod_that_is_not_ready_spends_nothing_of_a_kept_budget(api: Api) -> None:
    for name in ("a", "b"):
        labelled = pod(name, nodeName="n1")
        labelled["metadata"]["labels"] = {"app": "web"}
        api.post(PODS, labelled)
        api.patch(f"{PODS}/{name}/status", {"status": {"phase": "Running"}})
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    api.post(
        BUDGETS, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}
    )
    counts = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
    api.patch(f"{BUDGETS}/web/status", {"status": {"observedGeneration": 1, **counts}})
    for name in ("a", "b"):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        assert api.post(f"{PODS}/{name}/eviction", eviction).status == 201
    assert api.get(f"{BUDGETS}/web").body["status"]["disruptionsAllowed"] == 1
