"""Running Git so that nothing outside the configuration can steer it.

One `GitJob` is some commands on one bare repository, one after the other, in one thread. Every command

- has no configuration but the repository's own and ours, no `GIT_*` variable of the caller's, no hook, no fsmonitor, no
  submodules, no prompt, and one transport: that of the source's URL;
- answers in English and in bytes, at most `limit` of them;
- runs in a process group of its own, which is killed after `timeout` seconds or by `stop()`. (GitPython's
  `kill_after_timeout` looks for Git's children with ps or pgrep. A slim image has neither, and then a child that
  holds the pipe keeps the caller waiting for ever.)

Credentials never stand on a command line or in a variable: a credential helper reads the file, and answers for the
source's own host only. Redirects are not followed.
"""

import contextlib
import os
import shlex
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

from reconciler.errors import SourceError, SourceTooLarge, SourceUnreachable
from reconciler.model.config import GitCredentials
from reconciler.source.address import Address, Scheme

if TYPE_CHECKING:
    import subprocess

    from git import Git, Repo

_KEPT: Final = ("GIT_EXEC_PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")  # where this machine keeps Git and its trust
_MAX_OUTPUT: Final = 1024 * 1024 * 1024
_MAX_STDERR: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024

_HELPER: Final = (
    '!f() { test "$1" = get || exit 0; IFS= read -r p < "$RECONCILER_GIT_PASSWORD_FILE" || test -n "$p" || exit 1; '
    'printf "username=%s\\npassword=%s\\n" "$RECONCILER_GIT_USERNAME" "$p"; }; f'
)

_CONFIG: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "credential.helper": "",
    "http.followRedirects": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",  # a job has ended when its command has
    "maintenance.autoDetach": "false",
    "fetch.fsckObjects": "true",
    # Harmless, and in the history of many an old repository:
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.badDate": "ignore",
    "fetch.fsck.missingEmail": "ignore",
    "fetch.fsck.badEmail": "ignore",
    "fetch.fsck.missingNameBeforeEmail": "ignore",
    "fetch.fsck.badName": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.missingSpaceBeforeEmail": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.zeroPaddedDate": "ignore",
    "fetch.fsck.badFilemode": "ignore",
    "fetch.fsck.missingTaggerEntry": "ignore",
}


class GitFailed(SourceError):
    """Git ended with an error. `stderr` is what it said, for `faults.explain`."""

    def __init__(self, what: str, *, stderr: str) -> None:
        super().__init__(what, why=stderr.strip().rpartition("\n")[2][:300])
        self.stderr = stderr


class Damaged(SourceError):
    """The mirror on disk cannot be read. It is fetched anew; nobody loses anything but time."""


class Stopped(SourceError):
    """The job was told to stop. Nothing is wrong with the source."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How Git is run for one source. `observe` is told each command before it runs, for counting."""

    environment: Mapping[str, str]
    timeout: float = 60.0  # seconds for one command
    observe: Callable[[tuple[str, ...]], None] = field(default=lambda _command: None)


def environment(address: Address | None, credentials: GitCredentials, ssh: str = "ssh") -> dict[str, str]:
    """The variables for every command on a source at `address`; `ssh` is the program that speaks ssh.

    Without an address no transport is allowed at all.
    """
    config = dict(_CONFIG)
    shown = {
        "GIT_ALLOW_PROTOCOL": address.scheme.value if address else "none",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
    }
    if address and address.scheme in (Scheme.HTTPS, Scheme.HTTP):
        if credentials.password_file:
            config[f"credential.{address.origin}.helper"] = _HELPER
            shown["RECONCILER_GIT_USERNAME"] = credentials.username
            shown["RECONCILER_GIT_PASSWORD_FILE"] = credentials.password_file
        if credentials.ca_file:
            config["http.sslCAInfo"] = credentials.ca_file
    if address and address.scheme is Scheme.SSH:
        shown["GIT_SSH_COMMAND"] = _ssh(ssh, credentials)
        shown["GIT_SSH_VARIANT"] = "ssh"
    for number, (key, value) in enumerate(config.items()):
        shown[f"GIT_CONFIG_KEY_{number}"] = key
        shown[f"GIT_CONFIG_VALUE_{number}"] = value
    shown["GIT_CONFIG_COUNT"] = str(len(config))
    return shown


