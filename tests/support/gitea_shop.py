"""The repository of a shop on a real Gitea, and the clone in which its people work."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from git_repository import Repository
from gitea_server import Gitea, Refused
from processes import until
from texts import NAMESPACE, config

from reconciler.model.forging import ForgeConfig, ForgeKind

SCOPES = ("read:user", "write:repository", "write:issue")  # docs/webhooks.md


class Shop:
    """ada/NAME, which belongs to ada; bea may write to it, the bot administers it, eve only reads."""

    def __init__(self, gitea: Gitea, folder: Path, name: str) -> None:
        self.gitea = gitea
        self.folder = folder
        self.name = gitea.repository("ada", name)
        for who, permission in (("bea", "write"), ("bot", "admin")):
            self.ask("PUT", f"/collaborators/{who}", {"permission": permission})
        self.git = Repository(folder / "clone")
        self.git.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "old.yaml": config("old")}, "Start")
        self.push("main")
        (folder / "token").write_text(gitea.token("bot", *SCOPES))

    @property
    def url(self) -> str:
        """By which Git reads it."""
        return f"{self.gitea.url}/{self.name}.git"

    def ask(self, method: str, path: str, body: Any = None, *, who: str = "ada") -> Any:
        return self.gitea.ask(method, f"/repos/{self.name}{path}", body, who=who)

    def tip(self, branch: str) -> str:
        return self.git.git("rev-parse", branch)

    def push(self, branch: str, *, who: str = "ada", to: str = "", new_name: str = "") -> None:
        """And wait until Gitea has taken notice of it, which it does a moment after Git."""
        place, name = to or self.name, new_name or branch
        self.git.git("push", "--quiet", "--force", self.gitea.remote(who, place), f"{branch}:refs/heads/{name}")
        until(lambda: self._noticed(place, name) == self.tip(branch), f"the push of {name}")

    def _noticed(self, repository: str, branch: str) -> str:
        try:
            return str(self.gitea.ask("GET", f"/repos/{repository}/branches/{quote(branch)}")["commit"]["id"])
        except Refused:
            return ""

    def branch(self, name: str, files: dict[str, str | bytes | None], *, who: str = "ada", to: str = "") -> str:
        """A commit more on a branch, that of main where it is new; pushed."""
        known = self.git.git("branch", "--list", name)
        self.git.git("checkout", "--quiet", *([name] if known else ["-b", name, "main"]))
        commit = self.git.commit(files, f"On {name}")
        self.git.git("checkout", "--quiet", "main")
        self.push(name, who=who, to=to)
        return commit

    def fork(self, who: str) -> str:
        """Somebody's fork; its full name."""
        return str(self.ask("POST", "/forks", {"name": f"{self.name.replace('/', '-')}"}, who=who)["full_name"])

    def pull(self, head: str, *, who: str = "ada", base: str = "main", title: str = "", **more: Any) -> int:
        asked = {"title": title or f"Change {head}", "head": head, "base": base, **more}
        return int(self.ask("POST", "/pulls", asked, who=who)["number"])

    def merge(self, number: int, how: str = "merge", **more: Any) -> str:
        """The commit at which the base is then. Gitea asks to come again while it tries whether they can be merged."""

        def done() -> bool:
            try:
                self.ask("POST", f"/pulls/{number}/merge", {"Do": how, **more})
            except Refused as refused:
                if refused.status != 405:
                    raise
                return False
            return True

        until(done, f"the merge of {number}")
        self.git.git("pull", "--quiet", "--ff-only", self.gitea.remote("ada", self.name), "main")
        return self.tip("main")

    def review(self, number: int, state: str, who: str) -> int:
        asked = {"event": state, "body": "looked at", "commit_id": ""}
        return int(self.ask("POST", f"/pulls/{number}/reviews", asked, who=who)["id"])

    def comments(self, number: int) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"/issues/{number}/comments"))

    def config(self, **other: Any) -> ForgeConfig:
        stated = {"name": "forge", "url": self.gitea.url, "token_file": str(self.folder / "token"), **other}
        return ForgeConfig(kind=ForgeKind.GITEA, repositories=(self.name,), **stated)
