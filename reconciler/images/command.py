"""Running a program that takes long: its lines as they come, its time and its disk limited, nothing left behind."""

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from reconciler.errors import BuildFailed
from reconciler.images.builder import TAIL, Log

_LINE: Final = 500  # characters of a line that are shown
_BUFFER: Final = 64 * 1024
_LOOK: Final = 0.5  # seconds between two looks at the disk, and never more than a tenth of the time for looking
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]")


class Commands:
    """Commands of one build, one after the other, in `folder`, which may grow to `quota` bytes.

    Each runs in a process group of its own, which is killed when the command is cancelled or takes too much.
    `environment` is all that they see; `within` is a command that each runs under.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], quota: int, log: Log, *, within: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._quota = quota
        self._log = log
        self._within = tuple(within)
        self.tail: deque[str] = deque(maxlen=TAIL)

    async def run(self, argv: Sequence[str], what: str) -> None:
        """Run a command to its end. Raises BuildFailed, with the last lines of all commands so far."""
        try:
            child = await asyncio.create_subprocess_exec(
                *self._within,
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._folder,
                env=dict(self._environment),
                start_new_session=True,
                limit=_BUFFER,
            )
        except OSError as error:
            raise BuildFailed(
                f"{argv[0]} cannot be run",
                why=error.strerror or str(error),
                hint=f"install Debian's package {argv[0]}, or let builds run in the cluster",
            ) from None
        full: list[int] = []
        watch = asyncio.create_task(self._watch(child, full.append))
        try:
            await self._listen(child)
            status = await child.wait()
        finally:
            watch.cancel()
            _kill(child.pid)  # also what the command left running
            if child.returncode is None:
                await child.wait()
            await asyncio.gather(watch, return_exceptions=True)
        if full:
            raise BuildFailed(
                f"{what} took {full[0]:,} bytes of disk, more than {self._quota:,}",
                hint="make the image smaller, or raise the quota of builds",
                log=tuple(self.tail),
            )
        if status:
            raise BuildFailed(f"{what} failed", why=self._last(status), log=tuple(self.tail))

    def _last(self, status: int) -> str:
        """The line that most likely says why."""
        lines = [line for line in self.tail if line]
        told = next((line for line in reversed(lines) if re.match(r"(?i)error", line)), "")
        return told or (lines[-1] if lines else f"exit status {status}")

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Pass on the lines until the command, and all that it started, has closed its output."""
        output = child.stdout
        while output is not None:
            try:
                raw = await output.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    self._tell(end.partial)
                return
            except asyncio.LimitOverrunError as long:
                raw = await output.read(max(long.consumed, 1))
            self._tell(raw)

    def _tell(self, raw: bytes) -> None:
        text = _ESCAPE.sub("", raw.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2])
        line = "".join(letter if letter.isprintable() else " " for letter in text[:_LINE])
        self.tail.append(line)
        self._log(line)

    async def _watch(self, child: asyncio.subprocess.Process, full: Callable[[int], None]) -> None:
        """Kill the group when the folder has grown above the quota, and what is left of it when the command ended."""
        loop = asyncio.get_running_loop()
        while child.returncode is None:
            begun = loop.time()
            used = await asyncio.to_thread(disk_usage, self._folder)
            if used > self._quota:
                full(used)
                break
            await asyncio.sleep(max(_LOOK, 10 * (loop.time() - begun)))
        _kill(child.pid)


def disk_usage(folder: Path | str) -> int:
    """The bytes that `folder` takes on its disk. What vanishes meanwhile is not counted."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    total += disk_usage(entry.path)
    return total


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
