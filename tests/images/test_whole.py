"""All of it together, and all of it real: Git over HTTP, Buildah, Debian's docker-registry, a lock that is pushed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from git_server import GitServer
from pushed_repository import PushedRepository
from registry_server import RegistryServer
from small_images import push_image

from reconciler.clock import LoopClock, SystemClock
from reconciler.images.buildah import Buildah
from reconciler.images.builder import Log, Work
from reconciler.images.builds import Builds
from reconciler.images.inputs import Tree
from reconciler.images.lock import parse
from reconciler.images.pins import Pinner
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.registry import MANIFEST, Registry
from reconciler.images.session import Session
from reconciler.images.stated import Commit, Origin, Pin, Stated
from reconciler.images.writeback import write
from reconciler.kube.names import Identity
from reconciler.model.config import SourceConfig
from reconciler.model.image import Build, Follow
from reconciler.model.snapshot import Blobs
from reconciler.source.branch import BranchWriter
from reconciler.source.repository import GitSource

LOCK = "deploy/images.lock.yaml"
BASE = 'FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nRUN ["/bin/busybox", "ln", "-s", "busybox", "/bin/sh"]\n'


class Counted:
    """Buildah, and what it was asked to build."""

    def __init__(self, inner: Buildah) -> None:
        self._inner = inner
        self.built: list[str] = []

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        self.built.append(work.target.repository.path)
        return await self._inner.build(work, blobs, log)


class Shop:
    """A repository with three images: a base, one on top of it, and one that is followed."""

    def __init__(self, folder: Path, busybox: Path, registry: RegistryServer, git: GitServer, session: Session) -> None:
        self.name = registry.name
        self.session = session
        self.registry = Registry(session)
        self.builder = Counted(Buildah(session, Pusher(session), folder / "builds"))
        config = SourceConfig(name="shop", url=git.url("shop.git"), timeout=30.0)
        self.source = GitSource(config, folder / "cache", clock=LoopClock(), random=Random(1))
        self.branches = BranchWriter(config, folder / "cache", clock=SystemClock(), random=Random(1))
        self.pinner = self.new_pinner()
        files = {"base/Containerfile": BASE, "base/busybox": busybox.read_bytes(), **self.web("1")}
        self.repository = PushedRepository(folder / "work", folder / "srv/shop.git", files)

    def web(self, word: str) -> dict[str, str | bytes | None]:
        base = self.name("whole/base:latest")
        return {"web/Containerfile": f"FROM {base}\nCOPY . /web\nRUN cat /web/word\n", "web/word": word}

    def new_pinner(self) -> Pinner:
        """As after a restart of the daemon."""
        clock = SystemClock()
        return Pinner(self.registry, clock, Builds(self.registry, self.builder, clock))

    def images(self, *names: str) -> list[Stated]:
        return [
            Stated(
                Identity("reconciler.dev", "Image", "shop", name),
                "deploy/image.yaml",
                self.name(f"whole/{name}"),
                follow=Follow("^7") if name == "redis" else None,
                build=None if name == "redis" else Build(f"../{name}"),
            )
            for name in names
        ]

    async def head(self) -> Commit:
        poll = await self.source.poll()
        assert poll.snapshot is not None, poll.error
        tree = Tree(await self.source.tree(poll.snapshot.revision.commit))
        return Commit("shop", tree, self.source)

    async def settle(self, *names: str) -> dict[str, Pin]:
        """What the images mean at the branch's tip; all of them must be known."""
        pins = await self.pinner.settle(self.images(*names), await self.head(), {})
        for pin in pins.values():
            assert isinstance(pin, Pin), pin
        return {identity.name: pin for identity, pin in pins.items() if isinstance(pin, Pin)}

    async def write_back(self, *names: str) -> str:
        """Scan, and commit what it found; the commit's id."""
        commit = await self.head()
        pins = await self.pinner.settle(self.images(*names), commit, {})
        changes, failed = await self.pinner.scan(self.images(*names), commit, pins)
        assert failed == {}
        return (await write(changes, self.branches, branch="main")).commit


