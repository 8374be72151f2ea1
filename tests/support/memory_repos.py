"""GitHub, Gitea and Forgejo in memory. Gitea says what a real one says: tests/forge/real asks both."""

import re
from typing import Any, ClassVar
from urllib.parse import unquote, urlencode

from memory_forge import HOST, Answer, MemoryForge, MemoryPull, MemoryRepository, ok, pop, taken

from reconciler.http.transport import Response
from reconciler.model.forging import ForgeKind


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
            ("GET", repo + r"/pulls/(?P<n>\d+)/commits", self._commits),
            ("GET", r"/users/(?P<who>[\w-]+)", self._user),
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

    def _commits(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        items = [
            {
                "sha": commit.sha,
                "commit": {
                    "message": commit.message,
                    "author": {"name": commit.name, "email": commit.email},
                    "committer": {"name": commit.committer, "email": "machine@example.com"},
                },
                "author": {"login": commit.login} if commit.login else None,
                "committer": {"login": commit.committed_by} if commit.committed_by else None,
            }
            for commit in self.found(match).listed()
        ]
        return self.told(self.ordered(items), query, size=self.size)

    def _user(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        if match["who"] not in self.users:
            raise Answer(404, "Not Found")
        name, email = self.profiles.get(match["who"], ("", ""))
        return ok({"login": match["who"], **self.profile(name, email)})

    def _permission(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        repo = self.at(match)
        if match["who"] not in repo.may:
            raise Answer(404, f"{match['who']} is not a user")
        return ok({"permission": repo.may[match["who"]], "user": {"login": match["who"]}})

    def review(self, state: str) -> str:
        raise NotImplementedError

    def ordered(self, commits: list[Any]) -> list[Any]:
        """Of a pull request, from the first on."""
        return commits

    def profile(self, name: str, email: str) -> dict[str, Any]:
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

    def ordered(self, commits: list[Any]) -> list[Any]:
        return commits[:250]

    def profile(self, name: str, email: str) -> dict[str, Any]:
        return {"name": name or None, "email": email or None}


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

    def ordered(self, commits: list[Any]) -> list[Any]:
        return commits[::-1]

    def profile(self, name: str, email: str) -> dict[str, Any]:
        return {"full_name": name, "email": email}
