"""Real repositories, real Git, and a real server on loopback."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from git_repository import Repository
from git_server import GitServer

from reconciler.clock import LoopClock
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource


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


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    with GitServer(repository.path.parent) as running:
        yield running
