"""Tiny packings against their optimum, by CP-SAT, and against the bound."""

from collections.abc import Iterator

import pytest
from amount import examples
from generated_clusters import MEBI, identity
from hypothesis import given
from hypothesis import strategies as st
from packing_oracle import Oracle

from reconciler.model.cluster_view import Gpu, NodeView, Resources
from reconciler.model.planning import WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan
from reconciler.planner.worth import weights


@st.composite
def packings(draw: st.DrawFn) -> tuple[list[NodeView], list[WorkloadNeed]]:
    nodes = [
        NodeView(
            f"n{number}",
            Resources(draw(st.integers(4, 16)) * 500, draw(st.integers(4, 16)) * 512 * MEBI),
            gpus=draw(st.integers(0, 2)),
            pods=draw(st.sampled_from([110, 6])),
        )
        for number in range(draw(st.integers(2, 4)))
    ]
    needs = [
        WorkloadNeed(
            identity(f"w{number}"),
            draw(st.integers(1, 5)),
            Resources(draw(st.integers(1, 6)) * 500, draw(st.integers(1, 6)) * 512 * MEBI),
            draw(st.sampled_from([Gpu(), Gpu(), Gpu(1), Gpu(1, 400), Gpu(1, 700), Gpu(2)])),
            priority=draw(st.sampled_from([0, 0, 10])),
        )
        for number in range(draw(st.integers(2, 5)))
    ]
    return nodes, needs


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    found = Oracle()
    yield found
    found.close()


@examples(60)
@given(packings())
def test_a_tiny_plan_is_near_the_optimum_and_the_optimum_within_the_bound(
    oracle: Oracle, packing: tuple[list[NodeView], list[WorkloadNeed]]
) -> None:
    nodes, needs = packing
    found = plan(nodes, [], needs, policy=Policy(iterations=500))
    worths = weights(needs)
    best = oracle.optimum(
        [[node.allocatable.cpu, node.allocatable.memory // MEBI, node.pods, node.gpus] for node in nodes],
        [
            [need.replicas, need.requests.cpu, need.requests.memory // MEBI, need.gpu.count, need.gpu.milli, int(worth)]
            for need, worth in zip(needs, worths, strict=True)
        ],
    )
    assert 0.8 * best <= found.value <= best + 1e-6 <= found.bound + 2e-6  # 99 of 100 reach it
