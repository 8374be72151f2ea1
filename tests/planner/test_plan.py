"""What a plan decides, case by case."""

from dataclasses import replace

from generated_clusters import MEBI, app, identity

from reconciler.model.cluster_view import (
    HOSTNAME,
    ZONE,
    Gpu,
    NodeView,
    PodAffinity,
    PodView,
    Resources,
    Taint,
    Toleration,
    TopologySpread,
)
from reconciler.model.plan import Constraint, Move, Place, Plan, Share
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan

WEB = WorkloadNeed(identity("web"), 3, Resources(1000, 512 * MEBI), labels={"app": "web"})
POOLS = [Pool("general", {"pool": "general"}, 1.0), Pool("spot", {"pool": "spot"}, 0.3, spot=True)]


def node(name: str, zone: str = "a", pool: str = "general", cpu: int = 4000, **more: object) -> NodeView:
    return NodeView(name, Resources(cpu, 8192 * MEBI), {ZONE: zone, "pool": pool}, **more)  # type: ignore[arg-type]


def pods(need: WorkloadNeed, *nodes: str) -> list[PodView]:
    return [
        PodView("shop", f"{need.identity.name}-{n}", where, need.requests, need.identity, need.labels, need.gpu)
        for n, where in enumerate(nodes)
    ]


def zones(found: Plan, need: WorkloadNeed) -> dict[str, int]:
    return {share.place.zone: share.count for share in found.placements[need.identity]}


def test_replicas_are_spread_over_zones_by_default() -> None:
    found = plan([node("n0"), node("n1", "b"), node("n2", "c")], [], [WEB], pools=POOLS)
    assert zones(found, WEB) == {"a": 1, "b": 1, "c": 1}


def test_the_cost_profile_takes_the_cheap_pool_and_resilient_the_calm_one() -> None:
    nodes = [node("n0", pool="general"), node("n1", pool="spot")]
    one = replace(WEB, replicas=1)
    cheap = plan(nodes, [], [one], pools=POOLS, policy=Policy("cost"))
    calm = plan(nodes, [], [one], pools=POOLS, policy=Policy("resilient"))
    assert cheap.placements[WEB.identity] == (Share(Place("spot", "a"), 1),)
    assert calm.placements[WEB.identity] == (Share(Place("general", "a"), 1),)


def test_what_runs_stays_and_nothing_moves() -> None:
    nodes = [node("n0"), node("n1", "b"), node("n2", "c")]
    found = plan(nodes, pods(WEB, "n0", "n0", "n0"), [WEB], pools=POOLS)
    assert found.assignment[WEB.identity] == {"n0": 3}
    assert found.moves == ()


def test_replicas_of_a_lost_node_go_elsewhere_and_are_no_moves() -> None:
    nodes = [node("n0"), node("n1", "b", ready=False)]
    found = plan(nodes, pods(WEB, "n0", "n1", "n1"), [WEB], pools=POOLS)
    assert found.assignment[WEB.identity] == {"n0": 3}
    assert found.moves == ()


def test_a_cordoned_node_keeps_what_it_has_and_gets_nothing() -> None:
    nodes = [node("n0", cpu=2000), node("n1", "b", schedulable=False)]
    found = plan(nodes, pods(WEB, "n1"), [WEB], pools=POOLS)
    assert found.assignment[WEB.identity] == {"n0": 2, "n1": 1}
    assert found.bound == 3


def test_what_was_only_planned_leaves_a_cordoned_node() -> None:
    first = plan([node("n0"), node("n1", "b")], [], [WEB])
    later = plan([node("n0", schedulable=False), node("n1", "b")], [], [WEB], previous=first)
    assert later.assignment[WEB.identity] == {"n1": 3}
    assert later.moves == ()


def test_a_scale_down_is_no_move() -> None:
    found = plan([node("n0"), node("n1", "b")], pods(WEB, "n0", "n0", "n1"), [replace(WEB, replicas=2)])
    assert sum(found.assignment[WEB.identity].values()) == 2
    assert found.moves == ()


