"""SIGTERM ends the daemon within five seconds, whatever it is doing, and leaves nothing half-written.

In virtual time it has just these five; the process gets more, for it may share the machine.
"""

import asyncio
import os
import signal
from pathlib import Path
from random import Random

import pytest
from fault_transport import Fault, FaultTransport
from gate import Gate, gate
from git_repository import Repository
from git_server import Fault as GitFault
from git_server import GitServer
from memory_repository import MemoryRepository
from processes import LIMIT, PATIENCE, DaemonProcess
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import daemon as virtual_daemon

from reconciler.clock import LoopClock, SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.http.transport import Request
from reconciler.kube.names import GroupKind
from reconciler.model.state import SourceState
from reconciler.sandbox.server import Sandbox

PROMISED = 5.0  # seconds
MANY = 1500


def start(folder: Path, url: str = "") -> DaemonProcess:
    source = {"name": "shop", "url": url or str(folder / "repository"), "namespace": "shop", "interval": "1s"}
    return DaemonProcess(folder / "daemon", [source], folder / "kubeconfig", install="test", stateNamespace="default")


async def remembered(cluster: Gate) -> SourceState:
    transport = cluster.sandbox.transport()
    client = Cluster(transport, clock=SystemClock(), random=Random(0))
    return await StateStore(client, "default", clock=SystemClock()).load("shop")


@pytest.mark.parametrize("hangs", [False, True], ids=["a server that answers", "a server that hangs"])
async def test_in_the_middle_of_a_large_sync(tmp_path: Path, *, hangs: bool) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit({"ns.yaml": NAMESPACE, **{f"c{n}.yaml": config(f"c{n}") for n in range(MANY)}}, "Many")
    async with gate(tmp_path / "kubeconfig", nodes=False) as cluster:
        with start(tmp_path) as daemon:
            reached = asyncio.Event()

            def at(number: int) -> None:
                if number == MANY // 3:
                    cluster.hangs = hangs
                    os.kill(daemon.pid, signal.SIGTERM)
                    reached.set()

            cluster.after = at
            await asyncio.wait_for(reached.wait(), 4 * PATIENCE)
            assert await asyncio.to_thread(daemon.terminate) < LIMIT
            written = len(cluster.writes)
            assert written < MANY // 3 + 30, "only what was in flight, and the state"
            assert not daemon.heard("sync-finished")
            assert "Traceback" not in daemon.output
        cluster.hangs = False
        state = await remembered(cluster)
        assert GroupKind("", "ConfigMap") in state.kinds
        assert state.applied is None
        if not hangs:
            assert [each.superseded for each in state.history] == [True], "the state says how far it came"
        with start(tmp_path) as daemon:
            await asyncio.to_thread(daemon.until_synced, commit, seconds=4 * PATIENCE)
            assert await asyncio.to_thread(daemon.terminate) < LIMIT
        state = await remembered(cluster)
        assert state.applied is not None
        assert state.applied.commit == commit
        assert len(cluster.writes) - written < MANY, "what was applied is not applied again"


@virtual
async def test_within_five_seconds_of_its_own_where_the_server_hangs_in_the_middle_of_a_sync() -> None:
    repository = MemoryRepository("shop")
    repository.commit({"ns.yaml": NAMESPACE, **{f"c{n}.yaml": config(f"c{n}") for n in range(100)}})
    applies = 0

    def after_fifty(request: Request) -> Fault | None:
        nonlocal applies
        applies += request.method == "PATCH"
        return Fault.TIMEOUT if applies > 50 else None

    transport = FaultTransport(Sandbox(clock=LoopClock()).transport(), after_fifty)
    async with virtual_daemon(transport, {"shop": repository}) as running:
        await running.until(lambda: applies > 50)
        began = running.clock.monotonic()
        running.stop.set()
        assert running.task is not None
        await running.task
        assert 0 < running.clock.monotonic() - began < PROMISED


async def test_while_the_api_server_hangs_from_the_beginning(tmp_path: Path) -> None:
    Repository(tmp_path / "repository").commit({"a.yaml": config("a")})
    async with gate(tmp_path / "kubeconfig", nodes=False) as cluster:
        cluster.hangs = True
        with start(tmp_path) as daemon:
            await asyncio.to_thread(daemon.until, lambda: daemon.ask("/healthz")[0] == 200, "/healthz")
            assert daemon.ask("/readyz")[0] == 503
            assert await asyncio.to_thread(daemon.terminate) < LIMIT
        assert cluster.writes == []


async def test_while_git_hangs(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    commit = repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
    with GitServer(tmp_path) as git:
        async with gate(tmp_path / "kubeconfig", nodes=False) as cluster:
            with start(tmp_path, git.url("repository/.git")) as daemon:
                await asyncio.to_thread(daemon.until_synced, commit)
                git.fault = GitFault.HANG
                await asyncio.to_thread(git.hanging.wait, 30)
                assert await asyncio.to_thread(daemon.terminate) < LIMIT
                assert "Traceback" not in daemon.output
            state = await remembered(cluster)
            assert state.applied is not None
            assert state.applied.commit == commit
