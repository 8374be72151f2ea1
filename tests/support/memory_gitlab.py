"""GitLab in memory, as memory_forge has the others."""

import re
from typing import Any
from urllib.parse import unquote

from memory_forge import ACCOUNT, HOST, Answer, MemoryForge, MemoryPull, MemoryRepository, ok, pop, taken

from reconciler.http.transport import Response


class MemoryGitLab(MemoryForge):
    api = "/api/v4"

    def check(self, headers: dict[str, str]) -> None:
        assert set(headers) == {"accept", "private-token"}
        if headers["private-token"] != self.token:
            raise Answer(401, "401 Unauthorized")

    def routes(self) -> list[Any]:
        project = r"/projects/(?P<id>[^/]+)"
        merge = project + r"/merge_requests/(?P<n>\d+)"
        return [
            ("GET", "/user", lambda _m, q, _b: (taken(q), ok({"id": 1, "username": ACCOUNT}))[1]),
            ("GET", "/users", self._users),
            ("GET", project, self._project),
            ("GET", merge, self._merge),
            ("GET", project + "/merge_requests", self._merges),
            ("GET", project + r"/repository/branches/(?P<branch>[^/]+)", self._branch),
            ("GET", merge + "/notes", self._notes),
            ("POST", merge + "/notes", self._say),
            ("PUT", merge + r"/notes/(?P<note>\d+)", self._edit),
            ("POST", project + r"/statuses/(?P<sha>[0-9a-f]{40})", self._status),
            ("GET", project + r"/repository/commits/(?P<sha>[0-9a-f]{40})/statuses", self._statuses),
            ("GET", merge + "/approvals", self._approvals),
            ("GET", merge + "/versions", self._versions),
            ("GET", merge + "/commits", self._commits),
            ("GET", r"/users/(?P<user>\d+)", self._user),
            ("GET", project + r"/members/all/(?P<user>\d+)", self._member),
        ]

    def at(self, match: re.Match[str]) -> MemoryRepository:
        name = unquote(match["id"])
        if name in self.renamed:
            number = self.repositories[self.renamed[name]].number
            raise Answer(301, location=f"{self.base}{self.api}/projects/{number}")
        for repo in self.repositories.values():
            if name in (repo.name, str(repo.number)):
                return repo
        raise Answer(404, "404 Project Not Found")

    def found(self, match: re.Match[str]) -> MemoryPull:
        try:
            return self.at(match).pulls[int(match["n"])]
        except KeyError:
            raise Answer(404, "404 Not found") from None

    def shown(self, repo: MemoryRepository, pull: MemoryPull, *, whole: bool = True) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": 1000 + pull.number,
            "iid": pull.number,
            "title": f"Change {pull.number}",
            "state": {"open": "opened"}.get(pull.state, pull.state),
            "target_branch": pull.base,
            "source_branch": pull.branch,
            "target_project_id": repo.number,
            "source_project_id": None if pull.fork_deleted else 999 if pull.fork else repo.number,
            "sha": pull.head,
            "author": {"id": 5, "username": pull.author},
            "draft": pull.draft,
            "labels": list(pull.labels),
            "merge_commit_sha": pull.merged_as or None,
            "squash_commit_sha": None,
            "web_url": f"https://{HOST}/{repo.name}/-/merge_requests/{pull.number}",
        }
        refs = {"base_sha": "1" * 40, "start_sha": "0" * 40, "head_sha": pull.head}
        return {**made, "diff_refs": refs} if whole else made

    def _users(self, _match: Any, query: dict[str, str], _body: Any) -> Response:
        name = query.pop("username")
        taken(query)
        return ok([{"id": self.users.index(name) + 1, "username": name}] if name in self.users else [])

    def _project(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        repo = self.at(match)
        return ok(
            {
                "id": repo.number,
                "path_with_namespace": repo.name,
                "http_url_to_repo": repo.clone or f"https://{HOST}/{repo.name}.git",
                "ssh_url_to_repo": f"git@{HOST}:{repo.name}.git",
                "web_url": f"https://{HOST}/{repo.name}",
            }
        )

    def _merge(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        return ok(self.shown(self.at(match), self.found(match)))

    def _merges(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        repo = self.at(match)
        base = query.pop("target_branch")
        if query["state"] == "merged":
            taken(query, state="merged", order_by="updated_at", sort="desc", per_page="20", page="1")
            pulls = [p for p in repo.pulls.values() if p.state == "merged" and p.base == base]
            return ok([self.shown(repo, p, whole=False) for p in pulls][:20])
        pop(query, state="opened", order_by="created_at", sort="asc")
        pulls = [p for p in repo.pulls.values() if p.state == "open" and p.base == base]
        return self.told([self.shown(repo, p, whole=False) for p in pulls], query)

    def _branch(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        commit = self.at(match).branches.get(unquote(match["branch"]))
        if commit is None:
            raise Answer(404, "404 Branch Not Found")
        return ok({"name": match["branch"], "commit": {"id": commit}})

    def _notes(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        pop(query, order_by="created_at", sort="asc")
        pull = self.found(match)
        notes = [_note(c["id"], c["author"], c["body"]) for c in pull.comments]
        notes += [
            _note(1, r["author"], "approved this merge request", at=r.get("at", "2026-01-01T12:00:00Z"), system=True)
            for r in pull.reviews
            if r["state"] == "approve"
        ]
        notes += [_note(1, who, "added 2 commits\n\n<ul></ul>", system=True) for who in pull.pushers]
        return self.told(notes, query)

    def _say(self, match: Any, query: Any, body: Any) -> Response:
        taken(query)
        assert set(body) == {"body"}
        assert len(body["body"]) <= 1_000_000
        return ok(_note(self.comment(self.found(match), ACCOUNT, body["body"]), ACCOUNT, body["body"]), 201)

    def _edit(self, match: Any, query: Any, body: Any) -> Response:
        taken(query)
        assert set(body) == {"body"}
        for comment in self.found(match).comments:
            if comment["id"] == int(match["note"]):
                comment["body"] = body["body"]
                return ok(_note(comment["id"], ACCOUNT, body["body"]))
        raise Answer(404, "404 Not found")

    def _status(self, match: Any, query: Any, body: dict[str, str]) -> Response:
        taken(query)
        assert {"state", "name", "description"} <= set(body) <= {"state", "name", "description", "target_url"}
        assert body["state"] in ("pending", "running", "success", "failed", "canceled")
        assert len(body["description"]) <= 255
        statuses = self.at(match).statuses
        key = (match["sha"], body["name"])
        if body["state"] == "pending" and statuses.get(key, {}).get("state") == "pending":
            raise Answer(
                400, 'Cannot transition status via :enqueue from :pending (Reason(s): Status cannot "enqueue")'
            )
        statuses[key] = body
        return ok({"id": 1, "name": body["name"], "status": body["state"]}, 201)

    def _statuses(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        name = query.pop("name")
        taken(query)
        found = self.at(match).statuses.get((match["sha"], name))
        return ok([{"id": 1, "name": name, "status": found["state"]}] if found else [])

    def _approvals(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        standing: dict[str, None] = {}
        for review in self.found(match).reviews:
            if review["state"] == "approve":
                standing[review["author"]] = None
            elif review["state"] == "dismiss":
                standing.pop(review["author"], None)
        return ok({"approved_by": [{"user": {"id": 5, "username": login}} for login in standing]})

    def _versions(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        versions = [
            {"id": at, "head_commit_sha": commit, "created_at": when}
            for at, (commit, when) in enumerate(self.found(match).versions)
        ]
        return self.told(versions[::-1], query)

    def _commits(self, match: Any, query: dict[str, str], _body: Any) -> Response:
        items = [
            {
                "id": commit.sha,
                "message": commit.message,
                "author_name": commit.name,
                "author_email": commit.email,
                "committer_name": commit.committer,
                "committer_email": "machine@example.com",
            }
            for commit in self.found(match).listed()
        ]
        return self.told(items[::-1], query)

    def _user(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        login = self.users[int(match["user"]) - 1]
        name, email = self.profiles.get(login, ("", ""))
        return ok({"id": int(match["user"]), "username": login, "name": name, "public_email": email})

    def _member(self, match: Any, query: Any, _body: Any) -> Response:
        taken(query)
        level = self.at(match).may.get(self.users[int(match["user"]) - 1])
        if level is None:
            raise Answer(404, "404 Not found")
        return ok({"id": int(match["user"]), "access_level": {"read": 20, "write": 30, "admin": 50}[level]})


def _note(number: int, author: str, body: str, at: str = "2026-01-01T00:00:00Z", *, system: bool = False) -> Any:
    return {"id": number, "body": body, "author": {"id": 5, "username": author}, "system": system, "created_at": at}
