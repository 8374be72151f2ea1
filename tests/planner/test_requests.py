"""What to request: bounds that leave alone what is good enough, and nothing on stale or little history."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.quantity import parse
from reconciler.model.usage import ContainerUsage, Spread
from reconciler.planner.requests import PLAIN, Reason, Rule, advise, quantities

NOW = datetime(2026, 3, 8, tzinfo=UTC)
MI = 2**20
CPU = Spread(0.2, 0.4, 0.5)
MEMORY = Spread(200e6, 300e6, 320e6)


def used(days: float = 7, ago: float = 0, cpu: Spread | None = CPU, memory: Spread | None = MEMORY) -> ContainerUsage:
    latest = NOW - timedelta(days=ago)
    return ContainerUsage(cpu, memory, latest - timedelta(days=days), latest)


def test_what_was_never_requested_gets_the_ninetieth_percentile_and_headroom() -> None:
    cpu, memory = advise(used(), cpu=None, memory=None, now=NOW)
    assert (cpu.reason, cpu.wanted) == (Reason.NEW, pytest.approx(0.46))
    assert memory.wanted == math.ceil(300e6 * 1.15 / MI) * MI


@pytest.mark.parametrize(
    ("requested", "reason", "wanted"),
    [(0.1, Reason.MORE, 0.46), (0.24, Reason.FITS, 0.24), (0.6, Reason.FITS, 0.6), (0.7, Reason.LESS, 0.46)],
)
def test_what_lies_between_the_bounds_is_left_alone(requested: float, reason: Reason, wanted: float) -> None:
    cpu, _ = advise(used(), cpu=requested, memory=None, now=NOW)
    assert (cpu.reason, cpu.wanted) == (reason, pytest.approx(wanted))
    assert cpu.changes == (reason is not Reason.FITS)


def test_little_history_lowers_nothing() -> None:
    cpu, _ = advise(used(days=0.1), cpu=2.0, memory=None, now=NOW)
    assert cpu.reason is Reason.FITS, "the upper bound is eleven times as high"
    cpu, _ = advise(used(days=0.01), cpu=2.0, memory=None, now=NOW)
    assert (cpu.reason, cpu.wanted) == (Reason.YOUNG, 2.0)


@given(requested=st.none() | st.floats(0, 1e12), ago=st.floats(1.01, 400))
def test_rule_19_stale_measurements_keep_what_is(requested: float | None, ago: float) -> None:
    for advice in advise(used(ago=ago), cpu=requested, memory=requested, now=NOW):
        assert (advice.reason, advice.wanted) == (Reason.STALE, requested)


def test_what_was_never_measured_is_left_alone() -> None:
    cpu, memory = advise(used(cpu=None), cpu=1.0, memory=1.0, now=NOW)
    assert (cpu.changes, cpu.wanted) == (False, 1.0)
    assert memory.reason is Reason.MORE


@given(
    p50=st.floats(0, 100),
    more=st.floats(0, 10),
    most=st.floats(0, 10),
    days=st.floats(0.05, 99),
    top=st.floats(0, 1),
    part=st.sampled_from([0.9, 0.95]),
)
def test_advice_that_is_taken_is_advised_no_more(
    p50: float, more: float, most: float, days: float, top: float, part: float
) -> None:
    usage = used(days=days, cpu=Spread(p50, p50 + more, p50 + more + most))
    first, _ = advise(usage, cpu=None, memory=None, now=NOW, rules=(Rule(part, top), PLAIN))
    assert first.wanted is not None
    again, _ = advise(usage, cpu=first.wanted, memory=None, now=NOW, rules=(Rule(part, top), PLAIN))
    assert again.reason is Reason.FITS or abs(again.wanted - first.wanted) <= 0.001


@given(cpu=st.floats(0.001, 1000), memory=st.floats(1, 1e12))
def test_quantities_are_what_kubernetes_reads(cpu: float, memory: float) -> None:
    written = quantities(cpu, memory)
    assert abs(float(parse(written["cpu"])) - cpu) <= 0.0005 + 1e-9
    assert memory <= float(parse(written["memory"])) < memory + MI + 1


@pytest.mark.parametrize("headroom", [-0.1, math.nan, math.inf])
def test_what_is_no_headroom_is_refused(headroom: float) -> None:
    with pytest.raises(ValueError, match="not a headroom"):
        advise(used(), cpu=None, memory=None, now=NOW, rules=(Rule(headroom=headroom), PLAIN))
