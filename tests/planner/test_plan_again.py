"""A plan from the plan before: its book saves work and decides nothing."""

from copy import deepcopy
from dataclasses import replace

from amount import examples
from generated_clusters import (
    MEBI,
    Question,
    amounts,
    app,
    identity,
    mostly,
    questions,
    replicas,
    stated_weights,
    violations,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.cluster_view import HOSTNAME, ZONE, NodeView, PodAffinity, Resources, Taint, TopologySpread
from reconciler.model.plan import IDENTITY, Plan
from reconciler.model.planning import Pool, WorkloadNeed
from reconciler.planner.book import EMPTY
from reconciler.planner.plan import plan


def answer(question: Question, previous: Plan = IDENTITY) -> Plan:
    return plan(
        question.nodes, question.running, question.needs, question.pools, question.policy, previous, question.quotas
    )


def stripped(before: Plan) -> Plan:
    """The plan as it comes back from where it was written down."""
    return replace(before, assignment={name: dict(nodes) for name, nodes in before.assignment.items()}, book=None)


@st.composite
def nodes_changed(draw: st.DrawFn, nodes: tuple[NodeView, ...]) -> tuple[NodeView, ...]:
    if not nodes:
        return nodes
    node = draw(st.sampled_from(nodes))
    rest = tuple(each for each in nodes if each is not node)
    other = draw(
        st.sampled_from(
            [
                (),
                (replace(node, ready=not node.ready),),
                (replace(node, schedulable=not node.schedulable),),
                (replace(node, allocatable=Resources(1000, 1024 * MEBI)),),
                (replace(node, taints=(Taint("new"),)),),
                (replace(node, labels={**node.labels, "pool": "spot", ZONE: "d"}),),
                (node, replace(node, name=f"a-{node.name}", labels={**node.labels, HOSTNAME: f"a-{node.name}"})),
            ]
        )
    )
    return (*rest, *other)


@st.composite
def needs_changed(draw: st.DrawFn, needs: tuple[WorkloadNeed, ...]) -> tuple[WorkloadNeed, ...]:
    if not needs:
        return needs
    need = draw(st.sampled_from(needs))
    name = need.identity.name
    other = draw(
        st.sampled_from(
            [
                None,
                replace(need, replicas=need.replicas + 2),
                replace(need, replicas=need.replicas // 2),
                replace(need, requests=draw(amounts)),
                replace(need, priority=100 - need.priority),
                replace(need, spreads=(TopologySpread(ZONE, 1, app(name), hard=True),)),
                replace(need, affinities=(PodAffinity(HOSTNAME, app(name), anti=True),)),
                replace(need, node_selector={"pool": "general"}, zones=frozenset("a")),
                replace(need, weighs=draw(stated_weights)),
                replace(need, weighs=None, renewed=True),
            ]
        )
    )
    found = tuple(each for each in (n if n is not need else other for n in needs) if each is not None)
    new = replace(need, identity=identity("a-new-one"), labels={"app": "a-new-one"})
    known = any(each.identity == new.identity for each in found)
    return found if known or not draw(mostly(False, True)) else (*found, new)


@st.composite
def changed(draw: st.DrawFn, question: Question, before: Plan) -> Question:
    """What is asked next: most of it the very objects that it was."""
    what = draw(st.sampled_from(["nodes", "needs", "carried out", "pools", "both", "made anew"]))
    if what in ("nodes", "both"):
        question = replace(question, nodes=draw(nodes_changed(question.nodes)))
    if what in ("needs", "both"):
        question = replace(question, needs=draw(needs_changed(question.needs)))
    if what == "carried out":
        others = tuple(pod for pod in question.running if pod.owner is None)
        question = replace(question, running=(*others, *replicas(question, before)))
    if what == "made anew":
        question = deepcopy(question)
    if what == "pools":
        question = replace(question, pools=(Pool("other", {"pool": "gpu"}), *question.pools[1:]))
    names = {node.name for node in question.nodes}
    return replace(question, running=tuple(pod for pod in question.running if pod.node in names))


@examples(150)
@given(questions(), st.data())
def test_the_book_changes_no_byte(question: Question, data: st.DataObject) -> None:
    before = answer(question)
    for _ in range(3):
        question = data.draw(changed(question, before))
        after = answer(question, before)
        assert repr(answer(question, stripped(before))) == repr(after)
        assert repr(answer(question, deepcopy(before))) == repr(after)  # whose book is about other objects
        assert repr(answer(question, before)) == repr(after)  # and no book is written into
        before = after


@examples(100)
@given(questions(), st.data())
def test_nothing_is_violated_again(question: Question, data: st.DataObject) -> None:
    before = answer(question)
    for _ in range(2):
        question = data.draw(changed(question, before).filter(lambda asked: not _runs(asked)))
        before = answer(question, before)
        assert violations(question, before) == []


def _runs(question: Question) -> bool:
    """What runs stays whatever the rules, which the judge does not know."""
    return any(pod.owner is not None for pod in question.running)


@examples(60)
@given(questions())
def test_the_same_again_moves_nothing(question: Question) -> None:
    before = answer(question)
    after = answer(question, before)
    assert after.value >= before.value
    for name, nodes in before.assignment.items():
        assert all(after.assignment[name].get(node, 0) >= count for node, count in nodes.items())


def test_a_copy_has_no_book() -> None:
    before = plan([NodeView("n0", Resources(4000, 8192 * MEBI))], [], [])
    assert before.book is not EMPTY
    assert deepcopy(before).book is EMPTY


def test_a_book_about_another_assignment_is_not_read() -> None:
    nodes = [NodeView("n0", Resources(4000, 8192 * MEBI)), NodeView("n1", Resources(4000, 8192 * MEBI))]
    web = WorkloadNeed(identity("web"), 2, Resources(1000, 512 * MEBI))
    before = plan(nodes, [], [web])
    moved = replace(before, assignment={web.identity: {"n1": 2}})
    assert plan(nodes, [], [web], previous=moved).assignment[web.identity] == {"n1": 2}
