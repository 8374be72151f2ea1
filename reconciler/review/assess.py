"""All dangers of a merge, as the rules of its base weigh them."""

from dataclasses import replace
from typing import Final

from reconciler.model.review import Risk
from reconciler.model.review_rules import Level, ReviewRules, RiskCode
from reconciler.review.risks import (
    budgets,
    capacity,
    departures,
    pod_security,
    privileges,
    services,
    tasks,
    versions,
)
from reconciler.review.risks.case import Case

_FINDERS: Final = (departures, versions, privileges, pod_security, tasks, capacity, budgets, services)
_ORDER: Final = {code: number for number, code in enumerate(RiskCode)}


def assess(case: Case, rules: ReviewRules) -> tuple[Risk, ...]:
    """The gravest first, then by code and object; what the rules switch off is left out."""
    found = [
        replace(risk, level=level)
        for finder in _FINDERS
        for risk in finder.find(case)
        if (level := rules.level(risk.code)) is not Level.OFF
    ]
    return tuple(sorted(found, key=lambda r: (r.level is not Level.BLOCK, _ORDER[r.code], r.identity)))
