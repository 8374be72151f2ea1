"""Real repositories, real Git, and a real server on loopback."""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from reconciler.clock import LoopClock
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource


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


class Commands(Counter[str]):
    """Counts the Git commands that a source runs; pass it as `observe`."""

    def __call__(self, command: tuple[str, ...]) -> None:
        self[command[0]] += 1


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


@pytest.fixture
def new_repository(tmp_path: Path) -> Callable[[str], Repository]:
    return lambda name: Repository(tmp_path / name)


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def mirrors(cache: Path) -> Callable[[], list[Path]]:
    return lambda: sorted(cache.glob("*.git"))


@pytest.fixture
def source(repository: Repository, cache: Path, commands: Commands) -> Callable[..., GitSource]:
    """Makes a source of `repository`; keyword arguments go into its configuration."""

    def make(*, ssh: str = "ssh", **config: Any) -> GitSource:
        settled = SourceConfig(**{"name": "shop", "url": str(repository.path), "timeout": 20.0, **config})
        return GitSource(settled, cache, clock=LoopClock(), random=Random(7), ssh=ssh, observe=commands)

    return make


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """The module git_server.py; with importlib mode test files do not import each other by name."""
    path = Path(__file__).with_name("git_server.py")
    spec = importlib.util.spec_from_file_location("source_git_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(servers: ModuleType, repository: Repository) -> Iterator[Any]:
    with servers.GitServer(repository.path.parent) as running:
        yield running
