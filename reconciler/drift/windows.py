"""Maintenance windows: times in which drift is neither healed nor told. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from reconciler.model.config import MaintenanceWindow

_LONGEST: Final = timedelta(days=14)  # of windows that follow on one another


def window_end(windows: Iterable[MaintenanceWindow], now: datetime) -> datetime | None:
    """When the window that is open at `now` (aware) closes; None where none is open.

    Windows that overlap, or follow on one another, count as one. The calendar is cron's, in each window's time zone.
    """
    windows = tuple(windows)
    end = now
    while end - now < _LONGEST:
        later = max((_end_at(window, end) for window in windows), default=end)
        if later <= end:
            break
        end = later
    return end if end > now else None


def _end_at(window: MaintenanceWindow, at: datetime) -> datetime:
    """When the window closes that is open at `at`; `at` where it is not open then."""
    from cronsim import CronSim  # here, because only sources with windows need it

    # Going back, the moment from which one starts is not among the answers.
    before = (at.replace(microsecond=0) + timedelta(seconds=1)).astimezone(ZoneInfo(window.time_zone))
    start = next(CronSim(window.schedule, before, reverse=True), None)
    return max(at, start.astimezone(at.tzinfo) + timedelta(seconds=window.duration)) if start is not None else at
