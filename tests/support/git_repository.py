"""A real Git repository with a work tree, for tests to commit to."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Repository:
    """A repository with a work tree that tests commit to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self._commits = 0

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        moment = f"2026-01-01T00:00:{getattr(self, '_commits', 0) % 60:02d}Z"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_AUTHOR_DATE": moment,
            "GIT_COMMITTER_DATE": moment,
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment, input=data, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        for name, content in files.items():
            place = self.path / name
            if content is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change") -> str:
        """Write (or with None delete) files, commit everything, and return the commit's id."""
        self._commits += 1
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def many(self, count: int) -> str:
        """Commit `count` small files at once."""
        stream = [b"commit refs/heads/main\ncommitter Ada <ada@example.com> 1767225600 +0000\ndata 4\nMany\n"]
        for number in range(count):
            text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n".encode()
            stream.append(b"M 100644 inline apps/team%d/c%d.yaml\ndata %d\n" % (number % 50, number, len(text)) + text)
        self.git("fast-import", "--quiet", data=b"".join(stream))
        self.git("reset", "--hard", "--quiet")
        return self.git("rev-parse", "HEAD")
