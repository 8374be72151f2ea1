"""GitLab's REST API, version 4, at /api/v4 of its host. https://docs.gitlab.com/api/rest/

A project is asked for by its number once that is known: it stays when the project is renamed, and GitLab refuses
changes by an old name.
"""

import re
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import datetime
from random import Random
from typing import Final
from urllib.parse import quote

import msgspec

from reconciler.clock import Clock
from reconciler.errors import ForgeMissing, ForgeRefused
from reconciler.forge.forge import RECENT, Approval, Comment, CommitState, CommitStatus, Pull, PullState, short
from reconciler.forge.makers import Account, Signature, co_authors, makers
from reconciler.forge.session import Session
from reconciler.http.transport import Connect
from reconciler.model.forging import ForgeConfig

_DEVELOPER: Final = 30  # the lowest access level that may push
_STATES: Final = {CommitState.FAILURE: "failed", CommitState.ERROR: "failed"}
_CANNOT: Final = "Cannot transition status"
_APPROVED: Final = "approved this merge request"  # how a note of the system begins
_PUSHED: Final = re.compile(r"added \d+ (new )?commits?\b")  # how others begin: their author is who pushed


class _User(msgspec.Struct):
    username: str
    id: int = 0
    name: str = ""
    public_email: str | None = None  # not in lists


class _Project(msgspec.Struct):
    id: int
    http_url_to_repo: str = ""
    ssh_url_to_repo: str = ""
    web_url: str = ""


class _Refs(msgspec.Struct):
    base_sha: str | None = None
    head_sha: str | None = None
    start_sha: str | None = None


class _Merge(msgspec.Struct):
    iid: int
    title: str
    state: str  # opened, closed, locked, merged
    target_branch: str
    source_branch: str
    target_project_id: int
    source_project_id: int | None = None  # None: the project was deleted
    sha: str | None = None
    author: _User | None = None
    draft: bool = False
    labels: list[str] = []
    diff_refs: _Refs | None = None  # not in lists
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None
    web_url: str = ""


class _Note(msgspec.Struct):
    id: int
    created_at: datetime
    body: str = ""
    author: _User | None = None
    system: bool = False


class _Approver(msgspec.Struct):
    user: _User


class _Approvals(msgspec.Struct):
    approved_by: list[_Approver] = []


class _Version(msgspec.Struct):
    head_commit_sha: str
    created_at: datetime


class _Commit(msgspec.Struct):
    id: str


class _Branch(msgspec.Struct):
    commit: _Commit


class _MergeCommit(msgspec.Struct):
    id: str
    message: str = ""
    author_name: str | None = None
    author_email: str | None = None
    committer_name: str | None = None
    committer_email: str | None = None

    def signatures(self) -> Iterator[Signature]:
        yield Signature(self.author_name or "", self.author_email or "")
        yield Signature(self.committer_name or "", self.committer_email or "")
        yield from co_authors(self.message)


class _Status(msgspec.Struct):
    name: str
    status: str


class _Member(msgspec.Struct):
    access_level: int


class _Anything(msgspec.Struct):
    """An answer of which nothing is used."""


def _authorize(token: str) -> dict[str, str]:
    return {"accept": "application/json", "private-token": token}


