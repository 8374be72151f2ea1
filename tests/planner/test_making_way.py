"""What is urgent comes to a cluster where everything runs: who gives way, who does not, and that every rule holds."""

from collections import Counter
from dataclasses import replace

from amount import examples
from generated_clusters import MEBI, Question, app, identity, need, questions, replicas, violations
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.cluster_view import HOSTNAME, ZONE, NodeView, PodAffinity, PodView, Resources, TopologySpread
from reconciler.model.plan import IDENTITY, Constraint, Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.model.planning_policy import Policy
from reconciler.planner.plan import plan

LOW = WorkloadNeed(identity("low"), 4, Resources(2000, MEBI), labels={"app": "low"}, movable=True)
URGENT = WorkloadNeed(identity("urgent"), 2, Resources(2000, MEBI), labels={"app": "urgent"}, priority=100)
NODES = [
    NodeView(f"n{n}", Resources(4000, 1024 * MEBI), {ZONE: "ab"[n], HOSTNAME: f"n{n}", "pool": "xy"[n]}) for n in (0, 1)
]
LIMITED = [Pool("x", {"pool": "x"}, limits=Resources(cpu=4000)), Pool("y", {"pool": "y"})]


def answer(question: Question, previous: Plan = IDENTITY) -> Plan:
    return plan(
        question.nodes, question.running, question.needs, question.pools, question.policy, previous, question.quotas
    )


def placed(found: Plan, wanted: WorkloadNeed) -> int:
    return sum(found.assignment[wanted.identity].values())


def after(low: WorkloadNeed, urgent: WorkloadNeed, on: str = "n0 n0 n1 n1", pools: list[Pool] | None = None) -> Plan:
    """`low` runs on these nodes when `urgent` comes."""
    pods = [
        PodView("shop", f"low-{n}", node, low.requests, low.identity, low.labels) for n, node in enumerate(on.split())
    ]
    return plan(NODES, pods, [low, urgent], pools=pools or [], policy=Policy(iterations=50))


def test_what_may_stand_once_a_node_displaces_one_on_each() -> None:
    alone = replace(URGENT, affinities=(PodAffinity(HOSTNAME, app("urgent"), anti=True),))
    found = after(LOW, alone)
    assert found.assignment[URGENT.identity] == {"n0": 1, "n1": 1}
    assert found.assignment[LOW.identity] == {"n0": 1, "n1": 1}
    assert len(found.moves) == 2


def test_what_is_spread_over_zones_displaces_as_evenly() -> None:
    even = replace(URGENT, spreads=(TopologySpread(ZONE, 1, app("urgent"), hard=True),))
    assert after(LOW, even).assignment[URGENT.identity] == {"n0": 1, "n1": 1}


def test_a_spread_over_a_label_that_no_node_has_stops_no_search() -> None:
    nodes = [replace(node, labels={HOSTNAME: node.name}) for node in NODES]
    even = replace(URGENT, spreads=(TopologySpread(ZONE, 1, app("low"), hard=True),))
    found = plan(nodes, [], [replace(LOW, replicas=5), even], policy=Policy(iterations=50))
    assert (placed(found, LOW), placed(found, URGENT)) == (4, 0)
    assert found.unplaced[URGENT.identity].constraint is Constraint.SPREAD


def test_what_keeps_the_urgent_away_gives_way() -> None:
    low = replace(
        LOW, replicas=2, requests=Resources(500, MEBI), affinities=(PodAffinity(ZONE, app("urgent"), anti=True),)
    )
    found = after(low, URGENT, "n0 n1")
    assert placed(found, URGENT) == 2
    assert len(found.assignment[URGENT.identity]) == 1  # on the other node the others are
    assert placed(found, low) == 2


def test_what_keeps_to_a_hard_spread_gives_way_and_keeps_to_it() -> None:
    """Planned only, so that they have yet to start: three in one zone and one in the other could not."""
    low = replace(LOW, spreads=(TopologySpread(ZONE, 1, app("low"), hard=True),))
    before = plan(NODES, [], [low])
    urgent = replace(URGENT, zones=frozenset("a"))
    found = plan(NODES, [], [low, urgent], previous=before)
    assert found.assignment[URGENT.identity] == {"n0": 2}
    assert found.assignment[low.identity] == {"n1": 1}
    assert found.unplaced[low.identity].count == 3


def test_what_runs_beyond_its_spread_goes_on_running() -> None:
    low = replace(LOW, spreads=(TopologySpread(ZONE, 1, app("low"), hard=True),))
    found = after(low, replace(URGENT, zones=frozenset("a")))
    assert found.assignment[low.identity] == {"n1": 2}


