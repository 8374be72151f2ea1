"""Forecasts of demand: they read no future, and what is taken was enough and cost least."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planner.carrying import Carrying
from reconciler.planner.demand import Trial, replicas, trials
from reconciler.planner.forecast import DAY, forecasts, trailing_max

STEP = 1800.0
PER_DAY = 48
ONE, FIVE = Carrying(1.0, "cores"), Carrying(5.0, "cores")
SERIES = st.lists(st.floats(0, 1e6), min_size=5, max_size=400).map(np.array)


def days(count: int, seed: int = 1) -> np.ndarray:
    """A curve that is the same each day, and a tenth of noise."""
    t = np.arange(count * PER_DAY)
    noise = np.random.default_rng(seed).normal(0, 0.05, len(t))
    return (100 + 80 * np.sin(2 * np.pi * t / PER_DAY)) * (1 + noise)


def tried(demand: np.ndarray, *, step: float, lag: int, carrying: Carrying, risk: float) -> list[Trial]:
    """As of the end of all of it, what costs least first."""
    found = trials(forecasts(demand, step=step, lag=lag), demand, len(demand), step, lag, carrying, risk)
    return sorted(found, key=lambda each: each.cost)


def autoscaler(found: list[Trial], step: float) -> Trial:
    """The HorizontalPodAutoscaler's rule: the highest of five minutes, or two steps at least, times a factor."""
    return next(each for each in found if each.rule[:2] == (f"the highest of the last {2 * step / 60:g} minutes", True))


@given(values=SERIES, span=st.integers(1, 500))
def test_the_trailing_maximum_is_that_of_its_window(values: np.ndarray, span: int) -> None:
    plain = [values[max(0, t - span + 1) : t + 1].max() for t in range(len(values))]
    assert trailing_max(values, span).tolist() == plain


@given(past=SERIES, lag=st.integers(1, 6), step=st.sampled_from([10.0, 300.0, STEP, DAY / 4]), data=st.data())
def test_no_forecast_reads_the_future(past: np.ndarray, lag: int, step: float, data: st.DataObject) -> None:
    now = data.draw(st.integers(len(past) // 2 + 1, len(past)))
    other = past.copy()
    other[now:] = data.draw(st.floats(0, 1e6))
    found, again = (forecasts(values, step=step, lag=lag) for values in (past, other))
    for one, two in zip(found, again, strict=True):
        assert one.name == two.name
        np.testing.assert_allclose(one.values[:now], two.values[:now], rtol=1e-9)


@given(past=SERIES, lag=st.integers(1, 6))
def test_every_forecast_is_an_amount(past: np.ndarray, lag: int) -> None:
    for forecast in forecasts(past, step=DAY / 8, lag=lag):
        assert len(forecast.values) == len(past)
        assert np.isfinite(forecast.values).all()
        assert (forecast.values > 0).all()


def test_what_repeats_each_day_is_foretold_by_the_time_of_day() -> None:
    found = tried(days(20), step=STEP, lag=2, carrying=FIVE, risk=0.02)
    assert "at this time" in found[0].rule.forecast
    assert found[0].cost < 0.8 * autoscaler(found, STEP).cost


def test_what_never_repeats_costs_no_more_than_the_autoscaler() -> None:
    walk = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.2, 1500))).clip(0.1, 1e4)
    found = tried(walk, step=300.0, lag=1, carrying=ONE, risk=0.05)
    assert found[0].cost <= autoscaler(found, 300.0).cost


@given(
    seed=st.integers(0, 1000),
    risk=st.sampled_from([0.01, 0.05, 0.1]),
    length=st.integers(60, 600),
    lag=st.integers(1, 4),
)
def test_what_is_taken_would_have_been_enough(seed: int, risk: float, length: int, lag: int) -> None:
    demand = np.random.default_rng(seed).gamma(2.0, 10.0, length)
    found = tried(demand, step=300.0, lag=lag, carrying=ONE, risk=risk)[0]
    (forecast,) = (f for f in forecasts(demand, step=300.0, lag=lag) if f.name == found.rule.forecast)
    ready = found.rule.expected(forecast.values[: length - lag])
    short = (demand[lag:] > ready * (1 + 1e-9)).mean()
    assert short <= risk


def test_unseen_days_are_covered_as_promised() -> None:
    """On days that the rule was not taken from: about the nominal share of steps is short."""
    demand = days(30)
    made = forecasts(demand, step=STEP, lag=1)
    short = []
    for now in range(16 * PER_DAY, len(demand), PER_DAY):
        found = min(trials(made, demand, now, STEP, 1, FIVE, 0.05), key=lambda each: each.cost)
        values = next(f.values for f in made if f.name == found.rule.forecast)
        ready = found.rule.expected(values[now - 1 : now - 1 + PER_DAY])
        short.append(demand[now : now + PER_DAY] > ready[: len(demand) - now])
    assert 0.02 < np.concatenate(short).mean() < 0.12


def test_a_rare_risk_is_met_beyond_what_was_ever_seen() -> None:
    demand = np.random.default_rng(5).gamma(2.0, 10.0, 50)
    costs = [tried(demand, step=300.0, lag=1, carrying=ONE, risk=risk)[0].cost for risk in (0.05, 0.01, 0.001)]
    assert costs == sorted(costs)
    assert costs[-1] > costs[0]


@pytest.mark.parametrize("length", [1, 20])
def test_a_short_past_tells_nothing(length: int) -> None:
    assert tried(np.ones(length), step=300.0, lag=1, carrying=ONE, risk=0.05) == []


@given(demand=st.floats(0, 1e6), capacity=st.floats(0.01, 1e3))
def test_replicas_are_whole_enough_and_no_more(demand: float, capacity: float) -> None:
    (count,) = replicas(np.array([demand]), Carrying(capacity, "cores"))
    assert count >= 1
    assert count == int(count)
    assert count * capacity >= demand * (1 - 1e-8)
    assert count == 1 or (count - 1) * capacity < demand


def test_no_demand_at_all_needs_one() -> None:
    found = tried(np.zeros(200), step=300.0, lag=1, carrying=ONE, risk=0.05)[0]
    assert found.cost == 1
