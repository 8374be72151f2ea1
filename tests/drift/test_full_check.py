"""What the watch has missed, a slow check of everything finds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deaf import Deaf
from tended import tended
from texts import config
from virtual import virtual
from world import World, world

from reconciler.cluster.state import StateStore
from reconciler.model.event import EventType

HOUR = 3600.0


@asynccontextmanager
async def deaf_world(full_check: float = HOUR) -> AsyncIterator[World]:
    async with world() as w:
        inner = w.connect
        w.connect = lambda: Deaf(inner())
        w.cluster = w.new_cluster()
        w.store = StateStore(w.cluster, "default", clock=w.clock)
        w.full_check = full_check
        yield w


async def meddle(w: World) -> None:
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    await w.call("DELETE", w.path("configmaps/b"))
    await w.patch(w.path("configmaps/c"), {"metadata": {"labels": None}})


async def mended(w: World) -> bool:
    for name in "abc":
        live = await w.get("ConfigMap", name)
        if live is None or live["data"] != {"value": "1"} or "labels" not in live["metadata"]:
            return False
    return True


@virtual
async def test_what_the_watch_has_missed_is_found_and_healed_within_the_hour() -> None:
    async with deaf_world() as w:
        await w.started({f"{name}.yaml": config(name) for name in "abc"})
        async with tended(w):
            await meddle(w)
            await w.clock.sleep(0.8 * HOUR)
            assert not await mended(w), "nobody has told us"
            await w.clock.sleep(0.4 * HOUR)
            assert await mended(w)
        assert len(w.heard(EventType.DRIFTED)) == len(w.heard(EventType.HEALED)) == 3


@virtual
async def test_how_often_is_configured() -> None:
    async with deaf_world(full_check=120.0) as w:
        await w.started({f"{name}.yaml": config(name) for name in "abc"})
        async with tended(w):
            for _ in range(3):
                await meddle(w)
                await w.clock.sleep(140)
                assert await mended(w)


@virtual
async def test_a_full_check_of_what_is_well_writes_nothing_and_says_nothing() -> None:
    async with world() as w:
        await w.started({f"{number}.yaml": config(f"a{number}") for number in range(250)})
        await w.written()
        before, said = w.requests(), len(w.events)
        async with tended(w):
            await w.clock.sleep(24.5 * HOUR)
        more = w.requests() - before
        assert 20 <= more["list", "configmaps"] <= 30
        assert not [verb for verb, _resource in more if verb not in ("list", "watch", "get")]
        assert len(w.events) == said


@virtual
async def test_what_was_remembered_as_equal_is_compared_all_the_same() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        stated = w.sources["shop"].desired
        assert stated is not None
        (manifest,) = (m for m in stated.manifests.items.values() if m.identity.name == "a")
        await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
        await w.clock.sleep(1)
        # As if an answer of ours had come for a state that it was not about.
        w.sources["shop"]._decider.written(manifest, w.cluster.cache.version(manifest.identity))
        await w.sources["shop"].work()
        assert not w.heard(EventType.DRIFTED)
        await w.clock.sleep(1.2 * HOUR)
        await w.sources["shop"].work()
        await w.clock.sleep(1)
        await w.sources["shop"].work()
        assert len(w.heard(EventType.HEALED)) == 1


@virtual
async def test_sources_that_share_a_cluster_do_not_read_it_once_each() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        w.source("second")
        w.repositories["second"].commit({"b.yaml": config("b")})
        assert (await w.sync("second")).ok
        before = w.requests()
        async with tended(w), tended(w, "second"):
            await w.clock.sleep(10.5 * HOUR)
        assert (w.requests() - before)["list", "configmaps"] <= 12
