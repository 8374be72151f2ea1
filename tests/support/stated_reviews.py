"""A reviewer who says what a test has him say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.daemon.reviews.reviewer import Synced
from reconciler.errors import ReconcilerError
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules


@dataclass
class StatedReview:
    text: str = "## Nothing to do"
    verdict: Verdict = Verdict.PASS
    summary: str = "1 to create"
    counts: Mapping[str, int] = field(default_factory=lambda: {"create": 1})
    found: Mapping[str, Level] = field(default_factory=dict)
    rules: ReviewRules = field(default_factory=ReviewRules)

    def markdown(self, limit: int) -> str:
        return self.text[:limit]


@dataclass
class StatedReviewer:
    source: str = "shop"
    says: StatedReview | ReconcilerError = field(default_factory=StatedReview)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    merges: dict[str, Synced] = field(default_factory=dict)

    async def review(self, base: str, head: str, *, fork: bool) -> StatedReview:
        self.asked.append((base, head, fork))
        if isinstance(self.says, ReconcilerError):
            raise self.says
        return self.says

    async def synced(self, commit: str) -> Synced | None:
        return self.merges.get(commit)

    async def close(self) -> None:
        pass
