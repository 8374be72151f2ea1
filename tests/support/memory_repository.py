"""Git as the engine sees it, in memory: a line of commits, a server that can be made to fail."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.errors import SourceError
from reconciler.model.image import TreeFile
from reconciler.model.snapshot import Entry, Revision, Snapshot
from reconciler.source.repository import Poll


class MemoryRepository:
    """One branch. `commit` adds to it; `poll`, `messages` and `read` are what the engine asks for."""

    def __init__(self, source: str, paths: tuple[str, ...] = (".",)) -> None:
        self.error: SourceError | None = None
        self.reads: list[str] = []
        self.trees = 0  # that were asked for
        self._source = source
        self._paths = paths
        self._files: dict[str, str] = {}
        self._blobs: dict[str, bytes] = {}
        self._line: list[tuple[Revision, str, dict[str, str]]] = []
        self._polled: str | None = None

    def commit(self, files: Mapping[str, str | None], message: str = "Change") -> str:
        """Write `files` (None removes one) and commit; returns the commit's id."""
        for path, text in files.items():
            if text is None:
                self._files.pop(path, None)
            else:
                self._files[path] = text
        tree: dict[str, str] = {}
        for path, text in sorted(self._files.items()):
            content = text.encode()
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            self._blobs[blob] = content
            tree[path] = blob
        number = len(self._line)
        commit = hashlib.sha1(f"{self._source} {number} {message} {sorted(tree.items())}".encode()).hexdigest()
        time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        revision = Revision(commit, "main", "Ann <ann@example.com>", time, message.split("\n", 1)[0])
        self._line.append((revision, message, tree))
        return commit

    def content(self, path: str) -> bytes | None:
        """A file at the branch's tip."""
        text = self._files.get(path)
        return None if text is None else text.encode()

    def reset(self, commit: str) -> None:
        """Force the branch back to an earlier commit."""
        while self._line[-1][0].commit != commit:
            self._line.pop()

    async def poll(self) -> Poll:
        if self.error is not None:
            return Poll(self._snapshot() if self._polled else None, changed=False, error=self.error, delay=60)
        snapshot = self._snapshot()
        changed = snapshot.revision.commit != self._polled
        self._polled = snapshot.revision.commit
        return Poll(snapshot, changed=changed, error=None, delay=60)

    def _snapshot(self) -> Snapshot:
        revision, _message, tree = self._line[-1]
        entries = []
        for path, blob in tree.items():
            layers = [n for n, p in enumerate(self._paths) if p == "." or path.startswith(f"{p}/")]
            layer = layers[-1] if layers else -1
            entries.append(Entry(path, blob, len(self._blobs[blob]), layer))
        used = {entry.layer for entry in entries}
        missing = tuple(p for n, p in enumerate(self._paths) if p != "." and n not in used)
        entries.sort(key=lambda entry: (entry.layer, entry.path))
        return Snapshot(self._source, revision, self._paths, tuple(entries), missing=missing)

    async def blame(self, path: str, rev: str) -> tuple[Revision | None, ...]:
        """Nobody is known."""
        return ()

    async def messages(self, old: str, new: str) -> tuple[str, ...]:
        names = [revision.commit for revision, _m, _t in self._line]
        if old not in names or new not in names:
            return ()
        return tuple(message for _r, message, _t in self._line[names.index(old) + 1 : names.index(new) + 1])

    async def tree(self, commit: str) -> tuple[TreeFile, ...]:
        self.trees += 1
        (tree,) = (tree for revision, _message, tree in self._line if revision.commit == commit)
        return tuple(TreeFile(path, "100644", blob, len(self._blobs[blob])) for path, blob in tree.items())

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        self.reads.extend(ids)
        return {one: self._blobs[one] for one in ids}

    async def close(self) -> None:
        """Nothing is held open."""
