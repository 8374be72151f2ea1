"""How many replicas: those that demand asks for, now and when they would be there, or those that there are.

What is not measured lowers nothing. A number goes down only after it was not asked for during five minutes, and stays
while it is within a tenth of what is needed: so does the HorizontalPodAutoscaler.
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.model.demand import Demand
from reconciler.model.planning_policy import Policy
from reconciler.model.usage import SLACK
from reconciler.planner.carrying import Carrying
from reconciler.planner.foresight import Foresight, foresee

TOLERANCE: Final = 0.1
STABILISATION: Final = timedelta(seconds=300)
_STALE: Final = 2  # steps without a measurement
_WAKING: Final = 0.5  # of what a replica carries: less than that is no reason to start the first one ahead of demand


@dataclass(frozen=True, slots=True)
class Bounds:
    """`kept` replicas are there already, or were planned before; None where that is not known.

    A `floor` is a lower limit for somebody else who scales: the forecast alone decides it. `hasty`: even a past that is
    too short for a forecast may lower the number.
    """

    low: int
    high: int
    kept: int | None
    floor: bool = False
    hasty: bool = False

    def within(self, count: int) -> int:
        return min(max(count, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next plan starts from: the number found, those that were asked for lately, and what was foreseen."""

    count: int | None = None
    wishes: tuple[tuple[datetime, int], ...] = ()
    foresight: Foresight | None = None


@dataclass(frozen=True, slots=True)
class Scaled:
    """`replicas` is None where nothing can be said and nothing was."""

    replicas: int | None
    why: str
    outlook: Outlook


def scale(
    demand: Demand | None,
    carrying: Carrying | None,
    bounds: Bounds,
    *,
    lacking: str,
    start: float,
    policy: Policy,
    now: datetime,
    before: Outlook | None,
) -> Scaled:
    """How many replicas, which are `carrying` so much of `demand`; None where that is not known.

    `lacking` says why nothing newer is known of the demand, where that is so. `before` is the outlook of the plan
    before this one; None where there is none.
    """
    # What was found last may not be on record yet: to start from the record would be to forget it, again and again.
    known = [each for each in (bounds.kept, before.count if before is not None else None) if each is not None]
    kept = bounds.within(max(known)) if known else None
    earlier = before.foresight if before is not None else None
    reason = _unknown(demand, carrying, lacking, now)
    if reason or demand is None or carrying is None:
        return Scaled(kept, f"as it was: {reason}", _outlook(kept, now, earlier))
    foresight = foresee(demand, carrying=carrying, start=start, policy=policy, before=earlier)
    if foresight is None and bounds.floor:
        return Scaled(kept, "as it was: too little is measured for a forecast", _outlook(kept, now, None))
    asked = 0.0 if bounds.floor else _now(demand)
    coming = foresight.expected if foresight is not None else 0.0
    if asked == 0 and coming < _WAKING * carrying.each and not bounds.floor:
        coming = 0.0
    need = carrying.needed(max(asked, coming), bounds.high)
    wish = bounds.within(need.replicas)
    if kept and kept >= need.waiting and abs(max(need.exactly, need.waiting) / kept - 1) <= TOLERANCE:
        wish = kept
    if foresight is None and kept is not None and not bounds.hasty:
        wish = max(wish, kept)
    wishes = _lately(before, kept, wish, now)
    count = wish if kept is None or wish >= kept else min(kept, max(count for _, count in wishes))
    foretold = foresight if coming > asked else None
    what = f"{'expected' if foretold else 'asked for'}: {max(asked, coming):.3g} {carrying.unit}, "
    what += carrying.explained(need, bounds.high)
    if foretold is not None:
        what += f" (the forecast is {foretold.rule.words})"
    why = what + (f"; {wish} would do, once that is so for five minutes" if count > wish else "")
    return Scaled(count, why, Outlook(count, wishes, foresight))


def _unknown(demand: Demand | None, carrying: Carrying | None, lacking: str, now: datetime) -> str:
    """Why demand says nothing; "" where it does."""
    if demand is None:
        return lacking or "no demand is measured"
    if demand.latest - now > SLACK:
        return lacking or f"its demand was measured at {demand.latest:%Y-%m-%d %H:%M} UTC, which is yet to come"
    old = now - demand.latest > (1 + _STALE) * timedelta(seconds=demand.step)
    if old or not demand.levels or math.isnan(demand.last(1)[0]):
        return lacking or f"no demand was measured since {demand.latest:%Y-%m-%d %H:%M} UTC"
    return "" if carrying else "no request of CPU is in force that would say what a replica carries"


def _now(demand: Demand) -> float:
    """The highest of the last step and the one that has begun: five minutes at least."""
    return max(value for value in demand.last(2) if not math.isnan(value))


def _lately(before: Outlook | None, kept: int | None, wish: int, now: datetime) -> tuple[tuple[datetime, int], ...]:
    """What was asked for in the last five minutes."""
    known = (before or _outlook(kept, now, None)).wishes
    higher = tuple(each for each in known if now - each[0] < STABILISATION and each[1] > wish)
    return (*higher, (now, wish))


def _outlook(kept: int | None, now: datetime, foresight: Foresight | None) -> Outlook:
    """Where there is no wish, what there is counts as asked for."""
    return Outlook(kept, ((now, kept),) if kept is not None else (), foresight)
