"""A build's context outside Git: as a folder, or as tar files that are the same for the same inputs.

Contents come by blob id, some at a time. Times, owners and the order of names are always the same, so whoever builds
from it has nothing else to make a difference with.
"""

import asyncio
import io
import os
import posixpath
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from reconciler.errors import ImageRefused
from reconciler.images import containerfile
from reconciler.images.contents import EXECUTABLE, LINK, ContextFile
from reconciler.images.inputs import Inputs
from reconciler.images.reference import Reference
from reconciler.model.snapshot import Blobs

BATCH: Final = 32 * 1024 * 1024
_BATCH_FILES: Final = 2000

CONTEXT: Final = "context"
CONTAINERFILE: Final = "Containerfile"  # beside the context: COPY does not see it where it is ignored

Bases = Mapping[str, Reference]
"""The bases of the Containerfile by how it writes them, each with its digest."""

NONE: Final[Bases] = {}

Batch = list[tuple[str, ContextFile, bytes]]
"""Paths as they are written, the files, and their contents."""


async def write_folder(
    inputs: Inputs, blobs: Blobs, folder: Path, *, bases: Bases = NONE, batch_bytes: int = BATCH
) -> None:
    """Write the context into `folder`/context and the Containerfile, with its `bases` pinned, beside it.

    At most `batch_bytes` of contents, or one file, are in memory at a time. Raises ImageRefused where a name leads
    elsewhere.
    """
    await asyncio.to_thread((folder / CONTEXT).mkdir, parents=True)
    async for batch in _contents(inputs, blobs, bases, batch_bytes):
        await asyncio.to_thread(_write, folder, batch)
    await asyncio.to_thread(_finish, inputs, folder)


async def parts(inputs: Inputs, blobs: Blobs, *, bases: Bases = NONE, batch_bytes: int = BATCH) -> AsyncIterator[bytes]:
    """The same as tar files (POSIX, names in order, time 0, owner 0), to be unpacked one after the other."""
    async for batch in _contents(inputs, blobs, bases, batch_bytes, links=True):
        yield await asyncio.to_thread(_archive, batch)


def unpack(part: bytes, folder: Path) -> None:
    """Unpack one of `parts`. Raises ImageRefused for what such a part does not hold, and for what leads elsewhere."""
    try:
        with tarfile.open(fileobj=io.BytesIO(part)) as archive:
            for member in archive:
                place = _place(folder, member.name)
                place.parent.mkdir(parents=True, exist_ok=True)
                if not place.parent.resolve().is_relative_to(folder.resolve()):
                    raise ImageRefused("a name in the context leads through a link", where=ascii(member.name))
                if member.issym():
                    place.symlink_to(member.linkname)
                    continue
                content = archive.extractfile(member) if member.isreg() else None
                if content is None:
                    raise ImageRefused("the context holds something else than files", where=ascii(member.name))
                _file(place, content.read(), 0o755 if member.mode & 0o100 else 0o644)
    except (tarfile.TarError, OSError) as error:
        raise ImageRefused("a part of the context cannot be unpacked", why=type(error).__name__) from None


def _write(folder: Path, batch: Batch) -> None:
    for path, one, content in batch:
        place = _place(folder, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        _file(place, content, 0o755 if one.mode == EXECUTABLE else 0o644)


def _file(place: Path, content: bytes, mode: int) -> None:
    """Nothing is written over, and no link is followed."""
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
    still(folder)


def _archive(batch: Batch) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
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
    return raw.getvalue()


async def _contents(
    inputs: Inputs, blobs: Blobs, bases: Bases, batch_bytes: int, *, links: bool = False
) -> AsyncIterator[Batch]:
    """All files with their contents, in order, some at a time; links with none, last, or not at all."""
    file = inputs.containerfile
    content = (await blobs.read([file.blob]))[file.blob]
    where = posixpath.join(inputs.root, file.path)
    yield [(CONTAINERFILE, file, containerfile.pinned(content, inputs.build.args, bases, where))]
    named = [
        (f"{CONTEXT}/{one.path}", one) for one in sorted(inputs.files, key=lambda one: (one.mode == LINK, one.path))
    ]
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
    if waiting:
        yield await _read(waiting, blobs)


async def _read(files: list[tuple[str, ContextFile]], blobs: Blobs) -> Batch:
    contents = await blobs.read(sorted({one.blob for _path, one in files if one.mode != LINK}))
    return [(path, one, b"" if one.mode == LINK else contents[one.blob]) for path, one in files]


def _place(folder: Path, path: str) -> Path:
    if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
        raise ImageRefused("a name in the context leads elsewhere", where=ascii(path))
    return folder / path


def still(folder: Path) -> None:
    """Give everything the time 0: builders copy times into layers."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(os.path.join(parent, name), (0, 0), follow_symlinks=False)  # noqa: PTH118 - many of them
    os.utime(folder, (0, 0))