@pytest.fixture
async def shop(builders: Path, open_registry: RegistryServer, session: Callable[..., Session], tmp_path: Path):
    (tmp_path / "srv").mkdir()
    with GitServer(tmp_path / "srv") as git:
        made = Shop(tmp_path, builders, open_registry, git, session())
        yield made
        await made.pinner.close()
        await made.source.close()


async def test_from_a_commit_to_a_lock_and_on(shop: Shop) -> None:
    pusher = Pusher(shop.session)
    redis = Reference.parse(shop.name("whole/redis:7.0.0")).repository
    old = await push_image(pusher, redis, "7.0.0", b"old")
    base = (await shop.settle("base"))["base"].reference
    content = (await shop.registry.manifest(base)).content
    await pusher.manifest(base.repository.at(tag="latest"), content, MANIFEST)

    first = await shop.settle("base", "web", "redis")
    assert {name: pin.origin for name, pin in first.items()} == {
        "base": Origin.BUILD, "web": Origin.BUILD, "redis": Origin.REGISTRY
    }  # fmt: skip
    assert first["redis"].reference == redis.at(tag="7.0.0", digest=old)
    assert shop.builder.built == ["whole/base", "whole/web"]

    # What was found is written back; the lock then says the same, and nothing is built or asked for it.
    assert await shop.write_back("base", "web", "redis")
    locked = await shop.settle("base", "web", "redis")
    assert {pin.origin for pin in locked.values()} == {Origin.LOCK}
    assert {n: p.reference for n, p in locked.items()} == {n: p.reference for n, p in first.items()}
    assert await shop.write_back("base", "web", "redis") == ""  # no loop
    assert shop.builder.built == ["whole/base", "whole/web"]

    # A newer version appears: it is proposed, and runs when it is in the lock, not before.
    new = await push_image(pusher, redis, "7.2.0", b"new")
    assert (await shop.settle("redis"))["redis"].reference.digest == old
    assert await shop.write_back("redis")
    assert (await shop.settle("redis"))["redis"].reference == redis.at(tag="7.2.0", digest=new)
    subjects = await asyncio.to_thread(shop.repository.subjects)
    assert subjects[0] == "images: redis from 7.0.0 to 7.2.0"

    # A commit to the code of one image builds that one, also after a restart; the lock keeps the others.
    await asyncio.to_thread(shop.repository.push, shop.web("2"))
    shop.builder.built.clear()
    shop.pinner = shop.new_pinner()
    moved = await shop.settle("base", "web", "redis")
    assert shop.builder.built == ["whole/web"]
    assert {name: pin.origin for name, pin in moved.items()} == {
        "base": Origin.LOCK, "web": Origin.BUILD, "redis": Origin.LOCK
    }  # fmt: skip
    assert moved["web"].reference.digest != first["web"].reference.digest

    # Killed before it could write that back: the next life finds it in the registry.
    shop.builder.built.clear()
    shop.pinner = shop.new_pinner()
    assert (await shop.settle("web"))["web"].reference == moved["web"].reference
    assert shop.builder.built == []

    # The code is reverted: the lock of then fits again.
    await asyncio.to_thread(shop.repository.push, shop.web("1"))
    assert (await shop.settle("web"))["web"].reference == first["web"].reference
    assert shop.builder.built == []

    # A person pins another version by hand while a scan is under way: theirs stands.
    commit = await shop.head()
    pins = await shop.pinner.settle(shop.images("redis"), commit, {})
    await push_image(pusher, redis, "7.4.0", b"newest")
    changes, _failed = await shop.pinner.scan(shop.images("redis"), commit, pins)
    assert [change.after.tag for change in changes] == ["7.4.0"]
    text = (await shop.source.read([found.blob]))[found.blob] if (found := commit.tree.find(LOCK)) else b""
    assert parse(text, LOCK)["Image/shop/redis"].tag == "7.2.0"
    by_hand = text.decode().replace('"7.2.0"', '"7.0.0"').replace(new, old) + "# held: 7.2 is slow\n"
    await asyncio.to_thread(shop.repository.push, {LOCK: by_hand})
    assert (await write(changes, shop.branches, branch="main")).commit == ""
    assert (await shop.settle("redis"))["redis"].reference == redis.at(tag="7.0.0", digest=old)
