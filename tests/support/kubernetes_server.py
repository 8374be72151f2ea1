"""A real control plane for a test run, shared by all its processes; tests/controlplane starts it."""

import asyncio
import contextlib
import fcntl
import functools
import itertools
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Transport

PROGRAM: Final = Path(__file__).parents[1] / "controlplane" / "serve.py"
CERTIFICATES: Final = PROGRAM.with_name("certificates.py")
MISSING: Final = 3  # its exit status where there is nothing to run
PATIENCE: Final = 120.0  # seconds for it to be ready
_NUMBERS: Final = itertools.count(1)  # each directory of tests has a fixture of its own, and they share a server
LOGS: Final = ("apiserver", "controller-manager", "scheduler", "etcd", "serve")


@dataclass(frozen=True, slots=True)
class KubernetesServer:
    """A running control plane, and what one needs to be its administrator."""

    folder: Path
    url: str
    tags: Iterator[str]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "admin.kubeconfig"

    def user(self, name: str, *, group: str = "", namespace: str = "default", days: int = 2) -> Path:
        """The kubeconfig of one more user, who may do what RBAC says; negative `days`: an expired one."""
        options = ["--namespace", namespace, "--days", str(days), *(["--group", group] if group else [])]
        subprocess.run(
            [sys.executable, str(CERTIFICATES), str(self.folder), self.url, name, *options], check=True, timeout=60
        )
        return self.folder / f"{name}.kubeconfig"

    def transport(self, user: str = "admin") -> Transport:
        """A new client of the administrator, or of a `user`."""
        return HttpTransport(self.url, ssl=_identity(self.folder, user))

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run a test in real time. Where it fails, what the server logged meanwhile is told."""
        before = {name: _size(self._log(name)) for name in LOGS}
        try:
            asyncio.run(test)
        except BaseException:
            for name, start in before.items():
                with contextlib.suppress(FileNotFoundError), self._log(name).open(errors="replace") as log:
                    log.seek(start)
                    if said := log.read()[-4000:]:
                        sys.stderr.write(f"--- {name}\n{said}\n")
            raise

    @asynccontextmanager
    async def world(self, *, controllers: bool = False) -> AsyncIterator[World]:
        """A world with names of its own. Controllers and nodes are there in any case."""
        async with opened(World(self.transport, SystemClock(), next(self.tags))) as made:
            yield made

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


@contextlib.contextmanager
def shared(folder: Path, worker: str, *options: str) -> Iterator[KubernetesServer]:
    """The control plane in `folder`, started by whoever comes first; it ends with the last of its users.

    Each holds a shared lock on FOLDER/users. `options` are those of tests/controlplane/serve.py. Skips the test where
    there is nothing to run.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with _locked(folder / "users", fcntl.LOCK_SH):
        with _locked(folder / "start", fcntl.LOCK_EX):
            if not (folder / "server.json").exists():
                _start(folder, options)
        said = json.loads((folder / "server.json").read_text())
        tags = (f"{worker}-{number}" for number in _NUMBERS)
        yield KubernetesServer(folder, said["url"], tags)


def _start(folder: Path, options: tuple[str, ...]) -> None:
    reason = folder / "missing"  # asked once, not once by each process
    if reason.exists():
        give_up(reason.read_text())
    log = folder / "logs" / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), "--while-used", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is pytest's; the server ends after it
        )
    deadline = time.monotonic() + PATIENCE
    while not (folder / "server.json").exists():
        if (status := server.poll()) is not None:
            said = log.read_text(errors="replace").strip()
            if status == MISSING:
                reason.write_text(said)
                give_up(said)
            pytest.fail(f"the control plane did not start:\n{said}", pytrace=False)
        if time.monotonic() > deadline:
            server.terminate()
            pytest.fail(f"the control plane is not ready after {PATIENCE:g} s; its logs: {folder}/logs", pytrace=False)
        time.sleep(0.05)
    server.returncode = 0  # it outlives this process on purpose: nothing here waits for it


def give_up(reason: str) -> NoReturn:
    """Skip the test, for lack of a control plane; a failure where a machine of CI could have compiled it."""
    if os.environ.get("CI") == "true" and not reason.startswith("there is no Go compiler"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


@functools.cache
def _identity(folder: Path, user: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "pki" / "ca.crt"))
    context.load_cert_chain(folder / "pki" / f"{user}.crt", folder / "pki" / f"{user}.key")
    return context


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.fixture(scope="session")
def kubernetes(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[KubernetesServer]:
    """The control plane of this test run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "controlplane"
    with shared(folder, "t" if worker_id == "master" else worker_id) as server:
        yield server
