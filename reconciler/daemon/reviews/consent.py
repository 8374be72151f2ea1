"""What stands between a pull request and its merge: dangers, and approvals by those whom the base names. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from reconciler.daemon.reviews.reviewer import Reviewed
from reconciler.forge.forge import Approval, CommitState, Pull
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level


@dataclass(frozen=True, slots=True)
class Demand:
    """A danger that somebody has to approve. `given` are those who have; `own` have, too, but of what is theirs."""

    code: str
    approvers: tuple[str, ...]
    given: tuple[str, ...]
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """`demands` are all, met or not; `blocking` the codes that nobody can approve away."""

    demands: tuple[Demand, ...]
    blocking: tuple[str, ...]
    invalid: bool

    @property
    def missing(self) -> tuple[Demand, ...]:
        return tuple(demand for demand in self.demands if not demand.given)

    @property
    def state(self) -> CommitState:
        return CommitState.FAILURE if self.invalid or self.blocking or self.missing else CommitState.SUCCESS


def consent(
    reviews: Collection[Reviewed], pull: Pull, approvals: Collection[Approval], makers: Collection[str] = ()
) -> Consent:
    """What `approvals` of the pull request's head make of the dangers that were found.

    Only an approval of exactly this head counts, and nobody approves what he asks for himself, or has a part in, as
    `makers` have.
    """
    given = {a.login.lower() for a in approvals if a.commit == pull.head_commit}
    theirs = {pull.author.lower(), *(login.lower() for login in makers)}
    demands: dict[tuple[str, tuple[str, ...]], Demand] = {}
    blocking: dict[str, None] = {}
    for reviewed in reviews:
        for code, level in reviewed.found.items():
            if approvers := reviewed.rules.approvers.get(code):
                said = [login for login in approvers if login.lower() in given]
                who = tuple(login for login in said if login.lower() not in theirs)
                own = tuple(login for login in said if login.lower() in theirs)
                demands[code, approvers] = Demand(code, approvers, who, own)
            elif level is Level.BLOCK:
                blocking[code] = None
    invalid = any(reviewed.verdict is Verdict.INVALID for reviewed in reviews)
    return Consent(tuple(demands.values()), tuple(blocking), invalid)


def demanded(reviews: Collection[Reviewed]) -> bool:
    """Whether approvals matter."""
    return any(reviewed.rules.approvers.get(code) for reviewed in reviews for code in reviewed.found)
