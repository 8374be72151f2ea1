"""An embedded cluster on a loopback port, in a thread of its own, and the command line in this process."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from git import Actor, Repo
from golden import checked
from image_programs import builders, docker_registry, open_registry  # noqa: F401
from processes import WAITING

from reconciler.cli.embedded import embedded
from reconciler.cli.main import main
from reconciler.sandbox.kubeconfig import write_kubeconfig

GOLDEN = Path(__file__).parent / "golden"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Cli:
    """Runs `reconciler …` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Ran:
        self._capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as done:
            code = int(done.code or 0)
        shown = self._capsys.readouterr()
        return Ran(code, shown.out, shown.err.removeprefix(WAITING))

    def golden(self, name: str, *words: object) -> Ran:
        """Run, and compare the output with tests/cli/golden/NAME; times and uids do not count."""
        ran = self(*words)
        shown = f"$ reconciler {' '.join(word.name if isinstance(word, Path) else str(word) for word in words)}\n"
        shown += _steady(ran.out) + (f"--- standard error\n{_steady(ran.err)}" if ran.err else "")
        shown += f"--- exit code {ran.code}\n"
        checked(GOLDEN / name, shown)
        return ran


def _steady(text: str) -> str:
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?", "<time>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "<uid>"),
        (r"install [0-9a-f]{16}", "install <install>"),
        (r"; \d+\.\d s\n", "; <seconds> s\n"),
        (r"/\S*/(?=[a-z.-]+: )", "<folder>/"),
    ):
        text = re.sub(pattern, instead, text)
    return text


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@contextmanager
def running(folder: Path, *, nodes: int | None) -> Iterator[Path]:
    """A cluster of its own; yields its kubeconfig."""
    kubeconfig = folder / "kubeconfig"
    started, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with embedded(nodes=nodes) as url:
            write_kubeconfig(kubeconfig, url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="sandbox")
    thread.start()
    try:
        assert started.wait(60)
        yield kubeconfig
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of an API server without controllers and nodes."""
    with running(tmp_path, nodes=None) as kubeconfig:
        yield kubeconfig


@pytest.fixture
def whole_cluster(tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of a cluster in which pods run."""
    with running(tmp_path, nodes=3) as kubeconfig:
        yield kubeconfig


@dataclass(frozen=True)
class Files:
    """A folder of specs named `shop`."""

    path: Path

    def write(self, files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        return self.path


@pytest.fixture
def shop(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    (tmp_path / "shop").mkdir()
    return Files(tmp_path / "shop").write


@pytest.fixture
def repository() -> Callable[[Path, str], None]:
    """Makes a folder a repository with one commit."""

    def commit(folder: Path, message: str) -> None:
        author = Actor("Ann Author", "ann@shop.example.com")
        with Repo.init(folder, initial_branch="main") as repo:
            repo.git.add(all=True)
            repo.index.commit(message, author=author, committer=author)

    return commit
