"""The API below /repos that GitHub has, and that Gitea and Forgejo follow. Each says where it differs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from enum import Enum, auto
from math import inf
from urllib.parse import quote

import msgspec

from reconciler.errors import ForgeMissing
from reconciler.forge.forge import RECENT, Approval, Comment, CommitStatus, Pull, PullState, short
from reconciler.forge.makers import Account, Signature, co_authors, makers
from reconciler.forge.session import Session


class User(msgspec.Struct):
    login: str


class _Repository(msgspec.Struct):
    id: int
    clone_url: str = ""
    ssh_url: str = ""
    html_url: str = ""


class _Side(msgspec.Struct):
    ref: str
    sha: str
    repo: _Repository | None = None  # None: it was deleted


class _Label(msgspec.Struct):
    name: str


class FoundPull(msgspec.Struct):
    number: int
    title: str
    state: str
    base: _Side
    head: _Side
    user: User | None = None  # None: the account was deleted
    draft: bool = False
    merged_at: str | None = None
    merge_commit_sha: str | None = None  # while it is open, that of a trial merge
    labels: list[_Label] | None = None
    html_url: str = ""

    def pull(self) -> Pull:
        base, head = self.base.repo, self.head.repo
        merged = self.merged_at is not None
        return Pull(
            number=self.number,
            title=self.title,
            author=login_of(self.user),
            base=self.base.ref,
            base_commit=self.base.sha,
            head=self.head.ref,
            head_commit=self.head.sha,
            fork=base is None or head is None or base.id != head.id,
            state=PullState.MERGED if merged else PullState.OPEN if self.state == "open" else PullState.CLOSED,
            fetch=f"refs/pull/{self.number}/head",
            draft=self.draft,
            labels=tuple(label.name for label in self.labels or ()),
            merged_as=(self.merge_commit_sha or "") if merged else "",
            url=self.html_url,
        )


class FoundComment(msgspec.Struct):
    id: int
    body: str | None = None
    user: User | None = None

    def comment(self) -> Comment:
        return Comment(self.id, login_of(self.user), self.body or "")


class Review(msgspec.Struct):
    state: str
    user: User | None = None
    commit_id: str | None = None
    dismissed: bool = False


class _Signed(msgspec.Struct):
    name: str | None = None
    email: str | None = None


class _Text(msgspec.Struct):
    message: str = ""
    author: _Signed | None = None
    committer: _Signed | None = None


class _Account(msgspec.Struct):
    login: str = ""
    name: str | None = None  # GitHub's
    full_name: str | None = None  # Gitea's
    email: str | None = None


class _Commit(msgspec.Struct):
    """`author` and `committer` are the accounts, None where an address is nobody's."""

    sha: str
    commit: _Text
    author: _Account | None = None
    committer: _Account | None = None

    def signatures(self) -> Iterator[Signature]:
        for said, account in ((self.commit.author, self.author), (self.commit.committer, self.committer)):
            if said is not None or account is not None:
                signed = said or _Signed()
                yield Signature(signed.name or "", signed.email or "", account.login if account else "")
        yield from co_authors(self.commit.message)


class Stance(Enum):
    """What a review says of the reviewer's approval."""

    GIVES = auto()
    TAKES = auto()  # it was dismissed, or changes are asked for
    LEAVES = auto()


class _Permission(msgspec.Struct):
    permission: str


class _Anything(msgspec.Struct):
    """An answer of which nothing is used."""


def login_of(user: User | None) -> str:
    return user.login if user else ""


def path_of(repository: str) -> str:
    return f"/repos/{quote(repository)}"


