"""When a maintenance window is open."""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.drift.windows import window_end
from reconciler.model.config import MaintenanceWindow

HOUR = 3600.0
NIGHTLY = MaintenanceWindow("0 22 * * *", 2 * HOUR)


def at(day: int, hour: int, minute: int = 0, second: int = 0, month: int = 1) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (at(5, 21, 59, 59), None),
        (at(5, 22), at(6, 0)),
        (at(5, 22, 0, 1), at(6, 0)),
        (at(5, 23, 59, 59), at(6, 0)),
        (at(6, 0), None),
        (at(6, 12), None),
    ],
)
def test_a_window_is_open_from_its_time_on_and_closed_at_its_end(now: datetime, end: datetime | None) -> None:
    assert window_end([NIGHTLY], now) == end


def test_fractions_of_a_second_count_too() -> None:
    assert window_end([NIGHTLY], at(5, 22) + timedelta(milliseconds=1)) == at(6, 0)
    assert window_end([NIGHTLY], at(5, 22) - timedelta(milliseconds=1)) is None


def test_a_time_zone_and_its_summer_count() -> None:
    berlin = MaintenanceWindow("0 22 * * *", 2 * HOUR, "Europe/Berlin")
    assert window_end([berlin], at(5, 21)) == at(5, 23)
    assert window_end([berlin], at(5, 20, month=7)) == at(5, 22, month=7)
    assert window_end([berlin], at(5, 22, month=7)) is None


def test_windows_that_follow_on_one_another_are_one() -> None:
    later = MaintenanceWindow("30 23 * * *", 3 * HOUR)
    assert window_end([NIGHTLY, later], at(5, 22, 30)) == at(6, 2, 30)
    always = MaintenanceWindow("*/10 * * * *", 1200.0)
    end = window_end([always], at(5, 22))
    assert end is not None
    assert timedelta(days=14) <= end - at(5, 22) < timedelta(days=15), "looked at again then"


def test_without_windows_none_is_open() -> None:
    assert window_end([], at(5, 22)) is None
    assert window_end([MaintenanceWindow("0 0 29 2 *", HOUR)], at(5, 22)) is None
