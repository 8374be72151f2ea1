"""A snapshot keeps of each object what a plan looks at, and no more."""

from typing import Any

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import GPU, Gpu, Quota, Resources, Toleration
from reconciler.planner.snapshot import trimmed, view

GIBI = 1 << 30
ZONE = "topology.kubernetes.io/zone"
DB = Identity("apps", "StatefulSet", "shop", "db")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def obj(kind: str, name: str, version: str = "v1", namespace: str = "", **body: Any) -> dict[str, Any]:
    metadata = {"name": name, "annotations": {"secret": "canary"}, "labels": {"app": "db", "team": "a"}}
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


POD = {
    "containers": [
        {
            "name": "db",
            "image": "example.com/db:1",
            "args": ["canary"],
            "env": [{"name": "PASSWORD", "value": "canary"}],
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "2Gi", "example.com/fpga": 1},
                "limits": {"nvidia.com/gpu": 1},
            },
        }
    ],
    "overhead": {"cpu": "100m"},
    "nodeSelector": {"disk": "ssd"},
    "priorityClassName": "high",
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {
        "podAntiAffinity": {
            REQUIRED: [{"topologyKey": ZONE, "namespaceSelector": {"matchLabels": {"team": "a"}}, "labelSelector": {}}]
        }
    },
    "topologySpreadConstraints": [{"topologyKey": ZONE, "maxSkew": 1, "labelSelector": {"matchLabels": {"app": "db"}}}],
    "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "password", "secret": {"secretName": "canary"}},
    ],
}
ALLOCATABLE = {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "90Gi", "pods": "58"}
IN_B = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}]}}
OWNER = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "u", "controller": True}
RUNNING = obj("Pod", "db-0", namespace="shop", spec={**POD, "nodeName": "n0"}, status={"phase": "Running"})
RUNNING["metadata"]["ownerReferences"] = [OWNER]
OBJECTS = (
    obj(
        "Node", "n0",
        spec={"taints": [{"key": "dedicated", "effect": "NoSchedule"}], "podCIDR": "10.0.0.0/24"},
        status={
            "allocatable": {**ALLOCATABLE, "nvidia.com/gpu": "2"},
            "conditions": [{"type": "Ready", "status": "True", "message": "canary"}],
        },
    ),
    obj("Namespace", "shop"),
    obj("PriorityClass", "high", "scheduling.k8s.io/v1", value=1000, globalDefault=True, description="canary"),
    obj(
        "PodDisruptionBudget", "db", "policy/v1", "shop",
        spec={"selector": {"matchLabels": {"app": "db"}}, "minAvailable": 1}, status={"disruptionsAllowed": 1},
    ),
    obj("PersistentVolumeClaim", "data", namespace="shop", spec={"volumeName": "v", "resources": {}}),
    obj("PersistentVolume", "v", spec={"nodeAffinity": IN_B, "csi": {"volumeHandle": "canary"}}),
    obj(
        "ResourceQuota", "few", namespace="shop",
        spec={"hard": {"pods": "9", "requests.nvidia.com/gpu": "3"}}, status={"used": {"pods": "canary"}},
    ),
    obj("ResourceQuota", "some", namespace="shop", spec={"hard": {"pods": "1"}, "scopes": ["BestEffort"]}),
    obj(
        "StatefulSet", "db", "apps/v1", "shop",
        spec={"replicas": 3, "template": {"metadata": {"labels": {"app": "db"}}, "spec": POD}},
    ),
    RUNNING,
)  # fmt: skip


def test_nothing_that_a_plan_looks_at_is_lost() -> None:
    kept = [trimmed(each) for each in OBJECTS]
    assert "canary" not in str(kept)
    whole = view(OBJECTS)
    assert view([each for each in kept if each is not None]) == whole
    (need,), (pod,), (node,) = whole.needs, whole.pods, whole.nodes
    assert not whole.notes
    assert (need.identity, need.replicas, pod.owner) == (DB, 3, DB)
    amounts = Resources(600, GIBI, 2 * GIBI, (("example.com/fpga", 1),))
    assert (need.requests, pod.requests) == (amounts, amounts)
    assert (need.gpu, pod.gpu) == (Gpu(1), Gpu(1))
    assert (need.priority, need.disruptions, need.volume_zones) == (1000, 1, {"b"})
    assert (need.node_selector, need.tolerations) == ({"disk": "ssd"}, (Toleration("dedicated", exists=True),))
    assert [rule.namespaces for rule in (*need.affinities, *pod.affinities)] == [{"shop"}, {"shop"}]
    assert [(spread.topology_key, spread.hard) for spread in need.spreads] == [(ZONE, True)]
    assert whole.quotas == (Quota("shop", "few", ((GPU, 3), ("pods", 9))),)
    assert (node.pods, node.gpus, node.allocatable.ephemeral, len(node.taints)) == (58, 2, 90 * GIBI, 1)


def test_a_pod_that_has_ended_is_not_kept() -> None:
    assert trimmed({**RUNNING, "status": {"phase": "Succeeded"}}) is None


def test_the_order_of_the_objects_is_no_matter() -> None:
    assert view(OBJECTS[::-1]) == view(OBJECTS)
