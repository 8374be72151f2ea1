"""What would be if: the same cluster with less or more in it."""

from dataclasses import replace

import pytest
from generated_clusters import MEBI, identity

from reconciler.model.cluster_view import HOSTNAME, ZONE, NodeView, PodView, Resources
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.plan import plan
from reconciler.planner.snapshot import ClusterView
from reconciler.planner.whatif import loaded, with_nodes, without_zone

POOLS = [Pool("general", {"pool": "general"}), Pool("spot", {"pool": "spot"})]
WEB = WorkloadNeed(identity("web"), 3, Resources(1000, 256 * MEBI))


def node(name: str, zone: str) -> NodeView:
    return NodeView(name, Resources(4000, 8192 * MEBI), {ZONE: zone, HOSTNAME: name, "pool": "general"})


NODES = (node("a1", "a"), replace(node("b1", "b"), schedulable=False, ready=False))
PODS = (
    PodView("kube-system", "proxy-1", "a1", Resources(500), daemon=True),
    PodView("kube-system", "proxy-2", "b1", Resources(700), daemon=True),
    PodView("shop", "web-1", "a1", Resources(1000, 256 * MEBI), WEB.identity),
    PodView("shop", "other-1", "a1", Resources(1000)),
)
VIEW = ClusterView(NODES, PODS, (WEB,))


def test_a_lost_zone_takes_its_nodes_and_their_pods() -> None:
    left = without_zone(VIEW, "a")
    assert ([each.name for each in left.nodes], [each.name for each in left.pods]) == (["b1"], ["proxy-2"])
    with pytest.raises(KeyError):
        without_zone(VIEW, "c")


@pytest.mark.parametrize(("factor", "replicas"), [(0, 0), (0.5, 2), (1, 3), (1.5, 5), (2, 6)])
def test_a_load_is_rounded_up(factor: float, replicas: int) -> None:
    assert [need.replicas for need in loaded(VIEW, factor).needs] == [replicas]


def test_more_nodes_are_like_those_of_the_pool_and_have_its_daemons() -> None:
    """In one zone after the other, ready, under names of their own; all else that runs stays where it is."""
    more = with_nodes(VIEW, POOLS, "general", 3)
    new = more.nodes[2:]
    assert [(each.name, each.labels[ZONE], each.labels[HOSTNAME]) for each in new] == [
        (f"general-added-{n}", zone, f"general-added-{n}") for n, zone in ((1, "a"), (2, "b"), (3, "a"))
    ]
    assert all(each.ready and each.schedulable for each in new)
    assert more.pods[:4] == PODS
    assert [(each.node, each.requests.cpu, each.owner) for each in more.pods[4:]] == [
        ("general-added-1", 500, None),
        ("general-added-2", 700, None),
        ("general-added-3", 500, None),
    ]


def test_what_daemons_take_of_a_new_node_is_not_there_for_others() -> None:
    """Four cores, half of one for the daemon: three replicas of one core, not four."""
    asked = replace(WEB, replicas=9)
    there = ClusterView(NODES[:1], PODS[:1], (asked,))
    for count, placed in ((0, 3), (1, 6), (2, 9)):
        more = with_nodes(there, POOLS, "general", count)
        assert sum(plan(more.nodes, more.pods, more.needs).assignment[WEB.identity].values()) == placed


def test_a_pool_without_a_node_is_like_its_template() -> None:
    spot = replace(POOLS[1], template=replace(node("like", "c"), labels={"pool": "spot"}))
    (new,) = with_nodes(VIEW, [spot], "spot", 1).nodes[2:]
    assert (new.name, new.labels["pool"]) == ("spot-added-1", "spot")
    for pool in ("spot", "none"):
        with pytest.raises(KeyError):
            with_nodes(VIEW, POOLS, pool, 1)
