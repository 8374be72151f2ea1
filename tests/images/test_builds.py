"""Which builds run: once, so many at a time, and none in vain. In virtual time, with a builder that only waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from memory_registry import MemoryRegistries, MemoryRegistry
from memory_tree import MemoryTree
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.errors import BuildFailed, ImageError, ImageMissing, RegistryUnreachable
from reconciler.http.transport import Response
from reconciler.images.builder import Log, Work
from reconciler.images.builds import BASE_LIFE, Builds
from reconciler.images.inputs import Gatherer, Inputs
from reconciler.images.reference import Repository
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.model.image import Build, Built
from reconciler.model.snapshot import Blobs

WEB = Repository.parse("r.example.com/web")


class Waiting:
    """A Builder that takes ten seconds, then puts something under the tag."""

    def __init__(self, registry: MemoryRegistry) -> None:
        self._registry = registry
        self.started: list[str] = []
        self.ended: list[str] = []
        self.at_once = 0
        self.most = 0
        self.bases: list[dict[str, str]] = []
        self.fails: ImageError | None = None

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        self.started.append(work.target.tag)
        self.bases.append({name: base.digest for name, base in work.bases.items()})
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        log("building")
        try:
            await asyncio.sleep(10)
            if self.fails:
                raise self.fails
            return self._registry.put(work.target.repository.path, work.target.tag, work.target.tag.encode())
        finally:
            self.at_once -= 1
            self.ended.append(work.target.tag)


@pytest.fixture
def builder(shop: MemoryRegistry) -> Waiting:
    return Waiting(shop)


@pytest.fixture
def new_builds(memory_session: Callable[..., Session], builder: Waiting) -> Callable[..., Builds]:
    def make(**options: Any) -> Builds:
        return Builds(Registry(memory_session()), builder, LoopClock(), **options)

    return make


async def inputs_of(content: str, containerfile: str = "FROM scratch\n") -> tuple[Inputs, MemoryTree]:
    memory = MemoryTree({"Containerfile": containerfile, "main.py": content})
    return await Gatherer().gather(Build("."), "image.yaml", memory.tree, memory), memory


async def ensure(builds: Builds, owner: str, content: str, repository: Repository = WEB) -> Built:
    return await builds.ensure(owner, repository, *await inputs_of(content))


@virtual
async def test_what_the_registry_has_is_not_built(
    new_builds: Callable[..., Builds], builder: Waiting, world: MemoryRegistries
) -> None:
    first = await ensure(new_builds(), "a", "1")
    assert (first.built, first.seconds) == (True, 10)
    builds = new_builds()  # another life of the daemon
    again = await ensure(builds, "a", "1")
    assert (again.built, again.digest, again.tag) == (False, first.digest, first.tag)
    asked = len(world.seen)
    await ensure(builds, "a", "1")
    assert len(world.seen) == asked  # what was seen once is not asked for again
    assert len(builder.started) == 1
    builds.forget(WEB.at(tag=first.tag))
    await ensure(builds, "a", "1")
    assert len(world.seen) == asked + 1


@virtual
async def test_the_same_inputs_are_built_once_for_all(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    builds = new_builds()
    found = await asyncio.gather(*(ensure(builds, f"source {n}", "1") for n in range(20)))
    assert len({one.digest for one in found}) == 1
    assert len(builder.started) == 1
    assert builds.running == ()


@virtual
async def test_so_many_at_a_time(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    builds = new_builds(parallel=3)
    await asyncio.gather(*(ensure(builds, str(n), str(n)) for n in range(10)))
    assert builder.most == 3
    assert len(builder.started) == 10


@virtual
async def test_a_newer_commit_cancels_what_nobody_else_wants(
    new_builds: Callable[..., Builds], builder: Waiting
) -> None:
    builds = new_builds()
    old = asyncio.create_task(ensure(builds, "a", "old"))
    await asyncio.sleep(5)
    new = asyncio.create_task(ensure(builds, "a", "new"))
    with pytest.raises(BuildFailed, match="a newer commit asks for something else"):
        await old
    assert asyncio.get_running_loop().time() == 5
    assert (await new).built
    assert len(builder.ended) == 2


@virtual
async def test_what_somebody_else_waits_for_goes_on(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    builds = new_builds()
    old = [asyncio.create_task(ensure(builds, owner, "old")) for owner in ("a", "b")]
    await asyncio.sleep(5)
    await ensure(builds, "a", "new")
    assert (await old[1]).built
    assert len(builder.started) == 2
    assert await old[0] == await old[1]


@virtual
async def test_back_and_forth(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    """A commit is reverted while its build runs, before the cancelled one has ended."""
    builds = new_builds()
    old = asyncio.create_task(ensure(builds, "a", "old"))
    await asyncio.sleep(5)
    new = asyncio.create_task(ensure(builds, "a", "new"))
    await asyncio.sleep(0)
    again = asyncio.create_task(ensure(builds, "a", "old"))
    outcomes = await asyncio.gather(old, new, again, return_exceptions=True)
    assert [type(one) for one in outcomes] == [BuildFailed, BuildFailed, Built]
    assert builder.at_once == 0


@virtual
async def test_a_pass_that_is_cancelled_ends_its_builds(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    builds = new_builds()
    waiting = asyncio.create_task(ensure(builds, "a", "1"))
    await asyncio.sleep(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await builds.close()
    assert builder.at_once == 0
    assert builds.running == ()
    assert (await ensure(builds, "a", "1")).built


@virtual
async def test_closing_ends_all(new_builds: Callable[..., Builds], builder: Waiting) -> None:
    builds = new_builds(parallel=1)
    waiting = [asyncio.create_task(ensure(builds, str(n), str(n))) for n in range(3)]
    await asyncio.sleep(5)
    await builds.close()
    assert builder.at_once == 0
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, BuildFailed)


@virtual
async def test_a_failure_is_told_to_all_who_wait_and_tried_again_when_asked(
    new_builds: Callable[..., Builds], builder: Waiting
) -> None:
    builds = new_builds()
    builder.fails = BuildFailed("no luck", log=("line",))
    outcomes = await asyncio.gather(*(ensure(builds, owner, "1") for owner in "abc"), return_exceptions=True)
    assert [str(one) for one in outcomes] == ["no luck"] * 3
    builder.fails = None
    assert (await ensure(builds, "a", "1")).built


@virtual
async def test_bases_are_pinned_once_for_a_while(
    new_builds: Callable[..., Builds], builder: Waiting, shop: MemoryRegistry, world: MemoryRegistries
) -> None:
    builds = new_builds(parallel=10)
    first = shop.put("base", "1", b"{}")
    gathered = [await inputs_of(str(n), "FROM r.example.com/base:1\n") for n in range(10)]
    found = await asyncio.gather(*(builds.ensure(n, WEB, *one) for n, one in enumerate(gathered)))
    assert world.asked().count("HEAD /v2/base/manifests/1") == 1
    assert builder.bases == [{"r.example.com/base:1": first}] * 10
    shop.put("base", "1", b'{"moved": 1}')
    assert not (await builds.ensure(0, WEB, *gathered[0])).built
    await asyncio.sleep(BASE_LIFE)
    moved = await builds.ensure(0, WEB, *gathered[0])
    assert moved.built
    assert moved.tag != found[0].tag


@virtual
async def test_a_base_that_is_missing_fails_its_own_builds_only(
    new_builds: Callable[..., Builds], shop: MemoryRegistry
) -> None:
    builds = new_builds()
    with pytest.raises(ImageMissing, match=r"r\.example\.com/base:1"):
        await builds.ensure("a", WEB, *await inputs_of("1", "FROM r.example.com/base:1\n"))
    assert (await ensure(builds, "b", "1")).built
    shop.put("base", "1", b"{}")
    assert (await builds.ensure("a", WEB, *await inputs_of("1", "FROM r.example.com/base:1\n"))).built


@virtual
async def test_a_registry_that_cannot_be_asked_begins_no_build(
    new_builds: Callable[..., Builds], builder: Waiting, shop: MemoryRegistry
) -> None:
    shop.fault = lambda _request: Response(503, {}, b"")
    with pytest.raises(RegistryUnreachable):
        await ensure(new_builds(), "a", "1")
    assert builder.started == []


@virtual
async def test_lines_of_a_build_are_passed_on(new_builds: Callable[..., Builds]) -> None:
    said: list[str] = []
    builds = new_builds(said=lambda target, line: said.append(f"{target.repository}: {line}"))
    await ensure(builds, "a", "1")
    assert said == ["r.example.com/web: building"]
