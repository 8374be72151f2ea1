"""A control plane that breaks: etcd is full, the API server is gone in the middle of a sync."""

import asyncio
from collections.abc import Callable

import pytest
from own_plane import OwnPlane
from texts import config
from world import World

from reconciler.model.event import EventType
from reconciler.model.result import Outcome

Own = Callable[..., OwnPlane]
QUOTA = 3 * 1024 * 1024
FILLING = "x" * 200_000


async def fill(w: World) -> None:
    """Somebody writes the same object until etcd takes no more."""
    await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    path = "/api/v1/namespaces/other/configmaps"
    await w.create(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}})

    async def write() -> None:
        for number in range(100):
            await w.patch(f"{path}/big", {"data": {"value": f"{number}{FILLING}"}})

    with pytest.raises(AssertionError, match="database space exceeded"):
        await write()


def test_a_full_etcd_is_told_loses_nothing_and_goes_on_once_there_is_room(own_plane: Own) -> None:
    own = own_plane(quota=QUOTA)

    async def scenario() -> None:
        async with own.world() as w:
            repository = await w.started({f"{name}.yaml": config(name) for name in "abc"})
            await w.written()
            await fill(w)
            repository.commit({"a.yaml": config("a", "2"), "b.yaml": None, "d.yaml": config("d")})
            async with asyncio.timeout(30):  # half of what a lost connection is tried for
                result = await w.sync()
            by_name = {identity.name: each for identity, each in result.results.items()}
            for name in "ad":
                assert by_name[name].outcome is Outcome.FAILED
                assert "database space exceeded" in by_name[name].message
                assert "etcd is full" in by_name[name].hint
            assert by_name["b"].outcome is Outcome.BLOCKED
            assert (await w.get("ConfigMap", "a") or {})["data"] == {"value": "1"}, "it can be read"
            assert w.heard(EventType.FAILED)
            await own.make_room()
            w.sources["shop"].ask()
            result = await w.sync()
            assert result.ok, {str(i): r.message for i, r in result.results.items()}
            assert (await w.get("ConfigMap", "a") or {})["data"] == {"value": "2"}
            assert await w.get("ConfigMap", "b") is None
            assert await w.get("ConfigMap", "c") is not None
            await w.written()

    own.run(scenario())


def test_a_server_that_restarts_during_a_sync_is_waited_for_and_nothing_is_lost(own_plane: Own) -> None:
    own = own_plane()

    async def scenario() -> None:
        async with own.world() as w:
            names = [f"c{number}" for number in range(400)]
            repository = await w.started({f"{name}.yaml": config(name) for name in names})
            repository.commit(
                {f"{name}.yaml": config(name, "2") for name in names} | {"c0.yaml": None, "new.yaml": config("new")}
            )
            syncing = asyncio.ensure_future(w.sync())

            async def begun() -> bool:
                return len(w.heard(EventType.APPLIED)) > len(names) + 20

            await w.until(begun)
            await own.plane.kill("apiserver")
            assert not syncing.done()
            await own.plane.start()
            result = await syncing
            assert result.ok, {str(i): r.message for i, r in result.results.items() if r.outcome is not Outcome.DONE}
            assert await w.get("ConfigMap", "c0") is None
            assert await w.get("ConfigMap", "new") is not None
            await w.patch(w.path("configmaps/c7"), {"data": {"value": "edited"}})

            async def healed() -> bool:
                await w.sources["shop"].work()
                return (await w.get("ConfigMap", "c7") or {})["data"] == {"value": "2"}

            await w.until(healed)  # the watch goes on
            assert not w.cluster.failing()

    own.run(scenario())
