"""The fix that a plan names for what waits is one: made so in what the plan was asked, it places a replica more."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from amount import examples
from generated_clusters import MEBI, Question, app, identity, questions, replicas
from hypothesis import given

from reconciler.kube.selector import Operator, Requirement
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
from reconciler.model.plan import IDENTITY, Constraint, Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.plan import plan

WEB = WorkloadNeed(identity("web"), 4, Resources(1000, MEBI), labels={"app": "web"})
EVEN = replace(WEB, spreads=(TopologySpread(ZONE, 1, app("web"), hard=True),))
POOLS = (Pool("x", {"pool": "x"}, limits=Resources(cpu=1000)), Pool("y", {"pool": "y"}))


def node(name: str, zone: str, pool: str, cpu: int = 4000) -> NodeView:
    return NodeView(name, Resources(cpu, 1024 * MEBI), {ZONE: zone, HOSTNAME: name, "pool": pool})


def answer(question: Question, previous: Plan = IDENTITY) -> Plan:
    return plan(
        question.nodes, question.running, question.needs, question.pools, question.policy, previous, question.quotas
    )


def test_a_limit_beside_a_hard_spread_is_named() -> None:
    """One zone has room that the spread closes; the other has room that the limit of its pool closes."""
    lack = plan([node("n0", "a", "x"), node("n1", "b", "y")], [], [EVEN], pools=POOLS).unplaced[EVEN.identity]
    assert lack.constraint is Constraint.LIMIT
    assert lack.reason == "2 nodes have room: pool limit rules out 1 and topology spread rules out 1"
    assert lack.fix == "raise the limit of pool x"


def test_two_obstacles_at_once_are_both_named() -> None:
    nodes = [node("n0", "a", "x", cpu=1500), node("n1", "b", "y", cpu=1500)]
    lack = plan(nodes, [], [replace(WEB, zones=frozenset("a"))], pools=POOLS).unplaced[WEB.identity]
    assert lack.reason == "n0 comes nearest, and there pool limit and capacity (500m cpu) are in the way"
    assert lack.fix == "raise the limit of pool x and free 500m cpu on n0"


def test_a_node_that_a_rule_closes_is_none_that_is_too_full() -> None:
    """There is room on n1, but one of it is there already."""
    alone = replace(WEB, affinities=(PodAffinity(HOSTNAME, app("web"), anti=True),))
    full = PodView("shop", "other", "n0", Resources(3500))
    lack = plan([node("n0", "a", "y"), node("n1", "b", "y")], [full], [alone]).unplaced[alone.identity]
    assert lack.reason == "the only node that nothing else closes is too full: n0 lacks 500m cpu"


def test_what_waits_for_one_who_comes_later_is_placed_with_him() -> None:
    """By name and priority it comes first, and finds nobody to be with."""
    beside = replace(WEB, affinities=(PodAffinity(ZONE, app("zz")),), priority=10)
    friend = WorkloadNeed(identity("zz"), 1, Resources(100, MEBI), labels={"app": "zz"})
    assert not plan([node("n0", "a", "y", cpu=8000)], [], [beside, friend], pools=POOLS).unplaced


def test_an_even_spread_says_how_uneven_it_would_have_to_be() -> None:
    lack = plan([node("n0", "a", "y"), node("n1", "b", "y", cpu=1000)], [], [EVEN]).unplaced[EVEN.identity]
    assert lack.fix == (
        "add a node like n1, raise its maxSkew over topology.kubernetes.io/zone to 2, or use whenUnsatisfiable:"
        " ScheduleAnyway over topology.kubernetes.io/zone"
    )


ONE = replace(WEB, replicas=1)
PLAIN = node("n0", "a", "y")
TAINTED = replace(PLAIN, taints=(Taint("gpu", "yes"),))
OPENINGS = [
    pytest.param(
        replace(ONE, pool="x"),
        PLAIN,
        Constraint.POOL,
        "no node is in pool x: label nodes for it, or let it grow",
        node("n0", "a", "x"),
        id="pool",
    ),
    pytest.param(
        replace(ONE, zones=frozenset("b")),
        PLAIN,
        Constraint.ZONE,
        "it is to be in b: add nodes there (such as n0 are in a)",
        node("n0", "b", "y"),
        id="zone",
    ),
    pytest.param(
        replace(ONE, volume_zones=frozenset("b")),
        PLAIN,
        Constraint.ZONE,
        "its volumes are in b: add nodes there (such as n0 are in a)",
        node("n0", "b", "y"),
        id="volume",
    ),
    pytest.param(
        replace(ONE, node_selector={"disk": "ssd"}),
        PLAIN,
        Constraint.SELECTOR,
        "label a node disk=ssd",
        replace(PLAIN, labels={**PLAIN.labels, "disk": "ssd"}),
        id="selector",
    ),
    pytest.param(
        replace(ONE, node_affinity=((Requirement(ZONE, Operator.IN, frozenset("b")),),)),
        PLAIN,
        Constraint.SELECTOR,
        "widen the required node affinity, so that it matches n0",
        replace(ONE, node_affinity=((Requirement(ZONE, Operator.IN, frozenset("ab")),),)),
        id="affinity",
    ),
    pytest.param(
        ONE,
        TAINTED,
        Constraint.TAINT,
        "tolerate gpu=yes:NoSchedule, as on n0",
        replace(ONE, tolerations=(Toleration("gpu", "yes"),)),
        id="taint",
    ),
    pytest.param(
        replace(ONE, gpu=Gpu(1, models=frozenset({"T4"}))),
        replace(PLAIN, gpus=1, gpu_model="A10"),
        Constraint.MODEL,
        "allow GPU model A10, as on n0",
        replace(ONE, gpu=Gpu(1, models=frozenset({"T4", "A10"}))),
        id="model",
    ),
    pytest.param(
        ONE,
        replace(PLAIN, schedulable=False),
        Constraint.READY,
        "make n0 ready and schedulable again",
        PLAIN,
        id="cordoned",
    ),
    pytest.param(
        replace(ONE, requests=Resources(5000, MEBI)),
        PLAIN,
        Constraint.SIZE,
        "ask for 1000m cpu less, or add nodes that have as much more than n0",
        node("n0", "a", "y", cpu=5000),
        id="size",
    ),
    pytest.param(
        replace(ONE, gpu=Gpu(2)),
        replace(PLAIN, gpus=1),
        Constraint.SIZE,
        "ask for 1 GPU less, or add nodes that have as much more than n0",
        replace(PLAIN, gpus=2),
        id="GPUs",
    ),
]


@pytest.mark.parametrize(("need", "there", "constraint", "fix", "fixed"), OPENINGS)
def test_where_no_node_may_be_used_the_fix_opens_one(
    need: WorkloadNeed, there: NodeView, constraint: Constraint, fix: str, fixed: WorkloadNeed | NodeView
) -> None:
    pools = [replace(POOLS[0], limits=None), POOLS[1]]
    lack = plan([there], [], [need], pools=pools).unplaced[need.identity]
    assert (lack.constraint, lack.fix) == (constraint, fix)
    nodes, needs = ([fixed], [need]) if isinstance(fixed, NodeView) else ([there], [fixed])
    assert not plan(nodes, [], needs, pools=pools).unplaced


def every(question: Question, change: Callable[[WorkloadNeed], WorkloadNeed]) -> Question:
    return replace(question, needs=tuple(change(need) for need in question.needs))


def one(question: Question, wanted: WorkloadNeed, change: Callable[[WorkloadNeed], WorkloadNeed]) -> Question:
    return every(question, lambda need: change(need) if need.identity == wanted.identity else need)


def made(question: Question, wanted: WorkloadNeed, way: str) -> Question | None:
    """The question with one way to fix it; None for a way that no hand but a person's can go."""

    def with_key(spreads: tuple[TopologySpread, ...], key: str, **other: object) -> tuple[TopologySpread, ...]:
        return tuple(replace(each, **other) if each.topology_key == key else each for each in spreads)  # type: ignore[arg-type]

    def preferred(need: WorkloadNeed | PodView, anti: bool) -> tuple[PodAffinity, ...]:
        return tuple(
            replace(each, required=False) if each.topology_key == key and each.anti is anti else each
            for each in need.affinities
        )

    if found := re.fullmatch(r"raise the quota of (\S+)", way):
        return replace(question, policy=replace(question.policy, quotas={}))
    if found := re.fullmatch(r"raise (.+) in ResourceQuota/(\S+)/(\S+)", way):
        raised = dict.fromkeys(found[1].split(" and "), 1 << 50)
        quotas = (
            replace(each, hard=tuple({**dict(each.hard), **raised}.items())) if each.name == found[3] else each
            for each in question.quotas
        )
        return replace(question, quotas=tuple(quotas))
    if found := re.fullmatch(r"raise the limit of pool (\S+)", way):
        pools = tuple(replace(each, limits=None) if each.name == found[1] else each for each in question.pools)
        return replace(question, pools=pools)
    if found := re.fullmatch(r"add a node like (\S+?)(?:, but with another (\S+))?", way):
        like = next(each for each in question.nodes if each.name == found[1])
        labels = {**like.labels, HOSTNAME: "another"} | ({found[2]: "another"} if found[2] else {})
        return replace(question, nodes=(*question.nodes, replace(like, name="another", labels=labels)))
    if found := re.fullmatch(r"free (.+) on (\S+)", way):
        amounts = {what: int(amount) for amount, what in re.findall(r"(\d+)(m cpu|Mi memory| pod| GPU)", found[1])}
        pods = sum(pod.node == found[2] for pod in question.running)  # of others there may be more than it takes
        nodes = (larger(n, pods, amounts) if n.name == found[2] else n for n in question.nodes)
        return replace(question, nodes=tuple(nodes))
    if found := re.fullmatch(r"raise its maxSkew over (\S+) to (\d+)", way):
        skew = int(found[2])
        return one(question, wanted, lambda n: replace(n, spreads=with_key(n.spreads, found[1], max_skew=skew)))
    if found := re.fullmatch(r"use whenUnsatisfiable: ScheduleAnyway over (\S+)", way):
        return one(question, wanted, lambda n: replace(n, spreads=with_key(n.spreads, found[1], hard=False)))
    if found := re.fullmatch(r"make its (anti-)?affinity over (\S+) preferred", way):
        key, anti = found[2], bool(found[1])
        return one(question, wanted, lambda n: replace(n, affinities=preferred(n, anti)))
    if found := re.fullmatch(r"make the others' anti-affinity over (\S+) preferred", way):
        key = found[1]
        running = tuple(replace(pod, affinities=preferred(pod, True)) for pod in question.running)
        changed = every(
            question, lambda n: n if n.identity == wanted.identity else replace(n, affinities=preferred(n, True))
        )
        return replace(changed, running=running)
    return None


