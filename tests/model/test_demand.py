"""Amounts over time, in two bytes each."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.demand import GAP, Demand, amount, level

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.floats(1e-100, 1e100))
def test_an_amount_is_known_to_half_a_percent(value: float) -> None:
    assert abs(amount(level(value)) / value - 1) <= 0.00501
    assert level(amount(level(value))) == level(value)


@given(one=st.floats(0, 1e300), other=st.floats(0, 1e300))
def test_levels_are_in_the_order_of_their_amounts(one: float, other: float) -> None:
    if one <= other:
        assert GAP < level(one) <= level(other)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, -math.inf])
def test_what_is_no_amount_is_a_gap(value: float) -> None:
    assert level(value) == GAP
    assert math.isnan(amount(GAP))


def test_a_demand_tells_its_amounts() -> None:
    made = Demand.of([0.0, math.nan, 2.0, 1.0], step=300, latest=NOW)
    assert made.values == pytest.approx((0.0, math.nan, 2.0, 1.0), rel=0.005, nan_ok=True)
    assert made.last(2) == made.values[2:]
    assert made.highest == made.values[2]
    assert Demand.of([math.nan], step=300, latest=NOW).highest is None
    assert Demand.of([], step=300, latest=NOW).highest is None
