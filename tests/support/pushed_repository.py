"""A repository with a work tree whose commits go to a bare one, which others push to as well."""

from collections.abc import Mapping
from pathlib import Path

from git_repository import Repository


class PushedRepository(Repository):
    """`bare` is the server's; a GitServer of its folder takes pushes over HTTP."""

    def __init__(self, path: Path, bare: Path, files: Mapping[str, str | bytes | None]) -> None:
        super().__init__(path)
        self.bare = bare
        self.commit(files, "Start")
        bare.parent.mkdir(parents=True, exist_ok=True)
        self.git("clone", "--quiet", "--bare", str(path), str(bare))
        self.git("--git-dir", str(bare), "config", "http.receivepack", "true")
        self.git("remote", "add", "origin", str(bare))

    def push(self, files: Mapping[str, str | bytes | None], message: str = "A person's change") -> str:
        """Commit on top of what others pushed, and push; the commit's id."""
        self.pull()
        made = self.commit(files, message)
        self.git("push", "--quiet", "origin", "main")
        return made

    def pull(self) -> None:
        self.git("pull", "--quiet", "--rebase", "origin", "main")

    def tip(self) -> str:
        """The last commit at the server."""
        return self.git("--git-dir", str(self.bare), "rev-parse", "main")

    def subjects(self) -> list[str]:
        """The first lines of the commits at the server, newest first."""
        return self.git("--git-dir", str(self.bare), "log", "--format=%s", "main").splitlines()