def larger(node: NodeView, pods: int, by: dict[str, int]) -> NodeView:
    has, pods = node.allocatable, max(node.pods, pods) if by.get(" pod") else node.pods
    more = replace(has, cpu=has.cpu + by.get("m cpu", 0), memory=has.memory + by.get("Mi memory", 0) * MEBI)
    return replace(node, allocatable=more, pods=pods + by.get(" pod", 0), gpus=node.gpus + by.get(" GPU", 0))


FIXED = {
    Constraint.CAPACITY, Constraint.LIMIT, Constraint.QUOTA, Constraint.SPREAD, Constraint.ANTI_AFFINITY,
    Constraint.AFFINITY,
}  # fmt: skip


def ways(fix: str) -> list[list[str]]:
    """Each way, in steps that belong together."""
    freed = re.search(r"on ([^\s,]+)", fix)
    each = re.split(r", or |, (?!but )", fix.replace("like it", f"like {freed[1]}" if freed else "like it"))
    return [re.split(r" and (?=raise|make|use|free)", way) for way in each]


@examples(150)
@given(questions())
def test_each_way_to_fix_it_places_a_replica_more(question: Question) -> None:
    """All runs as planned, and nobody else waits: else the room that is made might be theirs."""
    found = answer(question)
    has = {need.identity: sum(found.assignment[need.identity].values()) for need in question.needs}
    running = replace(question, running=(*question.running, *replicas(question, found)))
    for wanted in question.needs:
        lack = found.unplaced.get(wanted.identity)
        if lack is None or lack.constraint not in FIXED:
            continue
        alone = every(
            running, lambda need, who=wanted: need if need is who else replace(need, replicas=has[need.identity])
        )  # type: ignore[misc]
        for way in ways(lack.fix):
            changed: Question | None = alone
            for step in way:
                changed = made(changed, wanted, step) if changed is not None else None
            if changed is not None:
                after = answer(changed, found)
                assert sum(after.assignment[wanted.identity].values()) > has[wanted.identity], (lack, way)
