"""What holds for every plan, whatever the cluster."""

from dataclasses import replace
from math import fsum
from random import Random

from amount import examples
from generated_clusters import Question, more_of, questions, replicas, stated_weights, violations
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.plan import IDENTITY, Plan
from reconciler.model.planner_config import PlannerSettings
from reconciler.model.planning_policy import FAMILY, Family, TermName
from reconciler.planner.plan import plan


def answer(question: Question, previous: Plan = IDENTITY) -> Plan:
    return plan(
        question.nodes, question.running, question.needs, question.pools, question.policy, previous, question.quotas
    )


@examples(60)
@given(questions())
def test_nothing_is_violated(question: Question) -> None:
    assert violations(question, answer(question)) == []


@examples(30)
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(question: Question, random: Random) -> None:
    shuffled = [
        list(part) for part in (question.nodes, question.running, question.needs, question.pools, question.quotas)
    ]
    for part in shuffled:
        random.shuffle(part)
    nodes, running, needs, pools, quotas = shuffled
    found = plan(nodes, running, needs, pools, question.policy, quotas=quotas)
    assert repr(found) == repr(answer(question))


@examples(25)
@given(questions())
def test_every_replica_has_a_place_or_a_reason(question: Question) -> None:
    found = answer(question)
    for need in question.needs:
        placed = sum(share.count for share in found.placements[need.identity])
        lacking = found.unplaced[need.identity].count if need.identity in found.unplaced else 0
        assert placed + lacking == need.replicas
        assert placed == sum(found.assignment[need.identity].values())
        if lacking:
            assert found.unplaced[need.identity].reason
            assert found.unplaced[need.identity].fix


@examples(25)
@given(questions())
def test_terms_add_up_to_the_score_and_stay_between_0_and_1(question: Question) -> None:
    for decisions in answer(question).decisions.values():
        for decision in decisions:
            for option in filter(None, (decision.chosen, decision.runner_up)):
                assert all(0 <= term.value <= 1 for term in option.terms)
                assert option.score == fsum(term.value * term.weight for term in option.terms)


@examples(25)
@given(questions())
def test_each_workload_is_weighed_by_what_its_spec_says(question: Question) -> None:
    found = answer(question)
    for need in question.needs:
        own = question.policy.of(need.weighs)
        counted = {name: own.weight(name) for name in TermName if FAMILY[name] is not Family.ALLOCATION}
        for decision in found.decisions[need.identity]:
            for option in filter(None, (decision.chosen, decision.runner_up)):
                weights = {term.name: term.weight for term in option.terms}
                assert weights == {name: weight for name, weight in counted.items() if weight}


@examples(40)
@given(questions(), st.data())
def test_nobody_loses_a_place_by_being_weighed_anew(question: Question, data: st.DataObject) -> None:
    question = replace(question, policy=replace(question.policy, iterations=0))
    before = answer(question)
    runs = data.draw(st.booleans())
    needs = tuple(
        replace(need, weighs=data.draw(st.one_of(st.none(), stated_weights)), renewed=runs) for need in question.needs
    )
    pods = (*question.running, *(replicas(question, before) if runs else ()))
    after = answer(replace(question, needs=needs, running=pods), before)
    for need in question.needs:
        assert sum(after.assignment[need.identity].values()) >= sum(before.assignment[need.identity].values())
    assert violations(replace(question, needs=needs), after) == []


@examples(25)
@given(questions())
def test_to_state_the_weights_that_hold_anyway_changes_nothing(question: Question) -> None:
    policy, needs = question.policy, tuple(replace(need, weighs=None) for need in question.needs)
    stated = PlannerSettings(policy.profile, {name.value: policy.weight(name) for name in TermName})
    usual = answer(replace(question, needs=needs))
    said = answer(replace(question, needs=tuple(replace(need, weighs=stated) for need in needs)))
    assert repr(replace(said, weighs={})) == repr(usual)


@examples(25)
@given(questions())
def test_the_choice_is_no_worse_than_the_runner_up(question: Question) -> None:
    for decisions in answer(question).decisions.values():
        for decision in decisions:
            assert decision.runner_up is None or decision.chosen.score >= decision.runner_up.score - 1e-9


@examples(30)
@given(questions())
def test_given_the_plan_before_more_room_never_places_less(question: Question) -> None:
    before = answer(question)
    after = answer(more_of(question), before)
    assert after.value >= before.value


@examples(25)
@given(questions())
def test_a_plan_that_was_carried_out_stays(question: Question) -> None:
    question = replace(question, policy=replace(question.policy, iterations=0))
    before = answer(question)
    done = replace(question, running=(*question.running, *replicas(question, before)))
    after = answer(done, before)
    assert not after.moves
    for identity, nodes in before.assignment.items():
        assert all(after.assignment[identity].get(node, 0) >= count for node, count in nodes.items())


@examples(25)
@given(questions())
def test_the_value_is_within_its_bound(question: Question) -> None:
    found = answer(question)
    assert 0 <= found.value <= found.bound + 1e-6
    assert 0 <= found.gap <= 1


@examples(25)
@given(questions())
def test_no_more_moves_than_budgets_allow(question: Question) -> None:
    """A node is lost; all else runs as planned."""
    before = answer(question)
    fewer = replace(
        question, nodes=question.nodes[1:],
        running=tuple(pod for pod in replicas(question, before) if pod.node in {n.name for n in question.nodes[1:]}),
    )  # fmt: skip
    found = answer(fewer)
    assert len(found.moves) <= question.policy.move_budget
    for need in question.needs:
        moved = sum(move.identity == need.identity for move in found.moves)
        allowed = question.policy.move_budget if need.disruptions is None else need.disruptions
        assert moved <= (allowed if need.movable else 0)
