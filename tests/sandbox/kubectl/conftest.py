"""A modern kubectl against a sandbox with simulated nodes, over HTTP."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from reconciler.clock import SystemClock
from reconciler.sandbox.http import serve
from reconciler.sandbox.kubeconfig import write_kubeconfig
from reconciler.sandbox.kubelet.behavior import Timing
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.simulation import Simulation

PROGRAM = Path(sys.executable).with_name("kubectl")
QUICK = Timing(start=0.02, ready=0.02, stop=0.02)


class Kubectl:
    """Runs kubectl in one cluster; `home` holds its kubeconfig and caches."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        surroundings = {"HOME": str(self._home), "KUBECONFIG": str(self._home / "config"), "PATH": os.environ["PATH"]}
        return subprocess.run(
            [str(PROGRAM), *arguments],
            input=stdin,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """What it prints. Raises AssertionError where it fails."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class _Cluster(threading.Thread):
    """A sandbox on a loop of its own, until `stop`."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(daemon=True)
        self._kubeconfig = kubeconfig
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        clock = SystemClock()
        sandbox = Sandbox(clock=clock)
        simulation = Simulation(sandbox.transport(), clock=clock, random=Random(1), timing=QUICK)
        async with serve(sandbox) as url, simulation:
            write_kubeconfig(self._kubeconfig, url)
            self.ready.set()
            await self._over.wait()

    def stop(self) -> None:
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self.join(timeout=10)


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """One cluster for all tests of a module: each uses names of its own."""
    home = tmp_path_factory.mktemp("kubectl")
    cluster = _Cluster(home / "config")
    cluster.start()
    assert cluster.ready.wait(60)
    yield Kubectl(home)
    cluster.stop()