class ReposForge(ABC):
    """What is the same for all who have this API. `size` is how they call the length of a page."""

    longest = 65_536  # GitHub's limit; the others state none, and it is more than anybody reads
    size = "per_page"
    may_write_by: tuple[str, ...] = ("admin", "write")
    most_commits: float = inf  # of a pull request that are listed

    def __init__(self, session: Session, account: str | None) -> None:
        self.session = session
        self._account = account

    @property
    def name(self) -> str:
        return self.session.name

    async def account(self) -> str:
        if self._account is None:
            self._account = (await self.session.get("/user", User)).login
        return self._account

    async def addresses(self, repository: str) -> tuple[str, ...]:
        found = await self.session.get(path_of(repository), _Repository)
        return tuple(filter(None, (found.clone_url, found.ssh_url, found.html_url)))

    async def pull(self, repository: str, number: int) -> Pull:
        return (await self.session.get(f"{path_of(repository)}/pulls/{number}", FoundPull)).pull()

    async def recent(self, repository: str, base: str, query: Mapping[str, str]) -> tuple[Pull, ...]:
        """Those that were merged into `base` of the first that match `query`."""
        path = f"{path_of(repository)}/pulls"
        found = await self.session.some(path, FoundPull, query, RECENT, size=self.size)
        pulls = (each.pull() for each in found)
        return tuple(pull for pull in pulls if pull.state is PullState.MERGED and pull.base == base)

    async def comments(self, repository: str, number: int) -> AsyncIterator[Comment]:
        path = f"{path_of(repository)}/issues/{number}/comments"
        async for found in self.session.pages(path, FoundComment, size=self.size):
            yield found.comment()

    async def say(self, repository: str, number: int, text: str) -> int:
        path = f"{path_of(repository)}/issues/{number}/comments"
        return (await self.session.send("POST", path, {"body": text}, FoundComment)).id

    async def edit(self, repository: str, number: int, comment: int, text: str) -> None:
        path = f"{path_of(repository)}/issues/comments/{comment}"
        await self.session.send("PATCH", path, {"body": text}, _Anything)

    async def state(self, repository: str, commit: str, status: CommitStatus) -> None:
        body = {"state": status.state.value, "context": status.context, "description": short(status.description)}
        if status.url:
            body["target_url"] = status.url
        await self.session.send("POST", f"{path_of(repository)}/statuses/{commit}", body, _Anything)

    async def approvals(self, repository: str, number: int) -> tuple[Approval, ...]:
        """Reviews come in the order in which they were given: of each person the last with a verdict counts."""
        standing: dict[str, Approval] = {}
        path = f"{path_of(repository)}/pulls/{number}/reviews"
        async for review in self.session.pages(path, Review, size=self.size):
            login = login_of(review.user)
            stance = self.stance(review)
            if stance is Stance.GIVES and login:
                standing[login] = Approval(login, review.commit_id or "")
            elif stance is Stance.TAKES:
                standing.pop(login, None)
        return tuple(standing.values())

    async def makers(self, repository: str, pull: Pull, logins: Collection[str]) -> frozenset[str]:
        """GitHub lists 250 commits and no more."""
        path = f"{path_of(repository)}/pulls/{pull.number}/commits"
        commits = [each async for each in self.session.pages(path, _Commit, size=self.size)]
        if len(commits) >= self.most_commits or all(each.sha != pull.head_commit for each in commits):
            return frozenset(logins)
        signatures = {signature for commit in commits for signature in commit.signatures()}
        return makers([await self._known(login) for login in logins], signatures)

    async def _known(self, login: str) -> Account:
        try:
            found = await self.session.get(f"/users/{quote(login, safe='')}", _Account)
        except ForgeMissing:
            found = _Account()
        return Account(login, found.name or found.full_name or "", found.email or "")

    async def may_write(self, repository: str, login: str) -> bool:
        path = f"{path_of(repository)}/collaborators/{quote(login, safe='')}/permission"
        try:
            return (await self.session.get(path, _Permission)).permission in self.may_write_by
        except ForgeMissing:
            return False

    async def close(self) -> None:
        await self.session.close()

    @abstractmethod
    def stance(self, review: Review) -> Stance: ...
