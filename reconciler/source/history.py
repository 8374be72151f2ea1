"""Commits: who, when, why, and which of them last touched a line."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from reconciler.errors import SourceMissing
from reconciler.model.snapshot import Revision
from reconciler.source.objects import local
from reconciler.source.process import GitFailed, GitJob

MAX_COMMITS: Final = 10_000
_FORMAT: Final = "--format=%H%x00%an <%ae>%x00%ct%x00%s"
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999: a commit may claim any time


def resolve(git: GitJob, rev: str) -> str | None:
    """The commit that `rev` (checked by `address.check_revision`) means in the mirror, None if it has none."""
    try:
        output = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    except GitFailed:
        return None
    return output.decode("ascii").strip()


def revision(git: GitJob, commit: str, ref: str) -> Revision:
    """The commit `commit` with what it says of itself. Raises Damaged."""
    return _revisions(local(git, "log", "-z", "-1", _FORMAT, commit, "--"), ref)[0]


def log(git: GitJob, path: str, limit: int, commit: str, ref: str) -> tuple[Revision, ...]:
    """The last commits that changed `path` ("." for any), newest first, at most `limit`."""
    arguments = ("log", "-z", f"--max-count={min(limit, MAX_COMMITS)}", _FORMAT, commit, "--")
    return _revisions(local(git, *arguments, *(() if path == "." else (path,))), ref)


def messages(git: GitJob, old: str, new: str) -> tuple[str, ...]:
    """The whole messages of the commits in old..new, newest first; at most MAX_COMMITS.

    Empty when `old` is not known (any more): nothing can be told of the way from there, so nothing was approved on it.
    Raises SourceMissing when `new` is not known.
    """
    if resolve(git, new) is None:
        raise SourceMissing(f"the mirror has no commit {new[:12]}")
    if resolve(git, old) is None:
        return ()
    output = local(git, "log", "-z", f"--max-count={MAX_COMMITS}", "--format=%B", f"{old}..{new}", "--")
    return tuple(_text(part, keep="\n\t") for part in output.split(b"\0")[:-1])


def is_ancestor(git: GitJob, old: str, new: str) -> bool:
    """Whether `new` builds on `old`; not so after a force-push."""
    try:
        git.run("merge-base", "--is-ancestor", old, new)
    except GitFailed:
        return False
    return True


def trace(git: GitJob, path: str, line: int, commit: str, ref: str) -> Revision:
    """The last commit up to `commit` that touched line `line` (from 1) of `path`. Raises SourceMissing."""
    try:
        output = git.run("blame", "--porcelain", f"-L{line},{line}", commit, "--", path)
    except GitFailed as error:
        raise SourceMissing(f"{commit[:12]} has no such line", where=f"{path}:{line}", why=error.why) from None
    return revision(git, output[:40].decode("ascii"), ref)


def blame(git: GitJob, path: str, commit: str, ref: str) -> tuple[Revision | None, ...]:
    """For each line of `path` as of `commit` the last commit that touched it: line n is the item n - 1.

    None where that cannot be told, because the history ends there: it is a shallow one. One command, whatever the
    number of lines. Raises SourceMissing where the file is not there, or its history is damaged.
    """
    try:
        output = git.run("blame", "--incremental", "--root", "--encoding=UTF-8", commit, "--", path)
    except GitFailed as error:
        raise SourceMissing(
            "nobody can be named for this file", where=f"{path} at {commit[:12]}", why=error.why
        ) from None
    cut = ends(git)
    said: dict[str, dict[bytes, bytes]] = {}  # by commit; said once each, before the first `filename`
    places: list[tuple[str, int, int]] = []
    about: dict[bytes, bytes] = {}
    for line in output.split(b"\n"):
        word, _, rest = line.partition(b" ")
        if len(word) >= 40 and word.isalnum():  # commit, line there, line here, how many
            where = rest.split()
            about = said.setdefault(word.decode("ascii"), {})
            places.append((word.decode("ascii"), int(where[1]), int(where[2])))
        else:
            about[word] = rest
    revisions = {name: None if name in cut else _blamed(name, ref, about) for name, about in said.items()}
    lines: list[Revision | None] = [None] * max((first + count - 1 for _, first, count in places), default=0)
    for name, first, count in places:
        lines[first - 1 : first - 1 + count] = [revisions[name]] * count
    return tuple(lines)


def _blamed(commit: str, ref: str, about: Mapping[bytes, bytes]) -> Revision:
    author = b"%b %b" % (about.get(b"author", b""), about.get(b"author-mail", b""))
    seconds = about.get(b"committer-time", b"").decode("ascii", "replace")
    return Revision(commit, ref, _text(author), _time(seconds), _text(about.get(b"summary", b"")))


def ends(git: GitJob) -> frozenset[str]:
    """The commits whose parents a shallow repository does not have: they seem to have written everything."""
    try:
        return frozenset((git.directory / "shallow").read_text("ascii").split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def _revisions(output: bytes, ref: str) -> tuple[Revision, ...]:
    fields = [_text(part) for part in output.split(b"\0")[:-1]]
    return tuple(
        Revision(commit, ref, author, _time(seconds), subject)
        for commit, author, seconds, subject in zip(*(iter(fields),) * 4, strict=True)
    )


def _time(seconds: str) -> datetime:
    return datetime.fromtimestamp(min(max(int(seconds or 0), 0), _LAST_SECOND), UTC)


def _text(raw: bytes, keep: str = "") -> str:
    """What a person wrote, without what would steer a terminal."""
    return "".join(c for c in raw.decode("utf-8", "replace").replace("\r\n", "\n") if c.isprintable() or c in keep)
