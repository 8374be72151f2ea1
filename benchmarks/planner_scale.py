"""A plan for 2,000 workloads with about 100,000 replicas on 10,000 nodes: seconds, memory, and how near to the bound.

    python benchmarks/planner_scale.py [--workloads 2000] [--replicas 100000] [--nodes 10000] [--loads 0.9 1 1.1]

The cluster is made from a seed: three sizes of nodes in three zones, a spot pool and a tainted one; workloads with one
replica a node, hard zone spread, tolerations, a stated pool, and three priorities. Demand is so much of the scarcer of
cpu and memory of all nodes, also of those that most may not use. `of_bound` is Σ priority weight × replicas placed over
the linear bound, at the worst load; beside it, how many replicas have no place. `incremental_ms` is the plan again
after one node was lost, from the plan before. Processor time, so that a busy machine shows the same. The last line is
JSON.
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import (
    HOSTNAME,
    ZONE,
    NodeView,
    PodAffinity,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.plan import Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.plan import plan

GIBI = 1 << 30
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
        cpu = random.choice([250, 500, 1000, 2000, 4000, 8000])
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


def loaded(needs: Sequence[WorkloadNeed], nodes: Sequence[NodeView], load: float) -> list[WorkloadNeed]:
    """As many replicas as take `load` of the scarcer resource."""
    cpu = sum(need.replicas * need.requests.cpu for need in needs) / sum(node.allocatable.cpu for node in nodes)
    memory = sum(need.replicas * need.requests.memory for need in needs) / sum(n.allocatable.memory for n in nodes)
    factor = load / max(cpu, memory)
    return [replace(need, replicas=max(1, round(need.replicas * factor))) for need in needs]


@dataclass(frozen=True, slots=True)
class Timed:
    plan: Plan
    seconds: float


def timed(nodes: Sequence[NodeView], needs: Sequence[WorkloadNeed], previous: Plan) -> Timed:
    started = time.process_time()
    found = plan(nodes, [], needs, pools=POOLS, previous=previous)
    return Timed(found, time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--replicas", type=int, default=100_000)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--loads", type=float, nargs="+", default=[0.9, 1.0, 1.1])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    nodes = cluster(options.nodes, random)
    needs = workloads(options.workloads, options.replicas, random)
    full, again, of_bound = [], [], []
    for load in options.loads:
        asked = loaded(needs, nodes, load)
        first = timed(nodes, asked, Plan())
        second = timed(nodes[1:], asked, first.plan)
        replicas = sum(need.replicas for need in asked)
        lacking = sum(lack.count for lack in first.plan.unplaced.values())
        full.append(first.seconds)
        again.append(1000 * second.seconds)
        of_bound.append(first.plan.value / first.plan.bound)
        print(
            f"load {load:.2f}: {replicas} replicas, {lacking} without a place, {first.seconds:.2f} s,"
            f" {of_bound[-1]:.4f} of the bound, again {again[-1]:.0f} ms",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"full_s": max(full), "incremental_ms": max(again), "rss_mb": peak, "of_bound": min(of_bound)}
    print(json.dumps({name: round(value, 4) for name, value in line.items()}))


if __name__ == "__main__":
    main()