def test_others_and_daemons_have_their_room() -> None:
    daemon = PodView("kube-system", "proxy-1", "n0", Resources(3500))
    found = plan([node("n0")], [daemon], [WEB])
    assert found.assignment[WEB.identity] == {}
    assert found.unplaced[WEB.identity].constraint is Constraint.CAPACITY
    assert found.unplaced[WEB.identity].reason == ("the only node that it may use is too full: n0 lacks 500m cpu")


def test_priority_goes_first_and_moves_only_what_may_move() -> None:
    urgent = replace(WEB, identity=identity("urgent"), replicas=2, requests=Resources(2000), priority=100)
    nodes = [node("n0"), node("n1", "b")]
    running = pods(WEB, "n0", "n0", "n0", "n1", "n1", "n1")
    stays = plan(nodes, running, [replace(WEB, replicas=6), urgent])
    assert stays.unplaced[urgent.identity].count == 2
    assert stays.moves == ()
    gives = plan(nodes, running, [replace(WEB, replicas=6, movable=True), urgent])
    assert sum(gives.assignment[urgent.identity].values()) == 2
    assert gives.moves
    assert gives.value > stays.value


def test_moves_stay_within_the_disruption_budget() -> None:
    """One whole node is free only when both replicas of web share the other."""
    big = WorkloadNeed(identity("big"), 1, Resources(4000, 512 * MEBI))
    nodes, running = [node("n0"), node("n1", "b")], pods(WEB, "n0", "n1")
    web = replace(WEB, replicas=2, movable=True)
    moved = plan(nodes, running, [replace(web, disruptions=1), big])
    assert len(moved.moves) == 1
    assert not moved.unplaced
    held = plan(nodes, running, [replace(web, disruptions=0), big])
    assert held.moves == ()
    assert held.unplaced[big.identity].constraint is Constraint.CAPACITY
    assert plan(nodes, running, [web, big], policy=Policy(move_budget=0)).moves == ()


def test_what_is_in_the_way_may_go_where_the_waiting_one_cannot() -> None:
    """The large one fits only the large node, from which the small one has to go to the small node."""
    large = WorkloadNeed(identity("large"), 1, Resources(4000, 512 * MEBI))
    nodes, running = [node("n0"), node("n1", "b", cpu=1000)], pods(WEB, "n0")
    found = plan(nodes, running, [replace(WEB, replicas=1, movable=True), large])
    assert found.moves == (Move(WEB.identity, "n0", "n1"),)
    assert not found.unplaced


def test_what_is_in_the_way_on_many_nodes_may_go_elsewhere_too() -> None:
    """Servers have the cores beside each GPU; the other nodes, which no trainer can use, have as many."""
    nodes = [node(f"n{n}", cpu=2000, gpus=int(n < 6)) for n in range(12)]
    trainer = WorkloadNeed(identity("trainer"), 1, Resources(1500), Gpu(1))
    server = replace(WEB, replicas=6, requests=Resources(1500), movable=True)
    found = plan(nodes, pods(server, *(f"n{n}" for n in range(6))), [server, trainer])
    assert not found.unplaced
    assert len(found.moves) == 1


def test_a_move_names_where_from_and_where_to() -> None:
    big = WorkloadNeed(identity("big"), 1, Resources(4000, 512 * MEBI))
    found = plan([node("n0"), node("n1", "b")], pods(WEB, "n0", "n1"), [replace(WEB, replicas=2, movable=True), big])
    (move,) = found.moves
    assert move in (Move(WEB.identity, "n0", "n1"), Move(WEB.identity, "n1", "n0"))


def test_hard_spread_stops_where_it_must() -> None:
    spread = TopologySpread(ZONE, 1, app("web"), hard=True)
    nodes = [node("n0"), node("n1", "b", cpu=1000)]
    found = plan(nodes, [], [replace(WEB, replicas=4, spreads=(spread,))])
    assert zones(found, WEB) == {"a": 2, "b": 1}
    assert found.unplaced[WEB.identity].constraint is Constraint.SPREAD


