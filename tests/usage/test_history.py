"""Histories of containers: what counts, what is forgotten, what comes back after a restart."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.usage.histogram import CPU, MEMORY
from reconciler.usage.history import History, StoredHistory

START = datetime(2026, 3, 1, tzinfo=UTC)
WEB = Identity("apps", "Deployment", "shop", "web")
MB = 1e6


def observed(history: History, hours: float, *, cpu: float = 0.2, memory: float = 100 * MB) -> bool:
    when = START + timedelta(hours=hours)
    return history.observe(WEB, "web", cpu=cpu, memory=memory, when=when, now=when)


def bucket(value: float) -> float:
    return CPU.end(CPU.index(value)) if value < 1e5 else MEMORY.end(MEMORY.index(value))


def test_cpu_counts_each_time_memory_once_a_day() -> None:
    history = History()
    for day in range(10):
        for hour in range(24):
            observed(history, 24 * day + hour, cpu=0.1 if hour else 2.0, memory=(900 if hour == 12 else 100) * MB)
    usage = history.usage().containers[WEB]["web"]
    assert usage.cpu is not None
    assert usage.memory is not None
    assert usage.cpu.p90 == bucket(0.1), "one hour in 24 is less than a tenth"
    assert usage.memory.p50 == usage.memory.p95 == bucket(900 * MB)
    assert (usage.since, usage.latest) == (START, START + timedelta(hours=24 * 10 - 1))


def test_a_kill_for_want_of_memory_asks_for_more() -> None:
    history = History()
    observed(history, 0, memory=200 * MB)
    history.killed(WEB, "web", memory=256 * MB, when=START + timedelta(hours=1), now=START + timedelta(hours=1))
    usage = history.usage().containers[WEB]["web"]
    assert usage.memory is not None
    assert usage.memory.p90 == bucket(356 * MB)
    history.killed(WEB, "web", memory=2000 * MB, when=START + timedelta(hours=2), now=START + timedelta(hours=2))
    usage = history.usage().containers[WEB]["web"]
    assert usage.memory is not None
    assert usage.memory.p90 == bucket(2400 * MB)


@pytest.mark.parametrize("hours", [2, 24 * 365])
def test_a_measurement_from_the_future_says_nothing(hours: int) -> None:
    history = History()
    assert not history.observe(WEB, "web", cpu=1, memory=1, when=START + timedelta(hours=hours), now=START)
    assert not history.usage().containers


def test_what_is_no_longer_measured_is_forgotten() -> None:
    history, other = History(), WEB._replace(name="other")
    observed(history, 0)
    for days, kept in ((13, True), (15, False)):
        when = START + timedelta(days=days)
        history.observe(other, "other", cpu=1, memory=1, when=when, now=when)
        history.forget(when)
        assert (WEB in history.usage().containers) is kept
    history.forget(START + timedelta(days=400))
    assert history.usage().containers, "nobody is measured by a clock that is wrong"


@given(
    samples=st.lists(st.tuples(st.integers(0, 24 * 30), st.floats(0, 64), st.floats(0, 64e9)), min_size=1, max_size=80)
)
def test_a_restart_forgets_nothing(samples: list[tuple[int, float, float]]) -> None:
    history = History()
    for hour, cpu, memory in sorted(samples):
        observed(history, hour, cpu=cpu, memory=memory)
    text = msgspec.json.encode(history.stored())
    again = History.of(msgspec.json.decode(text, type=StoredHistory))
    assert msgspec.json.encode(again.stored()) == text, "and storing it again changes nothing"
    assert again.usage().containers.keys() == history.usage().containers.keys()
    hour = max(hour for hour, _, _ in samples)
    for each in (history, again):
        observed(each, hour, cpu=1.0, memory=65e9)
    one, other = (each.usage().containers[WEB]["web"].memory for each in (history, again))
    assert one is not None
    assert other is not None
    assert one.p95 == other.p95


def test_a_history_stays_small() -> None:
    history = History()
    for hour in range(24 * 60):
        observed(history, hour, cpu=(hour * 7919 % 1000) / 100, memory=(hour * 104729 % 1000) * MB)
    assert len(msgspec.json.encode(history.stored())) < 3000


def test_what_others_wrote_into_the_store_does_no_harm() -> None:
    assert not History.of({"nonsense": {}}).usage().containers


@pytest.mark.parametrize("field", ["since", "latest"])
def test_a_time_without_a_zone_is_not_taken(field: str) -> None:
    history = History()
    observed(history, 0)
    stored = msgspec.to_builtins(history.stored())
    container = stored["apps/Deployment/shop/web"]["web"]
    container[{"since": 2, "latest": 3}[field]] = "2026-03-01T00:00:00"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(stored, StoredHistory, strict=False)
