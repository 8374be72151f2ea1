"""Who reviews merges of one source, and what he says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules


class Reviewed(Protocol):
    """What merging would do.

    `summary` is one line. `counts` are the announced actions by name. `found` are the codes of the dangers with their
    levels, none of them off, and `rules` those of the base.
    """

    @property
    def verdict(self) -> Verdict: ...

    @property
    def summary(self) -> str: ...

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def found(self) -> Mapping[str, Level]: ...

    @property
    def rules(self) -> ReviewRules: ...

    def markdown(self, limit: int) -> str:
        """The whole in at most `limit` characters."""
        ...


@dataclass(frozen=True, slots=True)
class Synced:
    """The pass that applied a merge. `alone` says that it applied this commit and not a later one that has it, too."""

    commit: str
    ok: bool
    done: Mapping[str, int]
    failed: int
    messages: tuple[str, ...]
    alone: bool


class Reviewer(Protocol):
    """Of one source."""

    @property
    def source(self) -> str: ...

    async def review(self, base: str, head: str, *, fork: bool) -> Reviewed:
        """What merging the commit `head` into the commit `base` would do. Raises ReconcilerError.

        The head of a fork is read by a process that has nothing to lose.
        """
        ...

    async def synced(self, commit: str) -> Synced | None:
        """What became of a merge; None where it was not applied yet. Raises ReconcilerError."""
        ...

    async def close(self) -> None: ...
