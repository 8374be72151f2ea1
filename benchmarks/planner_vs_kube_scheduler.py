"""What the plan is worth where the real kube-scheduler places the pods: the same workloads without and with a planner.

    python benchmarks/planner_vs_kube_scheduler.py [--seeds 3] [--loads 0.5 0.65 0.97]

An etcd, kube-apiserver, controller manager and kube-scheduler (tests/controlplane) with nodes that exist as objects
only: three pools with prices in three zones. Workloads come from a seed: spread over zones, one replica a node, in two
zones only, urgent; their requests are `--loads` of all cpu. Both sides state the same replicas and requests and are
applied by the same engine; one is given the daemon's planner, whose preferences and spreading are in the pod templates.
Then zone a is lost: its nodes and their pods are gone, and what runs elsewhere stays. Two zones hold loads up to 66 %.

`pending` are replicas without a node, and what they request in cores; `cost` is the price of all nodes that have a pod;
`zone_skew` how unevenly the replicas of a workload are spread over the zones that it may use (most less fewest, mean),
and `least` how unevenly at the least, where as many run and what ran before a loss stays; `as_planned` the share of the
replicas that run in the pool and zone of the plan. The last line is JSON: [without, with], summed over seeds and loads,
and so for each load.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "controlplane"))

from build import find
from control_plane import ControlPlane
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.cluster.roster import Roster
from reconciler.engine.planning import ClusterPlanning, Unmeasured
from reconciler.http.client import HttpTransport
from reconciler.kube.names import GroupKind
from reconciler.model.cluster_view import ZONE
from reconciler.model.plan import Place
from reconciler.model.planning import Pool
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.sandbox.nodes import Node, node_object, node_status

ZONES = ("a", "b", "c")
LOST = "a"
LABEL = "pool"
NAME = "app.kubernetes.io/name"
SIZES = {"small": (4, 16, 5), "large": (16, 64, 2), "spot": (8, 32, 2)}  # cores, gibibytes, nodes in each zone
POOLS = (
    Pool("small", {LABEL: "small"}, 0.20),
    Pool("large", {LABEL: "large"}, 0.70),
    Pool("spot", {LABEL: "spot"}, 0.12),
)
PRICE = {pool.name: pool.price or 0.0 for pool in POOLS}
CORES = sum(cores * count * len(ZONES) for cores, _, count in SIZES.values())
HEAD = (
    f"{'':22}{'pending':>8} {'cores':>6} {'nodes':>6} {'cost/h':>8} {'zone skew':>10} {'least':>6} {'as planned':>11}"
)
QUIET = 1.0  # seconds in which nothing changed
POD = GroupKind("", "Pod")


@dataclass(frozen=True)
class Wish:
    """One workload, as its spec states it."""

    name: str
    replicas: int
    cpu: int  # thousandths of a core
    memory: int  # mebibytes
    rule: str

    def text(self) -> str:
        placement: dict[str, Any] = {}
        template: dict[str, Any] = {}
        match self.rule:
            case "spread":
                placement["spread"] = "zone"
            case "zone":
                placement["zones"] = ["b", "c"]
            case "urgent":
                placement["priorityClassName"] = "urgent"
            case "alone":
                term = {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {NAME: self.name}},
                }
                alone = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
                main = {"name": self.name, "image": "example.com/app:1"}
                template = {"template": {"spec": {"containers": [main], "affinity": alone}}}
        spec = {
            "image": "example.com/app:1",
            "replicas": self.replicas,
            "resources": {"requests": {"cpu": f"{self.cpu}m", "memory": f"{self.memory}Mi"}},
            "terminationGracePeriodSeconds": 0,  # no kubelet ends these pods
            **({"placement": placement} if placement else {}),
            **template,
        }
        made = {"apiVersion": "reconciler.dev/v1", "kind": "Deployment", "metadata": {"name": self.name}, "spec": spec}
        return yaml.safe_dump(made)


def wishes(load: float, random: Random) -> list[Wish]:
    """Until their cpu is `load` of all there is; a few need most of a small node."""
    found: list[Wish] = []
    left = int(load * CORES * 1000)
    while left > 0:
        cpu = random.choice([100, 250, 250, 500, 500, 1000, 1500, 3000])
        rule = random.choice(["", "", "", "spread", "zone", "urgent", "alone"])
        replicas = max(1, min(random.choice([1, 2, 2, 3, 3, 4, 6, 9]), left // cpu))
        memory = int(cpu * random.choice([1, 2, 4]) * 0.9)
        found.append(Wish(f"app-{len(found):03}", replicas, cpu, memory, rule))
        left -= replicas * cpu
    return found


def nodes(tag: str) -> list[Node]:
    return [
        Node(f"{tag}-{pool}-{zone}{number}", cpu=str(cores), memory=f"{memory}Gi", labels={LABEL: pool, ZONE: zone})
        for pool, (cores, memory, count) in SIZES.items()
        for zone in ZONES
        for number in range(count)
    ]


@dataclass(frozen=True)
class Found:
    """How it stands. `as_planned` is None where there is no plan to compare with."""

    pending: int
    pending_cores: float
    nodes: int
    cost: float
    zone_skew: float
    least: float
    as_planned: float | None = None

    def row(self) -> str:
        planned = "" if self.as_planned is None else f"{100 * self.as_planned:.1f} %"
        waiting = f"{self.pending:8} {self.pending_cores:6.1f}"
        return f"{waiting} {self.nodes:6} {self.cost:8.2f} {self.zone_skew:10.2f} {self.least:6.2f} {planned:>11}"


class Trial:
    """One set of workloads on fresh nodes, with or without a planner."""

    def __init__(self, w: World, asked: list[Wish], tag: str) -> None:
        self._w = w
        self._asked = {wish.name: wish for wish in asked}
        self._nodes = {node.name: node for node in nodes(tag)}
        self._planning: ClusterPlanning | None = None

    async def run(self, *, planned: bool) -> dict[str, Found]:
        """As it is planned, as it stands at first, and after a zone was lost."""
        for node in self._nodes.values():
            await self._join(node)
        async with self._planner() if planned else nullcontext():
            await self._w.started({f"{wish.name}.yaml": wish.text() for wish in self._asked.values()})
        found = {}
        plan = Counter(self._planned())
        if planned:
            found["the plan itself"] = self._counted(plan)
        run = await self._settled()
        found["with the plan" if planned else "kube-scheduler alone"] = self._counted(
            run, plan=plan if planned else None
        )
        for name in [name for name, node in self._nodes.items() if node.labels[ZONE] == LOST]:
            del self._nodes[name]
            await self._w.call("DELETE", f"/api/v1/nodes/{name}")
            await self._w.call("DELETE", self._w.path("pods"), fieldSelector=f"spec.nodeName={name}")
        found["  a zone lost"] = self._counted(await self._settled(), before=run)
        return found

    @asynccontextmanager
    async def _planner(self) -> AsyncIterator[None]:
        roster = Roster(self._w.cluster, clock=self._w.clock, random=Random(1))
        self._w.planning = self._planning = ClusterPlanning(
            roster,
            Unmeasured(),
            pools=POOLS,
            policy=lambda _wishes: Policy(),
            allocation=Allocation(),
            ours=lambda: True,
            wake=lambda _source: None,
            clock=self._w.clock,
            interval=3600,
        )
        following = asyncio.create_task(roster.run())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _join(self, node: Node) -> None:
        await self._w.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node_object(node)})
        await self._w.patch(f"/api/v1/nodes/{node.name}/status", {"status": node_status(node, self._w.clock.now())})
        await self._w.patch(f"/api/v1/nodes/{node.name}", {"spec": {"taints": None}})  # "not ready", given at birth

    async def _pods(self) -> list[Any]:
        return [pod.object for pod in await self._w.cluster.list(POD, self._w.space)]

    async def _settled(self) -> Counter[tuple[str, str]]:
        """Replicas by workload and node, once every pod has a node or was looked at in vain, and nothing changes."""
        before: list[tuple[str, str]] = []
        since = time.monotonic()
        while True:
            await asyncio.sleep(0.2)
            pods = await self._pods()
            now = sorted((pod["metadata"]["uid"], pod["spec"].get("nodeName", "")) for pod in pods)
            complete = len(pods) == sum(wish.replicas for wish in self._asked.values())
            if now != before or not complete or any(_unseen(pod) for pod in pods):
                before, since = now, time.monotonic()
            elif time.monotonic() - since > QUIET:
                return Counter((pod["metadata"]["labels"][NAME], pod["spec"].get("nodeName", "")) for pod in pods)

    def _planned(self) -> dict[tuple[str, str], int]:
        if self._planning is None or self._planning.advised is None:
            return {}
        assignment = self._planning.advised.plan.assignment
        return {(of.name, node): count for of, nodes in assignment.items() for node, count in nodes.items()}

    def _counted(
        self,
        run: Counter[tuple[str, str]],
        *,
        before: Counter[tuple[str, str]] | None = None,
        plan: Counter[tuple[str, str]] | None = None,
    ) -> Found:
        places, stayed = self._places(run), self._places(run & before if before is not None else Counter())
        waiting = {name: wish.replicas - places[name].total() for name, wish in self._asked.items()}
        used = {node for _, node in run if node in self._nodes}
        zones = {node.labels[ZONE] for node in self._nodes.values()}
        several = [name for name, wish in self._asked.items() if wish.replicas > 1]
        each = {name: self._by_zone(name, places[name], zones) for name in several}
        skews = [max(counts) - min(counts) for counts in each.values()]
        least = [_least(self._by_zone(name, stayed[name], zones), sum(each[name])) for name in several]
        agreed = None
        if plan is not None:
            wanted = self._places(plan)
            agreed = sum((places[name] & wanted[name]).total() for name in places) / plan.total()
        return Found(
            sum(waiting.values()),
            sum(self._asked[name].cpu * count for name, count in waiting.items()) / 1000,
            len(used),
            sum(PRICE[self._nodes[name].labels[LABEL]] for name in used),
            sum(skews) / len(skews),
            sum(least) / len(least),
            agreed,
        )

    def _places(self, run: Counter[tuple[str, str]]) -> dict[str, Counter[Place]]:
        places: dict[str, Counter[Place]] = {name: Counter() for name in self._asked}
        for (name, where), count in run.items():
            if node := self._nodes.get(where):
                places[name][Place(node.labels[LABEL], node.labels[ZONE])] += count
        return places

    def _by_zone(self, name: str, counts: Mapping[Place, int], zones: set[str]) -> list[int]:
        may = zones & {"b", "c"} if self._asked[name].rule == "zone" else zones
        return [sum(count for place, count in counts.items() if place.zone == zone) for zone in sorted(may)]


def _least(stayed: list[int], running: int) -> int:
    """The least skew, were those that did not stay placed one by one where fewest are."""
    counts = sorted(stayed)
    for _ in range(running - sum(stayed)):
        counts[0] += 1
        counts.sort()
    return counts[-1] - counts[0]


def _unseen(pod: Any) -> bool:
    said = (pod.get("status") or {}).get("conditions") or ()
    return not pod["spec"].get("nodeName") and not any(each["type"] == "PodScheduled" for each in said)


async def clear(w: World) -> None:
    """Nothing is left for the next trial."""
    await w.call("DELETE", w.path("deployments", "apis/apps/v1"), propagationPolicy="Background")
    while await w.cluster.list(POD, w.space):
        await w.call("DELETE", w.path("pods"))
        await asyncio.sleep(0.1)
    await w.call("DELETE", "/api/v1/nodes")


Sides = tuple[dict[str, Found], dict[str, Found]]


async def compare(plane: ControlPlane, seeds: int, loads: list[float]) -> dict[float, list[Sides]]:
    found: dict[float, list[Sides]] = {load: [] for load in loads}
    for load in loads:
        for seed in range(1, seeds + 1):
            asked = wishes(load, Random(seed))
            print(f"\nload {load:.0%}, seed {seed}: {len(asked)} workloads, {sum(w.replicas for w in asked)} replicas")
            print(HEAD)
            without, planned = [await one(plane, asked, f"{round(100 * load)}-{seed}", side) for side in (False, True)]
            found[load].append((without, planned))
    return found


async def one(plane: ControlPlane, asked: list[Wish], tag: str, planned: bool) -> dict[str, Found]:
    tag = f"{tag}-{'planned' if planned else 'alone'}"
    async with opened(World(lambda: HttpTransport(plane.url, ssl=plane.as_admin()), SystemClock(), tag)) as w:
        found = await Trial(w, asked, tag).run(planned=planned)
        await clear(w)
    for name, each in found.items():
        print(f"{name:22}{each.row()}", flush=True)
    return found


def summed(pairs: list[tuple[Found, Found]]) -> dict[str, list[float]]:
    """[without, with] of each figure; the mean of the skews, the sum of the others."""
    total: dict[str, list[float]] = {}
    for name in ("pending", "pending_cores", "nodes", "cost", "zone_skew", "least"):
        share = len(pairs) if name in ("zone_skew", "least") else 1
        total[name] = [round(sum(getattr(pair[side], name) for pair in pairs) / share, 2) for side in (0, 1)]
    return total


def told(found: list[Sides]) -> dict[str, Any]:
    first = summed([(without["kube-scheduler alone"], planned["with the plan"]) for without, planned in found])
    lost = summed([(without["  a zone lost"], planned["  a zone lost"]) for without, planned in found])
    agreed = [planned["with the plan"].as_planned or 0.0 for _, planned in found]
    return {**first, "after_zone_loss": lost, "as_planned": round(sum(agreed) / len(agreed), 3)}


async def measure(seeds: int, loads: list[float]) -> None:
    with TemporaryDirectory(prefix="scheduler-") as folder:
        options = {"controllers": "*,-node-lifecycle-controller"}  # no kubelet says that these nodes live
        plane = ControlPlane(find(), Path(folder), manager=options)
        await asyncio.to_thread(plane.prepare)
        try:
            await plane.start()
            async with opened(World(lambda: HttpTransport(plane.url, ssl=plane.as_admin()), SystemClock())) as w:
                urgent = {"metadata": {"name": "urgent"}, "value": 1000}
                await w.create("/apis/scheduling.k8s.io/v1/priorityclasses", urgent)
            found = await compare(plane, seeds, loads)
        finally:
            await plane.stop()
    total = told([pair for pairs in found.values() for pair in pairs])
    print(json.dumps({**total, "by_load": {f"{load:g}": told(pairs) for load, pairs in found.items()}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.5, 0.65, 0.97])
    options = parser.parse_args()
    asyncio.run(measure(options.seeds, options.loads))


if __name__ == "__main__":
    main()
