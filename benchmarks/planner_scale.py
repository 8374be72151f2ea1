"""A plan for 2,000 workloads with about 100,000 replicas on 10,000 nodes: seconds, memory, and how near to the bound.

    python benchmarks/planner_scale.py [--workloads 2000] [--nodes 10000] [--loads 0.9 1 1.1] [--running] [--own 0.05]
        [--quotas 0.8] [--sizes]

The cluster is made from a seed: three sizes of nodes in three zones, a spot pool and a tainted one; workloads with one
replica a node, hard zone spread, tolerations, a stated pool, and three priorities; half a core to eight for a replica,
so that ten of them to a node are a full load. Demand is so much of the scarcer of cpu and memory of all nodes, also of
those that most may not use; so some replicas have no place at any of these loads.

`full_s` is a plan from nothing. `incremental_ms` is a plan from the plan before after one workload has changed its
replicas, or after one node was lost: the median of five changes of each sort, the worse of the two sorts. `of_bound` is
Σ priority weight × replicas placed over the linear bound. All at the worst load; in processor time, so that a busy
machine shows nearly the same. With `--running` the replicas of the plan before run; with `--own` that part of the
workloads weighs each term by a weight of its own; with `--quotas` each namespace may have that part of what its
workloads ask for; with `--sizes` a tenth of it and twice as much follow. The last line is JSON.
"""