def _ssh(program: str, credentials: GitCredentials) -> str:
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ForwardAgent=no"]
    if credentials.known_hosts_file:
        options.append(f"UserKnownHostsFile={_quoted(credentials.known_hosts_file)}")
    command = [program, "-F", os.devnull]
    if credentials.ssh_key_file:
        options.append("IdentitiesOnly=yes")
        command += ["-i", credentials.ssh_key_file]
    for option in options:
        command += ["-o", option]
    return shlex.join(command)


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path  # ssh takes several files, separated by spaces


class GitJob:
    """The commands of one job on the repository `directory`. Used from one thread; `stop` from any."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.settings = settings
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = threading.Event()

    def run(self, *arguments: str, data: bytes = b"", limit: int = _MAX_OUTPUT) -> bytes:
        """Run `git *arguments` with `data` as its input and return its output.

        Raises GitFailed when Git fails, Damaged when `directory` is no repository, SourceUnreachable when it takes too
        long, SourceTooLarge when it says more than `limit` bytes, Stopped after `stop`.
        """
        from git import Repo
        from git.exc import GitCommandNotFound, InvalidGitRepositoryError, NoSuchPathError

        self.settings.observe(arguments)
        variables = {"GIT_DIR": str(self.directory), **self.settings.environment}
        foreign = [name for name in os.environ if name.startswith("GIT_") and name not in (*_KEPT, *variables)]
        unset = ["env", *(part for name in foreign for part in ("-u", name))] if foreign else []
        try:
            with Repo(self.directory) as repo, tempfile.TemporaryFile() as source:
                source.write(data)
                source.seek(0)
                running = self._start(repo, [*unset, "git", *arguments], source, variables)
                status, output, stderr = self._finish(running, arguments, limit)
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise Damaged("the mirror is not a Git repository", where=str(self.directory)) from None
        except GitCommandNotFound:
            raise SourceError("Git is not installed", hint="install git 2.30 or later") from None
        if status:
            raise GitFailed(f"git {arguments[0]} failed", stderr=stderr.decode("utf-8", "replace"))
        return output

    def stop(self) -> None:
        """Kill what runs, and let nothing start any more. The job raises Stopped."""
        self.stopped.set()
        self._kill()

    def _start(
        self, repo: "Repo", command: list[str], source: BinaryIO, variables: Mapping[str, str]
    ) -> "Git.AutoInterrupt":
        with self._lock:
            if self.stopped.is_set():
                raise Stopped("the work was stopped")
            running = repo.git.execute(command, istream=source, env=variables, as_process=True, start_new_session=True)
            self._process = running.proc
        return running

    def _finish(self, running: "Git.AutoInterrupt", arguments: tuple[str, ...], limit: int) -> tuple[int, bytes, bytes]:
        """Take the output to its end, the limit, the timeout or the kill, whatever comes first."""
        late = threading.Event()

        def expire() -> None:
            late.set()
            self._kill()

        process = cast("subprocess.Popen[bytes]", running.proc)
        output: list[bytes] = []
        errors: list[bytes] = []
        timer = threading.Timer(self.settings.timeout, expire)
        listener = threading.Thread(target=_collect, args=(process.stderr, errors, _MAX_STDERR), daemon=True)
        timer.start()
        listener.start()
        try:
            whole = _collect(process.stdout, output, limit, stop=self._kill)
            listener.join()
            status = process.wait()
        except BaseException:
            self._kill()
            raise
        finally:
            timer.cancel()
            with self._lock:
                self._process = None
        if self.stopped.is_set():
            raise Stopped("the work was stopped")
        if late.is_set():
            raise SourceUnreachable(
                f"git {arguments[0]} did not finish within {self.settings.timeout:g} s",
                hint="if the repository is large, raise the source's timeout",
            )
        if not whole:
            raise SourceTooLarge(f"git {arguments[0]} answered more than {limit:,} bytes")
        return status, b"".join(output), b"".join(errors)

    def _kill(self) -> None:
        with self._lock:
            process = self._process
            if process is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


def _collect(pipe: IO[bytes] | None, into: list[bytes], limit: int, *, stop: Callable[[], None] = lambda: None) -> bool:
    """Read `pipe` to its end, keep at most `limit` bytes, and say whether that was all of it."""
    if pipe is None:
        return True
    size = 0
    with pipe:
        while chunk := os.read(pipe.fileno(), _CHUNK):
            if size + len(chunk) <= limit:
                into.append(chunk)
            else:
                stop()
            size += len(chunk)
    return size <= limit
