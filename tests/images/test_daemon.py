"""The daemon and everything around it, all of it real but the cluster: from a push to pods that run what was built."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from git_server import GitServer
from job_containers import run_containers
from processes import LIMIT
from pushed_repository import PushedRepository
from registry_server import RegistryServer
from small_images import push_image
from texts import NAMESPACE, deployment
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.daemon.imaging import trust_of
from reconciler.errors import ConfigError, ImageRefused
from reconciler.http.transport import Request
from reconciler.images.job import WORK
from reconciler.images.lock import parse
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.session import Session
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.change import Live
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType
from reconciler.model.image import JobSettings, JobTool
from reconciler.model.imaging import BuildConfig, BuilderKind, ImagesConfig, SignatureRule, WriteBack, WriteBackConfig
from reconciler.sandbox.server import Sandbox

WEB = """apiVersion: reconciler.dev/v1
kind: Image
metadata: {{name: web}}
spec:
  repository: {web}
  build: {{context: ../code/web}}
---
apiVersion: reconciler.dev/v1
kind: Image
metadata: {{name: redis}}
spec:
  repository: {redis}
  follow: {{semver: ^7}}
"""
FROM = "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nCOPY word /word\n"
FAILS = FROM + 'RUN ["/bin/busybox", "sh", "-c", "echo the last words; exit 3"]\n'
HANGS = FROM + 'RUN ["/bin/busybox", "sleep", "600"]\n'
JSON = {"content-type": "application/json"}
LOCK = "deploy/images.lock.yaml"


class Shop:
    """A repository behind HTTP, a registry, a cluster, and daemons one after the other."""

    def __init__(self, folder: Path, busybox: Path, names: Callable[[str], str], git: GitServer) -> None:
        self.folder = folder
        self.sandbox = Sandbox(clock=LoopClock())
        self.url = git.url("shop.git")
        self.names = {name: names(name) for name in ("web", "redis")}
        self.repository = PushedRepository(
            folder / "work",
            folder / "srv/shop.git",
            {
                "deploy/namespace.yaml": NAMESPACE,
                "deploy/images.yaml": WEB.format(**self.names),
                "deploy/web.yaml": deployment("web", "web"),
                "deploy/redis.yaml": deployment("redis", "redis"),
                "code/web/Containerfile": FROM,
                "code/web/busybox": busybox.read_bytes(),
                "code/web/word": "1",
            },
        )

    async def push(self, files: Mapping[str, str | bytes | None]) -> str:
        return await asyncio.to_thread(self.repository.push, files)

    def locked(self) -> dict[str, str]:
        """What the lock file at the server says of each Image."""
        try:
            text = self.repository.git("--git-dir", str(self.repository.bare), "show", f"main:{LOCK}")
        except subprocess.CalledProcessError:
            return {}
        return {key: str(one.reference) for key, one in parse(text.encode(), LOCK).items()}

    async def subjects(self) -> list[str]:
        return await asyncio.to_thread(self.repository.subjects)

    def daemon(self, **images: Any) -> AbstractAsyncContextManager[VirtualDaemon]:
        stated: dict[str, Any] = {"url": self.url, "paths": ("deploy",), "namespace": "shop", "interval": 1.0}
        back = WriteBackConfig(mode=WriteBack.COMMIT)
        return daemon(
            self.sandbox.transport(),
            sources=[SourceConfig(name="shop", **stated)],
            cache=self.folder / "cache",
            images=ImagesConfig(interval=2.0, write_back=back, **images),
        )

    async def runs(self, it: VirtualDaemon, name: str = "web") -> str:
        live = await it.cluster.get(Identity("apps", "Deployment", "shop", name))
        return str(live.object["spec"]["template"]["spec"]["containers"][0]["image"]) if live else ""


@pytest.fixture
async def shop(
    builders: Path, open_registry: RegistryServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Shop]:
    (tmp_path / "srv").mkdir()
    with GitServer(tmp_path / "srv") as git:
        yield Shop(tmp_path, builders, lambda name: open_registry.name(f"{request.node.name}/{name}"), git)


@asynccontextmanager
async def ended(running: AbstractAsyncContextManager[VirtualDaemon]) -> AsyncIterator[VirtualDaemon]:
    """A daemon that ends within the time that it has, whatever it is at."""
    async with running as it:
        yield it
        it.stop.set()
        assert it.task is not None
        async with asyncio.timeout(LIMIT):
            await asyncio.shield(it.task)


async def test_from_a_push_to_what_runs(shop: Shop, session: Callable[..., Session]) -> None:
    redis = Reference.parse(shop.names["redis"]).repository
    old = await push_image(Pusher(session()), redis, "7.0.0", b"old")
    async with ended(shop.daemon()) as it:
        await it.until(lambda: len(shop.locked()) == 2, seconds=60)
        web = await shop.runs(it)
        assert web.startswith(f"{shop.names['web']}:inputs-")
        assert await shop.runs(it, "redis") == f"{shop.names['redis']}:7.0.0@{old}"
        assert len(it.heard(EventType.BUILT, source="")) == 1

        # What runs is in Git, word for word; nothing goes round in circles.
        assert set(shop.locked().values()) == {web, f"{shop.names['redis']}:7.0.0@{old}"}
        subjects = await shop.subjects()
        new = await push_image(Pusher(session()), redis, "7.2.0", b"new")
        await it.until(lambda: f"{shop.names['redis']}:7.2.0@{new}" in shop.locked().values(), seconds=60)
        tip = await asyncio.to_thread(shop.repository.tip)
        await it.until(lambda: it.synced(tip), seconds=60)
        assert await shop.runs(it, "redis") == f"{shop.names['redis']}:7.2.0@{new}"
        assert await shop.runs(it) == web
        assert await shop.subjects() == ["images: redis from 7.0.0 to 7.2.0", *subjects]

        # A build that fails is told with its last words, and changes nothing.
        await shop.push({"code/web/Containerfile": FAILS})
        await it.until(lambda: it.heard(EventType.IMAGE_HELD), seconds=60)
        (said,) = it.heard(EventType.IMAGE_HELD)
        assert "the last words" in said
        assert await shop.runs(it) == web

        # One that hangs does not keep the daemon from ending.
        await shop.push({"code/web/Containerfile": HANGS})
        await it.until(lambda: len(it.heard(EventType.BUILDING, source="")) == 3, seconds=60)
    assert len(list((shop.folder / "cache/builds").iterdir())) == 1, "left to the next life"

    # Which builds what is in Git by then, and clears away what the one before left.
    last = await shop.push({"code/web/Containerfile": FROM, "code/web/word": "2"})
    async with ended(shop.daemon()) as it:
        await it.until(lambda: web not in shop.locked().values(), seconds=60)
        assert it.synced(last)
        assert await shop.runs(it) in shop.locked().values()
    assert list((shop.folder / "cache/builds").iterdir()) == []


def test_keys_that_cannot_be_used_are_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        trust_of(SignatureRule("r.io/", (str(tmp_path / "cosign.pub"),)))
    (tmp_path / "cosign.pub").write_text("no key")
    with pytest.raises(ImageRefused, match="holds no public key"):
        trust_of(SignatureRule("r.io/", (str(tmp_path / "cosign.pub"),)))


async def kubelet(it: VirtualDaemon, folder: Path) -> None:
    """Runs the containers of the one Job that there will be, with their own commands, on this machine."""
    jobs: list[Live] = []
    while not jobs:
        await asyncio.sleep(0.1)
        jobs = await it.cluster.list(GroupKind("batch", "Job"), "builds")
    text = json.dumps(jobs[0].object).replace(str(WORK), str(folder))
    await asyncio.to_thread(run_containers, json.loads(text), [])
    done = {"conditions": [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]}
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:01Z", "succeeded": 1}
    path = f"/apis/batch/v1/namespaces/builds/jobs/{jobs[0].identity.name}/status"
    body = json.dumps({"status": {**done, **times}}).encode()
    headers = {"content-type": "application/merge-patch+json"}
    answer = await it.cluster.transport.send(Request("PATCH", path, (), headers, body))
    assert answer.status == 200, answer.body


async def test_builds_in_the_cluster(shop: Shop) -> None:
    """The daemon makes the Job, goes on with what it pushed, and clears away. The kubelet's part is played here."""
    await shop.push({"deploy/redis.yaml": None, "deploy/images.yaml": WEB.format(**shop.names).partition("---")[0]})
    await shop.sandbox.handle(Request("POST", "/api/v1/namespaces", (), JSON, b'{"metadata":{"name":"builds"}}'))
    settings = JobSettings(fetch_image="r/us", tool=JobTool.BUILDAH, tool_image="r/buildah", namespace="builds")
    build = BuildConfig(builder=BuilderKind.JOB, job=settings)
    async with ended(shop.daemon(build=build)) as it:
        playing = asyncio.create_task(kubelet(it, shop.folder / "pod"))
        await it.until(lambda: any("web" in key for key in shop.locked()), seconds=60)
        async with asyncio.timeout(10):
            await playing
        assert await shop.runs(it) in shop.locked().values()
        assert await it.cluster.list(GroupKind("batch", "Job"), "builds") == []