import argparse
import json
import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from statistics import median

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import (
    HOSTNAME,
    ZONE,
    NodeView,
    PodAffinity,
    PodView,
    Quota,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.plan import Plan
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import PROFILES
from reconciler.planner.plan import plan

GIBI = 1 << 30
REPLICAS_A_NODE = 10
CHANGES = 5
SIZES = ((16_000, 64), (32_000, 128), (64_000, 256))  # cpu, and memory in gibibytes
POOLS = (
    Pool("general", {"pool": "general"}, 1.0),
    Pool("spot", {"pool": "spot"}, 0.3, spot=True),
    Pool("batch", {"pool": "batch"}, 0.8),
)


def cluster(count: int, random: Random) -> list[NodeView]:
    nodes = []
    for number in range(count):
        cpu, memory = random.choice(SIZES)
        pool = random.choices(["general", "spot", "batch"], [6, 3, 1])[0]
        taints = (Taint("dedicated", "batch"),) if pool == "batch" else ()
        name = f"node-{number:05}"
        labels = {ZONE: "abc"[number % 3], HOSTNAME: name, "pool": pool}
        nodes.append(NodeView(name, Resources(cpu, memory * GIBI), labels, taints))
    return nodes


def workloads(count: int, replicas: int, random: Random) -> list[WorkloadNeed]:
    found = []
    for number in range(count):
        name = f"workload-{number:04}"
        cpu = random.choice([500, 1000, 2000, 4000, 6000, 8000])
        selector = LabelSelector.of({"matchLabels": {"app": name}})
        need = WorkloadNeed(
            Identity("reconciler.dev", "Deployment", f"team-{number % 50}", name),
            max(1, int(random.expovariate(count / replicas))),
            Resources(cpu, int(cpu / 1000 * random.choice([1, 2, 4, 8]) * GIBI)),
            labels={"app": name},
            priority=random.choice([0, 0, 100, 1000]),
        )
        dice = random.random()
        if dice < 0.1:
            need = replace(need, affinities=(PodAffinity(HOSTNAME, selector, anti=True),))
        elif dice < 0.3:
            need = replace(need, spreads=(TopologySpread(ZONE, 1, selector, hard=True),))
        elif dice < 0.4:
            need = replace(need, tolerations=(Toleration("dedicated", "batch"),))
        elif dice < 0.5:
            need = replace(need, pool="general")
        found.append(need)
    return found


def own(needs: Sequence[WorkloadNeed], part: float, random: Random) -> list[WorkloadNeed]:
    """Some of them with weights of their own, no two alike: each from none to twice the profile's."""
    chosen = set(random.sample(range(len(needs)), round(part * len(needs))))
    usual = PROFILES["balanced"]

    def weighs() -> PlannerSettings:
        return PlannerSettings(weights={name.value: 2 * weight * random.random() for name, weight in usual.items()})

    return [replace(need, weighs=weighs()) if number in chosen else need for number, need in enumerate(needs)]


def loaded(needs: Sequence[WorkloadNeed], nodes: Sequence[NodeView], load: float) -> list[WorkloadNeed]:
    """As many replicas as take `load` of the scarcer resource."""
    cpu = sum(need.replicas * need.requests.cpu for need in needs) / sum(node.allocatable.cpu for node in nodes)
    memory = sum(need.replicas * need.requests.memory for need in needs) / sum(n.allocatable.memory for n in nodes)
    factor = load / max(cpu, memory)
    return [replace(need, replicas=max(1, round(need.replicas * factor))) for need in needs]


@dataclass(frozen=True, slots=True)
class Cluster:
    nodes: list[NodeView]
    pods: list[PodView]
    needs: list[WorkloadNeed]
    quotas: list[Quota] = field(default_factory=list)


def binding(needs: Sequence[WorkloadNeed], part: float) -> list[Quota]:
    """One in each namespace: so much of the cpu that is asked for there."""
    asked = Counter[str]()
    for need in needs:
        asked[need.identity.namespace] += need.replicas * need.requests.cpu
    return [Quota(space, "cpu", (("cpu", int(part * cpu)),)) for space, cpu in sorted(asked.items())]


def carried_out(needs: Sequence[WorkloadNeed], found: Plan) -> list[PodView]:
    """A pod for each replica that has a node."""
    return [
        PodView(
            need.identity.namespace, f"{need.identity.name}-{node}-{n}", node, need.requests, need.identity, need.labels
        )
        for need in needs
        for node, count in found.assignment[need.identity].items()
        for n in range(count)
    ]


def changed(cluster: Cluster, number: int) -> Cluster:
    """One workload wants a fifth more replicas, or less where the number is odd."""
    at = (7919 * (number + 1)) % len(cluster.needs)
    need = cluster.needs[at]
    more = max(1, need.replicas // 5)
    other = replace(need, replicas=max(0, need.replicas + (-more if number % 2 else more)))
    return replace(cluster, needs=[*cluster.needs[:at], other, *cluster.needs[at + 1 :]])


def lost(cluster: Cluster, number: int) -> Cluster:
    """One node is gone, with what ran there."""
    at = (7919 * (number + 1)) % len(cluster.nodes)
    name = cluster.nodes[at].name
    nodes = cluster.nodes[:at] + cluster.nodes[at + 1 :]
    return replace(cluster, nodes=nodes, pods=[pod for pod in cluster.pods if pod.node != name])


def timed(cluster: Cluster, previous: Plan) -> tuple[Plan, float]:
    started = time.process_time()
    found = plan(cluster.nodes, cluster.pods, cluster.needs, pools=POOLS, previous=previous, quotas=cluster.quotas)
    return found, time.process_time() - started


@dataclass(frozen=True, slots=True)
class Measured:
    full: float
    node: float
    workload: float
    of_bound: float


def measured(
    nodes: list[NodeView], needs: list[WorkloadNeed], load: float, *, running: bool, quotas: float
) -> Measured:
    needs = loaded(needs, nodes, load)
    asked = Cluster(nodes, [], needs, binding(needs, quotas) if quotas else [])
    first, full = timed(asked, Plan())
    if running:
        asked = replace(asked, pods=carried_out(asked.needs, first))
        first, _ = timed(asked, first)
    node, workload = (
        median([timed(change(asked, number), first)[1] for number in range(CHANGES)]) for change in (lost, changed)
    )
    replicas = sum(need.replicas for need in asked.needs)
    lacking = sum(lack.count for lack in first.unplaced.values())
    found = Measured(full, 1000 * node, 1000 * workload, first.value / first.bound)
    print(
        f"{len(nodes):6} nodes, {len(needs):5} workloads, load {load:.2f}: {replicas:6} replicas, {lacking:5} without a"
        f" place, {full:5.2f} s, {found.of_bound:.4f} of the bound; after a lost node {found.node:4.0f} ms, after a"
        f" changed workload {found.workload:4.0f} ms",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.9, 1.0, 1.1])
    parser.add_argument("--running", action="store_true")
    parser.add_argument("--own", type=float, default=0.0)
    parser.add_argument("--quotas", type=float, default=0.0)
    parser.add_argument("--sizes", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def at(factor: float, loads: Sequence[float]) -> list[Measured]:
        random = Random(options.seed)
        nodes = cluster(int(options.nodes * factor), random)
        needs = workloads(int(options.workloads * factor), REPLICAS_A_NODE * len(nodes), random)
        needs = own(needs, options.own, random)
        return [measured(nodes, needs, load, running=options.running, quotas=options.quotas) for load in loads]

    found = at(1, options.loads)
    line = {
        "full_s": max(each.full for each in found),
        "incremental_ms": max(max(each.node, each.workload) for each in found),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "of_bound": min(each.of_bound for each in found),
    }
    for factor in (0.1, 2) if options.sizes else ():
        at(factor, [1.0])
    print(json.dumps({name: round(value, 4) for name, value in line.items()}))


if __name__ == "__main__":
    main()
