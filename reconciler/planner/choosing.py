"""How much, by weighing: h = Σ weight · term, the highest wins, and what came next is kept to be shown.

The terms, each in [0, 1], of a way to reckon a request, which is a percentile p of what was used and headroom r on it:
- demand: p. - headroom: r / the configured one, at most 1. - slack: the leanest of the ways / this one.
- kills, of memory only: 1 - the share of days whose peak would have been higher, read from the percentiles that are
  known: between them its logarithm is linear, beyond them as from the first to the last.
Of a forecast of replicas, which is enough but for a share of the past that is stated:
- demand: 1 - that share / the largest. - slack: what the cheapest would have cost in the past / what this one would.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from reconciler.model.plan import Candidate, Choice, Term
from reconciler.model.planning_policy import FAMILY, Policy, TermName
from reconciler.model.usage import Spread
from reconciler.planner.demand import Trial
from reconciler.planner.requests import Rule, written

RISKS: Final = (0.05, 0.02, 0.01, 0.005)  # shares of the past in which a forecast of replicas may be too little
_PARTS: Final = (0.9, 0.95)
_HEADROOMS: Final = (0.5, 1.0, 2.0)  # of the configured one
_BEYOND: Final = (0.5, 0.1, 0.05)  # the shares that are above the percentiles of a Spread

T = TypeVar("T")


class Chosen(NamedTuple):
    """The rule for requests that scored best, and how."""

    rule: Rule
    choice: Choice


def choose_request(name: str, spread: Spread, headroom: float, policy: Policy) -> Chosen:
    """How to reckon the request of `name`, "cpu" or "memory"."""
    rules = [Rule(part, headroom * factor) for factor in _HEADROOMS for part in _PARTS]
    leanest = min(rule.of(spread) for rule in rules)
    found = []
    for rule in sorted(set(rules), key=lambda rule: (rule.of(spread), rule)):
        amount = rule.of(spread)
        values = {
            TermName.DEMAND: rule.part,
            TermName.HEADROOM: min(1.0, rule.headroom / headroom) if headroom else 1.0,
            TermName.SLACK: leanest / amount if amount > 0 else 1.0,
        }
        if name == "memory":
            values[TermName.KILLS] = 1 - _beyond(spread, amount)
        found.append((rule, Candidate(worded(name, rule), written(name, amount), _terms(policy, values))))
    return Chosen(*_best(name, found))


class Plan(NamedTuple):
    """A forecast of replicas, tried on the past: enough but for `risk` of it."""

    risk: float
    trial: Trial


def choose_forecast(tried: Sequence[Plan], policy: Policy) -> tuple[Plan, Choice]:
    """The forecast of replicas that scores best; `tried` is not empty."""
    cheapest = min(each.trial.cost for each in tried)
    found = []
    for each in sorted(tried, key=lambda each: (each.trial.cost, each.risk, each.trial.rule)):
        values = {TermName.DEMAND: 1 - each.risk / max(RISKS), TermName.SLACK: cheapest / each.trial.cost}
        what = f"{each.trial.rule.words}, enough but for {100 * each.risk:g} % of the past"
        amount = f"{each.trial.cost:.3g} on average"
        found.append((each, Candidate(what, amount, _terms(policy, values))))
    return _best("replicas", found)


def worded(name: str, rule: Rule) -> str:
    """A rule for requests, in words."""
    peaks = " of daily peaks" if name == "memory" else ""
    return f"the {round(100 * rule.part)}th percentile{peaks} of what is used, and {100 * rule.headroom:.3g} % on top"


def _best(subject: str, found: Sequence[tuple[T, Candidate]]) -> tuple[T, Choice]:
    """The first of the best, and the best of those that come to something else."""
    key, chosen = max(found, key=lambda each: each[1].score)
    others = [each for _, each in found if (each.amount, each.what) != (chosen.amount, chosen.what)]
    different = [each for each in others if each.amount != chosen.amount] or others
    return key, Choice(subject, chosen, max(different, key=lambda each: each.score, default=None))


def _terms(policy: Policy, values: Mapping[TermName, float]) -> tuple[Term, ...]:
    return tuple(
        Term(name, FAMILY[name], value, weight) for name, value in values.items() if (weight := policy.weight(name))
    )


def _beyond(spread: Spread, amount: float) -> float:
    """The share of what was measured that was above `amount`."""
    points = list(zip((spread.p50, spread.p90, spread.p95), _BEYOND, strict=True))
    for (low, more), (high, less) in pairwise(points):
        if amount < high:
            part = max(0.0, amount - low) / (high - low)
            return math.exp(math.log(more) + part * (math.log(less) - math.log(more)))
    (first, most), (last, least) = points[0], points[-1]
    if amount > last == first:
        return 0.0
    return least if last == first else least * (least / most) ** ((amount - last) / (last - first))
