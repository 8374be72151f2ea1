"""Following everybody's nodes and pods: memory, and what a change costs.

    python benchmarks/planner_roster.py [--nodes 1000] [--pods 10000] [--workloads 1000]

An API server without a socket serves nodes and pods as large as real ones (managedFields, environment, images), half of
the pods with anti-affinity, all with replicas beside them. `mb` is what the process has more once all are listed,
`list_s` the processor time for that, `event_us` that of one event of a watch which changes nothing for a plan,
`view_ms` that of a view after one that does. The last line is JSON.
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.roster import Roster
from reconciler.http.transport import Request, Response
from reconciler.kube.names import Identity

EVENTS = 5000
KINDS = {
    "": (
        ("Node", "nodes", False),
        ("Pod", "pods", True),
        ("PersistentVolumeClaim", "persistentvolumeclaims", True),
        ("PersistentVolume", "persistentvolumes", False),
    ),
    "policy": (("PodDisruptionBudget", "poddisruptionbudgets", True),),
    "scheduling.k8s.io": (("PriorityClass", "priorityclasses", False),),
}
MANAGED = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {f"f:{n}": {"f:x": {}} for n in range(60)}}]


def node(number: int) -> dict[str, Any]:
    name = f"ip-10-0-{number // 250}-{number % 250}.eu-west-1.compute.internal"
    labels = {
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": f"eu-west-1{'abc'[number % 3]}",
        "topology.kubernetes.io/region": "eu-west-1",
        "node.kubernetes.io/instance-type": "m6i.2xlarge",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "karpenter.sh/nodepool": "general",
    }
    has = {"cpu": "7910m", "memory": "31Gi", "ephemeral-storage": "90Gi", "pods": "58"}
    images = [{"names": ["registry.example.com/" + "x" * 60], "sizeBytes": 1}] * 50
    status = {"allocatable": has, "conditions": [{"type": "Ready", "status": "True"}], "images": images}
    metadata = {"name": name, "labels": labels, "resourceVersion": "1", "managedFields": MANAGED}
    return {"metadata": metadata, "spec": {}, "status": status}


def pod(number: int, workloads: int, nodes: int, version: int = 1) -> dict[str, Any]:
    workload = number % workloads
    name, digest = f"service-{workload}", f"{workload * 7919 + 10**9:x}"
    spec: dict[str, Any] = {
        "nodeName": node(number % nodes)["metadata"]["name"],
        "containers": [
            {
                "name": name,
                "image": f"registry.example.com/{name}@sha256:{'a' * 64}",
                "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
                "env": [{"name": f"SETTING_{n}", "value": "x" * 30} for n in range(20)],
            }
        ],
    }
    if workload % 2:
        selector = {"matchLabels": {"app.kubernetes.io/name": name}}
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        spec["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-{digest}", "controller": True}
    metadata = {
        "name": f"{name}-{digest}-{number:05}",
        "namespace": f"team-{workload % 40}",
        "labels": {"app.kubernetes.io/name": name, "pod-template-hash": digest, "team": f"team-{workload % 40}"},
        "ownerReferences": [owner],
        "resourceVersion": str(version),
        "managedFields": MANAGED,
    }
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running", "podIP": f"10.0.0.{version % 250}"}}


class Server:
    """A Transport. `events` are what the watch of pods says, at `go`."""

    def __init__(self, nodes: int, pods: int, workloads: int) -> None:
        self.nodes, self.pods, self.workloads = nodes, pods, workloads
        self.go, self.said = asyncio.Event(), asyncio.Event()
        self.events: list[bytes] = []

    async def send(self, request: Request) -> Response:
        _, root, *rest = request.path.split("/")
        if len(rest) <= 1:
            groups = [group for group in KINDS if bool(group) == (root == "apis")]
            return self._answer({"kind": "APIGroupDiscoveryList", "items": [self._group(group) for group in groups]})
        plural = rest[-1]
        count = {"nodes": self.nodes, "pods": self.pods}.get(plural, 0)
        query = dict(request.query)
        first = int(query.get("continue") or 0)
        last = min(count, first + int(query.get("limit") or count))
        metadata = {"resourceVersion": "1", **({"continue": str(last)} if last < count else {})}
        items = list(self._items(plural, first, last))
        return self._answer({"kind": "List", "metadata": metadata, "items": items})

    def _items(self, plural: str, first: int, last: int) -> Iterator[dict[str, Any]]:
        for number in range(first, last):
            yield node(number) if plural == "nodes" else pod(number, self.workloads, self.nodes)

    def _group(self, group: str) -> dict[str, Any]:
        served = [
            {
                "resource": plural,
                "responseKind": {"group": group, "version": "v1", "kind": kind},
                "scope": "Namespaced" if namespaced else "Cluster",
                "verbs": ["get", "list", "watch"],
            }
            for kind, plural, namespaced in KINDS[group]
        ]
        return {"metadata": {"name": group}, "versions": [{"version": "v1", "resources": served}]}

    def _answer(self, body: Any) -> Response:
        return Response(200, {}, msgspec.json.encode(body))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator["Server"]:
        yield self if request.path.endswith("/pods") else Silent()  # type: ignore[misc]

    @property
    def status(self) -> int:
        return 200

    async def lines(self) -> AsyncIterator[bytes]:
        await self.go.wait()
        for event in self.events:
            yield event
        self.said.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


class Silent:
    """A watch that says nothing."""

    status = 200

    async def lines(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


def resident() -> float:
    """MB of this process."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


async def measure(nodes: int, pods: int, workloads: int) -> dict[str, float]:
    server, clock = Server(nodes, pods, workloads), SystemClock()
    cluster = Cluster(server, clock=clock, random=Random(1))  # type: ignore[arg-type]
    await cluster.discovery.refresh()
    roster = Roster(cluster, clock=clock, random=Random(1))
    gc.collect()
    before, began = resident(), time.process_time()
    running = asyncio.create_task(roster.run())
    await roster.settled.wait()
    listed = time.process_time() - began
    gc.collect()
    held = resident() - before
    names = [(f"team-{n % 40}", f"service-{n}") for n in range(workloads)]
    planned = {Identity("apps", "Deployment", *name): Identity("reconciler.dev", "Deployment", *name) for name in names}
    assert len(roster.view(planned).pods) == pods
    server.events = [
        msgspec.json.encode({"type": "MODIFIED", "object": pod(n % pods, workloads, nodes, version=n + 2)})
        for n in range(EVENTS)
    ]
    began = time.process_time()
    server.go.set()
    await server.said.wait()
    each = (time.process_time() - began) / EVENTS
    gone = roster.view(planned).pods[0]
    roster.remove(Identity("", "Pod", gone.namespace, gone.name))
    began = time.process_time()
    assert len(roster.view(planned).pods) == pods - 1
    view = time.process_time() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {
        "mb": round(held, 1),
        "list_s": round(listed, 2),
        "view_ms": round(view * 1e3, 1),
        "event_us": round(each * 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in (("nodes", 1000), ("pods", 10_000), ("workloads", 1000)):
        parser.add_argument(f"--{name}", type=int, default=count)
    args = parser.parse_args()
    print(json.dumps(asyncio.run(measure(args.nodes, args.pods, args.workloads))))


if __name__ == "__main__":
    main()
