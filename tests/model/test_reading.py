"""Objects as a real cluster has them, and what the planner sees of them."""

from typing import Any

import pytest

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector, Operator, Requirement
from reconciler.model.cluster_view import Budget, Circumstances, Effect, Gpu, Resources, Taint, Toleration
from reconciler.model.reading import circumstances, need, node_view, pod_view, quota_of, workload_of, zones_of
from reconciler.planner.plan import plan

GI = 2**30
WEB = Identity("apps", "Deployment", "shop", "web")
SPEC = Identity("reconciler.dev", "Deployment", "shop", "web")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def container(requests: dict[str, Any], limits: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"resources": {"requests": requests, "limits": limits or {}}}


def node(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "a", "labels": {"topology.kubernetes.io/zone": "eu-1a"}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "3920m", "memory": "15Gi", "ephemeral-storage": "90Gi", "pods": "58"},
            "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
        },
    }


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web-6d4cf56db6-x2x7q",
            "namespace": "shop",
            "labels": {"app.kubernetes.io/name": "web", "pod-template-hash": "6d4cf56db6"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6", "controller": True}
            ],
        },
        "spec": {
            "nodeName": "a",
            "containers": [{"resources": {"requests": {"cpu": "250m", "memory": "1Gi"}}}],
            **spec,
        },
        "status": {"phase": "Running"},
    }


def test_a_node_has_what_its_kubelet_offers() -> None:
    seen = node_view(node())
    assert seen.allocatable == Resources(3920, 15 * GI, 90 * GI)
    assert (seen.pods, seen.ready, seen.schedulable) == (58, True, True)


def test_devices_are_counted_apart_from_other_extended_resources() -> None:
    has = node()
    has["status"]["allocatable"] |= {"nvidia.com/gpu": "8", "example.com/fpga": "2", "hugepages-2Mi": "0"}
    has["metadata"]["labels"]["nvidia.com/gpu.product"] = "A100"
    seen = node_view(has)
    assert (seen.gpus, seen.gpu_model, seen.allocatable.extended) == (8, "A100", (("example.com/fpga", 2),))


def test_devices_of_one_maker_are_none_of_another() -> None:
    has, other = node(), {"spec": {"containers": [{"resources": {"limits": {"amd.com/gpu": 1}}}]}}
    has["status"]["allocatable"]["nvidia.com/gpu"] = "8"
    found = plan([node_view(has)], [], [need(SPEC, 1, other, Circumstances())])
    assert found.unplaced[SPEC].reason == "no node that it may use is large enough: even an empty a lacks 1 amd.com/gpu"
    has["status"]["allocatable"] = {**has["status"]["allocatable"], "nvidia.com/gpu": "0", "amd.com/gpu": "1"}
    assert not plan([node_view(has)], [], [need(SPEC, 1, other, Circumstances())]).unplaced


def test_a_node_without_a_network_takes_nothing() -> None:
    """It may be ready all the same."""
    taint = {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}
    assert node_view(node(taints=[taint])).taints == (Taint("node.kubernetes.io/network-unavailable"),)


def test_a_required_term_that_states_nothing_matches_no_node() -> None:
    def found(terms: list[dict[str, Any]]) -> dict[str, int]:
        spec = {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}}}
        return dict(plan([node_view(node())], [], [need(SPEC, 1, {"spec": spec}, Circumstances())]).assignment[SPEC])

    assert found([{}]) == {}
    assert found([{}, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]) == {"a": 1}


