"""What a forge is to us, and the values that all of them speak in."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request; GitLab calls it a merge request.

    `head_commit` is what is to be merged, `fetch` the ref under which the base's repository has it. `fork` says that
    the head lies in a repository of somebody else, or in one that is gone. `merged_as` is the commit that the merge
    made, "" before.
    """

    number: int
    title: str
    author: str
    base: str  # branch
    base_commit: str  # as the forge last noticed; `Forge.tip` knows better
    head: str  # branch
    head_commit: str
    fork: bool
    state: PullState
    fetch: str
    draft: bool = False
    labels: tuple[str, ...] = ()
    merged_as: str = ""
    url: str = ""  # for people


@dataclass(frozen=True, slots=True)
class Comment:
    id: int
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody's standing approval of `commit`, "" where the forge does not say of which."""

    login: str
    commit: str


class CommitState(StrEnum):
    """The state of a commit, in words of our own."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"  # what was looked at is not good enough
    ERROR = "error"  # it could not be looked at


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """`context` names the check: a later status of the same context replaces the earlier one."""

    state: CommitState
    context: str
    description: str  # one line; what is beyond `DESCRIPTION` characters is cut
    url: str = ""


class Forge(Protocol):
    """One forge, with one token. A repository is written owner/name; GitLab's may have more steps.

    Every method raises ForgeError. What a person may have removed meanwhile is a ForgeMissing.
    """

    @property
    def name(self) -> str:
        """Of the configuration."""
        ...

    @property
    def longest(self) -> int:
        """Characters that a comment may have."""
        ...

    async def account(self) -> str:
        """The login that the token belongs to: the author of our comments."""
        ...

    async def addresses(self, repository: str) -> tuple[str, ...]:
        """The addresses that Git reaches a repository by."""
        ...

    async def pull(self, repository: str, number: int) -> Pull: ...

    def pulls(self, repository: str, base: str) -> AsyncIterator[Pull]:
        """Open pull requests that want to be merged into the branch `base`."""
        ...

    async def merged(self, repository: str, base: str) -> tuple[Pull, ...]:
        """Of the `RECENT` that were closed last, those that were merged into `base`."""
        ...

    async def tip(self, repository: str, branch: str) -> str:
        """The commit at which a branch is now."""
        ...

    def comments(self, repository: str, number: int) -> AsyncIterator[Comment]:
        """Oldest first."""
        ...

    async def say(self, repository: str, number: int, text: str) -> int:
        """Write a new comment; its id."""
        ...

    async def edit(self, repository: str, number: int, comment: int, text: str) -> None: ...

    async def state(self, repository: str, commit: str, status: CommitStatus) -> None:
        """Set a commit's status."""
        ...

    async def approvals(self, repository: str, number: int) -> tuple[Approval, ...]:
        """Approvals that stand: neither withdrawn, nor dismissed, nor followed by a request for changes."""
        ...

    async def makers(self, repository: str, pull: Pull, logins: Collection[str]) -> frozenset[str]:
        """Those of `logins` who have, or may have, a part in the head of `pull`: as author, committer or co-author of
        one of its commits. All of them where not every commit up to that head is known."""
        ...

    async def may_write(self, repository: str, login: str) -> bool:
        """Whether somebody may push to the repository."""
        ...

    async def close(self) -> None: ...


DESCRIPTION: Final = 140  # characters of a status that every forge takes
RECENT: Final = 20


def short(text: str) -> str:
    """`text` on one line of at most DESCRIPTION characters."""
    line = " ".join(text.split())
    return line if len(line) <= DESCRIPTION else line[: DESCRIPTION - 1] + "…"
