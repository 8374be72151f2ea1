"""A source that is a Git repository: poll it, and read it at any revision.

An unchanged poll is one `git ls-remote` and nothing else. What each outcome means:

    a new commit                its snapshot comes into force
    a force-push, a moved tag   the same, and `notice` says so
    a corrupt mirror            fetched anew in the same poll; until that succeeds the old mirror stays

In all other cases `error` is set, the last good snapshot stays in force and so nothing is pruned:

    branch or tag deleted, empty repository, no repository    SourceMissing
    server unreachable, hanging, answering garbage            SourceUnreachable; a hanging Git is killed
    redirects, objects that are unsafe                        SourceRefused
    credentials refused, host key or certificate unknown      SourceError
    a repository above the limits                             SourceTooLarge; that commit is not fetched again

"Stays in force" holds across a restart: the last good commit is a ref of the mirror. While `error` is set the delay
doubles up to ten minutes; the first success brings it back to the interval.

Git's work is done in threads, at most two at a time. Cancelling an await kills its Git.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

from reconciler.clock import Clock
from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceTooLarge
from reconciler.model.config import SourceConfig
from reconciler.model.image import TreeFile
from reconciler.model.snapshot import Revision, Snapshot
from reconciler.source import history, merging, objects, tree
from reconciler.source.address import check_revision, is_commit, normal_path, parse_url
from reconciler.source.backoff import Backoff
from reconciler.source.environment import Settings, check_readable, environment
from reconciler.source.lending import lend
from reconciler.source.mirror import Mirror, directory_name
from reconciler.source.process import Damaged, GitJob, Stopped, in_thread
from reconciler.source.refs import Ref, Target, find

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll found. `snapshot` is the one in force, None before the first success ever.

    `changed` says whether it differs from the one of the poll before (the first of a process is a change). `delay` is
    the seconds until the next poll. `failures` counts the polls in a row that failed, `since` is when the first did.
    """

    snapshot: Snapshot | None
    changed: bool
    error: SourceError | None
    delay: float
    notice: str = ""  # one sentence about an unusual change: rewritten history, a moved tag
    failures: int = 0
    since: datetime | None = None


class _Seen(NamedTuple):
    target: Target
    snapshot: Snapshot | None  # None: the ref is where it was
    rewritten: bool = False


