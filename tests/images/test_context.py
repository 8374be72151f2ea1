"""Contexts outside Git: as a folder and as a tar file, always the same for the same inputs."""

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from memory_tree import Link, MemoryTree

from reconciler.errors import ImageRefused
from reconciler.images.contents import ContextFile
from reconciler.images.context import write_folder, write_tar
from reconciler.images.inputs import Gatherer, Inputs
from reconciler.model.image import Build

FILES = {
    "Containerfile": "FROM scratch\n",
    "bin/run": ("100755", b"#!/bin/sh\n"),
    "lib/a.py": "a = 1\n",
    "lib/up": Link("../bin/run"),
    "all": Link("lib"),
    "empty": b"",
    "images.lock.yaml": "images: {}\n",
}


@pytest.fixture
def memory() -> MemoryTree:
    return MemoryTree(FILES)  # type: ignore[arg-type]


@pytest.fixture
async def inputs(memory: MemoryTree) -> Inputs:
    return await Gatherer().gather(Build("."), "image.yaml", memory.tree, memory)


def listed(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        assert status.st_mtime == 0
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = f"{status.st_mode & 0o777:o} {status.st_size}"
    return found


async def test_a_folder(inputs: Inputs, memory: MemoryTree, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        await write_folder(inputs, memory, tmp_path / "work")
    finally:
        os.umask(before)
    assert listed(tmp_path / "work") == {
        "Containerfile": "644 13",
        "context/Containerfile": "644 13",
        "context/all": "-> lib",
        "context/bin/run": "755 10",
        "context/empty": "644 0",
        "context/lib/a.py": "644 6",
        "context/lib/up": "-> ../bin/run",
    }


async def test_a_tar_file_is_the_same_each_time(inputs: Inputs, memory: MemoryTree, tmp_path: Path) -> None:
    await write_tar(inputs, memory, tmp_path / "one.tar")
    await write_tar(inputs, memory, tmp_path / "two.tar")
    one, two = (tmp_path / "one.tar").read_bytes(), (tmp_path / "two.tar").read_bytes()
    assert one == two
    assert hashlib.sha256(one).hexdigest() == "23f199bda38df5732aacb9c4ba1a9393f7b700883b59ca313b04d32fdfa530ad"
    with tarfile.open(tmp_path / "one.tar") as archive:
        members = {member.name: (member.mode, member.linkname, member.uid, member.mtime) for member in archive}
    assert members["context/bin/run"] == (0o755, "", 0, 0)
    assert members["context/lib/up"] == (0o777, "../bin/run", 0, 0)
    assert next(iter(members)) == "Containerfile"


async def test_few_contents_are_in_memory_at_a_time(inputs: Inputs, memory: MemoryTree, tmp_path: Path) -> None:
    asked: list[int] = []

    class Counted:
        async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
            asked.append(len(ids))
            return await memory.read(ids)

    await write_folder(inputs, Counted(), tmp_path / "work", batch_bytes=14)
    assert asked == [1, 1, 2, 1]
    assert len(listed(tmp_path / "work")) == 7


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/etc/evil", "a//b", "./a"])
async def test_a_name_that_leads_elsewhere_is_never_written(
    path: str, inputs: Inputs, memory: MemoryTree, tmp_path: Path
) -> None:
    """Such names do not come so far; this is the second lock on the door."""
    blob = inputs.containerfile.blob
    for mode, target in (("100644", ""), ("120000", "x")):
        evil = Inputs("", (ContextFile(path, mode, blob, 1, target),), Build("."), inputs.containerfile, ())
        with pytest.raises(ImageRefused):
            await write_folder(evil, memory, tmp_path / mode)
    assert not (tmp_path / "evil").exists()


async def test_nothing_is_written_through_a_link(inputs: Inputs, memory: MemoryTree, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    blob = inputs.containerfile.blob
    link = ContextFile("d", "120000", blob, 1, str(tmp_path / "outside"))
    through = ContextFile("d/evil", "100644", blob, 13)
    with pytest.raises(OSError):
        await write_folder(Inputs("", (link, through), Build("."), inputs.containerfile, ()), memory, tmp_path / "work")
    assert not (tmp_path / "outside/evil").exists()
