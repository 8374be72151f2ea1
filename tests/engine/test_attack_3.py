"""Suspicions, third batch."""

from memory_repository import MemoryRepository
from test_attack_support import hook, refusal
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import daemon
from world import world

from reconciler.http.transport import Request, Response
from reconciler.model.config import SourceConfig
from reconciler.model.event import EventType

MAPS = "/api/v1/namespaces/shop/configmaps"


@virtual
async def test_a_watch_that_the_server_denied_for_a_moment_is_opened_again() -> None:
    missing = False

    async def not_yet(request: Request) -> Response | None:
        return refusal(404, "NotFound") if missing and request.path == "/api/v1/configmaps" else None

    async with world() as w:
        hook(w, not_yet)
        repository = MemoryRepository("shop")
        repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")})
        async with daemon(w.connect(), {"shop": repository}) as running:
            await w.clock.sleep(5)
            missing = True
            await w.clock.sleep(700)  # the watch ends by itself meanwhile
            missing = False
            await w.clock.sleep(130)
            await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
            await w.clock.sleep(2)
            assert running.heard(EventType.HEALED)


@virtual
async def test_a_suspended_source_is_not_waited_for() -> None:
    async with world() as w:
        w.source(suspend=True).commit({"a.yaml": config("a")})
        await w.sources["shop"].poll()
        await w.sources["shop"].work()
        assert w.sources["shop"].resting


@virtual
async def test_a_drifted_value_is_cut_in_what_is_told() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "x" * 100_000}})
        await w.settled()
        (event,) = w.heard(EventType.DRIFTED)
        assert len(event.message) < 1000


@virtual
async def test_rule_2_two_sources_of_one_repository_wait_for_each_other() -> None:
    async with world() as w:
        first, second = MemoryRepository("first", ("one",)), MemoryRepository("second", ("two",))
        before = {"one/ns.yaml": NAMESPACE, "one/a.yaml": config("a"), "one/b.yaml": config("b"), "two/c.yaml": config("c")}
        after = {"one/a.yaml": None, "two/a.yaml": config("a", "2")}
        for each in (first, second):
            each.commit(before)
        sources = [
            SourceConfig(name=name, url="/srv/mono", paths=(path,), namespace="shop", interval=60)
            for name, path in (("first", "one"), ("second", "two"))
        ]
        async with daemon(w.connect(), {"first": first, "second": second}, sources=sources):
            await w.clock.sleep(10)
            old = await w.get("ConfigMap", "a")
            first.commit(after)
            await w.clock.sleep(65)  # the second has not seen the commit yet
            assert await w.get("ConfigMap", "a")
            second.commit(after)
            await w.clock.sleep(130)
            new = await w.get("ConfigMap", "a")
        assert old is not None
        assert new is not None
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        assert new["metadata"]["labels"]["reconciler.dev/source"] == "second"
