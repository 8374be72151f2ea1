"""A commit's tree in memory: names with their contents, and whoever reads them is counted."""

import hashlib
from collections.abc import Mapping, Sequence

from reconciler.images.inputs import Tree
from reconciler.model.image import TreeFile


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Link(str):
    """The target of a symbolic link, as a file's content."""

    __slots__ = ()


class MemoryTree:
    """Files by path: text, bytes, a Link, or a (mode, content) pair. Implements `Blobs`."""

    def __init__(self, files: Mapping[str, str | bytes | Link | tuple[str, bytes]]) -> None:
        self.contents: dict[str, bytes] = {}
        self.reads: list[str] = []
        self.names: list[TreeFile] = []
        for path, stated in files.items():
            mode, content = "100644", stated
            if isinstance(stated, Link):
                mode = "120000"
            if isinstance(stated, tuple):
                mode, content = stated
            raw = content.encode() if isinstance(content, str) else bytes(content)  # type: ignore[arg-type]
            self.contents[blob_id(raw)] = raw
            self.names.append(TreeFile(path, mode, blob_id(raw), len(raw)))

    @property
    def tree(self) -> Tree:
        return Tree(self.names)

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        self.reads.extend(ids)
        return {one: self.contents[one] for one in ids}
