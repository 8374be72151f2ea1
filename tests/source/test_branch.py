"""Commits pushed over smart HTTP: on top of whatever is there, never forced, nothing lost."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from git_repository import Repository
from git_server import Fault, GitServer, make_ssh_key

from reconciler.clock import SystemClock
from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceUnreachable
from reconciler.model.config import GitCredentials, SourceConfig
from reconciler.model.image import Commit
from reconciler.source.branch import Author, BranchWriter

Writer = Callable[..., BranchWriter]


@pytest.fixture
def bare(repository: Repository, tmp_path: Path) -> Path:
    """What the server serves: a bare copy that takes pushes."""
    repository.commit({"apps/lock": "a: 1\nb: 1\n", "other": "x"}, "Begin")
    path = tmp_path / "srv/shop.git"
    repository.git("clone", "--quiet", "--bare", str(repository.path), str(path))
    repository.git("--git-dir", str(path), "config", "http.receivepack", "true")
    repository.git("remote", "add", "origin", str(path))
    return path


@pytest.fixture
def server(bare: Path) -> Iterator[GitServer]:
    with GitServer(bare.parent) as running:
        yield running


@pytest.fixture
def writer(server: GitServer, tmp_path: Path) -> Writer:
    def make(number: int = 0, *, author: Author | None = None, deadline: float = 60.0, **config: Any) -> BranchWriter:
        settled = SourceConfig(**{"name": f"shop-{number}", "url": server.url("shop.git"), "timeout": 20.0, **config})
        return BranchWriter(
            settled, tmp_path / "cache", clock=SystemClock(), random=Random(number), author=author, deadline=deadline
        )

    return make


def adding(line: str) -> Callable[[Mapping[str, bytes | None]], Commit]:
    """An edit that adds a line to apps/lock."""
    return lambda files: Commit({"apps/lock": (files["apps/lock"] or b"") + line.encode()}, f"add {line}\n")


def git(bare: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "--git-dir", bare, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_one_commit_on_top(bare: Path, writer: Writer) -> None:
    before = git(bare, "rev-parse", "main")
    commit = await writer().commit("main", ["apps/lock"], adding("c: 1\n"))
    assert git(bare, "rev-parse", "main", "main~1").split() == [commit, before]
    assert git(bare, "show", "main:apps/lock") == "a: 1\nb: 1\nc: 1"
    assert git(bare, "diff", "--name-only", "main~1", "main") == "apps/lock"
    assert git(bare, "log", "-1", "--format=%an <%ae>|%cn|%B", "main").strip() == (
        "reconciler <reconciler@localhost>|reconciler|add c: 1"
    )


async def test_nothing_to_change_is_no_commit(bare: Path, writer: Writer, server: GitServer) -> None:
    before = git(bare, "rev-parse", "main")
    assert await writer().commit("main", ["apps/lock"], lambda _files: None) == ""
    assert git(bare, "rev-parse", "main") == before
    assert not any("receive-pack" in path for _method, path, _auth in server.requests)


async def test_files_that_are_not_there_are_made(bare: Path, writer: Writer) -> None:
    seen: list[Mapping[str, bytes | None]] = []

    def edit(files: Mapping[str, bytes | None]) -> Commit:
        seen.append(files)
        return Commit({'new/ü "x"/lock': b"\x00\xff", "other": b"y"}, "m")

    await writer().commit("main", ['new/ü "x"/lock', "other"], edit)
    assert seen == [{'new/ü "x"/lock': None, "other": b"x"}]
    assert git(bare, "ls-tree", "-r", "-z", "--name-only", "main").split("\0") == [
        "apps/lock", 'new/ü "x"/lock', "other", ""
    ]  # fmt: skip


async def test_a_person_pushes_in_between(bare: Path, writer: Writer, repository: Repository) -> None:
    tries = 0

    def edit(files: Mapping[str, bytes | None]) -> Commit:
        nonlocal tries
        tries += 1
        if tries <= 2:
            repository.commit({"apps/lock": f"a: {tries + 1}\nb: 1\n"}, f"By a person {tries}")
            repository.git("push", "--quiet", "origin", "main")
        return adding("c: 1\n")(files)

    await writer().commit("main", ["apps/lock"], edit)
    assert tries == 3
    assert git(bare, "show", "main:apps/lock") == "a: 3\nb: 1\nc: 1"
    assert git(bare, "log", "--format=%s", "main").splitlines() == [
        "add c: 1",
        "By a person 2",
        "By a person 1",
        "Begin",
    ]


async def test_twenty_at_once_lose_nothing(bare: Path, writer: Writer) -> None:
    writers = [writer(n, deadline=600.0, timeout=600.0) for n in range(20)]  # a busy machine needs a minute
    await asyncio.gather(*(each.commit("main", ["apps/lock"], adding(f"x{n}: 1\n")) for n, each in enumerate(writers)))
    lines = git(bare, "show", "main:apps/lock").splitlines()
    assert sorted(lines[2:]) == sorted(f"x{n}: 1" for n in range(20))
    assert git(bare, "rev-list", "--count", "main") == "21"
    assert git(bare, "rev-list", "--merges", "main") == ""
    git(bare, "fsck", "--strict")


async def test_who_keeps_losing_gives_up_in_the_end(writer: Writer, repository: Repository, bare: Path) -> None:
    def edit(files: Mapping[str, bytes | None]) -> Commit:
        repository.commit({"other": "again"}, "Again")
        repository.git("push", "--quiet", "origin", "main")
        return adding("c: 1\n")(files)

    with pytest.raises(SourceUnreachable, match="others kept pushing to main"):
        await writer(deadline=0.5).commit("main", ["apps/lock"], edit)
    assert "add c" not in git(bare, "log", "--format=%s", "main")


async def test_a_branch_for_review(bare: Path, writer: Writer, repository: Repository) -> None:
    shop = writer()
    before = git(bare, "rev-parse", "main")
    first = await shop.commit("images/shop", ["apps/lock"], adding("c: 1\n"), onto="main")
    assert git(bare, "rev-parse", "main", "images/shop", "images/shop~1").split() == [before, first, before]
    second = await shop.commit("images/shop", ["apps/lock"], adding("d: 1\n"), onto="main")  # not merged yet
    assert git(bare, "rev-parse", "images/shop", "images/shop~1").split() == [second, first]
    git(bare, "update-ref", "refs/heads/main", second)  # merged, and people go on
    repository.git("pull", "--quiet", "origin", "main")
    repository.commit({"other": "y"}, "More")
    repository.git("push", "--quiet", "origin", "main")
    third = await shop.commit("images/shop", ["apps/lock"], adding("e: 1\n"), onto="main")
    assert git(bare, "rev-parse", "images/shop", "images/shop~1").split() == [third, git(bare, "rev-parse", "main")]
    git(bare, "branch", "-D", "images/shop")
    fourth = await shop.commit("images/shop", ["apps/lock"], adding("f: 1\n"), onto="main")
    assert git(bare, "rev-parse", "images/shop") == fourth


async def test_a_branch_that_the_server_protects(bare: Path, writer: Writer) -> None:
    hook = bare / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho Changes must be made through a review >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(SourceRefused) as caught:
        await writer().commit("main", ["apps/lock"], adding("c: 1\n"))
    assert str(caught.value) == "source shop-0: the Git server declines a push to main: pre-receive hook declined"
    assert "branch for review" in caught.value.hint


async def test_a_repository_that_takes_no_pushes(bare: Path, writer: Writer) -> None:
    git(bare, "config", "http.receivepack", "false")
    with pytest.raises(SourceError, match="refuses our credentials"):
        await writer().commit("main", ["apps/lock"], adding("c: 1\n"))


async def test_credentials_are_used_for_pushes_too(bare: Path, tmp_path: Path, writer: Writer) -> None:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    with GitServer(bare.parent, "s3cret") as locked:
        url = locked.url("shop.git")
        with pytest.raises(SourceError, match="refuses our credentials"):
            await writer(url=url).commit("main", ["apps/lock"], adding("c: 1\n"))
        known = writer(url=url, credentials=GitCredentials(password_file=str(password)))
        assert await known.commit("main", ["apps/lock"], adding("c: 1\n"))


async def test_a_server_that_fails(server: GitServer, writer: Writer) -> None:
    shop = writer()
    for fault in (Fault.DROP, Fault.ERROR, Fault.GARBAGE):
        server.fault = fault
        with pytest.raises(SourceUnreachable):
            await shop.commit("main", ["apps/lock"], adding("c: 1\n"))
    server.fault = Fault.HANG
    with pytest.raises(SourceUnreachable, match="did not finish within 1 s"):
        await writer(timeout=1.0).commit("main", ["apps/lock"], adding("c: 1\n"))
    server.released.set()
    server.fault = Fault.NONE
    assert await shop.commit("main", ["apps/lock"], adding("c: 1\n"))


@pytest.mark.parametrize("branch", ["refs/tags/v1", "refs/heads/refs/x", "HEAD", "semver:>=1", "a..b", "-x", ""])
async def test_what_is_no_branch_is_never_pushed_to(branch: str, writer: Writer, server: GitServer) -> None:
    with pytest.raises(SourceRefused):
        await writer().commit(branch, ["apps/lock"], adding("c: 1\n"))
    assert server.requests == []


async def test_a_branch_that_is_not_there(writer: Writer) -> None:
    with pytest.raises(SourceMissing):
        await writer().commit("gone", ["apps/lock"], adding("c: 1\n"))


async def test_a_file_that_is_a_link_is_not_written(bare: Path, writer: Writer, repository: Repository) -> None:
    (repository.path / "link").symlink_to("/etc/passwd")
    repository.commit({}, "Link")
    repository.git("push", "--quiet", "origin", "main")
    with pytest.raises(SourceRefused, match="not a regular file"):
        await writer().commit("main", ["link"], adding("c: 1\n"))
    with pytest.raises(SourceRefused, match="not a path inside"):
        await writer().commit("main", ["../x"], adding("c: 1\n"))


async def test_a_damaged_copy_is_made_anew(bare: Path, writer: Writer, tmp_path: Path) -> None:
    shop = writer()
    await shop.commit("main", ["apps/lock"], adding("c: 1\n"))
    [copy] = (tmp_path / "cache").glob("*.push.git")
    for pack in (*copy.glob("objects/pack/*"), *copy.glob("objects/??/*")):
        pack.unlink()
    assert await shop.commit("main", ["apps/lock"], adding("d: 1\n"))
    assert git(bare, "show", "main:apps/lock").endswith("c: 1\nd: 1")


async def test_a_signed_commit(bare: Path, writer: Writer, tmp_path: Path) -> None:
    key = make_ssh_key(tmp_path / "signing")
    await writer(author=Author("Robot", "robot@example.com", str(key))).commit("main", ["apps/lock"], adding("c: 1\n"))
    allowed = tmp_path / "allowed"
    allowed.write_text(f"robot@example.com {key.with_suffix('.pub').read_text()}")
    options = ("-c", f"gpg.ssh.allowedSignersFile={allowed}")
    assert git(bare, *options, "log", "-1", "--format=%G? %GS", "main") == "G robot@example.com"
    with pytest.raises(SourceError, match="cannot be read"):
        await writer(author=Author(signing_key=str(tmp_path / "none"))).commit("main", ["apps/lock"], adding("d: 1\n"))
