"""A build's context outside Git: as a folder, or as a tar file that is the same for the same inputs.

Contents come by blob id, some at a time. Times, owners and the order of names are always the same, so whoever builds
from it has nothing else to make a difference with.
"""

import asyncio
import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from reconciler.errors import ImageRefused
from reconciler.images.contents import EXECUTABLE, LINK, ContextFile
from reconciler.images.inputs import Inputs
from reconciler.model.snapshot import Blobs

BATCH: Final = 32 * 1024 * 1024
_BATCH_FILES: Final = 2000

CONTEXT: Final = "context"
CONTAINERFILE: Final = "Containerfile"  # beside the context: COPY does not see it where it is ignored

Batch = list[tuple[str, ContextFile, bytes]]
"""Paths as they are written, the files, and their contents."""


async def write_folder(inputs: Inputs, blobs: Blobs, folder: Path, *, batch_bytes: int = BATCH) -> None:
    """Write the context into `folder`/context and the Containerfile beside it; `folder` is made.

    At most `batch_bytes` of contents, or one file, are in memory at a time. Raises ImageRefused where a name leads
    elsewhere.
    """
    await asyncio.to_thread(_make, folder)
    async for batch in _contents(inputs, blobs, batch_bytes):
        await asyncio.to_thread(_write, folder, batch)
    await asyncio.to_thread(_finish, inputs, folder)


async def write_tar(inputs: Inputs, blobs: Blobs, path: Path) -> None:
    """Write the same as a tar file (POSIX, names in order, time 0, owner 0) to `path`."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        async for batch in _contents(inputs, blobs, BATCH, links=True):
            await asyncio.to_thread(_archive, archive, batch)


def _make(folder: Path) -> None:
    (folder / CONTEXT).mkdir(parents=True)


def _write(folder: Path, batch: Batch) -> None:
    for path, one, content in batch:
        place = _place(folder, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o755 if one.mode == EXECUTABLE else 0o644
        # No link exists yet, so no name can lead through one; and nothing is written over.
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)  # whatever the umask is


def _finish(inputs: Inputs, folder: Path) -> None:
    for one in inputs.files:
        if one.mode == LINK:
            place = _place(folder, f"{CONTEXT}/{one.path}")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(one.target)
    _still(folder)


def _archive(archive: tarfile.TarFile, batch: Batch) -> None:
    for path, one, content in batch:
        member = tarfile.TarInfo(path)
        if one.mode == LINK:
            member.type = tarfile.SYMTYPE
            member.linkname = one.target
            member.mode = 0o777
            archive.addfile(member)
            continue
        member.size = len(content)
        member.mode = 0o755 if one.mode == EXECUTABLE else 0o644
        archive.addfile(member, io.BytesIO(content))


async def _contents(inputs: Inputs, blobs: Blobs, batch_bytes: int, *, links: bool = False) -> AsyncIterator[Batch]:
    """All files with their contents, in order, some at a time. Links come with none, or not at all."""
    named = [(CONTAINERFILE, inputs.containerfile)]
    named += [(f"{CONTEXT}/{one.path}", one) for one in sorted(inputs.files, key=lambda one: one.path)]
    waiting: list[tuple[str, ContextFile]] = []
    size = 0
    for path, one in named:
        if one.mode == LINK and not links:
            continue
        if waiting and (size + one.size > batch_bytes or len(waiting) >= _BATCH_FILES):
            yield await _read(waiting, blobs)
            waiting, size = [], 0
        waiting.append((path, one))
        size += one.size
    yield await _read(waiting, blobs)


async def _read(files: list[tuple[str, ContextFile]], blobs: Blobs) -> Batch:
    contents = await blobs.read(sorted({one.blob for _path, one in files if one.mode != LINK}))
    return [(path, one, b"" if one.mode == LINK else contents[one.blob]) for path, one in files]


def _place(folder: Path, path: str) -> Path:
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise ImageRefused("a name in the context leads elsewhere", where=ascii(path))
    return folder / path


def _still(folder: Path) -> None:
    """Give everything the time 0: builders copy times into layers."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(os.path.join(parent, name), (0, 0), follow_symlinks=False)  # noqa: PTH118 - many of them
    os.utime(folder, (0, 0))
