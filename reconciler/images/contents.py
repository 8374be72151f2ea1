"""What may be in a build's context: names, sizes, and symbolic links that stay inside. Pure."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.errors import ImageRefused

_MAX_LINK: Final = 4096
_MAX_HOPS: Final = 40
_MAX_PART: Final = 255

FILE: Final = "100644"
EXECUTABLE: Final = "100755"
LINK: Final = "120000"
SUBMODULE: Final = "160000"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a context may cost."""

    files: int = 50_000
    file_bytes: int = 512 * 1024 * 1024
    total_bytes: int = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file of the context. `path` is relative to it; `target` is where a symbolic link leads, "" for a file."""

    path: str
    mode: str
    blob: str
    size: int
    target: str = ""


def check(files: Sequence[ContextFile], root: str, limits: Limits) -> None:
    """Raises ImageRefused for what may not be in a context."""
    total = 0
    for one in files:
        where = posixpath.join(root, one.path)
        if any(_strange(part) for part in one.path.split("/")):
            raise ImageRefused("a name in the context leads elsewhere", where=ascii(where))
        if not one.path.isprintable():
            raise ImageRefused("a name in the context holds characters that cannot be shown", where=ascii(where))
        if one.mode == SUBMODULE:
            raise ImageRefused(
                "the context holds a submodule, whose files are not in this repository",
                where=where,
                hint="ignore it, or copy its files",
            )
        if one.mode not in (FILE, EXECUTABLE, LINK):
            raise ImageRefused(f"the context holds a name of mode {one.mode}", where=where)
        if one.size > limits.file_bytes:
            raise ImageRefused(
                f"the file has {one.size:,} bytes, more than {limits.file_bytes:,}", where=where, hint="ignore it"
            )
        if one.mode == LINK and one.size > _MAX_LINK:
            raise ImageRefused("the symbolic link is too long", where=where)
        total += one.size
    if len(files) > limits.files:
        raise ImageRefused(f"the context has {len(files):,} files, more than {limits.files:,}", where=root or ".")
    if total > limits.total_bytes:
        raise ImageRefused(f"the context has {total:,} bytes, more than {limits.total_bytes:,}", where=root or ".")


def _strange(part: str) -> bool:
    return part.lower() in ("", ".", "..", ".git") or len(part.encode("utf-8", "surrogateescape")) > _MAX_PART


def linked(files: Sequence[ContextFile], root: str, contents: Mapping[str, bytes]) -> tuple[ContextFile, ...]:
    """The files with the targets of links. `contents` has those of all links, by blob id.

    Raises ImageRefused for a link that leads out of the context, itself or through others.
    """
    targets: dict[str, str] = {}
    for one in files:
        if one.mode == LINK:
            try:
                targets[one.path] = contents[one.blob].decode("utf-8")
            except UnicodeDecodeError:
                targets[one.path] = ""
    for path, target in targets.items():
        if not target or "\0" in target or not _stays(path, targets):
            raise ImageRefused(
                f"the symbolic link leads out of the context, to {target[:100]!r}",
                where=posixpath.join(root, path),
                hint="link to a file inside the context, or ignore the link",
            )
    if not targets:
        return tuple(files)
    return tuple(
        ContextFile(one.path, one.mode, one.blob, one.size, targets[one.path]) if one.mode == LINK else one
        for one in files
    )


def _stays(path: str, targets: Mapping[str, str]) -> bool:
    """Whether following the link at `path`, and whatever links are on its way, never leaves the context."""
    place = path.split("/")[:-1]
    ahead = targets[path].split("/")[::-1]
    if targets[path].startswith("/"):
        return False
    hops = 0
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not place:
                return False
            place.pop()
            continue
        place.append(part)
        target = targets.get("/".join(place))
        if target is not None:
            hops += 1
            if hops > _MAX_HOPS or target.startswith("/"):
                return False
            place.pop()
            ahead += target.split("/")[::-1]
    return True