@pytest.mark.parametrize(
    ("key", "zones"),
    [
        ("topology.kubernetes.io/zone", {"eu-1a"}),
        ("topology.ebs.csi.aws.com/zone", {"eu-1a"}),
        ("topology.gke.io/zone", {"eu-1a"}),
        ("topology.disk.csi.azure.com/zone", {"eu-1a"}),
        ("kubernetes.io/hostname", set()),
    ],
)
def test_a_volume_is_in_the_zone_that_its_driver_names(key: str, zones: set[str]) -> None:
    expressions = [
        {"key": key, "operator": "In", "values": ["eu-1a"]},
        {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["eu-1"]},
    ]
    volume = {"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}}}
    assert zones_of(volume) == zones


def test_taints_are_read_but_those_that_say_again_that_it_is_not_ready() -> None:
    taints = [
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"},
    ]
    has = node(taints=taints, unschedulable=True)
    has["status"]["conditions"][1]["status"] = "Unknown"
    seen = node_view(has)
    pressure = Taint("node.kubernetes.io/memory-pressure")
    assert seen.taints == (Taint("dedicated", "gpu", Effect.NO_SCHEDULE), pressure)
    assert (seen.ready, seen.schedulable) == (False, False)


def test_a_pod_belongs_to_the_deployment_behind_its_replica_set() -> None:
    seen = pod_view(pod(), {WEB: SPEC})
    assert seen is not None
    assert (seen.owner, seen.node, seen.requests) == (SPEC, "a", Resources(250, GI))
    other = pod_view(pod(), {})
    assert other is not None
    assert other.owner is None, "nobody plans it: it takes its room where it is"


@pytest.mark.parametrize(
    ("kind", "version", "name", "found"),
    [
        ("StatefulSet", "apps/v1", "db", Identity("apps", "StatefulSet", "shop", "db")),
        ("Job", "batch/v1", "migrate-1", Identity("batch", "Job", "shop", "migrate-1")),
        ("DaemonSet", "apps/v1", "proxy", Identity("apps", "DaemonSet", "shop", "proxy")),
        ("ReplicaSet", "apps/v1", "bare", Identity("apps", "ReplicaSet", "shop", "bare")),
        ("Node", "v1", "a", Identity("", "Node", "shop", "a")),
    ],
)
def test_other_controllers(kind: str, version: str, name: str, found: Identity) -> None:
    body = pod()
    body["metadata"]["ownerReferences"] = [{"apiVersion": version, "kind": kind, "name": name, "controller": True}]
    assert workload_of(body) == found
    assert pod_view(body, {}).daemon is (kind == "DaemonSet")  # type: ignore[union-attr]
    body["metadata"]["ownerReferences"][0]["controller"] = False
    assert workload_of(body) is None


@pytest.mark.parametrize(
    "change", [{"status": {"phase": "Succeeded"}}, {"status": {"phase": "Failed"}}, {"spec": {"containers": []}}]
)
def test_a_pod_that_has_ended_or_waits_takes_no_room(change: dict[str, Any]) -> None:
    assert pod_view({**pod(), **change}, {}) is None


def test_a_workload_needs_what_its_template_states() -> None:
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1b", "eu-1a"]}
    name = {"key": "metadata.name", "operator": "In", "values": ["a"]}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "initContainers": [
                {"restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"resources": {"requests": {"cpu": "2"}}},
            ],
            "containers": [
                {"resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 2}}}
            ],
            "nodeSelector": {"nvidia.com/gpu.product": "A100"},
            "priorityClassName": "high",
            "tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
            "affinity": {
                "nodeAffinity": {
                    REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [zone]}]},
                    PREFERRED: [{"weight": 7, "preference": {"matchFields": [name]}}],
                },
                "podAntiAffinity": {
                    REQUIRED: [
                        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
                    ]
                },
            },
            "topologySpreadConstraints": [
                {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 2, "whenUnsatisfiable": "ScheduleAnyway"}
            ],
        },
    }
    found = need(SPEC, 3, template, Circumstances({"high": 1000}))
    assert found.requests == Resources(2100, GI), "an init container runs beside the sidecar before it"
    assert found.gpu == Gpu(2, models=frozenset({"A100"}))
    assert (found.replicas, found.priority, found.labels) == (3, 1000, {"app": "web"})
    assert found.tolerations == (Toleration(exists=True), Toleration("a", "b", effect=Effect.NO_SCHEDULE))
    (term,) = found.node_affinity
    assert term == (Requirement("topology.kubernetes.io/zone", Operator.IN, frozenset({"eu-1a", "eu-1b"})),)
    ((weight, preferred),) = found.preferred
    assert (weight, preferred[0].key) == (7, "kubernetes.io/hostname")
    (anti,) = found.affinities
    assert (anti.anti, anti.required, anti.selector.matches({"app": "web"})) == (True, True, True)
    (spread,) = found.spreads
    assert (spread.max_skew, spread.hard) == (2, False)


def terms(spec: dict[str, Any], around: Circumstances) -> list[frozenset[str] | None]:
    """Among pods of which namespaces each affinity is."""
    return [each.namespaces for each in need(SPEC, 1, {"spec": spec}, around).affinities]


def beside(**where: Any) -> dict[str, Any]:
    return {"topologyKey": "kubernetes.io/hostname", "labelSelector": {}, **where}


def test_affinities_are_among_pods_of_the_namespaces_that_they_name_or_select() -> None:
    around = Circumstances(
        namespaces={"shop": {"team": "a"}, "bank": {"team": "b"}, "till": {"team": "b"}, "kube-system": {}}
    )
    stated = [
        beside(),
        beside(namespaces=["bank"]),
        beside(namespaces=[]),
        beside(namespaceSelector={"matchLabels": {"team": "b"}}),
        beside(namespaces=["shop"], namespaceSelector={"matchLabels": {"team": "b"}}),
        beside(namespaceSelector={}),
        beside(namespaceSelector={"matchLabels": {"team": "c"}}),
    ]
    preferred = [{"weight": 5, "podAffinityTerm": beside(namespaces=["till"])}]
    spec = {"affinity": {"podAffinity": {REQUIRED: stated}, "podAntiAffinity": {PREFERRED: preferred}}}
    every = frozenset(around.namespaces)
    both = frozenset({"bank", "till"})
    found = [None, frozenset({"bank"}), None, both, both | {"shop"}, every, frozenset(), frozenset({"till"})]
    assert terms(spec, around) == found


