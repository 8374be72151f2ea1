"""What demand to be ready for: the forecast that scores best on a workload's own past, kept from plan to plan."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from reconciler.model.demand import GAP, RATIO, ZERO, Demand
from reconciler.model.plan import Choice
from reconciler.model.planning_policy import FAMILY, Family, Policy, TermName
from reconciler.planner.carrying import Carrying
from reconciler.planner.choosing import RISKS, Plan, choose_forecast
from reconciler.planner.demand import Rule, trials
from reconciler.planner.forecast import Array, forecasts

_STANDS: Final = timedelta(hours=6)  # that a choice stands: to try all forecasts takes a while
_KNOWN: Final = 0.5  # the share of the steps that must have been measured

Basis = tuple[Carrying, int, tuple[float, ...]]
"""What a choice was made for: what replicas carry, steps ahead, weights of the terms."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """`expected` is the demand to be ready for, as of the step `seen` (its beginning and its value so far).

    `chosen` is when the rule was taken, for `basis`.
    """

    rule: Rule
    choice: Choice
    chosen: datetime
    basis: Basis
    seen: tuple[datetime, float]
    expected: float


def foresee(
    demand: Demand, *, carrying: Carrying, start: float, policy: Policy, before: Foresight | None
) -> Foresight | None:
    """None where the past is too short, or too much of it was not measured.

    Replicas are `carrying` so much; one is there `start` seconds after it was asked for. `before` is what the last
    plan foresaw.
    """
    # What is decided now is acted on within a step, and has its effect `start` later.
    lag = math.ceil(start / demand.step) + 1
    weights = tuple(policy.weight(name) for name in TermName if FAMILY[name] is Family.ALLOCATION)
    basis: Basis = (carrying, lag, weights)
    seen = (demand.latest, demand.last(1)[0])
    if before is not None and (before.basis, before.seen) == (basis, seen):
        return before
    past = _filled(demand)
    if past is None:
        return None
    made = forecasts(past, step=demand.step, lag=lag)
    expected = {each.name: each.values for each in made}
    stands = before is not None and before.basis == basis and demand.latest - before.chosen < _STANDS
    if before is not None and stands and before.rule.forecast in expected:
        rule, choice, chosen = before.rule, before.choice, before.chosen
    else:
        tried = [
            Plan(risk, trial)
            for risk in RISKS
            for trial in trials(made, past, len(past), demand.step, lag, carrying, risk)
        ]
        if not tried:
            return None
        (_, (_, rule)), choice = choose_forecast(tried, policy)
        chosen = demand.latest
    ready = float(rule.expected(expected[rule.forecast][-1:])[0])
    return Foresight(rule, choice, chosen, basis, seen, ready)


def looked_ahead(demand: Demand, foresight: Foresight) -> tuple[Array, Array] | None:
    """The past, and the demand that the rule would have had us be ready for at each step of it and a little beyond.

    NaN where it could not say yet. None where too little is measured.
    """
    past = _filled(demand)
    if past is None:
        return None
    lag = foresight.basis[1]
    made = {each.name: each.values for each in forecasts(past, step=demand.step, lag=lag)}
    if foresight.rule.forecast not in made:
        return None
    return past, np.concatenate([np.full(lag, np.nan), foresight.rule.expected(made[foresight.rule.forecast])])


def _filled(demand: Demand) -> Array | None:
    """The past without gaps: nobody knows better than what was measured last. None where there are too many."""
    levels = np.frombuffer(demand.levels, np.int16)
    known = levels != GAP
    if not len(levels) or known.mean() < _KNOWN:
        return None
    at = np.maximum.accumulate(np.where(known, np.arange(len(levels)), -1))
    filled = levels[at][int(known.argmax()) :]
    past: Array = np.where(filled == ZERO, 0.0, RATIO ** filled.astype(np.float64))
    return past
