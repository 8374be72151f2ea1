"""What a source hands on: one revision of a Git repository, as names of blobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and the ref that led to it."""

    commit: str  # 40 hexadecimal digits; "" for a directory that is not a repository
    ref: str  # as configured: "main", "v1.2.0", ">=1.0 <2"
    author: str  # "Name <address>"
    time: datetime  # of the commit, UTC
    subject: str  # the first line of the message

    @property
    def short(self) -> str:
        return self.commit[:12]


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file of the snapshot. `path` is relative to the repository's root, with "/"."""

    path: str
    blob: str  # the blob's id: equal ids are equal contents
    size: int  # bytes
    layer: int  # index into `Snapshot.paths`; a later layer is merged over an earlier one
    executable: bool = False


class SkipReason(StrEnum):
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    TOO_LARGE = "too large"
    IGNORED = "ignored"
    NOT_UTF8 = "name is not UTF-8"
    UNSAFE_NAME = "unsafe name"  # control characters, too long, or leading out of the tree


@dataclass(frozen=True, slots=True)
class Skipped:
    """A name in the tree that was left out, and why. Never silent: `status` and `validate` show it."""

    path: str
    reason: SkipReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of a source.

    `entries` are all regular files of the repository that a spec may refer to: those under `paths` in their layer's
    order, then by name, and with layer -1 those outside (a `files:` or build context may lead there). `missing` are
    configured paths that this revision does not have.
    """

    source: str  # the source's name in the configuration
    revision: Revision
    paths: tuple[str, ...]
    entries: tuple[Entry, ...]
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[str, ...] = ()


class Blobs(Protocol):
    """Reads contents by blob id. The specs room gets it passed in and asks only for what it has not cached."""

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """Contents of all `ids`. Raises SourceError when one cannot be read."""
        ...
