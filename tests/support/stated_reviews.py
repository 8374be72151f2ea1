"""A reviewer who says what a test has him say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.daemon.reviews.promise import Promise
from reconciler.daemon.reviews.reviewer import Synced
from reconciler.errors import ReconcilerError
from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.deed import Deed
from reconciler.model.result import Outcome
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules


def deed(name: str, action: Action = Action.CREATE, outcome: Outcome = Outcome.DONE, why: str = "") -> Deed:
    return Deed(Identity("", "ConfigMap", "shop", name), action, outcome, why=why)


def synced(commit: str, *deeds: Deed, **others: Any) -> Synced:
    """What passes that did `deeds` are told as."""
    done = Counter(str(each.action) for each in deeds if each.outcome is Outcome.DONE)
    wrong = [each for each in deeds if each.outcome in (Outcome.FAILED, Outcome.BLOCKED)]
    messages = tuple(f"{each.identity}: {each.why}" for each in wrong)
    return Synced(commit, not wrong, done, len(wrong), messages, deeds, **others)


@dataclass
class StatedReview:
    text: str = "## Nothing to do"
    verdict: Verdict = Verdict.PASS
    summary: str = "1 to create"
    promise: Promise = Promise((deed("a"),))  # noqa: RUF009 - immutable
    found: Mapping[str, Level] = field(default_factory=dict)
    rules: ReviewRules = field(default_factory=ReviewRules)

    def markdown(self, limit: int) -> str:
        return self.text[:limit]


@dataclass
class StatedReviewer:
    source: str = "shop"
    says: StatedReview | Exception = field(default_factory=StatedReview)
    of_forks: StatedReview | None = None
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    merges: dict[str, Synced | ReconcilerError] = field(default_factory=dict)

    async def review(self, base: str, head: str, *, fork: bool) -> StatedReview:
        self.asked.append((base, head, fork))
        if isinstance(self.says, Exception):
            raise self.says
        return self.of_forks if fork and self.of_forks is not None else self.says

    async def synced(self, commit: str, base: str, head: str) -> Synced | None:
        found = self.merges.get(commit)
        if isinstance(found, ReconcilerError):
            raise found
        return found

    async def close(self) -> None:
        pass
