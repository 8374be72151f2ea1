"""What cannot be meant is noted or left without a place; a plan never fails on it."""

from dataclasses import replace

import pytest
from generated_clusters import MEBI, app, identity

from reconciler.model.cluster_view import HOSTNAME, ZONE, Gpu, NodeView, PodAffinity, PodView, Resources, Taint
from reconciler.model.plan import Constraint
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy, TermName, WrongPolicy
from reconciler.planner.plan import plan

NODE = NodeView("n0", Resources(4000, 8192 * MEBI), {ZONE: "a", "pool": "general"})
WEB = WorkloadNeed(identity("web"), 2, Resources(500, 256 * MEBI), labels={"app": "web"})


def test_no_nodes() -> None:
    found = plan([], [], [WEB])
    assert found.unplaced[WEB.identity].constraint is Constraint.NO_NODES
    assert found.unplaced[WEB.identity].count == 2
    assert (found.value, found.bound, found.gap) == (0, 0, 0)


def test_nothing_at_all() -> None:
    assert plan([], [], []).placements == {}
    assert plan([NODE], [], []).value == 0


def test_no_replicas() -> None:
    found = plan([NODE], [], [replace(WEB, replicas=0)])
    assert found.placements[WEB.identity] == ()
    assert not found.unplaced


@pytest.mark.parametrize(
    ("need", "said"),
    [
        (replace(WEB, requests=Resources(cpu=-1)), "less than nothing"),
        (replace(WEB, requests=Resources(memory=10**30)), "more than any cluster has"),
        (replace(WEB, requests=Resources(memory=10**400)), "more than any cluster has"),
        (replace(WEB, requests=Resources(cpu=float("nan"))), "no whole number"),  # type: ignore[arg-type]
        (replace(WEB, requests=Resources(cpu=float("inf"))), "no whole number"),  # type: ignore[arg-type]
        (replace(WEB, replicas=-3), "less than nothing"),
        (replace(WEB, replicas=float("nan")), "no whole number"),  # type: ignore[arg-type]
        (replace(WEB, gpu=Gpu(1, 1500)), "not from 1 to 1000"),
        (replace(WEB, gpu=Gpu(1, 0)), "not from 1 to 1000"),
        (replace(WEB, requests=Resources(extended=(("example.com/fpga", -2),))), "example.com/fpga is -2"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_and_others_are_planned(need: WorkloadNeed, said: str) -> None:
    other = replace(WEB, identity=identity("other"))
    found = plan([NODE], [], [need, other])
    assert found.unplaced[WEB.identity].constraint is Constraint.INPUT
    assert said in found.unplaced[WEB.identity].reason
    assert found.assignment[other.identity] == {"n0": 2}


def test_absurd_nodes() -> None:
    absurd = replace(NODE, name="n1", allocatable=Resources(10**40, -5), gpus=10**9)
    nan = replace(NODE, name="n2", allocatable=Resources(float("nan"), 0))  # type: ignore[arg-type]
    found = plan([NODE, absurd, nan], [], [WEB])
    assert found.assignment[WEB.identity] == {"n0": 2}
    assert sum("cannot be" in note for note in found.notes) == 2


def test_nodes_that_take_no_number_of_pods_or_have_no_number_of_devices() -> None:
    absurd = [replace(NODE, name="n1", pods=10**30, gpus=10**30), replace(NODE, name="n2", pods=-1)]
    nan = replace(NODE, name="n3", pods=float("nan"), gpus=float("inf"))  # type: ignore[arg-type]
    found = plan([*absurd, nan], [], [replace(WEB, replicas=10), replace(WEB, identity=identity("gpu"), gpu=Gpu(1))])
    assert {name for held in found.assignment.values() for name in held} == {"n1"}


def test_pods_of_others_on_devices_that_are_not_there() -> None:
    gpu = replace(NODE, gpus=1)
    known = PodView("x", "a", "n0", Resources(), gpu=Gpu(1), devices=(3, -1))
    absurd = PodView("x", "b", "n0", Resources(), gpu=Gpu(10**30, -5))
    assert plan([gpu], [known, absurd], [replace(WEB, replicas=1, gpu=Gpu(1))]).assignment[WEB.identity] == {"n0": 1}


def test_a_pool_without_a_price_is_taken_as_the_middle_of_the_others() -> None:
    pools = [Pool("general", {"pool": "general"}, None), Pool("gold", {"pool": "gold"}, float("nan"))]
    found = plan([NODE], [], [WEB], pools=pools)
    assert found.assignment[WEB.identity] == {"n0": 2}
    assert any("general has no price" in note for note in found.notes)
    assert any("gold: the price nan is no price" in note for note in found.notes)


def test_contradictory_constraints_are_explained() -> None:
    beside_itself_and_never = replace(
        WEB,
        affinities=(PodAffinity(HOSTNAME, app("web")), PodAffinity(HOSTNAME, app("web"), anti=True)),
    )
    nodes = [NODE, replace(NODE, name="n1")]
    found = plan(nodes, [], [beside_itself_and_never])
    assert sum(found.assignment[WEB.identity].values()) == 1
    assert found.unplaced[WEB.identity].constraint in (Constraint.AFFINITY, Constraint.ANTI_AFFINITY)


def test_zones_that_contradict_each_other() -> None:
    found = plan([NODE], [], [replace(WEB, zones=frozenset("a"), volume_zones=frozenset("b"))])
    assert found.unplaced[WEB.identity].constraint is Constraint.ZONE
    assert "its volumes are in b" in found.unplaced[WEB.identity].fix


def test_all_weights_zero() -> None:
    policy = Policy(weights={name.value: 0 for name in TermName})
    found = plan([NODE, replace(NODE, name="n1")], [], [WEB], policy=policy)
    assert sum(found.assignment[WEB.identity].values()) == 2
    assert all(decision.chosen.score == 0 for decision in found.decisions[WEB.identity])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"profile": "cheapest"}, "there is no profile 'cheapest'; hint: one of balanced, cost, resilient"),
        ({"weights": {"fitt": 1.0}}, "there is no term 'fitt'"),
        ({"weights": {"fit": -1.0}}, "the weight of fit is -1.0"),
        ({"weights": {"fit": float("nan")}}, "the weight of fit is nan"),
        ({"move_budget": -1}, "not negative"),
        ({"move_price": float("nan")}, "not negative"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(WrongPolicy, match=said):
        Policy(**wrong)  # type: ignore[arg-type]


def test_names_that_come_twice_are_noted() -> None:
    found = plan([NODE, NODE], [], [WEB, replace(WEB, replicas=9)], pools=[Pool("p"), Pool("p")])
    assert found.assignment[WEB.identity] == {"n0": 2}
    assert sum("stated twice" in note for note in found.notes) == 3


def test_pods_on_nodes_that_are_gone() -> None:
    ghost = PodView("shop", "web-1", "n9", Resources(500), WEB.identity, {"app": "web"})
    found = plan([NODE], [ghost], [WEB])
    assert found.assignment[WEB.identity] == {"n0": 2}
    assert found.notes == ("1 pods are on nodes that are not there: taken as gone",)
    assert found.moves == ()


def test_a_node_that_is_fuller_than_it_can_be() -> None:
    others = [PodView("kube-system", f"p{n}", "n0", Resources(3000)) for n in range(3)]
    found = plan([NODE], others, [WEB])
    assert found.unplaced[WEB.identity].constraint is Constraint.CAPACITY


def test_a_pool_that_may_grow_without_a_template() -> None:
    found = plan([], [], [WEB], pools=[Pool("spot", growth=3)])
    assert found.notes == ("pool spot may grow, but nothing says what its nodes are like: it does not",)
    assert found.unplaced[WEB.identity].constraint is Constraint.NO_NODES


def test_a_pool_without_nodes_that_may_grow_takes_what_has_no_room() -> None:
    pool = Pool("spot", {"pool": "spot"}, 1.0, template=replace(NODE, name="like", labels={}), growth=2)
    found = plan([replace(NODE, taints=(Taint("no"),))], [], [replace(WEB, replicas=3)], pools=[pool])
    assert [share.place.pool for share in found.placements[WEB.identity]] == ["spot"]
    assert sum(found.assignment[WEB.identity].values()) == 3


def test_nodes_that_exist_are_filled_before_new_ones() -> None:
    pool = Pool("general", {"pool": "general"}, 1.0, template=NODE, growth=2)
    found = plan([NODE], [], [replace(WEB, replicas=6)], pools=[pool])
    assert found.assignment[WEB.identity] == {"n0": 6}
