"""Git that fails, or says something odd: the last good revision stays in force, and nothing is pruned."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from git_repository import Repository
from git_server import Fault, GitServer
from stored_objects import stored
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.config import GitLimits, SourceConfig
from reconciler.model.event import EventType
from reconciler.sandbox.server import Sandbox

HOUR = 3600.0
FILES = {"ns.yaml": NAMESPACE, "a.yaml": config("a"), "b.yaml": config("b")}
ALL = {"Namespace/shop", "ConfigMap/shop/a", "ConfigMap/shop/b"}


class Scene:
    """A repository with a first commit, a server for it, and a sandbox."""

    def __init__(self, folder: Path, server: GitServer) -> None:
        self.repository = Repository(folder / "shop")
        self.commit = self.repository.commit(FILES, "First")
        self.sandbox = Sandbox(clock=LoopClock())
        self.server = server
        self._cache = folder / "cache"

    def daemon(self, **config: object) -> AbstractAsyncContextManager[VirtualDaemon]:
        stated = {"name": "shop", "url": self.server.url("shop/.git"), "namespace": "shop", "timeout": 30.0, **config}
        source = SourceConfig(**stated)
        return daemon(self.sandbox.transport(), sources=[source], cache=self._cache, install="test")

    async def ours(self) -> set[str]:
        return set((await stored(self.sandbox.transport())).ours)

    async def value(self, name: str) -> str:
        found: str = (await stored(self.sandbox.transport())).ours[f"ConfigMap/shop/{name}"]["data"]["value"]
        return found

    async def drift(self) -> None:
        """Somebody edits what the first commit states."""
        headers = {"content-type": "application/merge-patch+json"}
        body = b'{"data":{"value":"by hand"}}'
        path = "/api/v1/namespaces/shop/configmaps/a"
        request = Request("PATCH", path, (("fieldManager", "somebody"),), headers, body)
        assert (await self.sandbox.handle(request)).status == 200


@pytest.fixture
def scene(tmp_path: Path) -> Callable[[], Scene]:
    with GitServer(tmp_path) as server:
        yield lambda: Scene(tmp_path, server)


def disappears(scene: Scene) -> Callable[[], object]:
    away = scene.repository.path.with_name("away")
    scene.repository.path.rename(away)
    return lambda: away.rename(scene.repository.path)


def loses_its_branch(scene: Scene) -> Callable[[], object]:
    scene.repository.git("branch", "--move", "main", "other")
    return lambda: scene.repository.git("branch", "--move", "other", "main")


def becomes_empty(scene: Scene) -> Callable[[], object]:
    back = disappears(scene)
    Repository(scene.repository.path)

    def restore() -> None:
        scene.repository.path.rename(scene.repository.path.with_name("empty"))
        back()

    return restore


def server(fault: Fault) -> Callable[[Scene], Callable[[], object]]:
    def begin(scene: Scene) -> Callable[[], object]:
        scene.server.fault = fault
        return lambda: setattr(scene.server, "fault", Fault.NONE)

    return begin


HANGS = "the server hangs"
FAULTS = {
    "the repository disappears": (disappears, "no repository"),
    "the branch is deleted": (loses_its_branch, "main"),
    "the repository becomes empty": (becomes_empty, "empty"),
    HANGS: (server(Fault.HANG), "2 s"),
    "the server fails": (server(Fault.ERROR), "no usable answer"),
    "the server hangs up": (server(Fault.DROP), "no usable answer"),
    "the server says something else": (server(Fault.GARBAGE), "not Git's protocol"),
}


@pytest.mark.parametrize("fault", FAULTS)
@virtual
async def test_the_last_good_revision_stays_in_force_while(fault: str, scene: Callable[[], Scene]) -> None:
    begin, words = FAULTS[fault]
    it = scene()
    patience = 2.0 if fault == HANGS else 30.0  # seconds of real time, also for what Git does before and after
    async with it.daemon(timeout=patience) as running:
        await running.until(lambda: running.synced(it.commit))
        before = len(running.heard(EventType.SOURCE_UNREACHABLE))  # a busy machine's Git may need more than two seconds
        end = begin(it)
        await running.until(lambda: len(running.heard(EventType.SOURCE_UNREACHABLE)) > before)
        await it.drift()
        await running.until(lambda: running.heard(EventType.HEALED))
        assert await it.value("a") == "1", "what Git last stated is still healed"
        await asyncio.sleep(600)
        (said,) = running.heard(EventType.SOURCE_UNREACHABLE)[before:]
        assert words in said
        assert await it.ours() == ALL
    async with it.daemon(timeout=patience) as running:  # and over a restart
        await asyncio.sleep(60)
        await it.drift()
        await running.until(lambda: running.heard(EventType.HEALED))
        assert await it.ours() == ALL
        end()
        commit = it.repository.commit({"a.yaml": config("a", "2"), "b.yaml": None}, "Second")
        await running.until(lambda: running.synced(commit), seconds=HOUR)
        assert running.heard(EventType.SOURCE_RECOVERED)
        assert await it.value("a") == "2"
        assert await it.ours() == ALL - {"ConfigMap/shop/b"}


@virtual
async def test_rewritten_history_is_followed(scene: Callable[[], Scene]) -> None:
    it = scene()
    second = it.repository.commit({"b.yaml": config("b", "2"), "c.yaml": config("c")}, "Second")
    async with it.daemon() as running:
        await running.until(lambda: running.synced(second))
        it.repository.git("reset", "--hard", "--quiet", "HEAD~1")
        third = it.repository.commit({"b.yaml": config("b", "3")}, "Instead")
        await running.until(lambda: running.synced(third))
        assert await it.value("b") == "3"
        assert await it.ours() == ALL, "what only the rewritten commit stated is pruned like anything else"


@virtual
async def test_a_moved_tag_is_followed(scene: Callable[[], Scene]) -> None:
    it = scene()
    it.repository.git("tag", "live")
    async with it.daemon(ref="live") as running:
        await running.until(lambda: running.synced(it.commit))
        second = it.repository.commit({"a.yaml": config("a", "2")}, "Second")
        await asyncio.sleep(120)
        assert await it.value("a") == "1"
        it.repository.git("tag", "--force", "live")
        await running.until(lambda: running.synced(second))
        assert await it.value("a") == "2"


@virtual
async def test_a_huge_file_is_named_and_prunes_nothing(scene: Callable[[], Scene]) -> None:
    """Nobody knows what it would state (rule 10)."""
    it = scene()
    async with it.daemon(limits=GitLimits(blob_bytes=10_000)) as running:
        await running.until(lambda: running.synced(it.commit))
        huge = config("b") + "# " + "x" * 20_000 + "\n"
        commit = it.repository.commit({"b.yaml": huge, "a.yaml": None, "c.yaml": config("c")}, "Huge")
        await running.until(lambda: running.synced(commit))
        assert await it.ours() == ALL | {"ConfigMap/shop/c"}
        assert any("b.yaml" in said for said in running.heard(EventType.INVALID))
        commit = it.repository.commit({"b.yaml": config("b")}, "Small again")
        await running.until(lambda: running.synced(commit))
        assert await it.ours() == ALL - {"ConfigMap/shop/a"} | {"ConfigMap/shop/c"}


@virtual
async def test_a_symlink_is_named_and_not_followed(scene: Callable[[], Scene], tmp_path: Path) -> None:
    it = scene()
    secret = tmp_path / "outside.yaml"
    secret.write_text(config("outside"))
    async with it.daemon() as running:
        await running.until(lambda: running.synced(it.commit))
        (it.repository.path / "link.yaml").symlink_to(secret)
        (it.repository.path / "b.yaml").unlink()
        (it.repository.path / "b.yaml").symlink_to("a.yaml")
        commit = it.repository.commit({"c.yaml": config("c")}, "Links")
        await running.until(lambda: running.synced(commit))
        assert await it.ours() == ALL | {"ConfigMap/shop/c"}, "b is kept: its file is there and cannot be read"
        said = running.heard(EventType.INVALID)
        assert any("link.yaml" in each for each in said)
        assert any("b.yaml" in each for each in said)
