"""What following a repository costs, counted: requests to Kubernetes, blobs that are read, Git commands."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from git_repository import Repository
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.model.config import SourceConfig
from reconciler.sandbox.server import Sandbox
from reconciler.source.repository import GitSource

OBJECTS = 5000
HOUR = 3600.0


def text(number: int, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{value: '{value}'}}\n"


class CountedSource(GitSource):
    """Notes the blobs that are read; only those are parsed."""

    def __init__(self, config: SourceConfig, cache: Path) -> None:
        self.commands: list[str] = []
        self.blobs: list[str] = []
        note = self.commands.append
        super().__init__(
            config, cache, clock=LoopClock(), random=Random(7), observe=lambda command: note(" ".join(command[:2]))
        )

    async def read(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        self.blobs.extend(ids)
        return await super().read(ids)


def since(running: VirtualDaemon, before: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Requests since `before`, besides opened watches: the server ends one every five to ten minutes."""
    return {key: count for key, count in (running.requests() - before).items() if key[0] != "watch"}


@virtual
async def test_5000_objects_cost_nothing_while_nothing_changes_and_then_one_blob_and_one_apply(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "shop")
    files = {f"apps/team{n % 50}/c{n}.yaml": text(n) for n in range(OBJECTS)}
    start = repository.commit(files, "Start")
    config = SourceConfig(name="shop", url=str(repository.path))
    source = CountedSource(config, tmp_path / "cache")
    transport = Sandbox(clock=LoopClock()).transport()
    async with daemon(transport, {"shop": source}, sources=[config]) as running:
        await running.until(lambda: running.synced(start), seconds=HOUR)
        assert len(source.blobs) == OBJECTS
        await asyncio.sleep(10)
        before = running.requests()
        source.commands.clear()
        source.blobs.clear()

        await asyncio.sleep(HOUR)
        assert since(running, before) == {}
        assert (running.requests() - before)["watch", "configmaps"] <= 2 * 12, "one of the objects, one of the state"
        assert set(source.commands) == {"ls-remote --quiet"}
        assert 55 <= len(source.commands) <= 67, "a poll a minute, one Git command each"

        commit = repository.commit({"apps/team3/c3.yaml": text(3, "2")}, "One line")
        await running.until(lambda: running.synced(commit))
        await asyncio.sleep(10)
        assert len(source.blobs) == 1
        assert since(running, before) == {("apply", "configmaps"): 1, ("update", "configmaps"): 1}, "and the history"
