"""Who reviews merges of one source, and what he says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reconciler.daemon.reviews.promise import Promise
from reconciler.kube.names import Identity
from reconciler.model.deed import Deed
from reconciler.model.review import Verdict
from reconciler.model.review_rules import Level, ReviewRules


class Reviewed(Protocol):
    """What merging would do.

    `summary` is one line. `promise` is what is announced. `found` are the codes of the dangers with their
    levels, none of them off, and `rules` those of the base.
    """

    @property
    def verdict(self) -> Verdict: ...

    @property
    def summary(self) -> str: ...

    @property
    def promise(self) -> Promise: ...

    @property
    def found(self) -> Mapping[str, Level]: ...

    @property
    def rules(self) -> ReviewRules: ...

    def markdown(self, limit: int) -> str:
        """The whole in at most `limit` characters."""
        ...


class Restated(NamedTuple):
    """Objects that passes over a merge found in other words in Git than the pass before them: `all` of them, and those
    that other commits had a part in, `others`. `otherwise` are those which Git states in the end in other words than
    were reviewed."""

    all: frozenset[Identity]
    others: frozenset[Identity]
    otherwise: frozenset[Identity] = frozenset()


@dataclass(frozen=True, slots=True)
class Synced:
    """What the passes that applied a merge did, up to the first that succeeded, else the newest.

    `commit` is the last that they applied: the merge, or a later one that has it. `done` counts by action, `failed`
    what the last of them failed to do, `messages` say why. `deeds` say it object by object, `unlisted` counts those of
    which they do not. `restated` is what Git says of it; None where that is not known any more.
    """

    commit: str
    ok: bool
    done: Mapping[str, int]
    failed: int
    messages: tuple[str, ...]
    deeds: tuple[Deed, ...] = ()
    unlisted: int = 0
    restated: Restated | None = None


class Reviewer(Protocol):
    """Of one source."""

    @property
    def source(self) -> str: ...

    async def review(self, base: str, head: str, *, fork: bool) -> Reviewed:
        """What merging the commit `head` into the commit `base` would do. Raises ReconcilerError.

        The head of a fork is read by a process that has nothing to lose.
        """
        ...

    async def synced(self, commit: str, base: str, head: str) -> Synced | None:
        """What became of the merge `commit`, reviewed as that of `head` into `base`; None where it was not applied yet.

        Raises ReconcilerError.
        """
        ...

    async def close(self) -> None: ...
