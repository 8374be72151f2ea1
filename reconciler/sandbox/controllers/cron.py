"""When a CronJob is due. Pure.

The schedule is the five fields of cron, a macro such as `@daily`, or `@every 90s`. Times are wall-clock times of a
time zone; cronsim has the calendar and follows Debian's cron across changes of daylight-saving time.
"""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0}
_MANY: Final = 100


def next_time(schedule: str, after: datetime, time_zone: str = "") -> datetime:
    """The first time after `after` (aware) that `schedule` names, in UTC. ValueError when it cannot be understood."""
    if (interval := _interval(schedule)) is not None:
        return after.replace(microsecond=0) + interval
    return _walk(schedule, after, time_zone, back=False)


def latest_missed(schedule: str, since: datetime, now: datetime, time_zone: str = "") -> tuple[datetime | None, bool]:
    """The last time in (`since`, `now`] that was due, and whether more than 100 were. Raises as `next_time`."""
    if (interval := _interval(schedule)) is not None:
        count = (now - since) // interval
        return (since + count * interval if count > 0 else None), count > _MANY
    moment = _walk(schedule, since, time_zone, back=False)
    if moment > now:
        return None, False
    for _ in range(_MANY):
        following = _walk(schedule, moment, time_zone, back=False)
        if following > now:
            return moment, False
        moment = following
    return _walk(schedule, now + timedelta(seconds=1), time_zone, back=True), True


def _walk(schedule: str, start: datetime, time_zone: str, *, back: bool) -> datetime:
    from cronsim import CronSim, CronSimError  # here, because only CronJobs need it

    fields = MACROS.get(schedule, schedule).replace("?", "*")
    if len(fields.split()) != 5 or "#" in fields or "L" in fields.upper().replace("JUL", ""):
        raise ValueError(f"{schedule!r} is not a cron schedule of five fields")
    try:
        zone = ZoneInfo(time_zone) if time_zone else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{time_zone!r} is not a time zone") from None
    try:
        found = next(CronSim(fields, start.astimezone(zone), reverse=back))
    except (CronSimError, StopIteration):
        raise ValueError(f"{schedule!r} is not a cron schedule, or never comes due") from None
    return found.astimezone(UTC)


def _interval(schedule: str) -> timedelta | None:
    """Of `@every 1h30m`, a Go duration; None for any other schedule."""
    if not schedule.startswith("@every "):
        return None
    total, number = 0.0, ""
    for letter in schedule.removeprefix("@every ").strip():
        if letter.isdigit() or letter == ".":
            number += letter
        elif letter in _UNITS and number:
            total += float(number) * _UNITS[letter]
            number = ""
        else:
            raise ValueError(f"{schedule!r} does not end with a duration")
    if number or total < 1:
        raise ValueError(f"{schedule!r} does not end with a duration of at least a second")
    return timedelta(seconds=total)
