"""How full nodes are, now and as planned."""

import pytest

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ZONE, Gpu, NodeView, PodView, Resources
from reconciler.model.plan import Plan
from reconciler.model.planned import Share
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.loads import loads, requested
from reconciler.planner.snapshot import ClusterView

WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
GIB = 1 << 30


def node(name: str, pool: str, *, ready: bool = True, gpus: int = 0) -> NodeView:
    return NodeView(name, Resources(4000, 8 * GIB), {"pool": pool, ZONE: "a"}, gpus=gpus, ready=ready)


POOLS = (
    Pool("large", {"pool": "large"}, template=node("large", "large"), growth=2),
    Pool("small", {"pool": "small"}),
)
VIEW = ClusterView(
    (node("s1", "small"), node("s2", "small"), node("gone", "small", ready=False), node("g1", "gpu", gpus=2)),
    (
        PodView("shop", "web-1", "s1", Resources(1000, GIB), owner=WEB),
        PodView("kube-system", "dns-1", "s1", Resources(500, GIB)),
        PodView("ml", "train-1", "g1", Resources(), gpu=Gpu(1, 500)),
    ),
    (WorkloadNeed(WEB, 3, Resources(2000, 2 * GIB)),),
)
PLAN = Plan(assignment={WEB: {"s2": 2, "large+0000": 1}})


def test_ours_move_and_everybody_elses_pods_stay() -> None:
    found = {each.name: each for each in loads(PLAN, VIEW, POOLS)}
    assert found["s1"].parts == {"cpu": Share(1500 / 4000, 500 / 4000), "memory": Share(0.25, 0.125)}
    assert found["s2"].parts == {"cpu": Share(0.0, 1.0), "memory": Share(0.0, 0.5)}
    assert found["g1"].parts["gpu"] == Share(0.25, 0.25)
    assert (found["g1"].pool, found["s1"].pool, found["s1"].zone) == ("", "small", "a")


def test_a_node_that_is_away_or_yet_to_come_is_not_there() -> None:
    found = {each.name: each for each in loads(PLAN, VIEW, POOLS)}
    assert {name for name, each in found.items() if not each.there} == {"gone", "large+0000"}
    assert found["large+0000"].parts["cpu"] == Share(0.0, 0.5)
    assert [each.pool for each in found.values()] == ["", "large", "small", "small", "small"], "in order"


def test_of_all_nodes_those_count_that_are_ready() -> None:
    found = requested(PLAN, VIEW)
    assert found["cpu"].now == pytest.approx(1500 / 12_000)
    assert found["cpu"].planned == pytest.approx((500 + 6000) / 12_000)
    assert found["gpu"] == Share(0.25, 0.25)
    assert requested(Plan(), ClusterView((), (), ())) == {"cpu": Share(0.0, 0.0), "memory": Share(0.0, 0.0)}
