"""The files of a snapshot as a tree, and what a path in it stands for."""

import posixpath
from collections import defaultdict
from typing import NamedTuple

from reconciler.model.snapshot import Entry, Snapshot
from reconciler.specs.finding import Finding, did_you_mean, shown
from reconciler.specs.place import Path


class Mount(NamedTuple):
    """A file to mount: the folder and the name in the container, and the repository's file."""

    folder: str
    name: str
    entry: Entry


class Tree:
    """The files of a snapshot by path and by folder."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._files = {entry.path: entry for entry in snapshot.entries}
        self._folders: dict[str, list[Entry]] = defaultdict(list)
        for path, entry in self._files.items():
            self._folders[posixpath.dirname(path)].append(entry)
        self._skipped = {skipped.path: skipped for skipped in snapshot.skipped}

    def mounts(self, path: Path, target: str, stated: str, document: str) -> list[Mount] | Finding:
        """What to mount at `target` for what `document` states: a file, or a folder with its direct files."""
        if stated.startswith("/"):
            return Finding("bad-path", path, f"{shown(stated)} is not relative", "paths are relative to this document")
        real = posixpath.normpath(posixpath.join(posixpath.dirname(document), stated))
        if real == ".." or real.startswith("../"):
            return Finding("bad-path", path, f"{shown(stated)} leads out of the repository")
        if (entry := self._files.get(real)) is not None:
            folder, name = posixpath.split(target)
            return [Mount(folder or "/", name, entry)]
        if (skipped := self._skipped.get(real)) is not None:
            return Finding("bad-path", path, f"{real} is not read: {skipped.reason}", skipped.detail)
        if found := self._folders.get("" if real == "." else real):
            return [
                Mount(target, posixpath.basename(entry.path), entry) for entry in sorted(found, key=lambda e: e.path)
            ]
        return Finding("no-such-file", path, f"there is no file {shown(real)} in this revision", self._hint(real))

    def _hint(self, path: str) -> str:
        if any(folder.startswith(f"{path}/") for folder in self._folders):
            return "of a folder the direct files are mounted, and this one has none"
        folder = posixpath.dirname(path)
        return did_you_mean(path, [entry.path for entry in self._folders.get(folder, ())])
