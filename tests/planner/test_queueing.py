"""Erlang's C formula: against published values, the plain definition, and a simulation."""

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planner.queueing import servers, waiting


@pytest.mark.parametrize(
    ("load", "count", "share"),
    [(1.0, 2, 1 / 3), (2.0, 3, 4 / 9), (8.0, 10, 0.4092), (10.0, 12, 0.4494)],
)
def test_known_values(load: float, count: int, share: float) -> None:
    assert waiting(load, count) == pytest.approx(share, abs=0.002)


@given(load=st.floats(0.01, 40), more=st.integers(1, 30))
def test_the_recursion_is_the_definition(load: float, more: int) -> None:
    count = math.floor(load) + more
    last = load**count / math.factorial(count) * count / (count - load)
    plain = last / (sum(load**k / math.factorial(k) for k in range(count)) + last)
    assert waiting(load, count) == pytest.approx(plain, rel=1e-9)


@given(load=st.floats(0, 5000), share=st.floats(0.001, 0.999))
def test_as_few_as_are_enough(load: float, share: float) -> None:
    count = servers(load, share)
    assert waiting(load, count) <= share
    assert count == 1 or waiting(load, count - 1) > share
    assert count > load


@given(load=st.floats(50, 5000))
def test_the_square_root_rule_holds_for_many(load: float) -> None:
    beta = (servers(load, 0.2) - load) / math.sqrt(load)
    assert 0.8 < beta < 1.4, "Halfin and Whitt: 0.2 at β ≈ 1.06"


def test_a_simulated_queue_waits_as_often() -> None:
    dice = random.Random(7)
    count, load, arrivals = 12, 10.0, 200_000
    clock, waited = 0.0, 0
    busy = [0.0] * count
    for _ in range(arrivals):
        clock += dice.expovariate(load)
        free = heapq.heappop(busy)
        waited += free > clock
        heapq.heappush(busy, max(clock, free) + dice.expovariate(1.0))
    assert waited / arrivals == pytest.approx(waiting(load, count), abs=0.03)


@pytest.mark.parametrize(
    ("load", "share"), [(math.nan, 0.1), (-1, 0.1), (math.inf, 0.1), (1, 0), (1, 1), (1, 1.5), (1, math.nan)]
)
def test_what_is_no_load_or_share_is_refused(load: float, share: float) -> None:
    with pytest.raises(ValueError, match="not a"):
        servers(load, share)
