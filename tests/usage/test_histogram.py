"""Histograms that forget: against the plain definition of a weighted percentile."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.usage.histogram import CPU, MEMORY, Buckets, Histogram, Stored

START = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = st.integers(0, 24 * 90)
CORES = st.floats(0, 900, allow_nan=False)
SAMPLES = st.lists(st.tuples(CORES, HOURS), min_size=1, max_size=60)


def filled(samples: list[tuple[float, int]]) -> Histogram:
    made = Histogram(CPU)
    for value, hour in samples:
        made.add(value, START + timedelta(hours=hour))
    return made


@given(value=st.floats(0, 2e12), buckets=st.sampled_from([CPU, MEMORY]))
def test_every_amount_has_its_bucket(value: float, buckets: Buckets) -> None:
    index = buckets.index(value)
    assert 0 <= index < buckets.count
    if index + 1 < buckets.count:
        assert buckets.begin(index) * (1 - 1e-9) <= value <= buckets.end(index) * (1 + 1e-9)


def test_buckets_grow_by_a_twentieth() -> None:
    widths = [CPU.end(i) - CPU.begin(i) for i in range(50)]
    assert widths[0] == pytest.approx(0.01)
    assert all(after / before == pytest.approx(1.05) for before, after in pairwise(widths))
    assert CPU.begin(CPU.count - 1) >= 1000
    assert CPU.count < 200


@given(samples=SAMPLES, part=st.floats(0.01, 1))
def test_a_percentile_is_that_of_the_weighted_samples(samples: list[tuple[float, int]], part: float) -> None:
    """To within a bucket, and to what is too light to count."""
    found = filled(samples).percentile(part)
    last = max(hour for _, hour in samples)
    weighed = sorted((CPU.end(CPU.index(value)), 2.0 ** ((hour - last) / 24)) for value, hour in samples)
    total = math.fsum(weight for _, weight in weighed)

    def plain(wanted: float) -> float:
        sum_ = 0.0
        for end, weight in weighed:
            sum_ += weight
            if sum_ >= wanted * total * (1 - 1e-9):
                return end
        return weighed[-1][0]

    light = 60 * 1e-4 * 2
    assert plain(max(0.0, part - light)) * (1 - 1e-9) <= found
    assert found <= plain(min(1.0, part + light)) * (1 + 1e-9)


@given(samples=SAMPLES, more=st.tuples(CORES, HOURS))
def test_what_is_taken_back_leaves_no_trace(samples: list[tuple[float, int]], more: tuple[float, int]) -> None:
    made, when = filled(samples), START + timedelta(hours=more[1])
    before = [made.percentile(part) for part in (0.5, 0.9)]
    made.add(more[0], when)
    made.remove(more[0], when)
    if made.stored() is not None and 2.0 ** (more[1] / 24) < 1e6:  # beside a far heavier one the rest is rounding
        assert [made.percentile(part) for part in (0.5, 0.9)] == before


def test_old_days_fade() -> None:
    made = Histogram(CPU)
    for hour in range(24):
        made.add(8.0, START + timedelta(hours=hour))
    for hour in range(24 * 20, 24 * 21):
        made.add(1.0, START + timedelta(hours=hour))
    median = made.percentile(0.5)
    assert median is not None
    assert median < 1.1


@given(samples=SAMPLES)
def test_a_histogram_at_rest_comes_back(samples: list[tuple[float, int]]) -> None:
    made = filled(samples)
    stored = made.stored()
    assert stored is not None
    text = msgspec.json.encode(stored)
    assert len(text) < 4096
    again = Histogram.of(msgspec.json.decode(text, type=Stored), CPU)
    for part in (0.5, 0.9, 0.95):
        one, other = made.percentile(part), again.percentile(part)
        assert one is not None
        assert other is not None
        assert made.percentile(max(0, part - 0.02)) <= other * (1 + 1e-9)
        assert other <= made.percentile(min(1, part + 0.02)) * (1 + 1e-9)


def test_years_of_samples_neither_grow_nor_overflow() -> None:
    made = Histogram(CPU)
    for day in range(0, 365 * 20, 7):
        made.add(2.0, START + timedelta(days=day))
    assert made.percentile(0.9) == pytest.approx(CPU.end(CPU.index(2.0)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_what_is_no_amount_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        Histogram(CPU).add(value, START)


@given(
    heaviest=st.floats(),
    weights=st.dictionaries(st.integers(-10, 10_000), st.integers(-10, 20_000), max_size=20),
)
def test_what_others_wrote_into_the_store_does_no_harm(heaviest: float, weights: dict[int, int]) -> None:
    made = Histogram.of(Stored(START, heaviest, weights), CPU)
    found = made.percentile(0.9)
    assert found is None or 0 <= found <= CPU.end(CPU.count - 1)
    made.add(1.0, START + timedelta(days=1))
    assert made.percentile(0.5) is not None


def test_an_empty_one_knows_nothing() -> None:
    made = Histogram(MEMORY)
    assert made.empty
    assert made.percentile(0.9) is None
    assert made.stored() is None