class GitSource:
    """The repository of `config`, mirrored under `cache_dir`. Implements `model.snapshot.Blobs`.

    Raises SourceRefused when the URL, the ref or a path is unsafe: no poll would ever help. `ssh` is the program that
    speaks ssh; `observe` is told each Git command.
    """

    def __init__(
        self,
        config: SourceConfig,
        cache_dir: Path,
        *,
        clock: Clock,
        random: Random,
        ssh: str = "ssh",
        observe: Callable[[tuple[str, ...]], None] = lambda _command: None,
    ) -> None:
        where = f"source {config.name}"
        address = parse_url(config.url, where)
        self._config = config
        self._url = address.url
        self._ref = Ref.parse(config.ref, where)
        self._paths = tuple(normal_path(path, where) for path in config.paths)
        self._path = cache_dir.absolute() / f"{directory_name(config.name, config.url)}.git"
        self._settings = Settings(environment(address, config.credentials, ssh), config.timeout, observe)
        self._clock = clock
        self._backoff = Backoff(config.interval, random)
        self._slots = asyncio.Semaphore(2)
        self._polling = asyncio.Lock()
        self._jobs: set[GitJob] = set()
        self._closed = False
        self._ready = False  # the mirror was prepared by this process
        self._damaged = False  # the mirror must be fetched anew
        self._snapshot: Snapshot | None = None
        self._reported: Snapshot | None = None
        self._target: Target | None = None
        self._rejected: tuple[str, SourceError] | None = None  # a commit that cannot be used, and why
        self._since: datetime | None = None

    async def poll(self) -> Poll:
        """Ask the server once. Never raises SourceError: it is in the answer."""
        async with self._polling:
            error: SourceError | None = None
            notice = ""
            try:
                notice = await self._advance()
            except SourceError as failure:
                error = failure
            changed = self._snapshot is not self._reported
            self._reported = self._snapshot
            if error is None:
                self._since = None
                return Poll(self._snapshot, changed, None, self._backoff.succeeded(), notice)
            self._since = self._since or self._clock.now()
            delay = self._backoff.failed()
            return Poll(self._snapshot, changed, error, delay, "", self._backoff.failures, self._since)

    async def snapshot(self, rev: str) -> Snapshot:
        """The snapshot of any revision: a commit id or its beginning, a branch or tag of the server's, with ~n or ^n.

        Raises SourceError.
        """
        checked = check_revision(rev)
        return await self._work(lambda git: self._build(git, self._locate(git, checked), rev))

    async def merge(self, base: str, head: str) -> Snapshot:
        """What merging the commit `head` into the commit `base` gives; both were asked for with `snapshot` before.

        Its revision is the head's, under a commit id that only the mirror knows where the head lags behind. Raises
        SourceError; MergeConflict where a person has to merge.
        """
        into, what = check_revision(base), check_revision(head)

        def job(git: GitJob) -> Snapshot:
            commit = merging.merged(git, into, what)
            snapshot = self._build(git, commit, head)
            revision = history.revision(git, what, head)
            return replace(snapshot, revision=replace(revision, commit=commit))

        return await self._work(job)

    async def includes(self, commit: str, later: str) -> bool:
        """Whether `commit` is in the history of `later`. Raises SourceError where either cannot be had."""
        old, new = check_revision(commit), check_revision(later)
        return await self._work(lambda git: history.is_ancestor(git, self._locate(git, old), self._locate(git, new)))

    async def lend(self, folder: Path, *commits: str) -> Path:
        """Make the empty `folder` a work tree without files that has `commits`, by way of the mirror's objects, whose
        folder is returned.

        Nothing of a commit is looked at. Raises SourceError.
        """
        checked = [check_revision(commit) for commit in commits]

        def job(git: GitJob) -> Path:
            return lend(self._path, folder, [self._locate(git, commit) for commit in checked])

        return await self._work(job)

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """Contents of blobs, with one process. Raises SourceError."""
        if not ids:
            return {}
        try:
            return await self._work(lambda git: objects.read(git, ids))
        except Damaged:
            self._damaged = True  # the next poll fetches the mirror anew
            raise

    async def tree(self, commit: str) -> tuple[TreeFile, ...]:
        """Every name of a commit of the mirror, symbolic links and submodules too. Raises SourceError."""
        rev = check_revision(commit)
        names = await self._work(lambda git: objects.names(git, rev, self._config.limits))
        return tuple(TreeFile(n.path.decode("utf-8", "surrogateescape"), n.mode, n.id, n.size) for n in names)

    async def messages(self, old: str, new: str) -> tuple[str, ...]:
        """Messages of the commits in old..new, newest first; none when `old` is "" or no longer known."""
        if not old:
            return ()
        first, last = check_revision(old), check_revision(new)
        return await self._work(lambda git: history.messages(git, first, last))

    async def trace(self, path: str, line: int, rev: str) -> Revision:
        """The last commit up to `rev` that touched a line (from 1) of a file. Raises SourceMissing."""
        place, checked = normal_path(path), check_revision(rev)
        return await self._work(
            lambda git: history.trace(git, place, line, self._locate(git, checked), self._config.ref)
        )

    async def blame(self, path: str, rev: str) -> tuple[Revision | None, ...]:
        """For each line of a file the last commit up to `rev` that touched it; None where the history ends before.

        Raises SourceMissing.
        """
        place, checked = normal_path(path), check_revision(rev)

        def job(git: GitJob) -> tuple[Revision | None, ...]:
            commit = checked if is_commit(checked) else self._locate(git, checked)
            return history.blame(git, place, commit, self._config.ref)

        return await self._work(job)

    async def log(self, path: str = ".", limit: int = 20) -> tuple[Revision, ...]:
        """The last commits that changed `path`, newest first, up to the commit in force."""
        place = normal_path(path)
        if self._snapshot is None:
            return ()
        commit = self._snapshot.revision.commit
        return await self._work(lambda git: history.log(git, place, limit, commit, self._config.ref))

    async def close(self) -> None:
        """Kill what still runs. Nothing works after it."""
        self._closed = True
        for job in tuple(self._jobs):
            job.stop()
        async with self._polling:
            pass

    async def _advance(self) -> str:
        """Bring the snapshot in force up to date, and say what is unusual about the change."""
        try:
            if not self._ready:
                self._snapshot = await self._work(self._restore)
                self._ready = True
            seen = await self._work(self._look)
        except Damaged:
            self._ready, self._damaged = True, True
            seen = await self._work(self._look)
        self._damaged = False
        notice = ""
        if seen.snapshot is not None and not self._in_force(seen.snapshot.revision.commit):
            notice = self._notice(seen, seen.snapshot)
            self._snapshot = seen.snapshot
        self._target = seen.target
        return notice

    def _restore(self, git: GitJob) -> Snapshot | None:
        """The last good snapshot of an earlier process."""
        mirror = self._mirror(git)
        mirror.prepare()
        commit = mirror.good()
        if commit is None:
            return None
        try:
            return self._build(git, commit, self._config.ref)
        except (SourceTooLarge, SourceRefused):  # the limits have become stricter since
            return None

    def _look(self, git: GitJob) -> _Seen:
        """One poll: what the ref means now, and if that is new, its snapshot."""
        check_readable(self._config.credentials)
        mirror = self._mirror(git)
        if self._damaged:
            mirror.prepare()
        current = self._snapshot.revision.commit if self._snapshot else ""
        target = find(git, self._url, self._ref)
        if self._in_force(target.commit) and not self._damaged:
            return _Seen(target, None)
        if self._rejected and self._rejected[0] == target.commit and not self._damaged:
            raise self._rejected[1].with_traceback(None)
        try:
            commit = mirror.renew(target, current) if self._damaged else mirror.fetch(target)
            rewritten = bool(current) and not history.is_ancestor(git, current, commit)
            snapshot = self._build(git, commit, self._config.ref)
        except (SourceTooLarge, SourceRefused) as error:
            self._rejected = (target.commit, error)
            raise
        mirror.keep(commit)
        return _Seen(target, snapshot, rewritten)

    def _build(self, git: GitJob, commit: str, ref: str) -> Snapshot:
        revision = history.revision(git, commit, ref)
        names = objects.names(git, commit, self._config.limits)
        return tree.build(
            self._config.name, revision, self._paths, names, self._config.limits, lambda ids: objects.read(git, ids)
        )

    def _locate(self, git: GitJob, rev: str) -> str:
        """The commit that `rev` means: in the mirror if it is an id, else at the server."""
        cut = next((index for index, letter in enumerate(rev) if letter in "~^"), len(rev))
        name, steps = rev[:cut], rev[cut:]
        looks_like_id = len(name) >= 7 and all(letter in "0123456789abcdef" for letter in name)
        if looks_like_id and (commit := history.resolve(git, rev)):
            return commit
        mirror = self._mirror(git)
        if not self._ready:
            mirror.prepare()
        target = find(git, self._url, Ref.parse(name))
        if history.resolve(git, target.commit) is None:
            mirror.bring(target)
        if commit := history.resolve(git, target.commit + steps):
            return commit
        raise SourceMissing(f"the repository has no revision {rev!r}")

    def _notice(self, seen: _Seen, snapshot: Snapshot) -> str:
        if self._snapshot is None:
            return ""
        step = f"from {self._snapshot.revision.short} to {snapshot.revision.short}"
        name = seen.target.name
        if name.startswith("refs/tags/"):
            if self._ref.range is None or (self._target and self._target.name == name):
                return f"the tag {name.removeprefix('refs/tags/')} was moved {step}"
            return f"{name.removeprefix('refs/tags/')} is now the highest version in the range"
        return f"the history of {self._config.ref} was rewritten {step}" if seen.rewritten else ""

    def _in_force(self, commit: str) -> bool:
        return self._snapshot is not None and self._snapshot.revision.commit == commit

    def _mirror(self, git: GitJob) -> Mirror:
        return Mirror(git, self._path, self._url, self._config.ref)

    async def _work(self, job: Callable[[GitJob], T]) -> T:
        """Run `job` in a thread, as soon as one of the slots is free."""
        async with self._slots:
            git = GitJob(self._path, self._settings)
            if self._closed:
                raise Stopped("the source was closed")
            self._jobs.add(git)
            try:
                return await in_thread(git, job, f"source {self._config.name}")
            finally:
                self._jobs.discard(git)
