"""Contexts outside Git: as a folder and as a tar file, always the same for the same inputs."""

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from memory_tree import Link, MemoryTree

from reconciler.errors import ImageRefused
from reconciler.images.contents import ContextFile
from reconciler.images.context import parts, still, unpack, write_folder
from reconciler.images.inputs import Gatherer, Inputs
from reconciler.images.reference import Reference
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


async def parts_of(inputs: Inputs, memory: MemoryTree, **options: Any) -> list[bytes]:
    return [part async for part in parts(inputs, memory, **options)]


async def test_tar_files_are_the_same_each_time(inputs: Inputs, memory: MemoryTree) -> None:
    made = await parts_of(inputs, memory)
    assert await parts_of(inputs, memory) == made
    assert [hashlib.sha256(part).hexdigest()[:16] for part in made] == ["9e85b4015cf66878", "0525ddde194f14e4"]
    with tarfile.open(fileobj=io.BytesIO(made[1])) as archive:
        members = {member.name: (member.mode, member.linkname, member.uid, member.mtime) for member in archive}
    assert members["context/bin/run"] == (0o755, "", 0, 0)
    assert members["context/lib/up"] == (0o777, "../bin/run", 0, 0)


async def test_tar_files_unpacked_are_the_folder(inputs: Inputs, memory: MemoryTree, tmp_path: Path) -> None:
    await write_folder(inputs, memory, tmp_path / "folder")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    for part in await parts_of(inputs, memory, batch_bytes=14):
        unpack(part, unpacked)
    still(unpacked)
    assert listed(unpacked) == listed(tmp_path / "folder")


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member)
    return raw.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        evil("../evil"),
        evil("/etc/evil"),
        evil("context/../../evil"),
        evil("context/x", tarfile.LNKTYPE, "/etc/passwd"),
        evil("context/x", tarfile.CHRTYPE),
        evil("context/x", tarfile.DIRTYPE),
        evil("l/evil"),
        b"no tar file" * 100,
    ],
)
def test_a_strange_part_is_refused(part: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "l").symlink_to(tmp_path)
    with pytest.raises(ImageRefused):
        unpack(part, folder)
    assert not (tmp_path / "evil").exists()


async def test_bases_are_pinned_in_what_is_written(memory: MemoryTree, tmp_path: Path) -> None:
    files = MemoryTree({"Containerfile": "ARG V=1\nFROM r.io/base:$V\n"})
    inputs = await Gatherer().gather(Build("."), "image.yaml", files.tree, files)
    digest = "sha256:" + "0" * 64
    await write_folder(
        inputs, files, tmp_path / "work", bases={"r.io/base:1": Reference.parse(f"r.io/base:1@{digest}")}
    )
    assert (tmp_path / "work/Containerfile").read_text() == f"ARG V=1\nFROM r.io/base@{digest}\n"
    assert (tmp_path / "work/context/Containerfile").read_text() == "ARG V=1\nFROM r.io/base:$V\n"


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
