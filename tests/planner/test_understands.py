"""One thing at a time that bears on where a replica may be, or had better be."""

from dataclasses import replace
from typing import Any

import pytest
from generated_clusters import MEBI, app, identity

from reconciler.kube.selector import Operator, Requirement
from reconciler.model.cluster_view import (
    HOSTNAME,
    ZONE,
    Effect,
    Gpu,
    NodeView,
    PodAffinity,
    PodView,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.plan import Constraint, Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy, TermName
from reconciler.planner.plan import plan

GIBI = 1 << 30
WEB = WorkloadNeed(identity("web"), 2, Resources(500, 256 * MEBI), labels={"app": "web"})
ONE = replace(WEB, replicas=1)


def node(name: str, zone: str = "a", has: Resources | None = None, **more: object) -> NodeView:
    labels = {ZONE: zone, **more.pop("labels", {})}  # type: ignore[dict-item]
    return NodeView(name, has or Resources(8000, 16 * GIBI, 20 * GIBI), labels, **more)  # type: ignore[arg-type]


def on(found: Plan, need: WorkloadNeed = WEB) -> dict[str, int]:
    return dict(found.assignment[need.identity])


def test_memory_is_room() -> None:
    found = plan([node("n0", has=Resources(8000, 3 * GIBI))], [], [replace(WEB, requests=Resources(1, 2 * GIBI))])
    assert on(found) == {"n0": 1}
    assert found.unplaced[WEB.identity].reason == "the only node that it may use is too full: n0 lacks 1024Mi memory"


def test_ephemeral_storage_is_room() -> None:
    found = plan([node("n0")], [], [replace(WEB, requests=Resources(500, MEBI, 15 * GIBI))])
    assert on(found) == {"n0": 1}
    lack = found.unplaced[WEB.identity]
    assert (lack.count, lack.constraint) == (1, Constraint.CAPACITY)
    assert lack.reason == "the only node that it may use is too full: n0 lacks 10240Mi ephemeral-storage"


def test_ephemeral_storage_of_others_is_taken() -> None:
    log = PodView("kube-system", "logs-0", "n0", Resources(0, 0, 18 * GIBI))
    found = plan([node("n0"), node("n1")], [log], [replace(ONE, requests=Resources(500, MEBI, 5 * GIBI))])
    assert on(found) == {"n1": 1}


def test_an_extended_resource_is_room() -> None:
    fpga = (("example.com/fpga", 1),)
    some = node("n0", has=Resources(8000, 16 * GIBI, extended=fpga))
    need = replace(WEB, requests=Resources(500, MEBI, extended=fpga))
    other = PodView("shop", "other-0", "n1", Resources(extended=fpga))
    taken = node("n1", has=Resources(8000, 16 * GIBI, extended=fpga))
    found = plan([some, taken, node("n2")], [other], [need])
    assert on(found) == {"n0": 1}
    lack = found.unplaced[WEB.identity]
    assert (lack.count, lack.constraint) == (1, Constraint.CAPACITY)
    assert "1 example.com/fpga" in lack.reason


def test_so_many_pods_are_room() -> None:
    others = [PodView("kube-system", f"daemon-{n}", "n0", Resources()) for n in range(2)]
    found = plan([node("n0", pods=3)], others, [WEB])
    assert on(found) == {"n0": 1}
    assert found.unplaced[WEB.identity].reason.endswith("n0 lacks 1 pod")


def test_what_others_hold_of_a_gpu_is_taken() -> None:
    others = [PodView("ml", f"train-{n}", "n0", Resources(100), gpu=Gpu(1, 700)) for n in range(2)]
    found = plan([node("n0", gpus=2)], others, [replace(WEB, replicas=3, gpu=Gpu(1, 300))])
    assert on(found) == {"n0": 2}, "seven tenths of each device are somebody else's"


def test_a_model_of_gpu_is_kept_to() -> None:
    nodes = [node("n0", gpus=1, gpu_model="A10"), node("n1", gpus=1, gpu_model="T4")]
    assert on(plan(nodes, [], [replace(WEB, gpu=Gpu(1, models=frozenset(["T4"])))])) == {"n1": 1}


def test_zones_of_volumes_are_kept_to() -> None:
    nodes = [node(f"n{n}", "abc"[n]) for n in range(3)]
    assert on(plan(nodes, [], [replace(WEB, replicas=4, volume_zones=frozenset("b"))])) == {"n1": 4}
    both = replace(WEB, zones=frozenset("ab"), volume_zones=frozenset("bc"))
    assert on(plan(nodes, [], [both])) == {"n1": 2}


def test_stated_zones_are_kept_to() -> None:
    nodes = [node(f"n{n}", "abc"[n]) for n in range(3)]
    assert on(plan(nodes, [], [replace(WEB, replicas=4, zones=frozenset("c"))])) == {"n2": 4}


def labelled(name: str, **labels: str) -> NodeView:
    return node(name, labels=labels)


def disk(kind: str) -> tuple[Requirement, ...]:
    return (Requirement("disk", Operator.IN, frozenset([kind])),)


def test_required_node_affinity_is_any_of_its_terms() -> None:
    nodes = [labelled("n0"), labelled("n1", disk="ssd"), labelled("n2", disk="nvme"), labelled("n3", disk="tape")]
    found = plan(nodes, [], [replace(WEB, replicas=9, node_affinity=(disk("ssd"), disk("nvme")))])
    assert set(on(found)) == {"n1", "n2"}


def test_preferred_node_affinity_is_followed_by_its_weights() -> None:
    nodes = [labelled("n0"), labelled("n1", disk="ssd"), labelled("n2", disk="nvme")]
    for first, second, where in ((80, 20, "n1"), (20, 80, "n2")):
        wish = ((first, disk("ssd")), (second, disk("nvme")))
        found = plan(nodes, [], [replace(ONE, preferred=wish)])
        assert on(found) == {where: 1}
        (decision,) = found.decisions[WEB.identity]
        (affinity,) = (term for term in decision.chosen.terms if term.name is TermName.AFFINITY)
        assert affinity.value == 0.8


def test_a_preferred_node_is_no_must() -> None:
    nodes = [node("n0"), node("n1", has=Resources(600, GIBI), labels={"disk": "ssd"})]
    found = plan(nodes, [], [replace(WEB, preferred=((100, disk("ssd")),))])
    assert on(found) == {"n0": 1, "n1": 1}


def test_preferred_pod_affinities_are_followed_by_their_weights() -> None:
    """One zone has the cache that it had better be beside; the other has the peer that it had better avoid."""
    there = [
        PodView("shop", "cache-0", "n0", Resources(), labels={"app": "cache"}),
        PodView("shop", "noisy-0", "n0", Resources(), labels={"app": "noisy"}),
    ]
    nodes = [node("n0", "a"), node("n1", "b")]
    for near, far, where in ((80, 20, "n0"), (20, 80, "n1")):
        wish = (
            PodAffinity(ZONE, app("cache"), required=False, weight=near),
            PodAffinity(ZONE, app("noisy"), anti=True, required=False, weight=far),
        )
        assert on(plan(nodes, there, [replace(ONE, affinities=wish)])) == {where: 1}


def test_affinity_is_among_pods_of_its_own_namespace() -> None:
    other = PodView("bank", "cache-0", "n0", Resources(), labels={"app": "cache"})
    nodes = [node("n0", "a"), node("n1", "b")]
    beside = replace(ONE, affinities=(PodAffinity(ZONE, app("cache")),))
    assert plan(nodes, [other], [beside]).unplaced[WEB.identity].constraint is Constraint.AFFINITY
    away = replace(WEB, replicas=9, affinities=(PodAffinity(ZONE, app("cache"), anti=True),))
    assert set(on(plan(nodes, [other], [away]))) == {"n0", "n1"}


def test_affinity_is_among_pods_of_the_namespaces_that_it_names() -> None:
    other = PodView("bank", "cache-0", "n0", Resources(), labels={"app": "cache"})
    nodes = [node("n0", "a"), node("n1", "b")]
    for names, beside in ((frozenset({"bank"}), {"n0": 2}), (frozenset({"bank", "shop"}), {"n0": 2}),
                          (frozenset({"shop"}), {}), (frozenset(), {})):  # fmt: skip
        rule = PodAffinity(ZONE, app("cache"), namespaces=names)
        assert on(plan(nodes, [other], [replace(WEB, affinities=(rule,))])) == beside
        away = on(plan(nodes, [other], [replace(WEB, affinities=(replace(rule, anti=True),))]))
        assert away == ({"n1": 2} if beside else {"n0": 1, "n1": 1})


def test_the_first_of_a_group_is_one_only_among_the_namespaces_that_count() -> None:
    """Who must be with its like may begin anywhere; with its like of another namespace it may not."""
    for names, placed in ((None, 2), (frozenset({"shop", "bank"}), 2), (frozenset({"bank"}), 0)):
        together = replace(WEB, affinities=(PodAffinity(ZONE, app("web"), namespaces=names),))
        assert sum(on(plan([node("n0")], [], [together])).values()) == placed


def test_pods_of_another_namespace_keep_ours_away_where_they_mean_it() -> None:
    for names, where in ((frozenset({"shop"}), {"n1": 2}), (None, {"n0": 1, "n1": 1})):
        rule = PodAffinity(HOSTNAME, app("web"), anti=True, namespaces=names)
        lonely = PodView("bank", "db-0", "n0", Resources(), labels={"app": "db"}, affinities=(rule,))
        assert on(plan([node("n0", "a"), node("n1", "b")], [lonely], [WEB])) == where


def test_a_taint_keeps_away_whom_it_is_not_tolerated_by() -> None:
    for effect in (Effect.NO_SCHEDULE, Effect.NO_EXECUTE):
        nodes = [node("n0", taints=(Taint("dedicated", "batch", effect),)), node("n1", has=Resources(600, GIBI))]
        assert on(plan(nodes, [], [WEB])) == {"n1": 1}
        tolerant = replace(WEB, tolerations=(Toleration("dedicated", "batch", effect=effect),))
        assert sum(on(plan(nodes, [], [tolerant])).values()) == 2
        other = replace(WEB, tolerations=(Toleration("dedicated", "web", effect=effect),))
        assert on(plan(nodes, [], [other])) == {"n1": 1}


@pytest.mark.parametrize(
    ("policies", "closed", "placed"),
    [
        ({}, {"taints": (Taint("dedicated"),)}, 1),
        ({"honors_taints": True}, {"taints": (Taint("dedicated"),)}, 4),
        ({"honors_taints": True}, {"schedulable": False}, 4),
        ({}, {"labels": {"disk": "hdd"}}, 4),
        ({"honors_affinity": False}, {"labels": {"disk": "hdd"}}, 1),
    ],
)
def test_a_hard_spread_counts_the_domains_that_its_policies_leave(
    policies: dict[str, bool], closed: dict[str, Any], placed: int
) -> None:
    """Zone a has one node, which the pods may not use."""
    nodes = [node("n0", "a", **closed), node("n1", "b", labels={"disk": "ssd"})]
    selector = {"disk": "ssd"} if "labels" in closed else {}
    rules = (TopologySpread(ZONE, 1, app("web"), hard=True, **policies),)
    need = replace(WEB, replicas=4, node_selector=selector, spreads=rules)
    found = plan(nodes, [], [need])
    assert on(found) == {"n1": placed}
    assert on(plan(nodes, [], [need], previous=found)) == {"n1": placed}


def test_a_soft_spread_is_kept_where_there_is_room() -> None:
    """Over racks, of which nothing but the constraint speaks."""
    nodes = [labelled(f"n{n}", rack="r0" if n < 3 else "r1") for n in range(4)]
    for rules in ((), (TopologySpread("rack", 1, app("web")),)):
        found = on(plan(nodes, [], [replace(WEB, replicas=8, spreads=rules)], policy=Policy("resilient")))
        assert (found.get("n3", 0) == 4) is bool(rules)


def test_of_dear_and_cheap_pools_the_price_of_a_core_counts() -> None:
    """The large node costs more, and each of its cores less."""
    pools = [Pool("large", {"pool": "large"}, 3.0), Pool("small", {"pool": "small"}, 1.0)]
    nodes = [node("n0", has=Resources(16_000, 64 * GIBI), labels={"pool": "large"}),
             node("n1", has=Resources(4000, 16 * GIBI), labels={"pool": "small"})]  # fmt: skip
    (chosen,) = plan(nodes, [], [ONE], pools=pools, policy=Policy("cost")).placements[WEB.identity]
    assert chosen.place.pool == "large"


def test_a_pool_without_a_price_is_as_dear_as_the_middle_one() -> None:
    pools = [Pool("a", {"pool": "a"}, 1.0), Pool("b", {"pool": "b"}, 2.0), Pool("c", {"pool": "c"}, 3.0)]
    unknown = Pool("d", {"pool": "d"}, None)
    nodes = {name: labelled(f"n-{name}", pool=name) for name in "abcd"}
    policy = Policy(weights={name.value: float(name is TermName.COST) for name in TermName})

    def cheaper(*names: str) -> str:
        made = plan([nodes[name] for name in names], [], [ONE], pools=[*pools, unknown], policy=policy)
        return made.placements[WEB.identity][0].place.pool

    assert cheaper("a", "d") == "a"
    assert cheaper("c", "d") == "d"


def test_of_pools_that_overlap_the_most_particular_has_the_node_and_then_the_first_by_name() -> None:
    pools = [
        Pool("a", {}),
        Pool("c", {"disk": "ssd"}),
        Pool("b", {"disk": "ssd"}),
        Pool("z", {"disk": "ssd", "gpu": "no"}),
    ]
    for number, (labels, pool) in enumerate((({}, "a"), ({"disk": "ssd"}, "b"), ({"disk": "ssd", "gpu": "no"}, "z"))):
        for order in (pools, pools[::-1]):
            (share,) = plan([node(f"n{number}", labels=labels)], [], [ONE], pools=order).placements[WEB.identity]
            assert share.place.pool == pool


def test_a_calm_pool_is_worth_its_weight() -> None:
    pools = [Pool("calm", {"pool": "calm"}), Pool("airy", {"pool": "airy"}, spot=True)]
    nodes = [labelled("n0", pool="airy"), labelled("n1", pool="calm")]
    policy = Policy(weights={name.value: float(name is TermName.SPOT) for name in TermName})
    assert on(plan(nodes, [], [ONE], pools=pools, policy=policy)) == {"n1": 1}


def test_all_together_no_more_is_moved_than_the_policy_lets() -> None:
    """Each of two small ones keeps a large one out of its node, and both fit the third node."""
    nodes = [node(f"n{n}", has=Resources(4000 if n < 2 else 2000, 16 * GIBI)) for n in range(3)]
    small = [replace(ONE, identity=identity(f"small-{n}"), requests=Resources(1000), movable=True) for n in range(2)]
    there = [PodView("shop", f"p{n}", f"n{n}", Resources(1000), need.identity) for n, need in enumerate(small)]
    large = replace(WEB, identity=identity("large"), requests=Resources(4000))
    for budget in (0, 1, 2):
        found = plan(nodes, there, [*small, large], policy=Policy(move_budget=budget))
        assert len(found.moves) == budget
        assert sum(found.assignment[large.identity].values()) == budget


def limited(cpu: int | None) -> list[Pool]:
    limits = Resources(cpu=cpu) if cpu is not None else None
    return [Pool("x", {"pool": "x"}, 1.0, limits=limits), Pool("y", {"pool": "y"}, 2.0)]


def test_a_limit_that_lets_all_in_decides_nothing() -> None:
    nodes = [node(f"n{n}", "abc"[n % 3], labels={"pool": "xxy"[n % 3]}) for n in range(12)]
    needs = [replace(WEB, identity=identity(f"w{n}"), labels={"app": f"w{n}"}, replicas=40) for n in range(4)]
    free, wide = plan(nodes, [], needs, pools=limited(None)), plan(nodes, [], needs, pools=limited(10**9))
    assert wide.assignment == free.assignment
    assert wide.decisions == free.decisions


@pytest.mark.parametrize("lets_in", [0, 3, 7, 20, 33])
def test_many_replicas_come_up_to_a_limit_and_the_others_go_elsewhere(lets_in: int) -> None:
    nodes = [node("n0", labels={"pool": "x"}), node("n1", labels={"pool": "x"}), node("n2", labels={"pool": "y"})]
    found = plan(nodes, [], [replace(WEB, replicas=48)], pools=limited(500 * lets_in + 499))
    assert sum(count for name, count in on(found).items() if name != "n2") == min(lets_in, 32)
    assert on(found)["n2"] == 16
    assert {decision.chosen.place.pool for decision in found.decisions[WEB.identity]} <= {"x", "y"}
    closed = found.decisions[WEB.identity][0].runner_up
    assert lets_in or closed is None or closed.place.pool == "y", "what a limit closes is no next best"


def test_who_keeps_away_is_told_alike_whoever_was_seen_first() -> None:
    keys = (ZONE, HOSTNAME, "rack", "disk")
    others = [
        PodView("shop", f"p{n}", "n0", Resources(), affinities=(PodAffinity(key, app("web"), anti=True),))
        for n, key in enumerate((*keys, ZONE))
    ]
    nodes = [node("n0", labels={"rack": "r", "disk": "d"})]
    found = plan(nodes, others, [ONE])
    assert repr(plan(nodes, others[::-1], [ONE])) == repr(found)
    lack = found.unplaced[ONE.identity]
    assert lack.reason == "n0 comes nearest, and there anti-affinity is in the way"
    assert lack.fix.count(f"make the others' anti-affinity over {ZONE} preferred") == 1
    assert lack.fix.count(" and ") == 3
