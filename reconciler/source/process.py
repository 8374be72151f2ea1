"""Running Git, through GitPython's command class.

One `GitJob` is some commands on one repository, one after the other, in one thread. Every command

- sees the variables of `environment` and no `GIT_*` variable of the caller's;
- answers in English and in bytes, at most `limit` of them;
- runs in a process group of its own, which is killed after `timeout` seconds or by `stop()`. (GitPython's
  `kill_after_timeout` looks for Git's children with ps or pgrep. A slim image has neither, and then a child that
  holds the pipe keeps the caller waiting for ever.)

GitPython's `Repo` is not used: it heeds GIT_OBJECT_DIRECTORY and its like, which are set when we run in a hook, and it
reads the configuration of folders that nobody vouches for.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, TypeVar, cast

from reconciler.errors import SourceError, SourceTooLarge, SourceUnreachable
from reconciler.source.environment import Settings

if TYPE_CHECKING:
    import subprocess

    from git import Git

T = TypeVar("T")

_KEPT: Final = ("GIT_EXEC_PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")  # where this machine keeps Git and its trust
_MAX_OUTPUT: Final = 1024 * 1024 * 1024
_MAX_STDERR: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024


class GitFailed(SourceError):
    """Git ended with an error. `stderr` is what it said, for `faults.explain`; `output` what came before that."""

    def __init__(self, what: str, *, stderr: str, output: bytes = b"") -> None:
        super().__init__(what, why=printable(stderr.strip().rpartition("\n")[2]))
        self.stderr = stderr
        self.output = output


def printable(text: str) -> str:
    """What a stranger wrote, fit to be shown on one line."""
    return "".join(letter for letter in text if letter.isprintable())[:300]


class Damaged(SourceError):
    """The mirror on disk cannot be read. It is fetched anew; nobody loses anything but time."""


class Stopped(SourceError):
    """The job was told to stop. Nothing is wrong with the source."""


class GitJob:
    """The commands of one job. Used from one thread; `stop` from any.

    With `bare` the repository is `directory` itself and no other; without, Git looks for it from `directory` upwards,
    and refuses one that belongs to somebody else.
    """

    def __init__(self, directory: Path, settings: Settings, *, bare: bool = True) -> None:
        self.directory = directory
        self.settings = settings
        self.stopped = threading.Event()
        self._bare = bare
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str, data: bytes = b"", limit: int = _MAX_OUTPUT) -> bytes:
        """Run `git *arguments` with `data` as its input and return its output.

        Raises GitFailed when Git fails, SourceUnreachable when it takes too long, SourceTooLarge when it says more
        than `limit` bytes, Stopped after `stop`.
        """
        self.settings.observe(arguments)
        with tempfile.TemporaryFile() as source:
            source.write(data)
            source.seek(0)
            status, output, stderr = self._finish(self._start(arguments, source), arguments[0], limit)
        if status:
            said = stderr.decode("utf-8", "replace")
            raise GitFailed(f"git {arguments[0]} failed", stderr=said, output=output)
        return output

    def stop(self) -> None:
        """Kill what runs, and let nothing start any more. The job raises Stopped."""
        self.stopped.set()
        self._kill()

    def _start(self, arguments: tuple[str, ...], source: BinaryIO) -> "Git.AutoInterrupt":
        try:
            from git import Git
        except ImportError as error:
            raise SourceError(
                "Git is not installed",
                why=str(error).partition("\n")[0],
                hint="install the package git; specs are read through it, whether or not the folder is a repository",
            ) from None
        variables = {**self.settings.environment, **({"GIT_DIR": str(self.directory)} if self._bare else {})}
        foreign = [name for name in os.environ if name.startswith("GIT_") and name not in (*_KEPT, *variables)]
        unset = ["env", *(part for name in foreign for part in ("-u", name))] if foreign else []
        command = [*unset, "git", *arguments]
        with self._lock:
            if self.stopped.is_set():
                raise Stopped("the work was stopped")
            git = Git(str(self.directory))
            running = git.execute(command, istream=source, env=variables, as_process=True, start_new_session=True)
            self._process = running.proc
        return running

    def _finish(self, running: "Git.AutoInterrupt", verb: str, limit: int) -> tuple[int, bytes, bytes]:
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
                f"git {verb} did not finish within {self.settings.timeout:g} s",
                hint="if the repository is large, raise the source's timeout",
            )
        if not whole:
            raise SourceTooLarge(f"git {verb} answered more than {limit:,} bytes")
        return status, b"".join(output), b"".join(errors)

    def _kill(self) -> None:
        with self._lock:
            process = self._process
            if process is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)


async def in_thread(git: GitJob, job: Callable[[GitJob], T], where: str) -> T:
    """`job` in a thread; when nobody waits for it any more, its Git is killed and the thread ends.

    A SourceError that does not say where gets `where`.
    """
    thread = asyncio.ensure_future(asyncio.to_thread(job, git))
    try:
        return await asyncio.shield(thread)
    except SourceError as error:
        error.where = error.where or where
        raise
    except asyncio.CancelledError:
        git.stop()
        await asyncio.gather(thread, return_exceptions=True)
        raise


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
