"""SIGKILL at any write: whatever the daemon was doing, the next one brings the cluster to the same state.

The API server runs here and the daemon is a process of its own. It is killed as its n-th write arrives, before or after
the write is carried out, so the points are nearly the same in every run. RECONCILER_KILLS is how many are tried.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from gate import Gate, gate
from git_repository import Repository
from processes import PATIENCE, DaemonProcess
from stored_objects import Stored, stored
from texts import NAMESPACE, config, deployment, task

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.state import StateStore
from reconciler.model.state import SourceState

KILLS = int(os.environ.get("RECONCILER_KILLS", "5"))

FIRST = {
    "namespace.yaml": NAMESPACE,
    "migrate.yaml": task(),
    "web.yaml": deployment(extra="  files: {/etc/web/greeting: ./greeting.txt}\n"),
    "greeting.txt": "hello",
    **{f"{name}.yaml": config(name) for name in "abcdefghij"},
}
SECOND = {
    "migrate.yaml": task(image="example.com/web:2"),
    "web.yaml": deployment(image="example.com/web:2", extra="  files: {/etc/web/greeting: ./greeting.txt}\n"),
    "greeting.txt": "good day",
    "a.yaml": config("a", "2"),
    "b.yaml": None,
    "c.yaml": None,
    "new.yaml": config("new"),
}
MAPS = 10  # ConfigMaps after the second commit, that of the file among them


class Story(NamedTuple):
    """How it ended: what the cluster holds, what the daemon remembers, and the writes and lives that it took."""

    stored: Stored
    remembered: SourceState
    writes: list[str]
    lives: int


class Lives:
    """One daemon after the other on the same repository, cache and cluster."""

    def __init__(self, folder: Path, cluster: Gate) -> None:
        self._folder = folder
        self.count = 0
        self._source = {"name": "shop", "url": str(folder / "repository"), "namespace": "shop", "interval": "1s"}
        self.daemon = self._start()
        self._cluster = cluster

    def _start(self) -> DaemonProcess:
        self.count += 1
        files = self._folder / "daemon", self._folder / "kubeconfig"
        return DaemonProcess(files[0], [self._source], files[1], install="test", stateNamespace="default")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, giving the daemon a new life when it is killed, and patience to each."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            if self.daemon.status is not None:
                self.daemon = self._start()
                end = asyncio.get_running_loop().time() + PATIENCE
            if condition():
                return
            assert asyncio.get_running_loop().time() < end, self.daemon.output[-3000:]
            await asyncio.sleep(0.02)

    def synced(self, commit: str) -> bool:
        return bool(self.daemon.heard("sync-finished", revision=commit))

    async def rest(self, expected: Stored | None) -> None:
        """Wait until the cluster holds `expected`, or has come to rest: pods start and stop, what is unused goes."""
        found = await stored(self._cluster.sandbox.transport())
        end = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < end:
            before, found = found, await stored(self._cluster.sandbox.transport())
            if found == expected or (expected is None and found == before and settled(found)):
                return
            await self.until(lambda: True)
            await asyncio.sleep(0.1)


async def story(
    folder: Path, *, kill_at: Collection[int] = (), after: bool = False, expected: Stored | None = None
) -> Story:
    """Both commits, one after the other. With `expected`, wait until the cluster holds that."""
    repository = Repository(folder / "repository")
    first = repository.commit(FIRST, "First")
    async with gate(folder / "kubeconfig", nodes=True) as cluster:
        lives = Lives(folder, cluster)

        def kill(number: int) -> None:
            if number in kill_at:
                lives.daemon.kill()

        if after:
            cluster.after = kill
        else:
            cluster.before = kill
        try:
            await lives.until(partial(lives.synced, first))
            second = repository.commit(SECOND, "Second")
            await lives.until(partial(lives.synced, second))
            await lives.rest(expected)
            if kill_at and lives.count == 1:  # states were written together: this run needed fewer writes
                lives.daemon.kill()
                await lives.until(partial(lives.synced, second))
            while await asyncio.to_thread(lives.daemon.stop) != 0:  # it was killed as it wrote its last state
                await lives.until(partial(lives.synced, second))
        finally:
            lives.daemon.kill()
        transport = cluster.sandbox.transport()
        remembered = await StateStore(
            Cluster(transport, clock=SystemClock(), random=Random(0)), "default", clock=SystemClock()
        ).load("shop")
        return Story(await stored(transport), timeless(remembered), cluster.writes, lives.count)


def timeless(state: SourceState) -> SourceState:
    """`state` without what depends on when, and how often, something was tried."""
    assert state.seen is not None
    assert state.applied is not None
    still = datetime(2026, 1, 1, tzinfo=UTC)
    seen, applied = replace(state.seen, time=still), replace(state.applied, time=still)
    return replace(state, seen=seen, applied=applied, history=())


def settled(found: Stored) -> bool:
    """Whether the pods of the second commit run and those of the first are gone, and so is its file."""
    status = found.ours["Deployment/shop/web"]["status"]
    pods = sum(count for name, count in found.others.items() if name.startswith("Pod in shop of ReplicaSet/"))
    jobs = [found.ours[name] for name in found.ours if name.startswith("Job/")]
    maps = [name for name in found.ours if name.startswith("ConfigMap/")]
    ready = status.get("readyReplicas") == pods == 1 and len(maps) == MAPS
    return ready and all("succeeded" in job["status"] for job in jobs)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story without a kill."""
    return asyncio.run(story(tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize("point", range(KILLS))
async def test_a_kill_at_any_write_ends_in_the_same_state(point: int, tmp_path: Path, undisturbed: Story) -> None:
    points = 2 * len(undisturbed.writes)  # before and after each write
    at, after = divmod(point * points // KILLS, 2)
    killed = await story(tmp_path, kill_at=[at + 1], after=bool(after), expected=undisturbed.stored)
    assert killed.stored.ours == undisturbed.stored.ours
    assert killed.stored.others == undisturbed.stored.others, "no orphan, no duplicate, a pod for each Job"
    assert killed.remembered == undisturbed.remembered
    assert killed.lives >= 2


async def test_the_undisturbed_story_is_the_one_that_is_meant(undisturbed: Story) -> None:
    ours, others = undisturbed.stored
    kinds = Counter(name.split("/", 1)[0] for name in ours)
    assert kinds == {"ConfigMap": MAPS, "Namespace": 1, "Deployment": 1, "Job": 2}
    assert ours["Deployment/shop/web"]["status"]["readyReplicas"] == 1
    jobs = sorted(name for name in ours if name.startswith("Job/"))
    assert all(ours[name]["status"]["succeeded"] == 1 for name in jobs)
    assert [others[f"Pod in shop of Job/{name.rpartition('/')[2]}"] for name in jobs] == [1, 1]
    gone = {write for write in undisturbed.writes if write.startswith("DELETE")}  # one that lost a race is sent again
    assert len(gone) == 3, "two by Git, one replaced file"
    assert 2 * len(undisturbed.writes) >= 50
    assert undisturbed.lives == 1
    assert undisturbed.remembered.applied.commit == undisturbed.remembered.seen.commit


async def test_a_daemon_that_is_killed_again_and_again_gets_there(tmp_path: Path, undisturbed: Story) -> None:
    killed = await story(tmp_path, kill_at=range(4, 40, 6), expected=undisturbed.stored)
    assert killed.stored == undisturbed.stored
    assert killed.remembered == undisturbed.remembered
    assert killed.lives >= 4
