"""SIGTERM ends the daemon within five seconds, whatever it is doing, and leaves nothing half-written."""

import asyncio
import os
import signal
from pathlib import Path
from random import Random

import pytest
from gate import Gate, gate
from git_repository import Repository
from git_server import Fault, GitServer
from processes import PATIENCE, DaemonProcess
from texts import NAMESPACE, config

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.kube.names import GroupKind
from reconciler.model.state import SourceState

LIMIT = 5.0
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
            await asyncio.to_thread(daemon.until_synced, commit)
            assert await asyncio.to_thread(daemon.terminate) < LIMIT
        state = await remembered(cluster)
        assert state.applied is not None
        assert state.applied.commit == commit
        assert len(cluster.writes) - written < MANY, "what was applied is not applied again"


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
                git.fault = Fault.HANG
                await asyncio.to_thread(git.hanging.wait, 30)
                assert await asyncio.to_thread(daemon.terminate) < LIMIT
                assert "Traceback" not in daemon.output
            state = await remembered(cluster)
            assert state.applied is not None
            assert state.applied.commit == commit
