"""Tiny packings against their optimum, by CP-SAT, and against the bound."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from amount import examples
from generated_clusters import MEBI, app, identity
from hypothesis import given
from hypothesis import strategies as st
from packing_oracle import Oracle

from reconciler.model.cluster_view import HOSTNAME, ZONE, Gpu, NodeView, PodAffinity, Resources, TopologySpread
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan
from reconciler.planner.worth import weights


@dataclass(frozen=True)
class Packing:
    """A question, and what the oracle is told of its rules."""

    nodes: list[NodeView]
    needs: list[WorkloadNeed]
    pools: list[Pool]
    rules: dict[str, list[list[Any]]]


@st.composite
def packings(draw: st.DrawFn, *, ruled: bool) -> Packing:
    nodes, needs = [], []
    zones = [draw(st.sampled_from("ab")) for _ in range(draw(st.integers(2, 4)))]
    for number, zone in enumerate(zones):
        labels = {ZONE: zone, HOSTNAME: f"n{number}", "pool": draw(st.sampled_from("xy"))}
        size = Resources(draw(st.integers(4, 16)) * 500, draw(st.integers(4, 16)) * 512 * MEBI)
        gpus = 0 if ruled else draw(st.integers(0, 2))
        nodes.append(NodeView(f"n{number}", size, labels, gpus=gpus, pods=draw(st.sampled_from([110, 6]))))
    domains = {ZONE: ["ab".index(zone) for zone in zones], HOSTNAME: list(range(len(zones)))}
    names = [f"w{number}" for number in range(draw(st.integers(2, 5)))]
    rules: dict[str, list[list[Any]]] = {"apart": [], "even": [], "limits": []}
    for number, name in enumerate(names):
        need = WorkloadNeed(
            identity(name),
            draw(st.integers(1, 5)),
            Resources(draw(st.integers(1, 6)) * 500, draw(st.integers(1, 6)) * 512 * MEBI),
            Gpu() if ruled else draw(st.sampled_from([Gpu(), Gpu(), Gpu(1), Gpu(1, 400), Gpu(1, 700), Gpu(2)])),
            labels={"app": name},
            priority=draw(st.sampled_from([0, 0, 10])),
            movable=True,
        )
        key = draw(st.sampled_from([ZONE, HOSTNAME]))
        match draw(st.sampled_from(["apart", "from another", "even", ""])) if ruled else "":
            case "apart":
                need = replace(need, affinities=(PodAffinity(key, app(name), anti=True),))
                rules["apart"].append([number, number, domains[key]])
            case "from another":
                other = draw(st.integers(0, len(names) - 1))
                need = replace(need, affinities=(PodAffinity(key, app(names[other]), anti=True),))
                rules["apart"].append([number, other, domains[key]])
            case "even":
                skew = draw(st.integers(1, 2))
                need = replace(need, spreads=(TopologySpread(key, skew, app(name), hard=True),))
                rules["even"].append([number, domains[key], skew])
        needs.append(need)
    limit = draw(st.sampled_from([0, 3000, 6000])) if ruled else 0
    pools = [Pool("x", {"pool": "x"}, limits=Resources(cpu=limit) if limit else None)]
    if limit:
        rules["limits"].append([[node.labels["pool"] == "x" for node in nodes], limit])
    return Packing(nodes, needs, pools, rules)


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    found = Oracle()
    yield found
    found.close()


def optimum(oracle: Oracle, packing: Packing) -> float:
    nodes = [[node.allocatable.cpu, node.allocatable.memory // MEBI, node.pods, node.gpus] for node in packing.nodes]
    needs = [
        [need.replicas, need.requests.cpu, need.requests.memory // MEBI, need.gpu.count, need.gpu.milli, int(worth)]
        for need, worth in zip(packing.needs, weights(packing.needs), strict=True)
    ]
    return oracle.optimum(nodes, needs, **packing.rules)


@examples(60)
@given(packings(ruled=False))
def test_a_tiny_plan_is_near_the_optimum_and_the_optimum_within_the_bound(oracle: Oracle, packing: Packing) -> None:
    found = plan(packing.nodes, [], packing.needs, policy=Policy())
    best = optimum(oracle, packing)
    assert 0.8 * best <= found.value <= best + 1e-6 <= found.bound + 2e-6  # 97 of 100 reach it


@examples(60)
@given(packings(ruled=True))
def test_so_is_one_with_rules_among_replicas_and_a_limit(oracle: Oracle, packing: Packing) -> None:
    found = plan(packing.nodes, [], packing.needs, pools=packing.pools, policy=Policy(iterations=500))
    best = optimum(oracle, packing)
    assert 0.6 * best <= found.value <= best + 1e-6 <= found.bound + 2e-6  # 98 of 100 reach it


@examples(40)
@given(packings(ruled=True))
def test_and_one_to_which_the_urgent_come_later(oracle: Oracle, packing: Packing) -> None:
    """What counts less was planned first, on nodes that the others need."""
    policy = Policy(iterations=500)
    easy = [replace(need, replicas=need.replicas * (need.priority == 0)) for need in packing.needs]
    before = plan(packing.nodes, [], easy, pools=packing.pools, policy=policy)
    found = plan(packing.nodes, [], packing.needs, pools=packing.pools, policy=policy, previous=before)
    best = optimum(oracle, packing)
    assert 0.5 * best <= found.value <= best + 1e-6  # 95 of 100 reach it
