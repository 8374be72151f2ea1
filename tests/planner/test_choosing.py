"""How much is weighed as where is: h is a sum of terms, and the profiles are known ways to reckon."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model.plan import Choice
from reconciler.model.planning_policy import PROFILES, Family, Policy, TermName
from reconciler.model.usage import Spread
from reconciler.planner.choosing import Plan, choose_forecast, choose_request
from reconciler.planner.demand import Rule as Forecasting
from reconciler.planner.demand import Trial
from reconciler.planner.requests import Rule
from reconciler.usage.histogram import CPU, Histogram

NOW = datetime(2026, 3, 8, tzinfo=UTC)
BALANCED = Policy()


def measured(values: list[float]) -> Spread:
    """As a history would tell it: the percentiles are ends of its buckets."""
    histogram = Histogram(CPU)
    for value in values:
        histogram.add(value, NOW)
    found = [histogram.percentile(part) for part in (0.5, 0.9, 0.95)]
    assert None not in found
    return Spread(*found)  # type: ignore[arg-type]


SPREADS = st.lists(st.floats(0.001, 500), min_size=1, max_size=60).map(measured)
NAMES = st.sampled_from(["cpu", "memory"])


@given(spread=SPREADS, name=NAMES, headroom=st.floats(0.1, 2))
@example(spread=Spread(1.0, 1.0, 1.0), name="memory", headroom=0.15)
def test_balanced_reckons_as_the_vertical_pod_autoscaler_does(spread: Spread, name: str, headroom: float) -> None:
    assert choose_request(name, spread, headroom, BALANCED).rule.of(spread) == Rule(0.9, headroom).of(spread)


@given(spread=SPREADS, name=NAMES)
def test_cost_is_leaner_and_resilient_roomier(spread: Spread, name: str) -> None:
    lean, plain, roomy = (
        choose_request(name, spread, 0.15, Policy(profile)).rule.of(spread)
        for profile in ("cost", "balanced", "resilient")
    )
    assert lean < plain <= roomy
    if spread.p90 < spread.p95 < 1.3 * spread.p90:
        assert plain < roomy


@given(spread=SPREADS, name=NAMES, headroom=st.floats(0, 2), profile=st.sampled_from(sorted(PROFILES)))
def test_an_explanation_adds_up_and_the_choice_is_the_best(
    spread: Spread, name: str, headroom: float, profile: str
) -> None:
    choice = choose_request(name, spread, headroom, Policy(profile)).choice
    for candidate in filter(None, (choice.chosen, choice.runner_up)):
        assert candidate.score == math.fsum(term.value * term.weight for term in candidate.terms)
        assert all(0 <= term.value <= 1 for term in candidate.terms)
        assert {term.family for term in candidate.terms} == {Family.ALLOCATION}
    if choice.runner_up is not None:
        assert choice.runner_up.score <= choice.chosen.score
        assert choice.runner_up.what != choice.chosen.what


def test_memory_alone_has_a_term_for_being_killed() -> None:
    spread = Spread(1.0, 2.0, 3.0)
    with_kills, without = (_values(choose_request(name, spread, 0.15, BALANCED).choice) for name in ("memory", "cpu"))
    # 2.3 lies three tenths of the way from the 90th (a tenth beyond) to the 95th percentile (a twentieth).
    assert with_kills[TermName.KILLS] == pytest.approx(1 - 0.1 * 0.5**0.3)
    assert TermName.KILLS not in without
    assert without == {k: v for k, v in with_kills.items() if k is not TermName.KILLS}
    assert without[TermName.DEMAND] == 0.9
    assert without[TermName.HEADROOM] == 1
    assert without[TermName.SLACK] == pytest.approx(1.075 / 1.15)


def test_a_weight_of_ones_own_decides_otherwise() -> None:
    spread = Spread(1.0, 2.0, 3.0)
    assert choose_request("cpu", spread, 0.15, Policy(weights={"slack": 0})).rule == Rule(0.95, 0.15)
    assert choose_request("cpu", spread, 0.15, Policy(weights={"demand": 0, "headroom": 0})).rule == Rule(0.9, 0.075)


def _values(choice: Choice) -> dict[TermName, float]:
    return {term.name: term.value for term in choice.chosen.terms}


RARELY = Plan(0.01, Trial(13.0, Forecasting("now", True, 1.5)))
OFTEN = Plan(0.05, Trial(10.0, Forecasting("now", True, 1.2)))
DEAR = Plan(0.05, Trial(11.0, Forecasting("level", False, 2.0)))


@pytest.mark.parametrize(("profile", "plan"), [("balanced", RARELY), ("cost", OFTEN), ("resilient", RARELY)])
def test_which_risk_a_forecast_takes_is_weighed_against_what_it_costs(profile: str, plan: Plan) -> None:
    found, choice = choose_forecast([DEAR, RARELY, OFTEN], Policy(profile))
    assert found is plan
    assert choice.subject == "replicas"
    assert choice.runner_up is not None
    assert choice.runner_up.score <= choice.chosen.score
    assert _values(choice) == {TermName.DEMAND: 1 - plan.risk / 0.05, TermName.SLACK: 10.0 / plan.trial.cost}


def test_of_two_risks_at_the_same_cost_the_smaller_is_taken() -> None:
    same = Plan(0.05, RARELY.trial)
    assert choose_forecast([same, RARELY], BALANCED)[0] is RARELY
