"""A review as SARIF 2.1.0, which forges show beside the lines of a merge.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from typing import Any, Final
from urllib.parse import quote

from reconciler import __version__
from reconciler.diff.views.fields import visible
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.review import Risk
from reconciler.model.review_rules import LEVELS, Level
from reconciler.review.review import Review
from reconciler.review.views.summary import TITLES

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final = {Level.BLOCK: "error", Level.WARN: "warning"}


def render(review: Review) -> str:
    """`document` as indented JSON with a line end."""
    return json.dumps(document(review), indent=2, ensure_ascii=False) + "\n"


def document(review: Review) -> dict[str, Any]:
    """Dangers and problems, each at the line of its document; without a line where the head has none of it."""
    results = [_risk(risk) for risk in review.risks] + [_problem(problem) for problem in review.problems]
    named = {result["ruleId"] for result in results}
    rules = [
        {"id": str(code), "shortDescription": {"text": title}, "defaultConfiguration": {"level": _LEVELS[LEVELS[code]]}}
        for code, title in TITLES.items()
    ]
    rules += [{"id": name} for name in sorted(named - {str(code) for code in TITLES})]
    driver = {"name": "reconciler", "version": __version__, "rules": rules}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _risk(risk: Risk) -> dict[str, Any]:
    place = Location(risk.origin.path, risk.origin.line) if risk.origin is not None else None
    return _result(str(risk.code), _LEVELS[risk.level], visible(f"{risk.identity}: {risk.message}"), place)


def _problem(problem: Problem) -> dict[str, Any]:
    text = visible(f"{problem.subject}: {problem.message}" if problem.subject else problem.message)
    text += f"\nhint: {visible(problem.hint)}" if problem.hint else ""
    level = "error" if problem.severity is Severity.ERROR else "warning"
    return _result(problem.code, level, text, problem.location)


def _result(rule: str, level: str, text: str, place: Location | None) -> dict[str, Any]:
    said = text.replace("](", "] (")  # which SARIF, 3.11.6, takes for a link
    result: dict[str, Any] = {"ruleId": rule, "level": level, "message": {"text": said}}
    if place is not None:
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.path)}}
        if place.line:
            physical["region"] = {"startLine": place.line, **({"startColumn": place.column} if place.column else {})}
        result["locations"] = [{"physicalLocation": physical}]
    return result
