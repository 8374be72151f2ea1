"""Erlang's C formula: against published values, the plain definition in fractions, and a simulation."""

import heapq
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.planner.carrying import Carrying
from reconciler.planner.demand import carried, replicas
from reconciler.planner.queueing import Queue, rates, servers, waiting


@pytest.mark.parametrize(
    ("load", "count", "share"),
    [(1.0, 2, 1 / 3), (2.0, 3, 4 / 9), (8.0, 10, 0.4092), (10.0, 12, 0.4494)],
)
def test_known_values(load: float, count: int, share: float) -> None:
    assert waiting(load, count) == pytest.approx(share, abs=0.002)


@given(load=st.floats(0.01, 40), more=st.integers(1, 30))
def test_the_series_is_the_definition(load: float, more: int) -> None:
    count = math.floor(load) + more
    exact, term, busy = Fraction(load), Fraction(1), Fraction(0)
    for k in range(1, count + 1):
        busy += term  # load**k / k!
        term *= exact / k
    last = term * count / (count - exact)
    assert waiting(load, count) == pytest.approx(float(last / (busy + last)), rel=1e-9, abs=1e-290)


def test_loads_far_beyond_any_cluster_are_worth_an_answer() -> None:
    assert servers(1e8, 0.05) == pytest.approx(1e8 + 1.74 * 1e4, abs=50), "Halfin and Whitt: 0.05 at β ≈ 1.74"
    assert waiting(1e-300, 1000) == 0


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
    clock, waited, long_waited = 0.0, 0, 0
    busy = [0.0] * count
    for _ in range(arrivals):
        clock += dice.expovariate(load)
        free = heapq.heappop(busy)
        waited += free > clock
        long_waited += free > clock + 0.5
        heapq.heappush(busy, max(clock, free) + dice.expovariate(1.0))
    assert waited / arrivals == pytest.approx(waiting(load, count), abs=0.03)
    assert long_waited / arrivals == pytest.approx(waiting(load, count, 0.5), abs=0.02)


@pytest.mark.parametrize(
    ("load", "share"), [(math.nan, 0.1), (-1, 0.1), (math.inf, 0.1), (1, 0), (1, 1), (1, 1.5), (1, math.nan)]
)
def test_what_is_no_load_or_share_is_refused(load: float, share: float) -> None:
    with pytest.raises(ValueError, match="not a"):
        servers(load, share)


@pytest.mark.parametrize("patience", [-1, math.inf, math.nan])
def test_what_is_no_patience_is_refused(patience: float) -> None:
    with pytest.raises(ValueError, match="not a patience"):
        servers(1, 0.1, patience)


QUEUES = st.builds(
    Queue, st.floats(0.001, 60), st.integers(1, 50), st.floats(0.0001, 0.99), st.just(0.0) | st.floats(0.001, 60)
)
RATE = st.floats(0, 1e4)


@given(queue=QUEUES, rate=RATE, more=st.floats(1, 10))
def test_more_requests_or_longer_ones_need_no_fewer_replicas(queue: Queue, rate: float, more: float) -> None:
    needed = queue.replicas(rate, 10**6)
    assert queue.replicas(rate * more, 10**6) >= needed
    longer = queue._replace(service=queue.service * more, longest=queue.longest)
    assert longer.replicas(rate, 10**6) >= needed
    assert queue._replace(share=queue.share / more).replicas(rate, 10**6) >= needed
    assert queue._replace(slots=queue.slots + 1).replicas(rate, 10**6) <= needed


@given(queue=QUEUES, rate=RATE)
def test_so_few_wait_and_one_replica_less_would_not_do(queue: Queue, rate: float) -> None:
    needed = queue.replicas(rate, 10**6)
    load, patience = rate * queue.service, queue.longest / queue.service
    assert needed * queue.slots > load or rate == needed == 0
    assert waiting(load, needed * queue.slots, patience) <= queue.share or rate == 0
    assert needed <= 1 or waiting(load, (needed - 1) * queue.slots, patience) > queue.share


@given(queue=QUEUES, rate=st.floats(0, 1e308), most=st.integers(1, 100))
def test_more_than_there_may_be_is_not_counted(queue: Queue, rate: float, most: int) -> None:
    needed = queue.replicas(rate, most)
    assert 0 <= needed <= most + 1
    assert needed == min(most + 1, queue.replicas(rate, 2 * most))


@given(queue=QUEUES, share=st.floats(0.01, 40))
def test_many_amounts_at_once_are_counted_as_one_is(queue: Queue, share: float) -> None:
    """Exactly where replicas are few, a little off where they are many."""
    carrying = Carrying(queue.fullest, "requests a second", queue)
    rate = rates(queue)[-1] * share
    (found,), exact = replicas(np.array([rate]), carrying), max(1, queue.replicas(rate, 10**6))
    assert found == (exact if share <= 1 - 1e-6 else pytest.approx(exact, rel=0.06, abs=1))
    (most,) = carried(np.array([found]), carrying)
    assert most >= rate * (1 - 1e-6)
    assert replicas(np.array([most * 1.001 + 1e-6]), carrying)[0] >= found
