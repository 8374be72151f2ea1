"""The door of the room: what every Image means in a commit, whatever works or does not."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from memory_builder import MemoryBuilder
from memory_registry import MemoryRegistries, MemoryRegistry
from memory_tree import MemoryTree
from signing import Pair, payload_of, simple, tag_of
from virtual import virtual

from reconciler.clock import LoopClock
from reconciler.errors import (
    BuildFailed,
    ImageAwaited,
    ImageError,
    ImageMissing,
    ImageRefused,
    ImageUntrusted,
    RegistryUnreachable,
    SourceError,
)
from reconciler.http.transport import Response
from reconciler.images.builds import Builds
from reconciler.images.lock import Locked, changed
from reconciler.images.pending import RETRY
from reconciler.images.pins import Pinner
from reconciler.images.reference import Reference, digest_of
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.images.stated import Commit, Origin, Pin, Stated
from reconciler.images.trust import Trust
from reconciler.images.writeback import Change
from reconciler.kube.names import Identity
from reconciler.model.image import Build, Follow

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
LOCK = "apps/images.lock.yaml"


@pytest.fixture
def builder(shop: MemoryRegistry) -> MemoryBuilder:
    return MemoryBuilder(shop)


@pytest.fixture
def pinner(memory_session: Callable[..., Session], builder: MemoryBuilder) -> Pinner:
    registry = Registry(memory_session())
    return Pinner(registry, LoopClock(), Builds(registry, builder, LoopClock()))


def image(name: str, **stated: Any) -> Stated:
    identity = Identity("reconciler.dev", "Image", "shop", name)
    return Stated(identity, "apps/image.yaml", **{"repository": f"r.example.com/{name}", **stated})


def commit(files: dict[str, Any] | None = None) -> Commit:
    memory = MemoryTree({"apps/image.yaml": "", **(files or {})})
    return Commit("shop", memory.tree, memory)


def locked(**entries: Locked) -> dict[str, bytes]:
    return {LOCK: changed(b"", {f"Image/shop/{name}": one for name, one in entries.items()}, "l")}


async def settled(pinner: Pinner, stated: Stated, made: Commit | None = None, before: str = "") -> Pin | ImageError:
    known = {stated.identity: Reference.parse(before)} if before else {}
    return (await pinner.settle([stated], made or commit(), known))[stated.identity]


@virtual
async def test_each_way_to_state_an_image(pinner: Pinner, shop: MemoryRegistry, builder: MemoryBuilder) -> None:
    tagged = shop.put("tagged", "1.4", b"{}")
    followed = shop.put("followed", "1.4.0", b"{}")
    files = {"apps/web/Containerfile": "FROM scratch\n"}
    images = [
        image("exact", digest=A),
        image("tagged", tag="1.4"),
        image("followed", follow=Follow(semver="^1")),
        image("built", build=Build("web")),
    ]
    pins = await pinner.settle(images, commit(files), {})
    found = {identity.name: pin for identity, pin in pins.items()}
    assert found["exact"] == Pin(Reference.parse(f"r.example.com/exact@{A}"), Origin.STATED)
    assert found["tagged"] == Pin(Reference.parse(f"r.example.com/tagged:1.4@{tagged}"), Origin.REGISTRY)
    assert found["followed"] == Pin(Reference.parse(f"r.example.com/followed:1.4.0@{followed}"), Origin.REGISTRY)
    assert found["built"].origin is Origin.BUILD
    assert builder.built == ["r.example.com/built"]


@virtual
async def test_a_lock_that_fits_wins_and_asks_nobody(
    pinner: Pinner, shop: MemoryRegistry, world: MemoryRegistries
) -> None:
    shop.put("redis", "7.2.5", b"{}")
    redis = image("redis", follow=Follow(semver="^7"))
    made = commit(locked(redis=Locked("r.example.com/redis", "7.2.4", A)))
    assert await settled(pinner, redis, made) == Pin(Reference.parse(f"r.example.com/redis:7.2.4@{A}"), Origin.LOCK)
    assert world.seen == []


@pytest.mark.parametrize(
    "entry",
    [
        Locked("r.example.com/other", "7.2.4", A),  # the repository was changed since
        Locked("r.example.com/redis", "6.0.0", A),  # the range was
        Locked("r.example.com/redis", "nightly", A),
    ],
)
def test_a_lock_that_does_not_fit_is_passed_over(entry: Locked, pinner: Pinner, shop: MemoryRegistry) -> None:
    @virtual
    async def asked() -> None:
        shop.put("redis", "7.2.5", b"{}")
        redis = image("redis", follow=Follow(semver="^7"))
        pin = await settled(pinner, redis, commit(locked(redis=entry)))
        assert isinstance(pin, Pin)
        assert (pin.reference.tag, pin.origin) == ("7.2.5", Origin.REGISTRY)

    asked()


@virtual
async def test_the_lock_of_a_build_holds_for_its_inputs_only(pinner: Pinner, builder: MemoryBuilder) -> None:
    web = image("web", build=Build("web"))
    files = {"apps/web/Containerfile": "FROM scratch\n"}
    first = await settled(pinner, web, commit(files))
    assert isinstance(first, Pin)
    entry = Locked("r.example.com/web", first.reference.tag, A)  # reviewed: another digest for the same inputs
    again = await settled(pinner, web, commit({**files, **locked(web=entry)}))
    assert again == Pin(first.reference.pinned(A), Origin.LOCK)
    changed_files = {**files, "apps/web/new": "x", **locked(web=entry)}
    newer = await settled(pinner, web, commit(changed_files))
    assert isinstance(newer, Pin)
    assert newer.origin is Origin.BUILD
    assert len(builder.built) == 2


@virtual
async def test_a_commit_that_touches_one_of_200_contexts_builds_one_image(
    pinner: Pinner, builder: MemoryBuilder
) -> None:
    files = {f"apps/s{n}/Containerfile": "FROM scratch\n" for n in range(200)}
    images = [image(f"s{n}", build=Build(f"s{n}")) for n in range(200)]
    before = await pinner.settle(images, commit(files), {})
    builder.built.clear()
    after = await pinner.settle(images, commit({**files, "apps/s7/main.py": "new", "README.md": "new"}), {})
    assert builder.built == ["r.example.com/s7"]
    moved = [i.name for i in before if before[i].reference != after[i].reference]  # type: ignore[union-attr]
    assert moved == ["s7"]


@virtual
async def test_without_news_nothing_is_asked(pinner: Pinner, shop: MemoryRegistry, world: MemoryRegistries) -> None:
    shop.put("redis", "7.2.5", b"{}")
    images = [image("redis", follow=Follow(semver="^7")), image("web", build=Build("web"))]
    files = {"apps/web/Containerfile": "FROM scratch\n"}
    pins = await pinner.settle(images, commit(files), {})
    asked = len(world.seen)
    assert await pinner.settle(images, commit({**files, "other": "x"}), {}) == {
        identity: Pin(pin.reference, pin.origin) for identity, pin in pins.items() if isinstance(pin, Pin)
    }
    assert len(world.seen) == asked


@virtual
async def test_many_that_ask_the_same_ask_once(pinner: Pinner, shop: MemoryRegistry, world: MemoryRegistries) -> None:
    shop.put("redis", "7.2.5", b"{}")
    images = [image(f"a{n}", repository="r.example.com/redis", follow=Follow(semver="^7")) for n in range(50)]
    await pinner.settle(images, commit(), {})
    assert Counter(world.asked()) == {"GET /v2/redis/tags/list": 1, "HEAD /v2/redis/manifests/7.2.5": 1}


@virtual
async def test_what_fails_keeps_what_was(pinner: Pinner, shop: MemoryRegistry, builder: MemoryBuilder) -> None:
    builder.fails = True
    files = {"apps/web/Containerfile": "FROM scratch\n", "apps/out/Containerfile": "FROM scratch\n"}
    web, redis, out = image("web", build=Build("web")), image("redis", tag="7"), image("out", build=Build("../.."))
    for stated, kind in ((web, BuildFailed), (redis, ImageMissing), (out, ImageRefused)):
        assert isinstance(await settled(pinner, stated, commit(files)), kind)
        pin = await settled(pinner, stated, commit(files), f"{stated.repository}:old@{A}")
        assert isinstance(pin, Pin)
        assert (str(pin.reference), pin.origin) == (f"{stated.repository}:old@{A}", Origin.BEFORE)
        assert isinstance(pin.problem, kind)
        moved = await settled(pinner, stated, commit(files), f"r.example.com/elsewhere@{A}")
        assert isinstance(moved, kind)  # what was in use is another image
    shop.fault = lambda _request: Response(503, {}, b"")
    pin = await settled(pinner, image("new", tag="7"), before=f"r.example.com/new:7@{B}")
    assert isinstance(pin, Pin)
    assert isinstance(pin.problem, RegistryUnreachable)


@virtual
async def test_a_broken_lock_holds_what_it_speaks_of(pinner: Pinner, shop: MemoryRegistry) -> None:
    """Nobody can tell what was reviewed, so nothing moves; what states its digest itself is not concerned."""
    shop.put("redis", "7", b"{}")
    broken = commit({LOCK: "<<<<<<< HEAD\n"})
    problem = await settled(pinner, image("redis", tag="7"), broken)
    assert isinstance(problem, ImageRefused)
    assert problem.where == f"{LOCK}:1"
    assert isinstance(await settled(pinner, image("exact", digest=A), broken), Pin)


@virtual
async def test_without_a_builder(memory_session: Callable[..., Session]) -> None:
    pinner = Pinner(Registry(memory_session()), LoopClock())
    found = await settled(
        pinner, image("web", build=Build("web")), commit({"apps/web/Containerfile": "FROM scratch\n"})
    )
    assert isinstance(found, ImageRefused)


@virtual
async def test_a_digest_that_is_not_signed_is_not_used(
    memory_session: Callable[..., Session], shop: MemoryRegistry, world: MemoryRegistries, tmp_path: Any
) -> None:
    ada = Pair(tmp_path, "cosign")
    trust = [Trust("r.example.com/redis", (ada.key,)), Trust("r.example.com/open", ()), Trust("other.example.com", ())]
    pinner = Pinner(Registry(memory_session()), LoopClock(), trust=trust)
    digest = shop.put("redis", "7", b"{}")
    redis = image("redis", tag="7")
    assert isinstance(await settled(pinner, redis), ImageUntrusted)
    assert isinstance(await settled(pinner, image("redis", digest=digest)), ImageUntrusted)
    entry = locked(redis=Locked("r.example.com/redis", "7", digest))
    assert isinstance(await settled(pinner, redis, commit(entry)), ImageUntrusted)
    _changes, failed = await pinner.scan([redis], commit(), {})
    assert isinstance(failed[redis.identity], ImageUntrusted)
    payload = payload_of(digest)
    shop.blobs[digest_of(payload)] = payload
    shop.put("redis", tag_of(Reference.parse(f"r.example.com/redis@{digest}")), simple(payload, ada.sign(payload)))
    assert isinstance(await settled(pinner, redis), Pin)
    asked = len(world.seen)
    assert isinstance(await settled(pinner, redis), Pin)
    assert len(world.seen) == asked


@virtual
async def test_a_scan_gives_what_is_to_be_written_back(pinner: Pinner, shop: MemoryRegistry) -> None:
    new = shop.put("redis", "7.2.5", b"{}")
    same = shop.put("same", "1", b"{}")
    old, there = Locked("r.example.com/redis", "7.2.4", A), Locked("r.example.com/same", "1", same)
    images = [
        image("redis", follow=Follow(semver="^7")),
        image("same", tag="1"),
        image("exact", digest=A),
        image("gone", tag="1"),
        image("web", build=Build("web")),
    ]
    files = {"apps/web/Containerfile": "FROM scratch\n", **locked(redis=old, same=there)}
    pins = await pinner.settle(images, commit(files), {})
    changes, failed = await pinner.scan(images, commit(files), pins)
    built = pins[images[4].identity]
    assert isinstance(built, Pin)
    assert changes == (
        Change(LOCK, "Image/shop/redis", old, Locked("r.example.com/redis", "7.2.5", new), "follows semver ^7"),
        Change(
            LOCK,
            "Image/shop/web",
            None,
            Locked("r.example.com/web", built.reference.tag, built.reference.digest),
            "was built from its inputs",
        ),
    )
    assert {identity.name: type(problem) for identity, problem in failed.items()} == {"gone": ImageMissing}


@virtual
async def test_a_scan_that_fails_does_not_forget(pinner: Pinner, shop: MemoryRegistry) -> None:
    digest = shop.put("redis", "7", b"{}")
    redis = image("redis", tag="7")
    await settled(pinner, redis)
    shop.fault = lambda _request: Response(503, {}, b"")
    _changes, failed = await pinner.scan([redis], commit(), {})
    assert isinstance(failed[redis.identity], RegistryUnreachable)
    assert await settled(pinner, redis) == Pin(Reference.parse(f"r.example.com/redis:7@{digest}"), Origin.REGISTRY)


@virtual
async def test_an_image_that_needs_no_signature(
    memory_session: Callable[..., Session], shop: MemoryRegistry, tmp_path: Any
) -> None:
    key = Pair(tmp_path, "cosign").key
    rules = [Trust("", (key,)), Trust("r.example.com/open", ()), Trust("r.example.com/open/closed", (key,))]
    pinner = Pinner(Registry(memory_session()), LoopClock(), trust=rules)
    images = [image(name, digest=A) for name in ("open/a", "open/closed", "other")]
    pins = await pinner.settle(images, commit(), {})
    assert [isinstance(pins[one.identity], Pin) for one in images] == [True, False, False]


FILES = {f"apps/{name}/Containerfile": "FROM scratch\n" for name in ("web", "api")}
WEB, API = (image(name, build=Build(name)) for name in ("web", "api"))


@pytest.fixture
def slow(memory_session: Callable[..., Session], shop: MemoryRegistry) -> tuple[Pinner, MemoryBuilder, list[str]]:
    registry, builder, news = Registry(memory_session()), MemoryBuilder(shop, 600), list[str]()
    return Pinner(registry, LoopClock(), Builds(registry, builder, LoopClock()), news=news.append), builder, news


@virtual
async def test_who_cannot_wait_is_told_later(
    slow: tuple[Pinner, MemoryBuilder, list[str]], shop: MemoryRegistry
) -> None:
    pinner, _builder, news = slow
    shop.put("redis", "7", b"{}")
    redis = image("redis", tag="7")
    before = {WEB.identity: Reference.parse(f"r.example.com/web:old@{A}")}
    pins = await pinner.settle([WEB, API, redis], commit(FILES), before, patience=5.0)
    assert asyncio.get_running_loop().time() == 5
    assert isinstance(pins[redis.identity], Pin)
    assert pins[WEB.identity].problem.what == "the image is being built"  # type: ignore[union-attr]
    assert isinstance(pins[API.identity], ImageAwaited)
    await asyncio.sleep(590)
    assert news == []
    await asyncio.sleep(10)
    assert news == ["shop", "shop"]
    later = await pinner.settle([WEB, API, redis], commit(FILES), before, patience=5.0)
    assert [later[one.identity].origin for one in (WEB, API)] == [Origin.BUILD] * 2  # type: ignore[union-attr]
    assert asyncio.get_running_loop().time() < 610


@virtual
async def test_another_commit_does_not_disturb_a_build(slow: tuple[Pinner, MemoryBuilder, list[str]]) -> None:
    pinner, builder, news = slow
    await pinner.settle([WEB], commit(FILES), {}, patience=5.0)
    await pinner.settle([WEB], commit({**FILES, "README.md": "new"}), {}, patience=5.0)
    await asyncio.sleep(591)
    assert builder.built == ["r.example.com/web"]
    assert news == ["shop"]


@virtual
async def test_a_commit_that_changes_the_inputs_begins_anew(slow: tuple[Pinner, MemoryBuilder, list[str]]) -> None:
    pinner, builder, news = slow
    await pinner.settle([WEB], commit(FILES), {}, patience=300.0)
    await pinner.settle([WEB], commit({**FILES, "apps/web/main.py": "new"}), {}, patience=5.0)
    await asyncio.sleep(590)
    assert builder.built == []
    await asyncio.sleep(10)
    assert builder.built == ["r.example.com/web"]
    assert news == ["shop"]


@virtual
async def test_an_image_that_is_gone_ends_its_build(slow: tuple[Pinner, MemoryBuilder, list[str]]) -> None:
    pinner, builder, news = slow
    await pinner.settle([WEB, API], commit(FILES), {}, patience=5.0)
    await pinner.settle([API], commit(FILES), {}, patience=5.0)
    await asyncio.sleep(700)
    assert builder.built == ["r.example.com/api"]
    await pinner.close()
    assert news == ["shop"]


@virtual
async def test_closing_ends_what_is_under_way(slow: tuple[Pinner, MemoryBuilder, list[str]]) -> None:
    pinner, builder, news = slow
    await pinner.settle([WEB, API], commit(FILES), {}, patience=5.0)
    await pinner.close()
    assert len(asyncio.all_tasks()) == 1
    assert (builder.built, news) == ([], [])


@virtual
async def test_a_build_that_failed_is_not_tried_with_every_commit(pinner: Pinner, builder: MemoryBuilder) -> None:
    builder.fails = True
    assert isinstance(await settled(pinner, WEB, commit(FILES)), BuildFailed)
    builder.fails = False
    assert isinstance(await settled(pinner, WEB, commit({**FILES, "README.md": "new"})), BuildFailed)
    fixed = await settled(pinner, WEB, commit({**FILES, "apps/web/main.py": "fixed"}))
    assert isinstance(fixed, Pin)
    builder.fails = True
    assert isinstance(await settled(pinner, API, commit(FILES)), BuildFailed)
    builder.fails = False
    await asyncio.sleep(RETRY)
    assert isinstance(await settled(pinner, API, commit(FILES)), Pin)


@virtual
async def test_a_registry_that_hangs_holds_up_nobody(
    memory_session: Callable[..., Session], shop: MemoryRegistry
) -> None:
    news: list[str] = []
    pinner = Pinner(Registry(memory_session()), LoopClock(), news=news.append)
    shop.fault = lambda _request: Response(503, {}, b"")  # tried again for a minute
    redis, exact = image("redis", tag="7"), image("exact", digest=A)
    pins = await pinner.settle([redis, exact], commit(), {}, patience=5.0)
    assert isinstance(pins[exact.identity], Pin)
    assert isinstance(pins[redis.identity], ImageAwaited)
    await asyncio.sleep(60)
    assert news == ["shop"]
    again = await pinner.settle([redis, exact], commit(), {}, patience=5.0)
    assert isinstance(again[redis.identity], RegistryUnreachable)


@virtual
async def test_a_build_that_the_registry_lost_is_built_again(
    pinner: Pinner, shop: MemoryRegistry, builder: MemoryBuilder
) -> None:
    pins = await pinner.settle([WEB, API], commit(FILES), {})
    _changes, failed = await pinner.scan([WEB, API], commit(FILES), pins)
    assert failed == {}
    pin = pins[WEB.identity]
    assert isinstance(pin, Pin)
    del shop.tags["web"][pin.reference.tag]
    shop.put("api", pins[API.identity].reference.tag, b"pushed by somebody else")  # type: ignore[union-attr]
    _changes, failed = await pinner.scan([WEB, API], commit(FILES), pins)
    assert {identity.name: type(problem) for identity, problem in failed.items()} == {
        "web": ImageMissing,
        "api": ImageUntrusted,
    }
    builder.built.clear()
    again = await pinner.settle([WEB, API], commit(FILES), {})
    assert builder.built == ["r.example.com/web"]
    assert again[API.identity] == pins[API.identity]


@virtual
async def test_a_repository_that_cannot_be_read_concerns_its_builds_only(pinner: Pinner) -> None:
    class Broken:
        async def read(self, ids: Any) -> Any:
            raise SourceError("the mirror is damaged")

    made = commit(FILES)
    pins = await pinner.settle([WEB, image("exact", digest=A)], Commit("shop", made.tree, Broken()), {})
    assert [type(pin) for pin in pins.values()] == [ImageError, Pin]
    assert "the mirror is damaged" in str(pins[WEB.identity])
