"""Resolved digests, written back to Git: into `images.lock.yaml` beside the specs.

A change is from what the lock said when the scan began to what it should say. Where somebody has changed the entry
meanwhile, theirs stands: what is reviewed is what runs, and the next scan begins from it. The same holds for an entry
that already says what we would write: nothing is committed, so two daemons write a change once.

A lock file is never an input of a build, so a commit of ours never causes another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from reconciler.images import lock
from reconciler.images.lock import Locked, Locks
from reconciler.model.image import LOCK_FILE, Commit, Edit

_SHORT: Final = 19  # characters of a digest in a message: "sha256:" and twelve digits


class Change(NamedTuple):
    """An entry of the lock file at `path` that should be another."""

    path: str
    key: str
    before: Locked | None
    after: Locked
    why: str  # "follows semver >=7 <8"


class Outcome(StrEnum):
    WRITTEN = "written"
    THERE = "there already"
    OVERTAKEN = "somebody changed it meanwhile"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each change. `commit` is "" where nothing had to be committed."""

    commit: str
    outcomes: tuple[tuple[Change, Outcome], ...]


class Branches(Protocol):
    """Commits on top of a branch of the Git server. See reconciler.source.branch."""

    async def commit(
        self,
        branch: str,
        paths: Sequence[str],
        edit: Edit,
        *,
        onto: str = "",
    ) -> str: ...


def lock_path(document: str) -> str:
    """The lock file for the document at path `document`."""
    folder = document.rpartition("/")[0]
    return f"{folder}/{LOCK_FILE}" if folder else LOCK_FILE


async def write(changes: Sequence[Change], branches: Branches, *, branch: str, review: str = "") -> Written:
    """Commit `changes` to `branch`, or where `review` names another branch, to that one.

    Raises SourceError where the server cannot be reached or declines, ImageRefused for a lock file that cannot be read.
    """
    if not changes:
        return Written("", ())
    outcomes: list[tuple[Change, Outcome]] = []

    def edit(contents: Mapping[str, bytes | None]) -> Commit | None:
        outcomes[:] = [(one, _outcome(one, contents)) for one in changes]
        ours = [one for one, outcome in outcomes if outcome is Outcome.WRITTEN]
        if not ours:
            return None
        files = {
            path: lock.changed(contents[path] or b"", {one.key: one.after for one in ours if one.path == path}, path)
            for path in sorted({one.path for one in ours})
        }
        return Commit(files, message(ours))

    paths = sorted({one.path for one in changes})
    if review:
        commit = await branches.commit(review, paths, edit, onto=branch)
    else:
        commit = await branches.commit(branch, paths, edit)
    return Written(commit, tuple(outcomes))


def message(changes: Sequence[Change]) -> str:
    """The commit's message: from what to what, and why."""
    if len(changes) == 1:
        subject = f"images: {_name(changes[0])}{_from(changes[0])} to {_tag(changes[0].after)}"
    else:
        subject = f"images: {len(changes)} images"
    lines = [subject]
    for one in changes:
        lines += ["", f"{one.key} ({one.after.repository})"]
        if one.before is not None:
            lines.append(f"  from {described(one.before)}")
        lines += [f"  to   {described(one.after)}", f"  why  it {one.why}"]
    return "\n".join([*lines, ""])


def _outcome(change: Change, contents: Mapping[str, bytes | None]) -> Outcome:
    locks: Locks = lock.parse(contents[change.path] or b"", change.path)
    current = locks.get(change.key)
    if current == change.after:
        return Outcome.THERE
    return Outcome.WRITTEN if current == change.before else Outcome.OVERTAKEN


def _name(change: Change) -> str:
    return change.key.rpartition("/")[2]


def _from(change: Change) -> str:
    return f" from {_tag(change.before)}" if change.before is not None else ""


def _tag(locked: Locked) -> str:
    return locked.tag or locked.digest[:_SHORT]


def described(locked: Locked) -> str:
    """A tag and the beginning of a digest."""
    return f"{locked.tag} {locked.digest[:_SHORT]}" if locked.tag else locked.digest[:_SHORT]
