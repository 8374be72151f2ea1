"""How many replicas will be needed: each forecast is tried on the past, and the cheapest that was enough is taken.

A forecast alone is no promise. So each gets a margin: what was added to it, or what it was multiplied by, would have
been enough in all but `risk` of the steps of the last two weeks (a split-conformal quantile: the k-th smallest of m
errors, k = ⌈(1 - risk)(m + 1)⌉; Vovk et al., Algorithmic Learning in a Random World, 2005). Among them is the rule of
the HorizontalPodAutoscaler, the highest demand of the last five minutes times a factor, so what is taken costs no more
on the past than that.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from reconciler.planner.carrying import Carrying
from reconciler.planner.forecast import DAY, Array, Forecast
from reconciler.planner.queueing import beta, rates

_WINDOW: Final = 14 * DAY  # seconds of the past on which forecasts are tried
_FEWEST: Final = 30  # steps of the past below which nothing is foretold
_ABSURD: Final = 1e12  # replicas
_TAIL: Final = 0.15  # by how much a margin grows for each factor of e beyond what was ever seen


class Rule(NamedTuple):
    """Which forecast, and its margin: multiplied (`relative`) or added."""

    forecast: str
    relative: bool
    margin: float

    @property
    def words(self) -> str:
        """The forecast and its margin: "the newest value, times 1.2 to be safe"."""
        if self.relative:
            return f"{self.forecast}, times {self.margin:.3g} to be safe"
        return f"{self.forecast}, {'plus' if self.margin >= 0 else 'less'} {abs(self.margin):.3g} to be safe"

    def expected(self, forecast: Array) -> Array:
        """The demand to be ready for."""
        ready: Array = forecast * self.margin if self.relative else forecast + self.margin
        return np.maximum(ready, 0.0)


class Trial(NamedTuple):
    """`cost` is what the rule would have cost in the past: replicas, on average."""

    cost: float
    rule: Rule


def replicas(demand: Array, carrying: Carrying) -> Array:
    """Whole replicas for `demand`, at least one. Of a queue exact for few, by its square-root rule for many."""
    # A hair less: three times what one carries, computed in another way, is still three replicas.
    needed: Array = np.clip(np.ceil(demand / carrying.each - 1e-9), 1.0, _ABSURD)
    if (queue := carrying.queue) is not None:
        known, load = rates(queue), demand * queue.service
        few = np.searchsorted(known, demand * (1 - 1e-8)) + 1
        many = np.ceil((load + beta(queue) * np.sqrt(load)) / queue.slots - 1e-9)
        needed = np.maximum(needed, np.where(few <= len(known), few, many))
    return needed


def carried(replicas: Array, carrying: Carrying) -> Array:
    """The most demand that so many (at least one) carry: where `replicas` goes on to the next."""
    most: Array = replicas * carrying.each
    if (queue := carrying.queue) is not None:
        known, b = np.array(rates(queue)), beta(queue)
        few = known[np.minimum(np.nan_to_num(replicas, nan=1.0), len(known)).astype(int) - 1]
        many = ((np.sqrt(b * b + 4 * replicas * queue.slots) - b) / 2) ** 2 / queue.service
        most = np.minimum(most, np.where(replicas <= len(known), few, many))
    return most


def trials(
    made: tuple[Forecast, ...], demand: Array, now: int, step: float, lag: int, carrying: Carrying, risk: float
) -> list[Trial]:
    """Every forecast with either margin, tried on the past; nothing where that is too short to tell.

    It is as of the end of step `now` - 1 of `demand`, of which the forecasts were `made`, in amounts of which replicas
    are `carrying` so much. `lag` is in steps of `step` seconds: what is decided at the end of one step is there `lag`
    steps later. `risk` is the share of steps in which too little may be ready, in (0, 1).
    """
    begin, count = _window(now, step, lag)
    if count < _FEWEST:
        return []
    came = demand[begin + lag : now]
    tried = []
    for forecast in made:
        values = forecast.values[begin : begin + count]
        for relative in (True, False):
            errors = came / values if relative else came - values
            rule = Rule(forecast.name, relative, _margin(errors, risk))
            tried.append(Trial(float(replicas(rule.expected(values), carrying).mean()), rule))
    return tried


def _window(now: int, step: float, lag: int) -> tuple[int, int]:
    """The first of the forecasts that can be compared with what came until `now`, and how many there are."""
    end = now - lag
    begin = max(0, end - round(_WINDOW / step))
    return begin, end - begin


def _margin(errors: Array, risk: float) -> float:
    """What is enough in all but `risk` of the steps; beyond what was ever seen where they are too few to tell."""
    count = len(errors)
    wanted = math.ceil((1 - risk) * (count + 1))
    margin = float(np.partition(errors, min(wanted, count) - 1)[min(wanted, count) - 1])
    unseen = math.log(1 / (risk * (count + 1)))
    return margin * (1 + _TAIL * unseen) if unseen > 0 and margin > 0 else margin
