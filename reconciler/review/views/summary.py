"""What all views share: the sentence at the top."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from reconciler.diff.views.summary import sentence
from reconciler.model.problem import Severity
from reconciler.model.review import Risk, Verdict
from reconciler.model.review_rules import Level, RiskCode
from reconciler.plural import counted
from reconciler.review.review import Review

TITLES: Final = {
    RiskCode.DATA_LOSS: "data would be lost",
    RiskCode.HELD_PRUNE: "deletions that the guard holds",
    RiskCode.REFUSED: "not applied",
    RiskCode.UNSERVED_VERSION: "versions that are not served",
    RiskCode.WIDER_PRIVILEGES: "wider privileges",
    RiskCode.WEAKER_POD_SECURITY: "weaker pod security",
    RiskCode.REPLACEMENT: "deleted and created anew",
    RiskCode.DELETION: "deleted",
    RiskCode.TAKEOVER: "taken over",
    RiskCode.TASK_RUNS_AGAIN: "tasks that run again",
    RiskCode.NO_ROOM: "no room",
    RiskCode.BLOCKING_BUDGET: "nodes that cannot be drained",
    RiskCode.SERVICE_WITHOUT_ENDPOINTS: "Services without pods",
}


def headline(review: Review) -> str:
    """`Blocked by 2 dangers, 1 warning: 3 to create, 1 to change`."""
    errors = sum(problem.severity is Severity.ERROR for problem in review.problems)
    blocking = sum(risk.level is Level.BLOCK for risk in review.risks)
    warnings = len(review.risks) - blocking
    match review.verdict:
        case Verdict.INVALID:
            verdict = f"Invalid: {counted(errors, 'error')}"
        case Verdict.BLOCK:
            verdict = f"Blocked by {counted(blocking, 'danger')}"
            verdict += f", {counted(warnings, 'warning')}" if warnings else ""
        case Verdict.WARN:
            verdict = counted(warnings + len(review.problems), "warning")
        case Verdict.PASS:
            verdict = "No danger found"
    return f"{verdict}: {sentence(review.effects.merged)}"


def between(review: Review) -> str:
    """Which revisions, and beside what."""
    base, head = (revision.short or "the folder" for revision in (review.base, review.head))
    return f"{base} → {head} of source {review.source}, compared with {review.against}"


def by_code(risks: Iterable[Risk]) -> list[tuple[RiskCode, Level, list[Risk]]]:
    """In their order; those of one code have one level."""
    return [(code, level, list(group)) for (code, level), group in groupby(risks, key=lambda r: (r.code, r.level))]