def test_of_several_budgets_and_volumes_the_tightest_bind() -> None:
    def some(labels: dict[str, str]) -> LabelSelector:
        return LabelSelector.of({"matchLabels": labels})

    around = Circumstances(
        budgets=(
            Budget("shop", some({"app": "web"}), 2), Budget("shop", some({}), 1), Budget("bank", some({}), 0),
        ),
        zones={("shop", "data"): frozenset("ab"), ("shop", "logs"): frozenset("bc"), ("bank", "data"): frozenset("z")},
    )  # fmt: skip
    claims = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in ("data", "logs", "nowhere")]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"volumes": claims}}
    found = need(SPEC, 1, template, around)
    assert (found.disruptions, found.volume_zones) == (1, {"b"})
    alone = need(SPEC._replace(namespace="elsewhere"), 1, template, around)
    assert (alone.disruptions, alone.volume_zones) == (None, frozenset())


def test_who_names_no_priority_has_the_lowest_default() -> None:
    def of(name: str | None, **classes: tuple[int, bool]) -> int:
        around = circumstances(classes, (), {}, {}, {}, (), ())
        return need(SPEC, 1, {"spec": {"priorityClassName": name} if name else {}}, around).priority

    assert of(None, high=(9, False)) == 0
    assert of(None, high=(9, True), low=(2, True), lower=(1, False)) == 2
    assert of("high", high=(9, False), low=(2, True)) == 9
    assert of("unknown", high=(9, True)) == 0


QUOTA: dict[str, Any] = {"metadata": {"name": "few", "namespace": "shop"}}


def test_a_quota_is_read_by_the_names_that_pods_request_things_by() -> None:
    hard = {
        "requests.cpu": "1500m", "cpu": "2", "memory": "3Gi", "requests.memory": "2Gi",
        "requests.ephemeral-storage": "5G", "pods": "9", "count/pods": "7",
        "requests.nvidia.com/gpu": "2", "requests.example.com/fpga": "0", "hugepages-2Mi": "4Mi",
    }  # fmt: skip
    other = {
        "limits.cpu": "1", "limits.memory": "1", "requests.storage": "1Gi", "services": "1",
        "count/deployments.apps": "1", "fast.storageclass.storage.k8s.io/requests.storage": "1Gi",
        "persistentvolumeclaims": "1",
    }  # fmt: skip
    found = quota_of({**QUOTA, "spec": {"hard": {**hard, **other}}})
    assert (found.namespace, found.name) == ("shop", "few")
    assert dict(found.hard) == {
        "cpu": 1500, "memory": 2 * 1024**3, "ephemeral-storage": 5 * 10**9, "pods": 7, "nvidia.com/gpu": 2,
        "example.com/fpga": 0, "hugepages-2Mi": 4 * 1024**2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"hard": {"services": 3}},
        {"hard": {"pods": 3}, "scopes": ["BestEffort"]},
        {"hard": {"pods": 3}, "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass"}]}},
    ],
)
def test_a_quota_that_is_not_of_all_pods_bounds_nothing(spec: dict[str, Any]) -> None:
    found = quota_of({**QUOTA, "spec": spec})
    assert found.hard == ()
    assert circumstances({}, (), {}, {}, {}, [found], ()).quotas == ()


def test_a_quota_that_is_no_quantity_is_none() -> None:
    with pytest.raises(ValueError, match="lots"):
        quota_of({**QUOTA, "spec": {"hard": {"pods": "lots"}}})


def test_an_affinity_is_to_those_alike_and_from_those_that_are_not() -> None:
    with_keys = beside(matchLabelKeys=["tier", "pod-template-hash"], mismatchLabelKeys=["tenant", "unknown"])
    spec = {"affinity": {"podAffinity": {REQUIRED: [with_keys]}}}
    template = {"metadata": {"labels": {"tier": "web", "tenant": "a"}}, "spec": spec}
    (found,) = need(SPEC, 1, template, Circumstances()).affinities
    assert found.selector.matches({"tier": "web", "tenant": "b"})
    assert found.selector.matches({"tier": "web"})
    assert not found.selector.matches({"tier": "web", "tenant": "a"})
    assert not found.selector.matches({"tier": "db", "tenant": "b"})


def test_nothing_stated_is_a_need_all_the_same() -> None:
    found = need(SPEC, 1, {}, Circumstances())
    assert (found.requests, found.priority) == (Resources(), 0)


@pytest.mark.parametrize("template", [{"spec": {"containers": [{"resources": {"requests": {"cpu": "much"}}}]}}])
def test_what_an_api_server_would_refuse_is_no_need(template: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="much"):
        need(SPEC, 1, template, Circumstances())


def test_a_spread_counts_only_those_alike_and_so_many_domains() -> None:
    spread = {
        "topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}, "minDomains": 3,
        "matchLabelKeys": ["track", "pod-template-hash"], "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor",
    }  # fmt: skip
    labels = {"app": "web", "track": "stable"}
    template = {"metadata": {"labels": labels}, "spec": {"topologySpreadConstraints": [spread]}}
    (found,) = need(SPEC, 3, template, Circumstances()).spreads
    assert (found.hard, found.max_skew, found.least_domains) == (True, 1, 3)
    assert (found.honors_affinity, found.honors_taints) == (False, True)
    assert found.selector.matches(labels)
    assert not found.selector.matches({**labels, "track": "canary"})
