"""Demand over time: bounded, the highest of each step, at rest and back without a loss."""

import math
import random
import zlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.model.usage import Series
from reconciler.usage.demands import SPAN, STEP, Demands, StoredDemand

WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PER_DAY = 288


def at(step: float) -> datetime:
    return NOW + timedelta(seconds=STEP * step)


def values(demands: Demands) -> list[float]:
    return list(demands.demand()[WEB].values)


def about(*wanted: float) -> object:
    return pytest.approx(list(wanted), rel=0.006, nan_ok=True)


def series(*pairs: tuple[float, float]) -> Series:
    return Series({}, tuple(at(step) for step, _ in pairs), tuple(value for _, value in pairs))


def test_the_highest_of_each_step_counts() -> None:
    demands = Demands()
    for step, value in ((0, 1.0), (0.3, 3.0), (0.9, 2.0), (1, 5.0)):
        demands.observe(WEB, value, at(step))
    assert values(demands) == about(3.0, 5.0)
    assert demands.demand()[WEB].latest == at(1)


def test_what_was_not_measured_is_a_gap() -> None:
    demands = Demands()
    for step, value in ((0, 1.0), (1, math.nan), (2, -1.0), (3, 0.0)):
        demands.observe(WEB, value, at(step))
    assert values(demands) == about(1.0, math.nan, math.nan, 0.0)
    demands.observe(WEB, math.nan, at(9))
    assert demands.demand()[WEB].latest == at(3), "nothing newer is known"


def test_it_never_grows_beyond_fifteen_days() -> None:
    demands = Demands()
    for step in range(20 * PER_DAY):
        demands.observe(WEB, 1.0 + step, at(step))
    assert len(values(demands)) == 15 * PER_DAY
    assert values(demands)[-1] == pytest.approx(20 * PER_DAY, rel=0.006)
    assert len(demands.stored()["/".join(WEB)].levels) <= 2 * 16 * PER_DAY


def test_an_interruption_of_weeks_begins_anew() -> None:
    demands = Demands()
    demands.observe(WEB, 1.0, at(0))
    demands.observe(WEB, 2.0, at(400 * PER_DAY))
    assert values(demands) == about(2.0)


def test_a_clock_that_is_set_back_spoils_nothing() -> None:
    demands = Demands()
    demands.observe(WEB, 1.0, at(5))
    demands.observe(WEB, 9.0, at(2))
    assert values(demands) == about(1.0)


def test_a_past_that_another_kept_fills_gaps_only() -> None:
    demands = Demands()
    demands.observe(WEB, 10.0, at(3))
    demands.observe(WEB, 20.0, at(6))
    demands.fill(WEB, series((0, 1.0), (1, 2.0), (3, 99.0), (5, 5.0), (7, 7.0)))
    assert values(demands) == about(1.0, 2.0, math.nan, 10.0, math.nan, 5.0, 20.0, 7.0)
    empty = Demands()
    empty.fill(WEB, series((4, 1.0), (6, 2.0)))
    assert values(empty) == about(1.0, math.nan, 2.0)
    empty.fill(WEB, series())
    assert values(empty) == about(1.0, math.nan, 2.0)
    nothing = Demands()
    nothing.fill(WEB, series())
    assert not nothing.stored()


def test_another_query_is_about_something_else() -> None:
    demands = Demands()
    demands.observe(WEB, 1.0, at(0), "up")
    demands.observe(WEB, 2.0, at(1), "down")
    assert values(demands) == about(2.0)
    assert demands.demand()[WEB].query == "down"


def test_what_is_measured_no_more_is_forgotten() -> None:
    demands = Demands()
    demands.observe(WEB, 1.0, NOW)
    for late, kept in ((-timedelta(hours=1), True), (timedelta(hours=1), False)):
        demands.observe(WEB._replace(name="other"), 1.0, NOW + SPAN + late)
        demands.forget(NOW + SPAN + late)
        assert (WEB in demands.demand()) is kept
    demands.forget(NOW + 9 * SPAN)
    assert demands.demand(), "nobody is measured by a clock that is wrong"


@given(st.lists(st.floats(0, 1e9) | st.just(math.nan), min_size=1, max_size=50), st.text(max_size=20))
def test_at_rest_and_back_nothing_is_lost(found: list[float], query: str) -> None:
    demands = Demands()
    for step, value in enumerate(found):
        demands.observe(WEB, value, at(step), query)
    text = msgspec.msgpack.encode(demands.stored())
    again = Demands.of(msgspec.msgpack.decode(text, type=dict[str, StoredDemand]))
    assert again.demand() == demands.demand()
    assert msgspec.msgpack.encode(again.stored()) == text


@pytest.mark.parametrize(
    "stored",
    [
        {"web": StoredDemand("", 1, b"\0\0")},
        {"/".join(WEB): StoredDemand("", 1, b"\0\0\0")},
        {"/".join(WEB): StoredDemand("", -1, b"\0\0")},
        {"/".join(WEB): StoredDemand("", 2**60, b"\0\0")},
        {"/".join(WEB): StoredDemand("", 1, b"\0" * 2**20)},
    ],
)
def test_what_others_wrote_there_is_left_out(stored: dict[str, StoredDemand]) -> None:
    assert not Demands.of(stored).demand()


def test_at_rest_a_workload_is_a_few_kilobytes() -> None:
    noise, demands = random.Random(1), Demands()
    for step in range(15 * PER_DAY):
        curve = 100 + 80 * math.sin(2 * math.pi * step / PER_DAY)
        demands.observe(WEB, curve * noise.gauss(1, 0.05), at(step))
    assert len(zlib.compress(msgspec.msgpack.encode(demands.stored()))) < 4200
