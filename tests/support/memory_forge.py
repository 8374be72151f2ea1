"""Forges in memory, behind the Transport that ours are. Strict: an unknown request is a failure of the test.

    forge = MemoryForge.of(ForgeKind.GITHUB)                  # or GITLAB, GITEA, FORGEJO
    forge.repository("shop/specs").pull(7, head="a" * 40)
    client = open_forge(forge.config(tmp_path), forge.connect, clock, random)

Method, path, query, headers and body are checked by the names that the forges publish. `fault` answers in place of the
forge where it returns something.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from reconciler.http.transport import Request, Response, Stream
from reconciler.model.forging import ForgeConfig, ForgeKind

TOKEN = "forge-token-4711"
ACCOUNT = "reconciler-bot"
HOST = "forge.example.com"

Fault = Callable[[Request], Response | Exception | None]


@dataclass
class MemoryCommit:
    """`login` and `committed_by` are accounts as the forge finds them by the address, "" where it finds none."""

    sha: str
    name: str = "Somebody"
    email: str = "somebody@example.com"
    login: str = ""
    committer: str = "Machine"
    committed_by: str = ""
    message: str = "Change"


@dataclass
class MemoryPull:
    number: int
    head: str  # commit
    base: str = "main"
    branch: str = "change"
    title: str = ""
    author: str = "ada"
    fork: bool = False
    fork_deleted: bool = False
    labels: tuple[str, ...] = ()
    draft: bool = False
    state: str = "open"  # open, closed, merged
    merged_as: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)  # id, author, body
    reviews: list[dict[str, Any]] = field(default_factory=list)  # author, state, commit, dismissed, at
    versions: list[tuple[str, str]] = field(default_factory=list)  # commit, when
    commits: list[MemoryCommit] = field(default_factory=list)  # that of the head is there also where it is not named
    pushers: list[str] = field(default_factory=list)  # who pushed more to it

    def listed(self) -> list[MemoryCommit]:
        """From the first to the head."""
        named = any(commit.sha == self.head for commit in self.commits)
        return [*self.commits, *([] if named else [MemoryCommit(self.head, self.author, login=self.author)])]


@dataclass
class MemoryRepository:
    name: str
    number: int
    branches: dict[str, str] = field(default_factory=lambda: {"main": "b" * 40})
    pulls: dict[int, MemoryPull] = field(default_factory=dict)
    clone: str = ""  # in place of an address by https
    may: dict[str, str] = field(default_factory=dict)  # login → read, write, admin
    statuses: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # (commit, context)

    def pull(self, number: int, **what: Any) -> MemoryPull:
        made = MemoryPull(number, **{"head": "a" * 40, **what})
        made.versions.append((made.head, "2026-01-01T00:00:00Z"))
        self.pulls[number] = made
        return made


class Answer(Exception):
    """What the forge answers in place of what was asked for."""

    def __init__(self, status: int, message: str = "", **headers: str) -> None:
        super().__init__(message)
        body = json.dumps({"message": message}).encode()
        self.response = Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class MemoryForge:
    kind: ClassVar[ForgeKind]
    base: ClassVar[str] = f"https://{HOST}"
    api: ClassVar[str]

    def __init__(self, kind: ForgeKind) -> None:
        self.stated = kind
        self.repositories: dict[str, MemoryRepository] = {}
        self.renamed: dict[str, str] = {}
        self.users: list[str] = [ACCOUNT]
        self.profiles: dict[str, tuple[str, str]] = {}  # login → name and address, of those who show them
        self.seen: list[Request] = []
        self.page = 2  # items of one answer, however many are asked for
        self.fault: Fault = lambda _request: None
        self.token = TOKEN
        self.account = ACCOUNT
        self._ids = 100

    @classmethod
    def of(cls, kind: ForgeKind) -> "MemoryForge":
        from memory_gitlab import MemoryGitLab  # which are of these
        from memory_repos import MemoryGitea, MemoryGitHub

        made = {ForgeKind.GITHUB: MemoryGitHub, ForgeKind.GITLAB: MemoryGitLab}.get(kind, MemoryGitea)
        return made(kind)

    def repository(self, name: str) -> MemoryRepository:
        made = MemoryRepository(name, 40 + len(self.repositories))
        self.repositories[name] = made
        return made

    def rename(self, old: str, new: str) -> None:
        self.repositories[new] = self.repositories.pop(old)
        self.renamed[old] = new

    def comment(self, pull: MemoryPull, author: str, body: str) -> int:
        self._ids += 1
        pull.comments.append({"id": self._ids, "author": author, "body": body})
        return self._ids

    def config(self, folder: Path, *repositories: str, **other: Any) -> ForgeConfig:
        file = folder / "forge-token"
        file.write_text(f"{TOKEN}\n")
        names = repositories or tuple(self.repositories)
        stated = {"name": "forge", "url": f"https://{HOST}", "token_file": str(file), **other}
        return ForgeConfig(kind=self.stated, repositories=names, **stated)

    def connect(self, base: str, authorities: str) -> "_Connection":
        assert base == self.base
        assert authorities == ""
        return _Connection(self)

    def asked(self, *methods: str) -> list[str]:
        return [f"{r.method} {r.path.removeprefix(self.api)}" for r in self.seen if not methods or r.method in methods]

    def answer(self, request: Request) -> Response:
        self.seen.append(request)
        if (fault := self.fault(request)) is not None:
            if isinstance(fault, Exception):
                raise fault
            return fault
        assert request.path.startswith(self.api), request.path
        headers = dict(request.headers)
        assert headers.pop("user-agent") == "reconciler"
        if request.body:
            assert headers.pop("content-type") == "application/json"
        path, _, text = request.path.removeprefix(self.api).partition("?")
        query = dict(request.query or parse_qsl(text))  # after a redirect it is in the path
        try:
            self.check(headers)
            for method, pattern, handler in self.routes():
                if method == request.method and (match := re.fullmatch(pattern, path)):
                    body = json.loads(request.body) if request.body else None
                    return handler(match, query, body)
        except Answer as answer:
            return answer.response
        raise AssertionError(f"no forge of this kind knows {request.method} {path}")

    def check(self, headers: dict[str, str]) -> None:
        raise NotImplementedError

    def routes(self) -> list[tuple[str, str, Callable[[re.Match[str], dict[str, str], Any], Response]]]:
        raise NotImplementedError

    def told(
        self,
        items: list[Any],
        query: dict[str, str],
        *,
        size: str = "per_page",
        paged: bool = True,
        linked: bool = True,
        most: str = "100",
    ) -> Response:
        """One page of a list, of which `most` items are asked for. What is not `linked` says how many there are."""
        if not paged:
            assert not query, query
            return ok(items)
        assert query.pop(size) == most
        number = int(query.pop("page"))
        assert not query, query
        shown = items[(number - 1) * self.page : number * self.page]
        if not linked:
            return ok(shown, **{"x-total-count": str(len(items))})
        more = len(items) > number * self.page
        link = (
            {"link": f'<{self.base}{self.api}/elsewhere?page={number + 1}>; rel="next", <x>; rel="last"'}
            if more
            else {}
        )
        return ok(shown, **link)


def ok(body: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, headers, json.dumps(body).encode())


def taken(query: Mapping[str, str], **wanted: str) -> None:
    assert dict(query) == wanted


def pop(query: dict[str, str], **wanted: str) -> None:
    for name, value in wanted.items():
        assert query.pop(name) == value


class _Connection:
    def __init__(self, forge: MemoryForge) -> None:
        self._forge = forge

    async def send(self, request: Request) -> Response:
        return self._forge.answer(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        raise AssertionError("no forge is asked for a stream")
        yield

    async def close(self) -> None:
        pass
