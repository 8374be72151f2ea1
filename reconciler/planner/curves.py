"""Demand of a workload over time, what its forecast would have been ready for, and the replicas that this asks for.

Imports arrays: import this module only where there is a forecast to show.
"""

from datetime import datetime, timedelta
from math import isnan
from typing import Final, NamedTuple

from reconciler.model.demand import Demand
from reconciler.planner.demand import replicas
from reconciler.planner.foresight import Foresight, looked_ahead

SHOWN: Final = timedelta(days=2)


class Curve(NamedTuple):
    """One point every `step` seconds, the first at `begin`. `demand` ends before the others do, which look ahead.

    `ready` is the demand that the rule of today, `rule`, would have had us be ready for; None before it could say.
    `replicas` are those that carry it, `capacity` each, whatever else bounds their number.
    """

    rule: str
    begin: datetime
    step: float
    demand: tuple[float, ...]
    ready: tuple[float | None, ...]
    replicas: tuple[int | None, ...]
    capacity: float


def curve(demand: Demand, foresight: Foresight) -> Curve | None:
    """Of the last `SHOWN`; None where too little is measured now."""
    found = looked_ahead(demand, foresight)
    if found is None:
        return None
    past, ready = found
    capacity, lag, _ = foresight.basis
    count = min(len(past), round(SHOWN.total_seconds() / demand.step))
    needed = replicas(ready, capacity)
    known = [not isnan(value) for value in ready[-count - lag :].tolist()]
    return Curve(
        foresight.rule.words,
        demand.latest - timedelta(seconds=demand.step * (count - 1)),
        demand.step,
        tuple(past[-count:].tolist()),
        tuple(v if there else None for v, there in zip(ready[-count - lag :].tolist(), known, strict=True)),
        tuple(int(n) if there else None for n, there in zip(needed[-count - lag :].tolist(), known, strict=True)),
        capacity,
    )