def test_soft_spread_is_stretched_rather_than_leave_one_waiting() -> None:
    spread = TopologySpread(ZONE, 1, app("web"))
    found = plan([node("n0"), node("n1", "b", cpu=1000)], [], [replace(WEB, replicas=4, spreads=(spread,))])
    assert zones(found, WEB) == {"a": 3, "b": 1}


def test_replicas_are_spread_over_zones_even_where_one_has_more_nodes_and_fits_better() -> None:
    nodes = [node("n0"), node("n1", "b", cpu=3600), node("n2", "c", cpu=3600), node("n3"), node("n4")]
    for count, each in ((2, [0, 1, 1]), (3, [1, 1, 1]), (9, [3, 3, 3])):
        found = plan(nodes, [], [replace(WEB, replicas=count)])
        assert sorted(zones(found, WEB).get(zone, 0) for zone in "abc") == each


def test_lone_replicas_leave_room_in_every_zone() -> None:
    """Who comes last still finds room in three zones: the large ones have not filled two of them."""
    lone = [replace(WEB, identity=identity(f"one-{n}"), replicas=1, requests=Resources(2000)) for n in range(6)]
    small = replace(WEB, replicas=6, requests=Resources(500))
    nodes = [node(f"{zone}{n}", zone, cpu=2500) for zone in "abc" for n in range(3)]
    assert zones(plan(nodes, [], [*lone, small]), small) == {"a": 2, "b": 2, "c": 2}


def test_anti_affinity_of_others_keeps_ours_away() -> None:
    lonely = PodView(
        "shop", "db-0", "n0", Resources(100), labels={"app": "db"},
        affinities=(PodAffinity(HOSTNAME, app("web"), anti=True),),
    )  # fmt: skip
    found = plan([node("n0"), node("n1", "b")], [lonely], [WEB])
    assert found.assignment[WEB.identity] == {"n1": 3}


def test_affinity_follows_its_peer_and_the_first_may_start_anywhere() -> None:
    together = replace(WEB, affinities=(PodAffinity(ZONE, app("web")),), replicas=4)
    found = plan([node("n0"), node("n1", "b"), node("n2", "a")], [], [together])
    assert len(zones(found, WEB)) == 1


def test_a_preferred_affinity_is_followed_where_there_is_room() -> None:
    beside = replace(
        WEB, identity=identity("cache"), labels={"app": "cache"}, replicas=2,
        affinities=(PodAffinity(ZONE, app("web"), required=False, weight=100),),
    )  # fmt: skip
    running = pods(replace(WEB, replicas=1), "n1")
    found = plan([node("n0"), node("n1", "b")], running, [replace(WEB, replicas=1), beside])
    assert zones(found, beside) == {"b": 2}


def test_what_can_go_elsewhere_leaves_the_scarce_nodes_to_those_who_cannot() -> None:
    """Both fit either node by size; the trainer needs the T4."""
    nodes = [node("n0", gpus=1, gpu_model="T4"), node("n1", "b", gpus=1, gpu_model="A10")]
    picky = WorkloadNeed(identity("zz-trainer"), 1, Resources(500), Gpu(1, 1000, frozenset(["T4"])))
    easy = WorkloadNeed(identity("aa-server"), 1, Resources(500), Gpu(1))
    first = plan(nodes, [], [easy])  # alone it may choose
    found = plan(nodes, [], [easy, picky])
    assert sum(first.assignment[easy.identity].values()) == 1
    assert found.assignment[picky.identity] == {"n0": 1}
    assert found.assignment[easy.identity] == {"n1": 1}


def test_shares_of_a_gpu_fit_one_device() -> None:
    shared = WorkloadNeed(identity("shared"), 3, Resources(100), Gpu(1, 600))
    found = plan([node("n0", gpus=2)], [], [shared])
    assert found.assignment[shared.identity] == {"n0": 2}
    lack = found.unplaced[shared.identity]
    assert lack.reason.endswith("n0 lacks 1 GPU (600 thousandths each)")


