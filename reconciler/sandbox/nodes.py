"""Simulated nodes: what they have, and the objects that stand for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.kube.times import micro_stamp, stamp
from reconciler.sandbox.client import Object

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
POOL_LABEL: Final = "reconciler.dev/pool"
PRICE: Final = "sandbox.reconciler.dev/price"
LEASE_NAMESPACE: Final = "kube-node-lease"
VERSION: Final = "v1.36.0-sandbox"


@dataclass(frozen=True, slots=True)
class Node:
    """One node. Quantities are Kubernetes' own, such as "4" CPUs and "16Gi"; `number` makes its addresses."""

    name: str
    number: int = 1
    cpu: str = "4"
    memory: str = "16Gi"
    pods: int = 110
    ephemeral_storage: str = "100Gi"
    extended: Mapping[str, str] = field(default_factory=dict)  # for example {"nvidia.com/gpu": "1"}
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Object] = ()

    @property
    def address(self) -> str:
        """The address of the node itself, one of 172.16.0.0/12."""
        number = self.number + 1
        return f"172.{16 + (number >> 16) % 16}.{number >> 8 & 255}.{number & 255}"

    def pod_address(self, number: int) -> str:
        """The address of a pod: simulated, so only roughly of the node's range in 10.0.0.0/8."""
        return f"10.{self.number % 255}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, slots=True)
class Pool:
    """`count` equal nodes, spread over `zones` in turn. `price` is per node and hour, in any currency."""

    name: str
    count: int
    cpu: str = "4"
    memory: str = "16Gi"
    zones: Sequence[str] = ("zone-a",)
    region: str = "sandbox"
    instance_type: str = "sandbox"
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Object] = ()
    price: float | None = None
    pods: int = 110
    extended: Mapping[str, str] = field(default_factory=dict)

    def nodes(self, first: int = 1) -> list[Node]:
        """The nodes, named after the pool and numbered from 1; `first` numbers their addresses."""
        made = []
        for position in range(self.count):
            labels = {
                "topology.kubernetes.io/region": self.region,
                ZONE: self.zones[position % len(self.zones)],
                "node.kubernetes.io/instance-type": self.instance_type,
                POOL_LABEL: self.name,
                **self.labels,
            }
            made.append(
                Node(
                    f"{self.name}-{position + 1}",
                    first + position,
                    self.cpu,
                    self.memory,
                    self.pods,
                    extended=self.extended,
                    labels=labels,
                    annotations={PRICE: str(self.price)} if self.price is not None else {},
                    taints=self.taints,
                )
            )
        return made


def default_nodes(count: int = 3) -> list[Node]:
    """Nodes in three zones: 4 CPUs and 16 GiB each."""
    return Pool("general", count, zones=("zone-a", "zone-b", "zone-c")).nodes()


def nodes_of(wanted: Iterable[Node | Pool]) -> list[Node]:
    """Nodes and pools as one list of nodes, pools numbered so that addresses do not repeat."""
    nodes: list[Node] = []
    for entry in wanted:
        nodes += entry.nodes(len(nodes) + 1) if isinstance(entry, Pool) else [entry]
    return nodes


def node_object(node: Node) -> Object:
    """The Node that a kubelet registers."""
    labels = {
        HOSTNAME: node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
        **node.labels,
    }
    metadata: Object = {"name": node.name, "labels": labels}
    if node.annotations:
        metadata["annotations"] = dict(node.annotations)
    spec: Object = {"podCIDR": f"10.{node.number % 255}.0.0/16", "providerID": f"sandbox://{node.name}"}
    if node.taints:
        spec["taints"] = [dict(taint) for taint in node.taints]
    return {"metadata": metadata, "spec": spec}


def node_status(node: Node, now: datetime) -> Object:
    """The status of a healthy node."""
    text = stamp(now)
    has = {
        "cpu": node.cpu,
        "memory": node.memory,
        "pods": str(node.pods),
        "ephemeral-storage": node.ephemeral_storage,
        **node.extended,
    }
    conditions = [
        _condition(kind, "False", reason, f"kubelet has {words}", text)
        for kind, reason, words in (
            ("MemoryPressure", "KubeletHasSufficientMemory", "sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "sufficient PID available"),
        )
    ]
    conditions.append(_condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", text))
    return {
        "capacity": has,
        "allocatable": has,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": node.address},
            {"type": "Hostname", "address": node.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": node.name,
            "containerRuntimeVersion": "sandbox://1",
            "kernelVersion": "6.0.0",
            "kubeProxyVersion": "",
            "kubeletVersion": VERSION,
            "machineID": node.name,
            "operatingSystem": "linux",
            "osImage": "sandbox",
            "systemUUID": node.name,
        },
    }


def lease_object(node: Object, now: datetime, seconds: int) -> Object:
    """The lease by which the node `node` (as stored) says that it lives, good for `seconds`."""
    name = node["metadata"]["name"]
    return {
        "metadata": {
            "namespace": LEASE_NAMESPACE,
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}],
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": micro_stamp(now)},
    }


def _condition(kind: str, status: str, reason: str, message: str, now: str) -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
