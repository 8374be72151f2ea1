"""A process that is killed at any of its steps leaves a cache from which the next one goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.source.repository import GitSource

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from random import Random
from reconciler.clock import SystemClock
from reconciler.model.config import SourceConfig
from reconciler.source.repository import GitSource

url, cache, step = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
seen = []

def observe(command):
    seen.append(command)
    if len(seen) == step:
        os.kill(os.getpid(), signal.SIGKILL)

source = GitSource(SourceConfig(name="shop", url=url), cache, clock=SystemClock(), random=Random(1), observe=observe)
asyncio.run(source.poll())
"""


def poll_and_die(url: str, cache: Path, step: int) -> int:
    """The exit status of a process that polls once and is killed as it begins its Git command number `step`."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, url, str(cache), str(step)], check=False, timeout=60, stderr=subprocess.DEVNULL
    )
    return done.returncode


@pytest.mark.parametrize("first", [True, False], ids=["first sync", "later commit"])
async def test_a_kill_at_any_step_is_survived(
    repository, source: Callable[..., GitSource], cache: Path, *, first: bool
) -> None:
    commit = repository.commit({"a.yaml": "1"})
    if not first:
        await source().poll()
        commit = repository.commit({"a.yaml": "2"})
    for step in (2, 3, 4, 5) if first else (4, 6, 8):
        assert poll_and_die(str(repository.path), cache, step) == -signal.SIGKILL
    poll = await source().poll()
    assert poll.error is None
    assert poll.snapshot.revision.commit == commit
    assert await source().read([poll.snapshot.entries[0].blob])
    assert not any(name.endswith((".spare", ".trash", ".making")) for name in os.listdir(cache))  # noqa: PTH208
