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
from urllib.parse import parse_qsl, unquote, urlencode

from reconciler.http.transport import Request, Response, Stream
from reconciler.model.forging import ForgeConfig, ForgeKind

TOKEN = "forge-token-4711"
ACCOUNT = "reconciler-bot"
HOST = "forge.example.com"

Fault = Callable[[Request], Response | Exception | None]


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
        self.seen: list[Request] = []
        self.page = 2  # items of one answer, however many are asked for
        self.fault: Fault = lambda _request: None
        self.token = TOKEN
        self.account = ACCOUNT
        self._ids = 100

    @classmethod
    def of(cls, kind: ForgeKind) -> "MemoryForge":
        from memory_gitlab import MemoryGitLab  # which is one of these

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


class MemoryRepos(MemoryForge):
    """What GitHub, Gitea and Forgejo have in common."""

    size: ClassVar[str]
    commit_key: ClassVar[str]
    state_key: ClassVar[str] = "state"  # of a status in an answer
    trial: ClassVar[str | None] = None  # the merge commit of what is not merged
    nothing: ClassVar[int] = 404  # what comments of no pull request are answered

    def routes(self) -> list[Any]:
        repo = r"/repos/(?P<repo>[\w.-]+/[\w.-]+)"
        return [
            ("GET", "/user", lambda _m, q, _b: (taken(q), ok({"login": self.account}))[1]),
            ("GET", repo, self._repo),
            ("GET", repo + r"/pulls/(?P<n>\d+)", self._pull),
            ("GET", repo + "/pulls", self._pulls),
            ("GET", repo + r"/branches/(?P<branch>.+)", self._branch),
            ("GET", repo + r"/issues/(?P<n>\d+)/comments", self._comments),
            ("POST", repo + r"/issues/(?P<n>\d+)/comments", self._say),
            ("PATCH", repo + r"/issues/comments/(?P<id>\d+)", self._edit),
            ("POST", repo + r"/statuses/(?P<sha>[0-9a-f]{40})", self._status),
            ("GET", repo + r"/pulls/(?P<n>\d+)/reviews", self._reviews),
            ("GET", repo + r"/collaborators/(?P<who>[\w-]+)/permission", self._permission),
        ]

    def at(self, match: re.Match[str]) -> MemoryRepository:
        name = match["repo"]
        if name in self.renamed:
            rest = match.string.removeprefix(f"/repos/{name}")
            query = f"?{urlencode(self.seen[-1].query)}" if self.seen[-1].query else ""
            location = f"{self.base}{self.api}/repos/{self.renamed[name]}{rest}{query}"
            raise Answer(301, "Moved Permanently", location=location)
        if name not in self.repositories:
            raise Answer(404, "Not Found")
        return self.repositories[name]

    def found(self, match: re.Match[str], missing: int = 404) -> MemoryPull:
        try:
            return self.at(match).pulls[int(match["n"])]
        except KeyError:
            raise Answer(missing, "Not Found") from None

    def whole(self, repo: MemoryRepository) -> dict[str, Any]:
        place = f"{HOST}/{repo.name}"
        return {
            "id": repo.number,
            "full_name": repo.name,
            "clone_url": repo.clone or f"https://{place}.git",
            "ssh_url": f"git@{HOST}:{repo.name}.git",
            "html_url": f"https://{place}",
        }

    def shown(self, repo: MemoryRepository, pull: MemoryPull) -> dict[str, Any]:
        head = None if pull.fork_deleted else {**self.whole(repo), "id": 999} if pull.fork else self.whole(repo)
        return {
            "number": pull.number,
            "title": pull.title or f"Change {pull.number}",
            "state": "open" if pull.state == "open" else "closed",
            "user": {"login": pull.author},
            "draft": pull.draft,
            "base": {"ref": pull.base, "sha": "0" * 40, "repo": self.whole(repo)},
            "head": {"ref": pull.branch, "sha": pull.head, "repo": head},
            "labels": [{"name": label} for label in pull.labels],
            "merged_at": "2026-01-01T00:00:00Z" if pull.state == "merged" else None,
            "merge_commit_sha": pull.merged_as or self.trial,
            "html_url": f"https://{HOST}/{repo.name}/pull/{pull.number}",
        }

    def _repo(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        return ok(self.whole(self.at(match)))

    def _pull(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        return ok(self.shown(self.at(match), self.found(match)))

    def _pulls(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        repo = self.at(match)
        if query["state"] == "closed":
            return self._closed(repo, query)
        pulls = [p for p in repo.pulls.values() if p.state == "open"]
        if self.stated is ForgeKind.GITHUB:
            pop(query, state="open", sort="created", direction="asc")
            base = query.pop("base")
            pulls = [p for p in pulls if p.base == base]
        else:
            pop(query, state="open", sort="oldest")
        return self.told([self.shown(repo, pull) for pull in pulls], query, size=self.size)

    def _closed(self, repo: MemoryRepository, query: dict[str, str]) -> Response:
        pulls = [p for p in reversed(repo.pulls.values()) if p.state != "open"]  # what was changed last comes first
        if self.stated is ForgeKind.GITHUB:
            base = query["base"]
            pop(query, state="closed", base=base, sort="updated", direction="desc")
            pulls = [p for p in pulls if p.base == base]
        else:
            pop(query, state="closed", sort="recentupdate")
        return self.told([self.shown(repo, pull) for pull in pulls], query, size=self.size, most="20")

    def _branch(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        commit = self.at(match).branches.get(unquote(match["branch"]))
        if commit is None:
            raise Answer(404, "Branch not found")
        return ok({"name": match["branch"], "commit": {self.commit_key: commit}})

    def _comments(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        pull = self.found(match, self.nothing)
        items = [{"id": c["id"], "body": c["body"], "user": {"login": c["author"]}} for c in pull.comments]
        return self.told(items, query, paged=self.stated is ForgeKind.GITHUB)

    def _say(self, match: Any, query: Any, body: Any) -> Response:
        pull = self.found(match, self.nothing)
        taken(query)
        assert set(body) == {"body"}
        if len(body["body"]) > 65_536:
            raise Answer(422, "Body is too long (maximum is 65536 characters)")
        made = self.comment(pull, self.account, body["body"])
        return ok({"id": made, "body": body["body"], "user": {"login": self.account}}, 201)

    def _edit(self, match: Any, query: Any, body: Any) -> Response:
        taken(query)
        assert set(body) == {"body"}
        for pull in self.at(match).pulls.values():
            for comment in pull.comments:
                if comment["id"] == int(match["id"]):
                    comment["body"] = body["body"]
                    return ok({"id": comment["id"], "body": body["body"], "user": {"login": self.account}})
        raise Answer(404, "Not Found")

    def _status(self, match: Any, query: Any, body: dict[str, str]) -> Response:
        taken(query)
        assert {"state", "context", "description"} <= set(body) <= {"state", "context", "description", "target_url"}
        assert body["state"] in ("pending", "success", "failure", "error")
        assert len(body["description"]) <= 140
        self.at(match).statuses[match["sha"], body["context"]] = body
        return ok({"id": 1, self.state_key: body["state"]}, 201)

    def _reviews(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        items = [
            {
                "user": {"login": review["author"]},
                "state": self.review(review["state"]),
                "commit_id": review.get("commit", "a" * 40),
                "dismissed": review.get("dismissed", False),
            }
            for review in self.found(match).reviews
        ]
        return self.told(items, query, size=self.size, linked=self.stated is ForgeKind.GITHUB)

    def _permission(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        repo = self.at(match)
        if match["who"] not in repo.may:
            raise Answer(404, f"{match['who']} is not a user")
        return ok({"permission": repo.may[match["who"]], "user": {"login": match["who"]}})

    def review(self, state: str) -> str:
        raise NotImplementedError


class MemoryGitHub(MemoryRepos):
    """`config` states an Enterprise Server unless the test says otherwise: its API has a path."""

    api = "/api/v3"
    size = "per_page"
    commit_key = "sha"
    trial = "d" * 40

    def check(self, headers: dict[str, str]) -> None:
        assert set(headers) == {"accept", "authorization", "x-github-api-version"}
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["x-github-api-version"] == "2022-11-28"
        if headers["authorization"] != f"Bearer {self.token}":
            raise Answer(401, "Bad credentials")

    def review(self, state: str) -> str:
        return {"approve": "APPROVED", "refuse": "CHANGES_REQUESTED", "dismiss": "DISMISSED"}.get(state, "COMMENTED")


class MemoryGitea(MemoryRepos):
    api = "/api/v1"
    size = "limit"
    commit_key = "id"
    state_key = "status"
    nothing = 500

    def check(self, headers: dict[str, str]) -> None:
        assert set(headers) == {"accept", "authorization"}
        assert headers["accept"] == "application/json"
        if headers["authorization"] != f"token {self.token}":
            raise Answer(401, "invalid username, password or token")

    def review(self, state: str) -> str:
        return {"approve": "APPROVED", "refuse": "REQUEST_CHANGES", "dismiss": "APPROVED"}.get(state, "COMMENT")
