"""A source that is a folder: `validate PATH` and `plan PATH` before anything is committed.

In a Git work tree it is the files that Git tracks or would offer to add, with their uncommitted contents; elsewhere
all files below the folder except `.git`. Blob ids are those that Git would give, so caches by blob id hold across both.
Nothing is followed out of the folder: symbolic links are skipped and named, wherever they are in a path.
"""

import asyncio
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reconciler.errors import SourceError, SourceMissing, SourceTooLarge
from reconciler.model.config import GitCredentials, GitLimits
from reconciler.model.image import TreeFile
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.source import tree
from reconciler.source.address import normal_path
from reconciler.source.environment import Settings, environment
from reconciler.source.process import GitFailed, GitJob
from reconciler.source.tree import Mode, Name

_GIT: Final = ".git"
_LIMITS: Final = GitLimits()
_LARGEST: Final = 512 * 1024 * 1024  # bytes: what may be in the context of a build


def blob_id(content: bytes) -> str:
    """The id that Git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class DirectorySource:
    """The folder `path`, or one file of it. Implements `model.snapshot.Blobs`. Raises SourceRefused for bad `paths`."""

    def __init__(
        self, path: Path, paths: Sequence[str] = (".",), name: str = "directory", *, limits: GitLimits = _LIMITS
    ) -> None:
        root = Path(os.path.abspath(path))  # noqa: PTH100 - a link as the root itself is the caller's wish
        if root.is_file():
            root, paths = root.parent, (root.name,)
        self._root = root
        self._paths = tuple(normal_path(one) for one in paths)
        self._name = name
        self._limits = limits
        self._links: dict[str, str] = {"": ""}
        self._places: dict[str, str] = {}  # blob id → a path with that content, when the last snapshot was made

    async def snapshot(self) -> Snapshot:
        """The folder as it is now. Raises SourceMissing, SourceTooLarge and SourceRefused."""
        return await asyncio.to_thread(self._snapshot)

    async def tree(self) -> tuple[TreeFile, ...]:
        """Every name in the folder as it is now, symbolic links too: what a commit of it would hold."""
        return await asyncio.to_thread(self._tree)

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """Contents by blob id. Raises SourceError when a file has changed since the snapshot."""
        return await asyncio.to_thread(self._read, ids)

    async def close(self) -> None:
        """Nothing is held open."""

    def _snapshot(self) -> Snapshot:
        if not self._root.is_dir():
            raise SourceMissing("there is no such folder", where=str(self._root))
        names: dict[bytes, Name] = {}  # by path: many files may be behind one link
        newest = 0.0
        places: dict[str, str] = {}
        for relative in self._listed():
            found = self._name_of(relative)
            if found is None:
                continue
            name, changed = found
            names[name.path] = name
            newest = max(newest, changed)
            if name.id:
                places[name.id] = relative
            if len(names) > self._limits.files:
                raise SourceTooLarge(
                    f"the folder has more than {self._limits.files:,} files",
                    where=str(self._root),
                    hint="name the folder of the specs itself",
                )
        self._places = places
        self._links = {"": ""}
        revision = Revision("", str(self._root), "", datetime.fromtimestamp(newest, UTC), "uncommitted")
        return tree.build(self._name, revision, self._paths, names.values(), self._limits, self._read)

    def _tree(self) -> tuple[TreeFile, ...]:
        found: list[TreeFile] = []
        for relative in self._listed():
            named = self._name_of(relative, whole=True)
            if named is None or self._link(relative.rpartition("/")[0]):
                continue
            name = named[0]
            if name.mode == Mode.SYMLINK:
                target = self._content(relative)
                name = Name(name.mode, blob_id(target), len(target), name.path)
            if name.id:
                self._places[name.id] = relative
            found.append(TreeFile(name.path.decode("utf-8", "surrogateescape"), name.mode, name.id, name.size))
        self._links = {"": ""}
        return tuple(found)

    def _listed(self) -> list[str]:
        """Paths below the root with "/", sorted; bytes that are not UTF-8 as os.fsdecode has them."""
        listed = self._tracked()
        return sorted(listed or self._walk(""))  # nothing is tracked in a folder that is ignored itself

    def _tracked(self) -> set[str] | None:
        """What Git tracks or would offer to add; None outside a work tree."""
        git = GitJob(self._root, Settings(environment(None, GitCredentials())), bare=False)
        try:
            output = git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", ".")
        except GitFailed:
            return None
        return {os.fsdecode(path).rstrip("/") for path in output.split(b"\0")[:-1]}

    def _walk(self, folder: str) -> Iterator[str]:
        """Every name below `folder` that is not a folder itself; links to folders are names."""
        for item in os.scandir(self._root / folder):
            path = f"{folder}/{item.name}" if folder else item.name
            if item.name == _GIT:
                continue
            if not item.is_dir(follow_symlinks=False):
                yield path
            elif (Path(item.path) / _GIT).exists():
                yield path  # another repository
            else:
                yield from self._walk(path)

    def _name_of(self, relative: str, *, whole: bool = False) -> tuple[Name, float] | None:
        """A path as Git would list it, and when it last changed; None when it is gone or no file.

        A file that is too large has no id: for a spec, or where the `whole` tree is wanted for any use.
        """
        raw = os.fsencode(relative)
        if link := self._link(relative.rpartition("/")[0]):
            return Name(Mode.SYMLINK, "", 0, os.fsencode(link)), 0.0
        try:
            status = (self._root / relative).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None  # deleted, and not yet committed
        if stat.S_ISLNK(status.st_mode):
            return Name(Mode.SYMLINK, "", 0, raw), 0.0
        if stat.S_ISDIR(status.st_mode):
            return Name(Mode.SUBMODULE, "", 0, raw), 0.0
        if not stat.S_ISREG(status.st_mode):
            return None
        mode = Mode.EXECUTABLE if status.st_mode & stat.S_IXUSR else Mode.FILE
        if status.st_size > (_LARGEST if whole else self._limits.blob_bytes):  # will be left out: not worth reading
            return Name(mode, "", status.st_size, raw), status.st_mtime
        content = self._content(relative)
        return Name(mode, blob_id(content), len(content), raw), status.st_mtime

    def _link(self, folder: str) -> str:
        """The first folder on the way down to `folder` that is a symbolic link, "" if none is."""
        if folder not in self._links:
            above = self._link(folder.rpartition("/")[0])
            self._links[folder] = above or (folder if (self._root / folder).is_symlink() else "")
        return self._links[folder]

    def _read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for one in ids:
            if one not in self._places:
                raise SourceError(f"no file has the content {one[:12]}", where=str(self._root))
            content = self._content(self._places[one])
            if blob_id(content) != one:
                raise SourceError("the file changed while it was read", where=self._places[one], hint="run it again")
            found[one] = content
        return found

    def _content(self, relative: str) -> bytes:
        place = self._root / relative
        try:
            if place.is_symlink():
                return os.fsencode(place.readlink())
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:  # noqa: PTH123 - a handle, not a path
                return file.read()
        except OSError as error:
            raise SourceError("the file cannot be read", where=relative, why=error.strerror or "") from None