class GitLab:
    """Implements Forge."""

    longest = 1_000_000

    def __init__(self, config: ForgeConfig, connect: Connect, clock: Clock, random: Random) -> None:
        api = f"{config.url.rstrip('/')}/api/v4"
        self.name = config.name
        self._account = config.account
        self._session = Session(config, api, connect, clock, random, _authorize)
        self._numbers: dict[str, int] = {}  # as many as repositories are configured

    async def account(self) -> str:
        if self._account is None:
            self._account = (await self._session.get("/user", _User)).username
        return self._account

    async def addresses(self, repository: str) -> tuple[str, ...]:
        found = await self._project(repository)
        return tuple(filter(None, (found.http_url_to_repo, found.ssh_url_to_repo, found.web_url)))

    async def pull(self, repository: str, number: int) -> Pull:
        return _pull(await self._session.get(await self._merge(repository, number), _Merge))

    async def pulls(self, repository: str, base: str) -> AsyncIterator[Pull]:
        path = f"{await self._path(repository)}/merge_requests"
        query = {"state": "opened", "target_branch": base, "order_by": "created_at", "sort": "asc"}
        async for found in self._session.pages(path, _Merge, query):
            yield _pull(found)

    async def merged(self, repository: str, base: str) -> tuple[Pull, ...]:
        path = f"{await self._path(repository)}/merge_requests"
        query = {"state": "merged", "target_branch": base, "order_by": "updated_at", "sort": "desc"}
        return tuple(_pull(each) for each in await self._session.some(path, _Merge, query, RECENT, size="per_page"))

    async def tip(self, repository: str, branch: str) -> str:
        path = f"{await self._path(repository)}/repository/branches/{quote(branch, safe='')}"
        return (await self._session.get(path, _Branch)).commit.id

    async def comments(self, repository: str, number: int) -> AsyncIterator[Comment]:
        async for note in self._notes(repository, number):
            if not note.system:
                yield Comment(note.id, note.author.username if note.author else "", note.body)

    async def say(self, repository: str, number: int, text: str) -> int:
        path = f"{await self._merge(repository, number)}/notes"
        return (await self._session.send("POST", path, {"body": text}, _Note)).id

    async def edit(self, repository: str, number: int, comment: int, text: str) -> None:
        path = f"{await self._merge(repository, number)}/notes/{comment}"
        await self._session.send("PUT", path, {"body": text}, _Anything)

    async def state(self, repository: str, commit: str, status: CommitStatus) -> None:
        """GitLab refuses `pending` where a commit is pending already: then there is nothing to do."""
        path = f"{await self._path(repository)}/statuses/{commit}"
        state = _STATES.get(status.state, status.state.value)
        body = {"state": state, "name": status.context, "description": short(status.description)}
        if status.url:
            body["target_url"] = status.url
        try:
            await self._session.send("POST", path, body, _Anything)
        except ForgeRefused as error:
            if _CANNOT not in error.why or not await self._is(repository, commit, status.context, state):
                raise

    async def approvals(self, repository: str, number: int) -> tuple[Approval, ...]:
        """GitLab does not say which commit was approved. It was the newest of those that there were at the time."""
        path = await self._merge(repository, number)
        found = await self._session.get(f"{path}/approvals", _Approvals)
        if not found.approved_by:
            return ()
        given: dict[str, datetime] = {}
        async for note in self._notes(repository, number):
            if note.system and note.author and note.body.startswith(_APPROVED):
                given[note.author.username] = note.created_at
        versions = [version async for version in self._session.pages(f"{path}/versions", _Version)]
        versions.sort(key=lambda version: version.created_at, reverse=True)
        made = []
        for approver in found.approved_by:
            at = given.get(approver.user.username)
            commit = next((v.head_commit_sha for v in versions if at is not None and v.created_at <= at), "")
            made.append(Approval(approver.user.username, commit))
        return tuple(made)

    async def makers(self, repository: str, pull: Pull, logins: Collection[str]) -> frozenset[str]:
        """GitLab tells no accounts of commits. Who pushed more of them to an open merge request is in its notes."""
        path = await self._merge(repository, pull.number)
        commits = [each async for each in self._session.pages(f"{path}/commits", _MergeCommit)]
        if all(each.id != pull.head_commit for each in commits):
            return frozenset(logins)
        signatures = {signature for commit in commits for signature in commit.signatures()}
        async for note in self._notes(repository, pull.number):
            if note.system and note.author and _PUSHED.match(note.body):
                signatures.add(Signature("", "", note.author.username))
        return makers([await self._known(login) for login in logins], signatures)

    async def _known(self, login: str) -> Account:
        found = await self._user(login)
        if found is None:
            return Account(login)
        whole = await self._session.get(f"/users/{found.id}", _User)
        return Account(login, whole.name, whole.public_email or "")

    async def may_write(self, repository: str, login: str) -> bool:
        user = await self._user(login)
        if user is None:
            return False
        try:
            member = await self._session.get(f"{await self._path(repository)}/members/all/{user.id}", _Member)
        except ForgeMissing:
            return False
        return member.access_level >= _DEVELOPER

    async def close(self) -> None:
        await self._session.close()

    async def _user(self, login: str) -> _User | None:
        users = await self._session.get("/users", list[_User], {"username": login})
        return next((each for each in users if each.username.lower() == login.lower()), None)

    async def _project(self, repository: str) -> _Project:
        found = await self._session.get(f"/projects/{quote(repository, safe='')}", _Project)
        self._numbers[repository] = found.id
        return found

    async def _path(self, repository: str) -> str:
        if repository not in self._numbers:
            await self._project(repository)
        return f"/projects/{self._numbers[repository]}"

    async def _merge(self, repository: str, number: int) -> str:
        return f"{await self._path(repository)}/merge_requests/{number}"

    async def _notes(self, repository: str, number: int) -> AsyncIterator[_Note]:
        path = f"{await self._merge(repository, number)}/notes"
        async for note in self._session.pages(path, _Note, {"order_by": "created_at", "sort": "asc"}):
            yield note

    async def _is(self, repository: str, commit: str, name: str, state: str) -> bool:
        path = f"{await self._path(repository)}/repository/commits/{commit}/statuses"
        found = await self._session.get(path, list[_Status], {"name": name})
        return any(each.name == name and each.status == state for each in found)


def _pull(found: _Merge) -> Pull:
    refs = found.diff_refs or _Refs()
    state = {"opened": PullState.OPEN, "locked": PullState.OPEN, "merged": PullState.MERGED}
    merged = found.state == "merged"
    head = found.sha or refs.head_sha or ""
    return Pull(
        number=found.iid,
        title=found.title,
        author=found.author.username if found.author else "",
        base=found.target_branch,
        base_commit=refs.start_sha or "",  # the target's tip at the last push; base_sha is where they part
        head=found.source_branch,
        head_commit=head,
        fork=found.source_project_id != found.target_project_id,
        state=state.get(found.state, PullState.CLOSED),
        fetch=f"refs/merge-requests/{found.iid}/head",
        draft=found.draft,
        labels=tuple(found.labels),
        # A fast-forward makes no commit of its own.
        merged_as=(found.merge_commit_sha or found.squash_commit_sha or head) if merged else "",
        url=found.web_url,
    )
