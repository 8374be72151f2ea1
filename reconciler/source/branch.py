"""Commits on top of a branch of the Git server, without a checkout and never forced.

    fetch the tip → read some files → the caller's edit → one commit → push

Somebody else may push in between: then the server refuses ours, and all of it is done again on the new tip, after a
short and random pause. So the edit is a function from contents to contents, not a patch. History stays linear and no
commit is lost.

    <name>-<hash>.push.git    a bare repository with the branch's last commit only; nothing in it is precious

A commit is made by `git fast-import` (one process), and signed, where there is a key, with `ssh-keygen`.
"""

import asyncio
import fcntl
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from reconciler.clock import Clock
from reconciler.errors import SourceError, SourceMissing, SourceRefused, SourceUnreachable
from reconciler.model.config import SourceConfig
from reconciler.model.image import Commit, Edit
from reconciler.source import history
from reconciler.source.address import check_ref, normal_path, parse_url
from reconciler.source.environment import Settings, check_readable, environment
from reconciler.source.faults import explain
from reconciler.source.mirror import create, directory_name
from reconciler.source.objects import local
from reconciler.source.process import Damaged, GitFailed, GitJob, in_thread

DEADLINE: Final = 120.0  # seconds of trying again after races
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
_TIP: Final = "refs/reconciler/push/tip"
_BASE: Final = "refs/reconciler/push/base"
_NEW: Final = "refs/reconciler/push/new"
_RACE: Final = re.compile(
    r"\[rejected\][^\n]*\((?:fetch first|non-fast-forward|stale info)\)"
    r"|cannot lock ref|failed to update ref|incorrect old value|reference already exists|\(atomic"
)
_DECLINED: Final = re.compile(r"\[remote rejected\][^\n]*\(([^()\n]*)\)|protected branch")


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits. `signing_key` is the file of an ssh key without passphrase."""

    name: str = "reconciler"
    email: str = "reconciler@localhost"
    signing_key: str | None = None


class BranchWriter:
    """Commits to branches of the repository of `config`, with its credentials.

    Raises SourceRefused for a URL that is unsafe. Work is done in threads; cancelling an await kills its Git.
    """

    def __init__(
        self,
        config: SourceConfig,
        cache_dir: Path,
        *,
        clock: Clock,
        random: Random,
        author: Author | None = None,
        ssh: str = "ssh",
        deadline: float = DEADLINE,
    ) -> None:
        where = f"source {config.name}"
        address = parse_url(config.url, where)
        self._config = config
        self._url = address.url
        self._path = cache_dir.absolute() / f"{directory_name(config.name, config.url)}.push.git"
        self._settings = Settings(environment(address, config.credentials, ssh), config.timeout)
        self._clock = clock
        self._random = random
        self._author = author or Author()
        self._deadline = deadline
        self._turn = asyncio.Lock()

    async def commit(self, branch: str, paths: Sequence[str], edit: Edit, *, onto: str = "") -> str:
        """Commit what `edit` makes of the files at `paths`, push it, and return its id; "" when nothing had to change.

        With `onto`, `branch` is one for review: it begins at the tip of `onto`, and goes on where it is as long as it
        is not merged. Raises SourceRefused where the server declines the push, SourceUnreachable and SourceMissing.
        """
        target, base = _branch(branch), _branch(onto) if onto else ""
        wanted = tuple(normal_path(path) for path in paths)
        end = self._clock.monotonic() + self._deadline
        who = f"{self._author.name} <{self._author.email}> {int(self._clock.now().timestamp())} +0000"
        pause = _FIRST_PAUSE
        where = f"source {self._config.name}"
        async with self._turn:
            while True:
                job = GitJob(self._path, self._settings)
                outcome = await in_thread(job, lambda git: self._once(git, target, base, wanted, edit, who), where)
                if outcome is not None:
                    return outcome
                if self._clock.monotonic() + pause > end:
                    raise SourceUnreachable(f"others kept pushing to {branch} for {self._deadline:g} s", where=where)
                await self._clock.sleep(pause * self._random.uniform(0.2, 1.0))
                pause = min(_LONGEST_PAUSE, pause * 2.0)

    def _once(self, git: GitJob, target: str, base: str, paths: tuple[str, ...], edit: Edit, who: str) -> str | None:
        """One try. The commit, "" for no change, None after a race."""
        check_readable(self._config.credentials)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self._path / "HEAD").is_file():
                create(self._path)
            try:
                tip = self._tip(git, target, base)
                change = edit({path: _content(git, tip, path) for path in paths})
                if change is None:
                    return ""
                commit = self._make(git, tip, change, who)
                return commit if self._push(git, commit, target) else None
            except Damaged:
                shutil.rmtree(self._path, ignore_errors=True)  # the next try begins with a new one
                raise

    def _tip(self, git: GitJob, target: str, base: str) -> str:
        """The commit to build on, fetched."""
        if not base:
            self._fetch(git, "--depth=1", f"+{target}:{_TIP}")
            return _resolved(git, _TIP)
        self._fetch(git, f"+{base}:{_BASE}")
        begin = _resolved(git, _BASE)
        try:
            self._fetch(git, f"+{target}:{_TIP}")
        except SourceMissing:
            return begin
        tip = _resolved(git, _TIP)
        return begin if history.is_ancestor(git, tip, begin) else tip

    def _fetch(self, git: GitJob, *refspecs: str) -> None:
        options = [part for part in refspecs if part.startswith("--")]
        specs = [part for part in refspecs if not part.startswith("--")]
        fixed = ("--quiet", "--force", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        try:
            git.run("fetch", *fixed, *options, "--", self._url, *specs)
        except GitFailed as error:
            raise explain(error) from None

    def _make(self, git: GitJob, tip: str, change: Commit, who: str) -> str:
        message = change.message.encode()
        stream = [f"commit {_NEW}\nauthor {who}\ncommitter {who}\ndata {len(message)}\n".encode(), message]
        stream.append(f"\nfrom {tip}\n".encode())
        for path, content in sorted(change.files.items()):
            stream.append(f"M 100644 inline {_quoted(path)}\ndata {len(content)}\n".encode() + content + b"\n")
        local(git, "fast-import", "--quiet", "--force", "--done", data=b"".join((*stream, b"done\n")))
        if not self._author.signing_key:
            return _resolved(git, _NEW)
        return self._signed(git, tip, message, who)

    def _signed(self, git: GitJob, tip: str, message: bytes, who: str) -> str:
        key = self._author.signing_key or ""
        if not os.access(key, os.R_OK):
            raise SourceError("the key that signs commits cannot be read", where=key)
        date = "@" + who.rsplit("> ", 1)[1]
        identity = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", self._author.name), ("EMAIL", self._author.email), ("DATE", date))
        }
        settings = Settings({**self._settings.environment, **identity}, self._settings.timeout)
        signer = GitJob(self._path, settings)
        options = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}")
        try:
            output = signer.run(*options, "commit-tree", "-S", "-p", tip, f"{_NEW}^{{tree}}", data=message)
        except GitFailed as error:
            raise SourceError("the commit cannot be signed", where=key, why=error.why) from None
        return output.decode("ascii").strip()

    def _push(self, git: GitJob, commit: str, target: str) -> bool:
        """Whether the server took it; False after a race."""
        try:
            git.run("push", "--quiet", "--", self._url, f"{commit}:{target}")
        except GitFailed as error:
            if _RACE.search(error.stderr):
                return False
            if declined := _DECLINED.search(error.stderr):
                raise SourceRefused(
                    f"the Git server declines a push to {target.removeprefix('refs/heads/')}",
                    why=declined[1] or declined[0],
                    hint="if the branch is protected, let changes go to a branch for review",
                ) from None
            raise explain(error) from None
        return True


def _branch(name: str) -> str:
    checked = check_ref(name.removeprefix("refs/heads/"))
    if checked == "HEAD" or checked.startswith("refs/"):
        raise SourceRefused(f"{name!r} is not a branch, so nothing can be committed to it", hint="state a branch")
    return f"refs/heads/{checked}"


def _resolved(git: GitJob, name: str) -> str:
    commit = history.resolve(git, name)
    if commit is None:
        raise SourceMissing(f"{name} does not lead to a commit")
    return commit


def _content(git: GitJob, commit: str, path: str) -> bytes | None:
    """A regular file's content at `commit`, None where there is none. Raises SourceRefused for anything else."""
    listed = local(git, "ls-tree", "-z", "--full-tree", commit, "--", path)
    if not listed:
        return None
    mode, _kind, oid = listed.split(b"\t", 1)[0].decode("ascii").split()
    if mode not in ("100644", "100755"):
        raise SourceRefused("the file is not a regular file", where=path)
    return local(git, "cat-file", "blob", oid)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
