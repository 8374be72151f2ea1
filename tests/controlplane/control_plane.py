"""The processes of one control plane: started in order, each ready before the next, stopped by their pids."""

import asyncio
import contextlib
import ssl
import time
import urllib.request
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from build import Commands
from certificates import Authority, Pair, write_kubeconfig
from ports import HOST, free_ports

PATIENCE: Final = 60.0  # seconds for one part to be ready; a busy machine takes a third of it
GRACE: Final = 10.0  # seconds for one part to end when asked


class Failed(Exception):
    """A part did not start or ended by itself; the message holds the end of its log."""


class ControlPlane:
    """etcd, the API server and, with `controllers`, the controller manager and the scheduler. Loopback only.

    Everything that it writes lies in `folder`: certificates, kubeconfigs, logs, data. It can be started again after
    `stop`, on the same ports with the same data. `quota` is etcd's, in bytes; 0 is its default. `server` and `manager`
    are more options of the API server and of the controller manager.
    """

    def __init__(
        self,
        commands: Commands,
        folder: Path,
        *,
        controllers: bool = True,
        quota: int = 0,
        server: Mapping[str, object] = MappingProxyType({}),
        manager: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self.controllers = controllers
        self.quota = quota
        self.server = server
        self.manager = manager
        self.authority = Authority(folder / "pki")
        self._commands = commands
        self._running: dict[str, Process] = {}
        self._ports: dict[str, int] = {}

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self._ports['apiserver']}"

    @property
    def etcd(self) -> str:
        """Where etcd answers; beside gRPC, JSON under /v3."""
        return f"http://{HOST}:{self._ports['etcd']}"

    @property
    def admin(self) -> Pair:
        return Pair(self.authority.folder / "admin.crt", self.authority.folder / "admin.key")

    def as_admin(self) -> ssl.SSLContext:
        """What a client needs to be the administrator."""
        context = ssl.create_default_context(cafile=str(self.authority.pair.certificate))
        context.load_cert_chain(self.admin.certificate, self.admin.key)
        return context

    @property
    def pids(self) -> dict[str, int]:
        return {part: process.pid for part, process in self._running.items()}

    def log(self, part: str) -> Path:
        return self.folder / "logs" / f"{part}.log"

    def prepare(self) -> None:
        """Make certificates, kubeconfigs and choose ports."""
        self.authority.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._ports = dict(zip(("etcd", "peer", "apiserver"), free_ports(3), strict=True))
        self.authority.create()
        self.authority.server([f"IP:{HOST}", "DNS:localhost", "DNS:kubernetes.default.svc"])
        write_kubeconfig(self.folder, self.url, "admin", ["system:masters"])
        for part in ("controller-manager", "scheduler"):
            write_kubeconfig(self.folder, self.url, f"system:kube-{part}", name=part)

    async def start(self) -> None:
        """Start the parts that do not run; returns once all are ready. Raises Failed."""
        await self._run("etcd", self._etcd())
        await self._until("etcd", lambda: self._answers(f"{self.etcd}/health"))
        await self._run("apiserver", self._apiserver())
        await self._until("apiserver", lambda: self._answers(f"{self.url}/readyz"))
        if self.controllers:
            await self._run("controller-manager", self._manager())
            await self._run("scheduler", self._scheduler())
            account = f"{self.url}/api/v1/namespaces/default/serviceaccounts/default"
            await self._until("controller-manager", lambda: self._answers(account))

    async def stop(self, *parts: str) -> None:
        """Stop `parts`, or all: those that were started last first. What does not end when asked is killed."""
        for part in reversed(list(self._running)):
            if parts and part not in parts:
                continue
            process = self._running.pop(part)
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), GRACE)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def kill(self, part: str) -> None:
        """End a part as a crash would."""
        process = self._running.pop(part)
        process.kill()
        await process.wait()

    async def ended(self) -> str:
        """Wait until a part ends by itself; returns which, with the end of its log."""
        waits = {asyncio.ensure_future(process.wait()): part for part, process in self._running.items()}
        try:
            done, _pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._obituary(waits[done.pop()])

    async def _run(self, part: str, arguments: dict[str, object]) -> None:
        if part in self._running:
            return
        flags = [f"--{key}={value}" for key, value in arguments.items()]
        with self.log(part).open("ab") as log:
            self._running[part] = await asyncio.create_subprocess_exec(
                *self._commands[part], *flags, stdin=PIPE, stdout=log, stderr=STDOUT, start_new_session=True
            )

    async def _until(self, part: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(ready):
            if self._running[part].returncode is not None:
                raise Failed(self._obituary(part))
            if time.monotonic() > deadline:
                raise Failed(f"{part} is not ready after {PATIENCE:g} s\n{tail(self.log(part))}")
            await asyncio.sleep(0.05)

    def _answers(self, url: str) -> bool:
        context = self.as_admin() if url.startswith("https:") else None
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:  # no connection yet, or an HTTP error status
            return False

    def _obituary(self, part: str) -> str:
        return f"{part} ended with status {self._running[part].returncode}\n{tail(self.log(part))}"

    def _etcd(self) -> dict[str, object]:
        return {
            "data-dir": self.folder / "etcd",
            "quota-backend-bytes": self.quota,
            "listen-client-urls": self.etcd,
            "advertise-client-urls": self.etcd,
            "listen-peer-urls": f"http://{HOST}:{self._ports['peer']}",
            "unsafe-no-fsync": "true",  # a test's data is not worth a disk's time
        }

    def _apiserver(self) -> dict[str, object]:
        pki = self.authority.folder
        return {
            "etcd-servers": self.etcd,
            "bind-address": HOST,
            "secure-port": self._ports["apiserver"],
            "advertise-address": HOST,
            "endpoint-reconciler-type": "none",
            "tls-cert-file": pki / "server.crt",
            "tls-private-key-file": pki / "server.key",
            "client-ca-file": self.authority.pair.certificate,
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.authority.tokens,
            "service-account-signing-key-file": self.authority.tokens,
            "service-cluster-ip-range": "10.96.0.0/16",
            "allow-privileged": "true",
            "shutdown-delay-duration": "0s",
            **self.server,
        }

    def _manager(self) -> dict[str, object]:
        return {
            "kubeconfig": self.folder / "controller-manager.kubeconfig",
            "root-ca-file": self.authority.pair.certificate,
            "service-account-private-key-file": self.authority.tokens,
            "use-service-account-credentials": "true",
            "node-monitor-period": "1s",  # how soon it is acted upon that a node is lost
            **_unhurried(),
            **self.manager,
        }

    def _scheduler(self) -> dict[str, object]:
        return {"kubeconfig": self.folder / "scheduler.kubeconfig", **_unhurried()}


def _unhurried() -> dict[str, object]:
    """No leader to elect, no port of its own, no throttle: it is not the throttle that is tested."""
    return {"leader-elect": "false", "secure-port": 0, "kube-api-qps": 1000, "kube-api-burst": 2000}


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    with contextlib.suppress(FileNotFoundError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""
