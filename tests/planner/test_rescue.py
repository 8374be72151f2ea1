"""How long a search is, and what it gives."""

from dataclasses import replace

from generated_clusters import MEBI, identity

from reconciler.model.cluster_view import NodeView, Resources
from reconciler.model.planning import WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan
from reconciler.planner.rescue import EACH, SMALL, rounds

NODES = [NodeView(f"n{number:03}", Resources(4000, 8192 * MEBI)) for number in range(SMALL + 100)]
SMALL_ONES = WorkloadNeed(identity("small"), 4 * len(NODES), Resources(1000, MEBI))
URGENT = WorkloadNeed(identity("urgent"), 5, Resources(4000, MEBI), priority=100)


def test_a_first_plan_and_a_small_cluster_are_searched_in_full() -> None:
    policy = Policy(iterations=2000)
    assert rounds(policy, 10_000, 1, first=True) == 2000
    assert rounds(policy, SMALL, 1, first=False) == 2000


def test_a_change_of_a_large_cluster_is_searched_for_as_it_is_large() -> None:
    policy = Policy(iterations=2000)
    assert rounds(policy, 10_000, 1, first=False) == 2000 * SMALL // 10_000
    assert rounds(policy, 10_000, 100, first=False) == 100 * EACH
    assert rounds(policy, 10_000, 100_000, first=False) == 2000


def test_what_is_urgent_finds_a_place_among_many_full_nodes() -> None:
    """All nodes are full of what counts less; fewer take part than there are."""
    before = plan(NODES, [], [SMALL_ONES])
    assert not before.unplaced
    after = plan(NODES, [], [SMALL_ONES, URGENT], previous=before, policy=Policy(iterations=100))
    assert sum(after.assignment[URGENT.identity].values()) == 5
    assert after.unplaced[SMALL_ONES.identity].count == 20


def test_a_search_of_no_rounds_changes_nothing() -> None:
    before = plan(NODES, [], [SMALL_ONES])
    after = plan(NODES, [], [SMALL_ONES, replace(URGENT, replicas=1)], previous=before, policy=Policy(iterations=0))
    assert after.unplaced[URGENT.identity].count == 1
    assert after.assignment[SMALL_ONES.identity] == before.assignment[SMALL_ONES.identity]


def test_who_need_not_give_way_stays_where_it_scored_best() -> None:
    """One pod finds no room anywhere. Emptying nodes for it in vain moves nobody."""
    nodes = [NodeView(f"n{number}", Resources(4000, 8192 * MEBI)) for number in range(3)]
    nodes.append(NodeView("large", Resources(16_000, 8192 * MEBI), labels={"size": "large"}))
    web = WorkloadNeed(identity("web"), 2, Resources(250, MEBI))
    big = WorkloadNeed(identity("big"), 2, Resources(10_000, MEBI), node_selector={"size": "large"})
    alone = plan(nodes, [], [web, replace(big, replicas=1)])
    both = plan(nodes, [], [web, big])
    assert both.unplaced[big.identity].count == 1
    assert both.assignment[web.identity] == alone.assignment[web.identity]