def test_a_known_device_is_kept() -> None:
    """Where each share holds a device of its own, there is none for who needs a whole one."""
    shared = WorkloadNeed(identity("shared"), 2, Resources(100), Gpu(1, 300))
    whole = WorkloadNeed(identity("whole"), 1, Resources(100), Gpu(1))
    for devices, placed in (((0, 1), {}), ((1, 1), {"n0": 1})):
        both = zip(pods(shared, "n0", "n0"), devices, strict=True)
        running = [replace(pod, devices=(device,)) for pod, device in both]
        found = plan([node("n0", gpus=2)], running, [shared, whole])
        assert found.assignment[shared.identity] == {"n0": 2}
        assert found.assignment[whole.identity] == placed


def test_limits_of_a_pool_and_quotas_of_a_namespace() -> None:
    limited = [replace(POOLS[0], limits=Resources(cpu=2000))]
    found = plan([node("n0")], [], [WEB], pools=limited)
    assert found.unplaced[WEB.identity].constraint is Constraint.LIMIT
    assert found.unplaced[WEB.identity].fix == "raise the limit of pool general"
    quota = plan([node("n0")], [], [WEB], policy=Policy(quotas={"shop": Resources(cpu=1500)}))
    assert quota.assignment[WEB.identity] == {"n0": 1}
    assert quota.unplaced[WEB.identity].constraint is Constraint.QUOTA


def test_why_no_node_may_be_used_and_what_would_open_one() -> None:
    nodes = [node("n0", taints=(Taint("dedicated", "batch"),)), node("n1", "b", "spot")]
    found = plan(nodes, [], [replace(WEB, node_selector={"pool": "general"})], pools=POOLS)
    lack = found.unplaced[WEB.identity]
    assert lack.constraint is Constraint.TAINT
    assert lack.reason == "of 2 nodes none may be used: 1 by node selector or affinity, 1 by taint"
    assert lack.fix == "tolerate dedicated=batch:NoSchedule, as on n0"
    tolerant = replace(WEB, node_selector={"pool": "general"}, tolerations=(Toleration("dedicated", "batch"),))
    assert plan(nodes, [], [tolerant], pools=POOLS).assignment[WEB.identity] == {"n0": 3}


def test_what_is_too_large_says_how_much_too_large() -> None:
    found = plan([node("n0"), node("n1", cpu=2000)], [], [replace(WEB, requests=Resources(5500, 512 * MEBI))])
    assert found.unplaced[WEB.identity].reason == (
        "no node that it may use is large enough: even an empty n0 lacks 1500m cpu"
    )


def test_a_plan_is_the_same_twice_and_starts_from_the_plan_before() -> None:
    nodes = [node(f"n{n}", "abc"[n % 3]) for n in range(6)]
    needs = [replace(WEB, identity=identity(f"w{n}"), replicas=3) for n in range(5)]
    first = plan(nodes, [], needs, pools=POOLS)
    assert repr(first) == repr(plan(nodes, [], needs, pools=POOLS))
    later = plan(nodes, [], [*needs, replace(WEB, identity=identity("another"))], pools=POOLS, previous=first)
    assert all(later.assignment[need.identity] == first.assignment[need.identity] for need in needs)
    assert all(later.decisions[need.identity] == first.decisions[need.identity] for need in needs)


def test_many_replicas_keep_a_hard_spread_and_stay_one_a_node() -> None:
    nodes = [node(f"n{n:02}", "abc"[n % 3], cpu=16_000) for n in range(30)]
    even = replace(WEB, replicas=40, spreads=(TopologySpread(ZONE, 1, app("web"), hard=True),))
    assert sorted(zones(plan(nodes, [], [even]), even).values()) == [13, 13, 14]
    alone = replace(WEB, replicas=40, affinities=(PodAffinity(HOSTNAME, app("web"), anti=True),))
    found = plan(nodes, [], [alone])
    assert found.assignment[WEB.identity] == {f"n{n:02}": 1 for n in range(30)}
    assert found.unplaced[WEB.identity].count == 10
    assert found.unplaced[WEB.identity].constraint is Constraint.ANTI_AFFINITY


