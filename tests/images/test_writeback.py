"""Digests written back to Git: what is committed, what is left to people, and how it is said."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from git_repository import Repository
from memory_tree import MemoryTree

from reconciler.clock import SystemClock
from reconciler.errors import ImageRefused
from reconciler.images import lock
from reconciler.images.inputs import Gatherer
from reconciler.images.lock import Locked
from reconciler.images.writeback import Change, Outcome, lock_path, message, write
from reconciler.model.config import SourceConfig
from reconciler.model.image import Build, Edit
from reconciler.source.branch import BranchWriter

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
OLD, NEW, OTHER = Locked("r.io/redis", "7.2.4", A), Locked("r.io/redis", "7.2.5", B), Locked("r.io/redis", "7.0.0", C)
REDIS = "Image/shop/redis"
WHY = "follows semver >=7 <8"


class Branch:
    """A branch in memory, on which somebody else may be first."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.messages: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.first: dict[str, bytes] = {}

    async def commit(self, branch: str, paths: Sequence[str], edit: Edit, *, onto: str = "") -> str:
        self.asked.append((branch, onto))
        if self.first:  # a race: the first try is on what was there before
            edit({path: self.files.get(path) for path in paths})
            self.files |= self.first
        made = edit({path: self.files.get(path) for path in paths})
        if made is None:
            return ""
        self.files |= made.files
        self.messages.append(made.message)
        return f"commit {len(self.messages)}"


def locked(entries: dict[str, Locked]) -> bytes:
    return lock.changed(b"", entries, "l")


async def test_a_change_is_written_where_the_specs_are() -> None:
    branch = Branch({"apps/images.lock.yaml": b"# ours\n" + locked({REDIS: OLD})})
    written = await write([Change("apps/images.lock.yaml", REDIS, OLD, NEW, WHY)], branch, branch="main")
    assert written.commit == "commit 1"
    assert branch.asked == [("main", "")]
    assert branch.files["apps/images.lock.yaml"] == b"# ours\n" + locked({REDIS: NEW})
    assert len(branch.messages) == 1
    assert branch.messages[0] == (
        "images: redis from 7.2.4 to 7.2.5\n"
        "\n"
        "Image/shop/redis (r.io/redis)\n"
        "  from 7.2.4 sha256:aaaaaaaaaaaa\n"
        "  to   7.2.5 sha256:bbbbbbbbbbbb\n"
        "  why  it follows semver >=7 <8\n"
    )


async def test_many_changes_are_one_commit() -> None:
    branch = Branch({})
    changes = [
        Change("a/images.lock.yaml", "Image/shop/web", None, NEW, WHY),
        Change("b/images.lock.yaml", REDIS, None, Locked("r.io/redis", "", C), WHY),
    ]
    assert (await write(changes, branch, branch="main", review="images")).commit == "commit 1"
    assert branch.asked == [("images", "main")]
    assert sorted(branch.files) == ["a/images.lock.yaml", "b/images.lock.yaml"]
    assert branch.messages[0].startswith("images: 2 images\n\nImage/shop/web (r.io/redis)\n  to   7.2.5 sha256:bbb")


@pytest.mark.parametrize(
    ("there", "outcome", "commits"),
    [
        ({REDIS: OLD}, Outcome.WRITTEN, 1),
        ({REDIS: NEW}, Outcome.THERE, 0),  # another daemon was first
        ({REDIS: OTHER}, Outcome.OVERTAKEN, 0),  # a person pinned it
        ({}, Outcome.OVERTAKEN, 0),  # a person removed it
    ],
)
async def test_what_people_wrote_meanwhile_stands(there: dict[str, Locked], outcome: Outcome, commits: int) -> None:
    branch = Branch({"images.lock.yaml": locked({REDIS: OLD})})
    branch.first = {"images.lock.yaml": locked(there)}
    change = Change("images.lock.yaml", REDIS, OLD, NEW, WHY)
    written = await write([change], branch, branch="main")
    assert written.outcomes == ((change, outcome),)
    assert len(branch.messages) == commits
    assert lock.parse(branch.files["images.lock.yaml"], "l") == ({REDIS: NEW} if commits else there)


async def test_nothing_to_write_asks_nobody() -> None:
    branch = Branch({})
    assert (await write([], branch, branch="main")).commit == ""
    assert branch.asked == []


async def test_a_lock_file_that_cannot_be_read_is_not_overwritten() -> None:
    branch = Branch({"images.lock.yaml": b"<<<<<<< HEAD\n"})
    with pytest.raises(ImageRefused, match=r"images\.lock\.yaml"):
        await write([Change("images.lock.yaml", REDIS, OLD, NEW, WHY)], branch, branch="main")
    assert branch.files == {"images.lock.yaml": b"<<<<<<< HEAD\n"}


def test_a_first_digest_comes_from_nothing() -> None:
    said = message([Change("l", REDIS, None, NEW, WHY)])
    assert said.startswith("images: redis to 7.2.5\n\n")
    assert "  from " not in said


def test_where_the_lock_of_a_document_is() -> None:
    assert lock_path("apps/web/image.yaml") == "apps/web/images.lock.yaml"
    assert lock_path("image.yaml") == "images.lock.yaml"


async def test_a_commit_of_the_lock_changes_no_input(tmp_path: Path) -> None:
    """Or every build would cause the next."""
    files: dict[str, bytes] = {"Containerfile": b"FROM scratch\n", "main.py": b"1"}
    tags = []
    for entries in ({}, {REDIS: OLD}, {REDIS: NEW}):
        memory = MemoryTree({**files, "images.lock.yaml": locked(entries)})
        inputs = await Gatherer().gather(Build("."), "image.yaml", memory.tree, memory)
        tags.append(inputs.tag({}))
    assert len(set(tags)) == 1


async def test_with_a_real_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    repository.commit({"apps/images.lock.yaml": locked({REDIS: OLD})}, "Begin")
    repository.git("checkout", "--quiet", "--detach")
    config = SourceConfig(name="shop", url=str(repository.path))
    branches = BranchWriter(config, tmp_path / "cache", clock=SystemClock(), random=Random(1))
    change = Change("apps/images.lock.yaml", REDIS, OLD, NEW, WHY)
    commit = (await write([change], branches, branch="main")).commit
    assert repository.git("rev-parse", "main") == commit
    assert lock.parse(repository.git("show", "main:apps/images.lock.yaml").encode(), "l") == {REDIS: NEW}
    assert (await write([change], branches, branch="main")).outcomes == ((change, Outcome.THERE),)
