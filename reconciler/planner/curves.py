"""Demand of a workload over time, what its forecast would have been ready for, and the replicas that this asks for.

Imports arrays: import this module only where there is a forecast to show.
"""

from datetime import datetime, timedelta
from math import isnan
from typing import Final, NamedTuple

from reconciler.model.demand import Demand
from reconciler.planner.carrying import Carrying
from reconciler.planner.demand import carried, replicas
from reconciler.planner.forecast import Array
from reconciler.planner.foresight import Foresight, looked_ahead

SHOWN: Final = timedelta(days=2)


class Curve(NamedTuple):
    """One point every `step` seconds, the first at `begin`. `demand` ends before the others do, which look ahead.

    `ready` is the demand that the rule of today, `rule`, would have had us be ready for; None before it could say.
    `replicas` are those that carry it, `carrying` so much, whatever else bounds their number, and `carried` is what
    they can carry.
    """

    rule: str
    begin: datetime
    step: float
    demand: tuple[float, ...]
    ready: tuple[float | None, ...]
    replicas: tuple[int | None, ...]
    carried: tuple[float | None, ...]
    carrying: Carrying


def curve(demand: Demand, foresight: Foresight) -> Curve | None:
    """Of the last `SHOWN`; None where too little is measured now."""
    found = looked_ahead(demand, foresight)
    if found is None:
        return None
    past, ready = found
    carrying, lag, _ = foresight.basis
    count = min(len(past), round(SHOWN.total_seconds() / demand.step))
    shown = ready[-count - lag :]
    needed = replicas(shown, carrying)
    return Curve(
        foresight.rule.words,
        demand.latest - timedelta(seconds=demand.step * (count - 1)),
        demand.step,
        tuple(past[-count:].tolist()),
        _known(shown),
        tuple(None if n is None else int(n) for n in _known(needed)),
        _known(carried(needed, carrying)),
        carrying,
    )


def _known(values: Array) -> tuple[float | None, ...]:
    """None for what is no number."""
    return tuple(None if isnan(value) else value for value in values.tolist())
