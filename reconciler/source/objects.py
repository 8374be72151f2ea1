"""Trees and blobs straight from the object database: one process for any number of them, and never a checkout."""

import re
from collections.abc import Sequence
from typing import Final

from reconciler.errors import SourceTooLarge
from reconciler.model.config import GitLimits
from reconciler.source.process import Damaged, GitFailed, GitJob
from reconciler.source.tree import Name

_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BYTES_PER_NAME: Final = 1024  # generous for a line of `ls-tree`; what is above that is not a list of specs


def names(git: GitJob, commit: str, limits: GitLimits) -> list[Name]:
    """Every name in the tree of `commit`. Raises SourceTooLarge, Damaged."""
    limit = max(16 * 1024 * 1024, limits.files * _BYTES_PER_NAME)
    try:
        output = local(git, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, limit=limit)
    except SourceTooLarge:
        raise SourceTooLarge(
            f"the repository has far more than {limits.files:,} files", hint="raise limits.files of the source"
        ) from None
    found: list[Name] = []
    for line in output.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, _kind, oid, size = head.decode("ascii").split()
        if size == "BAD":
            raise Damaged(f"blob {oid[:12]} is missing from the mirror")
        found.append(Name(mode, oid, 0 if size == "-" else int(size), path))
    return found


def read(git: GitJob, ids: Sequence[str]) -> dict[str, bytes]:
    """The contents of blobs. Raises Damaged when one is not there or cannot be unpacked."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    if bad := next((one for one in wanted if not _ID.fullmatch(one)), None):
        raise ValueError(f"{bad!r} is not the id of a blob")
    output = local(git, "cat-file", "--batch", "--buffer", data="\n".join((*wanted, "")).encode("ascii"))
    found: dict[str, bytes] = {}
    position = 0
    for oid in wanted:
        end = output.find(b"\n", position)
        head = output[position:end].split()
        if end < 0 or len(head) != 3 or head[1] != b"blob":
            raise Damaged(f"blob {oid[:12]} is missing from the mirror")
        start, size = end + 1, int(head[2])
        found[oid] = output[start : start + size]
        position = start + size + 1
    return found


def local(git: GitJob, *arguments: str, data: bytes = b"", limit: int | None = None) -> bytes:
    """Run a command that only reads what the mirror must have: its failure means that the mirror is damaged."""
    try:
        return git.run(*arguments, data=data) if limit is None else git.run(*arguments, data=data, limit=limit)
    except GitFailed as error:
        raise Damaged("the mirror cannot be read", why=error.why) from None
