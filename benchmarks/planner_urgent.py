"""What is urgent comes to a full cluster: how many of its replicas find a place, and at the price of how many moves.

    python benchmarks/planner_urgent.py [--nodes 1000]

The cluster of planner_scale.py at load 1.1, all of it of one priority, movable, and running as planned. Then thirty
replicas of 4 cores and a higher priority come: bound by nothing, spread evenly over zones, one a node, or both. The
last line is JSON: by what binds them {"placed", "moves", "ms"}, milliseconds of processor time.
"""

import argparse
import json
import time
from dataclasses import replace
from random import Random

from planner_scale import GIBI, POOLS, REPLICAS_A_NODE, carried_out, cluster, loaded, workloads

from reconciler.kube.names import Identity
from reconciler.kube.selector import LabelSelector
from reconciler.model.cluster_view import HOSTNAME, ZONE, PodAffinity, Resources, TopologySpread
from reconciler.model.planning import WorkloadNeed
from reconciler.planner.plan import plan

APP = LabelSelector.of({"matchLabels": {"app": "urgent"}})
EVEN = (TopologySpread(ZONE, 1, APP, hard=True),)
ALONE = (PodAffinity(HOSTNAME, APP, anti=True),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    count, random = parser.parse_args().nodes, Random(1)
    nodes = cluster(count, random)
    needs = [
        replace(need, priority=0, movable=True)
        for need in loaded(workloads(count // 5, REPLICAS_A_NODE * count, random), nodes, 1.1)
    ]
    before = plan(nodes, [], needs, pools=POOLS)
    running = carried_out(needs, before)
    urgent = WorkloadNeed(
        Identity("reconciler.dev", "Deployment", "team-1", "urgent"), 30, Resources(4000, 8 * GIBI),
        labels={"app": "urgent"}, priority=1000,
    )  # fmt: skip
    found = {}
    for name, spreads, affinities in (
        ("nothing", (), ()),
        ("spread", EVEN, ()),
        ("one a node", (), ALONE),
        ("both", EVEN, ALONE),
    ):
        asked = [*needs, replace(urgent, spreads=spreads, affinities=affinities)]
        started = time.process_time()
        after = plan(nodes, running, asked, pools=POOLS, previous=before)
        seconds = time.process_time() - started
        placed = sum(after.assignment[urgent.identity].values())
        found[name] = {"placed": placed, "moves": len(after.moves), "ms": round(1000 * seconds)}
        print(f"{name:12}{placed:4} of {urgent.replicas} placed, {len(after.moves):4} moves, {1000 * seconds:5.0f} ms")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
