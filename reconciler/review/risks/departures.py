"""What goes, is made anew, is taken over or will not be applied."""

from collections.abc import Iterator

from reconciler.kube.kinds import PRECIOUS
from reconciler.model.change import Action, Change, Gate
from reconciler.model.review import Risk
from reconciler.model.review_rules import RiskCode
from reconciler.review.risks.case import Case


def find(case: Case) -> Iterator[Risk]:
    """One for each such change."""
    for change in case.changes:
        origin = change.manifest.origin if change.manifest else None
        if (found := _of(change)) is not None:
            yield Risk(found[0], change.identity, found[1], origin)
        if change.action is Action.REPLACE and change.existing is not None:
            yield Risk(
                RiskCode.TAKEOVER, change.identity, "is somebody else's, and would be created anew as ours", origin
            )


def _of(change: Change) -> tuple[RiskCode, str] | None:
    precious = change.identity.group_kind in PRECIOUS
    match change.action:
        case Action.PRUNE if precious:
            return RiskCode.DATA_LOSS, "would be deleted, with all that is in it: a commit approves it"
        case Action.HOLD if change.manifest is None and precious:
            return (
                RiskCode.DATA_LOSS,
                "is no longer stated: once approved it is deleted, with all that is in it"
                if change.gate is Gate.DELETION
                else f"is no longer stated, and waits: {change.reason}",
            )
        case Action.HOLD if change.manifest is None:
            return RiskCode.HELD_PRUNE, change.reason
        case Action.PRUNE if change.gate is Gate.DELETION:
            return RiskCode.HELD_PRUNE, "would be deleted; the guard would hold it, but a commit approves it"
        case Action.PRUNE:
            return RiskCode.DELETION, "would be deleted: no longer in Git"
        case Action.REPLACE:
            return RiskCode.REPLACEMENT, f"would be deleted and created anew: {change.reason}"
        case Action.REFUSE:
            return RiskCode.REFUSED, f"would not be applied: {change.reason}"
        case Action.HOLD if change.gate is Gate.TAKEOVER:
            return RiskCode.REFUSED, f"would not be applied: {change.reason}"
        case Action.ADOPT:
            return RiskCode.TAKEOVER, change.reason
    return None
