"""Reading what a stranger wrote: a process of its own that has nothing to lose.

`reconciler plan --offline` runs with an empty environment, in a folder that has the two commits and nothing else,
within limits of time, memory, files and output. It knows no cluster, no token and no address. It runs as our user; what
the kernel keeps it from is what `isolation` could give up. The language of specs can name no file outside of the
repository, and no address, in any case.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.daemon.reviews import isolation
from reconciler.daemon.reviews.isolation import Measure
from reconciler.errors import ReconcilerError, SourceTooLarge


class Limits(NamedTuple):
    """`seconds` bound both the processor's time and the wall's; the others are bytes."""

    seconds: int = 60
    memory: int = 2 * 1024**3  # of addresses; the smallest plan takes 400 MB of them
    file: int = 512 * 1024**2
    output: int = 8 * 1024**2
    errors: int = 8 * 1024  # what is beyond is thrown away


class Ended(NamedTuple):
    """`errors` is what it wrote to standard error. Nothing of it is to be trusted."""

    status: int
    output: bytes
    held: frozenset[Measure]
    errors: bytes = b""


async def run(arguments: Sequence[str], folder: Path, limits: Limits, reads: Path) -> Ended:
    """Run `reconciler` with `arguments` in `folder` to its end. Beside that it may look into the folder `reads`.

    Raises SourceTooLarge where it took more than it may, ReconcilerError where it cannot be run at all. Cancelling
    kills it and whatever it started.
    """
    numbers = [str(each) for each in (limits.seconds, limits.memory, limits.file)]
    environment: Mapping[str, str] = {}
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-X",
            "utf8",
            "-m",
            isolation.__name__,
            *numbers,
            str(reads),
            *arguments,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise ReconcilerError("the plan of a fork cannot be run", why=error.strerror or str(error)) from None
    try:
        async with asyncio.timeout(limits.seconds):
            output, errors = await _both(child, limits)
            status = await child.wait()
    except TimeoutError:
        raise SourceTooLarge(f"planning it took longer than {limits.seconds} s") from None
    finally:
        _kill(child.pid)
        await child.wait()
    if status < 0:
        raise SourceTooLarge("planning it took more time or memory than a fork gets")
    first, _, said = output.partition(b"\n")
    held = first.decode("ascii", "replace").split()
    return Ended(status, said, frozenset(each for each in Measure if each in held), errors)


async def _both(child: asyncio.subprocess.Process, limits: Limits) -> tuple[bytes, bytes]:
    """Standard output and error, to their ends. Raises SourceTooLarge."""
    if child.stdout is None or child.stderr is None:
        return b"", b""
    try:
        async with asyncio.TaskGroup() as group:
            errors = group.create_task(_beginning(child.stderr, limits.errors))
            output = group.create_task(_bounded(child.stdout, limits.output))
    except* SourceTooLarge as found:
        raise found.exceptions[0] from None
    return output.result(), errors.result()


async def _bounded(stream: asyncio.StreamReader, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(65_536):
        size += len(chunk)
        if size > most:
            raise SourceTooLarge(f"its plan has more than {most} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _beginning(stream: asyncio.StreamReader, most: int) -> bytes:
    kept = b""
    while chunk := await stream.read(65_536):
        kept += chunk[: most - len(kept)]
    return kept


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(group, signal.SIGKILL)