def test_what_counts_less_makes_room_under_the_limit_of_a_pool() -> None:
    urgent = replace(URGENT, pool="x")
    found = after(replace(LOW, replicas=2), urgent, "n0 n0", LIMITED)
    assert found.assignment[URGENT.identity] == {"n0": 2}
    assert found.assignment[LOW.identity] == {"n1": 2}


def test_a_limit_that_was_exceeded_drives_nobody_out() -> None:
    low = replace(LOW, requests=Resources(1000, MEBI))
    tight = [replace(LIMITED[0], limits=Resources(cpu=2000)), LIMITED[1]]
    found = after(low, replace(URGENT, requests=Resources(3000, MEBI), pool="x"), "n0 n0 n0 n1", tight)
    assert found.assignment[low.identity] == {"n0": 3, "n1": 1}
    assert found.unplaced[URGENT.identity].count == 2


def test_what_counts_less_makes_room_under_a_quota() -> None:
    pods = [PodView("shop", f"low-{n}", "n0", LOW.requests, LOW.identity, LOW.labels) for n in range(2)]
    policy = Policy(iterations=50, quotas={"shop": Resources(cpu=4000)})
    found = plan(NODES, pods, [replace(LOW, replicas=2), replace(URGENT, replicas=1)], policy=policy)
    assert (placed(found, URGENT), placed(found, LOW)) == (1, 1)


def test_what_another_must_be_with_stays() -> None:
    beside = replace(
        LOW, identity=identity("beside"), labels={"app": "beside"}, replicas=1, requests=Resources(100, MEBI),
        affinities=(PodAffinity(HOSTNAME, app("low")),), priority=1000,
    )  # fmt: skip
    pods = [PodView("shop", "low-0", "n0", LOW.requests, LOW.identity, LOW.labels)]
    large = replace(URGENT, replicas=1, requests=Resources(3500, MEBI), zones=frozenset("a"))
    found = plan(NODES, pods, [replace(LOW, replicas=1), beside, large])
    assert found.assignment[LOW.identity] == {"n0": 1}
    assert found.assignment[beside.identity] == {"n0": 1}
    assert found.unplaced[URGENT.identity].count == 1


def test_no_more_gives_way_than_must() -> None:
    nodes = [NodeView(f"n{n:02}", Resources(4000, 8192 * MEBI)) for n in range(40)]
    low = replace(LOW, replicas=80)
    before = plan(nodes, [], [low])
    running = replicas(Question(tuple(nodes), (), (low,), (), Policy()), before)
    alone = replace(URGENT, replicas=20, affinities=(PodAffinity(HOSTNAME, app("urgent"), anti=True),))
    found = plan(nodes, running, [low, alone], previous=before, policy=Policy(move_budget=20))
    assert placed(found, alone) == 20
    assert len(found.moves) == 20


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[Plan, Question]:
    """All runs as planned. Then the urgent come, or somebody becomes urgent."""
    first = draw(questions())
    before = answer(first)
    running = (*first.running, *replicas(first, before))
    names = [f"urgent{number}" for number in range(draw(st.integers(1, 2)))]
    urgent = [replace(draw(need(name, [name, "w0"])), priority=1000) for name in names]
    policy = replace(first.policy, move_budget=draw(st.sampled_from([100, 3])), iterations=200)
    return before, replace(first, running=running, needs=(*first.needs, *urgent), policy=policy)


def owners(question: Question) -> Counter[Identity]:
    return Counter(pod.owner for pod in question.running if pod.owner is not None)


@examples(150)
@given(arrivals())
def test_every_rule_and_budget_holds_when_the_urgent_come(arrival: tuple[Plan, Question]) -> None:
    before, question = arrival
    found = answer(question, before)
    assert violations(question, found) == []
    assert repr(answer(question, before)) == repr(found)
    assert len(found.moves) <= question.policy.move_budget
    moved = Counter(move.identity for move in found.moves)
    for asked in question.needs:
        allowed = question.policy.move_budget if asked.disruptions is None else asked.disruptions
        assert moved[asked.identity] <= (allowed if asked.movable else 0)


@examples(100)
@given(arrivals())
def test_nobody_gives_way_but_to_a_higher_priority(arrival: tuple[Plan, Question]) -> None:
    before, question = arrival
    found = answer(question, before)
    ran = owners(question)
    gained = [asked.priority for asked in question.needs if placed(found, asked) > ran[asked.identity]]
    for asked in question.needs:
        if placed(found, asked) < min(ran[asked.identity], asked.replicas):
            assert asked.priority < max(gained)
    assert found.value >= before.value
