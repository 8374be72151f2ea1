"""When a CronJob is due."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.sandbox.controllers.cron import latest_missed, next_time

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/15 * * * *", datetime(2026, 1, 1, 12, 15, tzinfo=UTC)),
        ("0 3 * * *", datetime(2026, 1, 2, 3, 0, tzinfo=UTC)),
        ("0 3 * * 0", datetime(2026, 1, 4, 3, 0, tzinfo=UTC)),  # 0 is Sunday
        ("0 3 * * sun", datetime(2026, 1, 4, 3, 0, tzinfo=UTC)),
        ("0 3 * * 1", datetime(2026, 1, 5, 3, 0, tzinfo=UTC)),  # 1 is Monday
        ("0 0 13 * 5", datetime(2026, 1, 2, 0, 0, tzinfo=UTC)),  # the 13th, or a Friday
        ("0 0 1 jul ?", datetime(2026, 7, 1, 0, 0, tzinfo=UTC)),
        ("@daily", datetime(2026, 1, 2, 0, 0, tzinfo=UTC)),
        ("@every 1m30s", NOON + timedelta(seconds=90)),
    ],
)
def test_the_next_time(schedule: str, expected: datetime) -> None:
    assert next_time(schedule, NOON) == expected


def test_a_time_zone_moves_the_schedule() -> None:
    assert next_time("0 3 * * *", NOON, "Europe/Berlin") == datetime(2026, 1, 2, 2, 0, tzinfo=UTC)
    summer = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert next_time("0 3 * * *", summer, "Europe/Berlin") == datetime(2026, 7, 2, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "61 * * * *", "* * * * * *", "0 0 L * *", "0 0 30 2 *", "@every x"]
)
def test_a_schedule_that_cannot_be_understood_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|duration"):
        next_time(schedule, NOON)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        next_time("0 3 * * *", NOON, "Mars/Olympus")


def test_nothing_is_missed_before_the_first_time() -> None:
    assert latest_missed("0 13 * * *", NOON, NOON + timedelta(minutes=59)) == (None, False)


def test_of_several_missed_times_the_latest_counts() -> None:
    assert latest_missed("0 * * * *", NOON, NOON + timedelta(hours=5, minutes=1)) == (NOON + timedelta(hours=5), False)


def test_after_a_long_pause_the_latest_is_found_without_counting_them_all() -> None:
    now = NOON + timedelta(days=700, seconds=30)
    assert latest_missed("* * * * *", NOON, now) == (NOON + timedelta(days=700), True)
    assert latest_missed("@every 1m", NOON, now) == (NOON + timedelta(days=700), True)


@settings(max_examples=40, deadline=None)
@given(minutes=st.integers(0, 3000), minute=st.integers(0, 59), hour=st.integers(0, 23), weekday=st.integers(0, 6))
def test_next_and_latest_agree(minutes: int, minute: int, hour: int, weekday: int) -> None:
    schedule = f"{minute} {hour} * * {weekday}"
    since = NOON + timedelta(minutes=minutes)
    due = next_time(schedule, since)
    assert due.isoweekday() % 7 == weekday
    assert latest_missed(schedule, since, due) == (due, False)
    assert latest_missed(schedule, since, due - timedelta(seconds=1)) == (None, False)