def test_many_replicas_stop_where_the_emptiest_zone_is_full() -> None:
    nodes = [node(f"n{n}", "ab"[n % 2], cpu=16_000 if n % 2 else 4000) for n in range(4)]
    even = replace(WEB, replicas=30, spreads=(TopologySpread(ZONE, 2, app("web"), hard=True),))
    found = plan(nodes, [], [even])
    assert zones(found, even) == {"a": 8, "b": 10}
    assert found.unplaced[WEB.identity].constraint is Constraint.SPREAD


def test_many_replicas_go_to_every_zone() -> None:
    nodes = [node(f"n{n}", "abc"[n % 3], cpu=64_000) for n in range(6)]
    found = zones(plan(nodes, [], [replace(WEB, replicas=30, requests=Resources(500))]), WEB)
    assert sorted(found) == ["a", "b", "c"]
    assert max(found.values()) - min(found.values()) <= 2


def test_what_a_decision_says() -> None:
    """The figures that people will read, for one choice: the terms of the chosen place and of the next best."""
    nodes = [node("n0", "a"), node("n1", "b", pool="spot")]
    (decision,) = plan(nodes, [], [replace(WEB, replicas=1)], pools=POOLS).decisions[WEB.identity]
    assert decision.runner_up is not None
    said = [
        f"{option.place}: {option.score:.4f} = "
        + " + ".join(f"{term.weight:g}·{term.value:.3f} {term.name}" for term in option.terms)
        for option in (decision.chosen, decision.runner_up)
    ]
    assert "\n".join(said) == DECISION


DECISION = """\
spot/b: 3.1567 = 0.035·0.156 fit + 0.02·0.812 balance + 4·0.500 fragmentation + 0.5·1.000 scarcity\
 + 0.1·0.850 cost + 0.15·1.000 spread + 0.3·0.000 stickiness + 0.2·1.000 affinity + 0.2·1.000 zone + 0.02·0.000 spot
general/a: 3.1417 = 0.035·0.156 fit + 0.02·0.812 balance + 4·0.500 fragmentation + 0.5·1.000 scarcity\
 + 0.1·0.500 cost + 0.15·1.000 spread + 0.3·0.000 stickiness + 0.2·1.000 affinity + 0.2·1.000 zone + 0.02·1.000 spot"""


def test_what_runs_stays_though_its_rules_would_not_let_it_start_there() -> None:
    """Kubernetes' rules among replicas hold for scheduling, and are ignored during execution."""
    even = replace(WEB, replicas=3, spreads=(TopologySpread(ZONE, 1, app("web"), hard=True),), movable=True)
    found = plan([node("n0"), node("n1", "b")], pods(even, "n0", "n0", "n0"), [even])
    assert found.assignment[WEB.identity] == {"n0": 3}
    assert found.moves == ()


def test_a_spread_that_was_planned_stays_as_it_was() -> None:
    nodes = [node(f"n{n}", "abc"[n % 3], cpu=16_000) for n in range(6)]
    even = replace(WEB, replicas=30, spreads=(TopologySpread(ZONE, 1, app("web"), hard=True),))
    first = plan(nodes, [], [even])
    assert plan(nodes, [], [even], previous=first).assignment == first.assignment


def test_a_spread_over_more_domains_than_there_are_counts_one_that_is_empty() -> None:
    spread = TopologySpread(ZONE, 2, app("web"), hard=True, least_domains=3)
    nodes = [node(f"n{n}", "ab"[n % 2], cpu=16_000) for n in range(4)]
    even = replace(WEB, replicas=30, spreads=(spread,))
    assert zones(plan(nodes, [], [even]), even) == {"a": 2, "b": 2}
    third = [*nodes, node("n4", "c", cpu=16_000)]
    assert sum(zones(plan(third, [], [even]), even).values()) == 30
    first = plan(nodes, [], [even])
    assert plan(nodes, [], [even], previous=first).assignment == first.assignment
