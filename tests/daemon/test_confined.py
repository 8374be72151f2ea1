"""The process that reads what a fork holds: an empty environment, and limits that hold."""

import asyncio
import contextlib
import os
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from git_repository import Repository
from texts import config

from reconciler.clock import SystemClock
from reconciler.daemon.reviews.confined import Limits, run
from reconciler.errors import SourceTooLarge
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource


def children() -> set[int]:
    """Processes of ours, also those that have ended and that nobody has asked about."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(int(entry.name))
    return found


class Seen(NamedTuple):
    environment: bytes
    folder: Path
    input: Path


def looked_at(pid: int) -> Seen | None:
    """What a process knows; None while it is still a copy of us, or when it has just ended."""
    place = Path(f"/proc/{pid}")
    try:
        if b"isolation" not in (place / "cmdline").read_bytes():
            return None
        return Seen((place / "environ").read_bytes(), (place / "cwd").readlink(), (place / "fd/0").readlink())
    except OSError:
        return None


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "place"
    made.mkdir()
    (made / "a.yaml").write_text(config("a"))
    return made


async def test_it_knows_nothing_of_us(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret/kubeconfig")
    before = children()
    running = asyncio.ensure_future(run(["plan", "--offline", str(place)], place, Limits(), place))
    seen: list[Seen] = []
    while not running.done():
        seen += [found for pid in children() - before if (found := looked_at(pid)) is not None]
        await asyncio.sleep(0)
    ended = running.result()
    assert ended.status == 2
    assert b"ConfigMap" in ended.output
    assert seen
    assert all(found == Seen(b"", place, Path("/dev/null")) for found in seen), seen
    assert not children() - before


async def test_its_reasons_are_heard_up_to_a_limit(place: Path) -> None:
    ended = await run(["plan", "--offline", "--base", "nothing", str(place)], place, Limits(), place)
    assert (ended.status, ended.output) == (1, b"")
    assert b"is in no Git work tree" in ended.errors
    ended = await run(["plan", "--offline", "--base", "nothing", str(place)], place, Limits(errors=10), place)
    assert len(ended.errors) == 10


@pytest.mark.parametrize(
    "limits",
    [Limits(seconds=10, memory=48 * 1024**2), Limits(output=10), Limits(seconds=0)],
    ids=["memory", "output", "time"],
)
async def test_limits_hold(place: Path, limits: Limits) -> None:
    before = children()
    try:
        ended = await run(["plan", "--offline", str(place)], place, limits, place)
    except SourceTooLarge:
        pass
    else:
        assert (ended.status, ended.output) == (1, b""), "without memory Python itself says no"
    assert not children() - before


async def test_cancelling_leaves_nobody(place: Path) -> None:
    before = children()
    running = asyncio.ensure_future(run(["plan", "--offline", str(place)], place, Limits(), place))
    await asyncio.sleep(0)
    for _ in range(10_000):
        if children() - before:
            break
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not children() - before


async def test_what_is_lent_is_two_commits_and_no_address(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    base = repository.commit({"a.yaml": config("a")})
    head = repository.commit({"b.yaml": config("b")})
    source = SourceConfig(name="shop", url=str(repository.path))
    git = GitSource(source, tmp_path / "cache", clock=SystemClock(), random=Random(7))
    folder = tmp_path / "lent"
    folder.mkdir()
    await git.lend(folder, base, head)
    assert await git.includes(base, head)
    assert not await git.includes(head, base)
    await git.close()
    assert sorted(path.name for path in folder.iterdir()) == [".git"]
    texts = [path.read_text() for path in folder.rglob("*") if path.is_file()]
    assert sorted(text.strip() for text in texts if len(text) == 41) == sorted((base, head))
    assert not any(str(repository.path) in text for text in texts)
