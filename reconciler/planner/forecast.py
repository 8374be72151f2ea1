"""What demand may come: simple forecasts, each of which is right about some workloads.

None is trusted for what it claims: `reconciler.planner.demand` measures how far each was off and takes the one that
would have cost least. All are causal: the forecast that is made at the end of step t reads nothing after t.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY: Final = 86_400.0  # seconds
_WEEK: Final = 7
_DAYS: Final = 7  # whose same time of day is looked at
_WEEKS: Final = 3
_LEVEL: Final = 0.3  # weight of the newest value in the level
_STEPS: Final = (2, 3, 6, 12)
_SECONDS: Final = (300.0, 900.0, 3600.0)
_LONGEST: Final = 6 * 3600.0  # seconds over which a maximum is taken
_NOW: Final = "the newest value"
_LEVEL_NOW: Final = "the smoothed newest values"
_HOUR: Final = "the mean of the last hour"
_CONSTANT: Final = "what it was at the beginning"
_HIGHEST_DAY: Final = f"the highest at this time in {_DAYS} days"
_MEDIAN_DAY: Final = f"the median at this time in {_DAYS} days"
_WEEKDAY: Final = f"the median at this time of the week in {_WEEKS} weeks"


class Forecast(NamedTuple):
    """`values[t]` is for step t + lag, made at the end of step t. `name` says in words what it is."""

    name: str
    values: Array


def forecasts(demand: Array, *, step: float, lag: int) -> tuple[Forecast, ...]:
    """Every forecast that the length of `demand` (amounts, `step` seconds apart, not negative) allows, for `lag` ahead.

    Where a forecast has nothing to look back on yet, it is the newest value.
    """
    found = {name: np.where(np.isnan(values), demand, values) for name, values in _single(demand, step, lag)}
    for one, other in (
        (_NOW, _MEDIAN_DAY),
        (_NOW, _WEEKDAY),
        (_LEVEL_NOW, _CONSTANT),
        (_HOUR, _MEDIAN_DAY),
        (_highest_of(3, step), _HIGHEST_DAY),
    ):
        if one in found and other in found:
            found[f"halfway between {one} and {other}"] = (found[one] + found[other]) / 2
    # A forecast of nothing at all could never be made right by a factor. Of what there usually is, for a mean would
    # make of one absurd value a demand for ever.
    some = demand > 0
    logarithms = np.log(demand, where=some, out=np.zeros(len(demand)))
    usual = np.exp(np.cumsum(logarithms) / np.maximum(np.cumsum(some), 1))
    least = 0.02 * np.minimum(usual, np.cumsum(demand) / np.arange(1, len(demand) + 1)) + 1e-9
    return tuple(Forecast(name, np.maximum(values, least)) for name, values in found.items())


def _highest_of(span: int, step: float) -> str:
    """The name of the forecast that takes the highest of the last `span` steps, of `step` seconds each."""
    return f"the highest of the last {span * step / 60:.3g} minutes"


def _single(demand: Array, step: float, lag: int) -> Iterator[tuple[str, Array]]:
    level = _smoothed(demand)
    yield _NOW, demand
    yield _LEVEL_NOW, level
    yield _HOUR, _trailing_mean(demand, max(2, round(3600 / step)))
    yield _CONSTANT, np.full(len(demand), demand[: max(1, len(demand) // 10)].mean() or 1.0)
    spans = {*_STEPS, *(max(2, round(seconds / step)) for seconds in _SECONDS)}
    for span in sorted(span for span in spans if span * step <= _LONGEST):
        yield _highest_of(span, step), trailing_max(demand, span)
    day = round(DAY / step)
    if len(demand) > 3 * day:
        yield from _daily(demand, level, day, lag)
    if len(demand) > (2 * _WEEK + 1) * day:
        yield from _seasonal(_WEEKDAY, demand, level, [day * _WEEK * n for n in range(1, _WEEKS + 1)], lag)


def _daily(demand: Array, level: Array, day: int, lag: int) -> Iterator[tuple[str, Array]]:
    days = [day * n for n in range(1, _DAYS + 1)]
    yield "that at this time yesterday", _back(demand, day, lag)
    yield _HIGHEST_DAY, np.fmax.reduce([_back(demand, offset, lag) for offset in days])
    yield from _seasonal(_MEDIAN_DAY, demand, level, days, lag)


def _seasonal(name: str, demand: Array, level: Array, offsets: list[int], lag: int) -> Iterator[tuple[str, Array]]:
    """The median of what was `offsets` steps before the step in question; and the same, at the height of today."""
    then = _median([_back(demand, offset, lag) for offset in offsets])
    now = _median([_back(demand, offset, 0) for offset in offsets])
    yield name, then
    yield f"{name}, at today's height", then * np.clip(level / np.maximum(now, 1e-9), 0.2, 5.0)


def _back(demand: Array, offset: int, lag: int) -> Array:
    """`demand` `offset` steps before step t + lag; NaN where that is before the beginning."""
    shift = offset - lag
    if shift <= 0 or shift >= len(demand):
        return np.full(len(demand), np.nan)
    return np.concatenate([np.full(shift, np.nan), demand[:-shift]])


def _median(rows: list[Array]) -> Array:
    """The median of the rows that have a number; NaN where none has."""
    stacked = np.sort(np.vstack(rows), axis=0)  # NaN is sorted to the end
    known = np.count_nonzero(~np.isnan(stacked), axis=0)
    columns = np.arange(stacked.shape[1])
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, len(rows) - 1)
    middle: Array = (stacked[low, columns] + stacked[high, columns]) / 2
    return middle


def trailing_max(values: Array, span: int) -> Array:
    """The highest of the last `span` values. In O(n log span): a window of twice the length is two of half of it."""
    covered, highest = 1, values
    while covered < span:
        shift = min(covered, span - covered, len(values))
        highest = np.maximum(highest, np.concatenate([np.full(shift, -np.inf), highest[: len(values) - shift]]))
        covered += shift or span
    return highest


def _trailing_mean(values: Array, span: int) -> Array:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) + 1 - span, 0)
    last = np.arange(len(values)) + 1
    mean: Array = (sums[last] - sums[first]) / (last - first)
    return np.maximum(mean, 0.0)


def _smoothed(values: Array) -> Array:
    """Exponential smoothing: `_LEVEL` of the newest value, the rest of the level before."""
    made = np.empty_like(values)
    level = values[0] if len(values) else 0.0
    for t, value in enumerate(values):
        level += _LEVEL * (value - level)
        made[t] = level
    return made
