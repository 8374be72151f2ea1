"""The daemon and drift: its own queue has it looked at at all the times that matter."""

import json
from typing import Any

from deaf import Deaf
from memory_repository import MemoryRepository
from texts import NAMESPACE, config
from virtual import virtual
from virtual_daemon import VirtualDaemon, daemon

from reconciler.clock import LoopClock
from reconciler.http.transport import Request
from reconciler.model.config import MaintenanceWindow, SourceConfig
from reconciler.model.event import EventType
from reconciler.sandbox.server import Sandbox

PATH = "/api/v1/namespaces/shop/configmaps/a"


def repository() -> MemoryRepository:
    made = MemoryRepository("shop")
    made.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a")}, "Start")
    return made


async def edit(sandbox: Sandbox, value: str = "edited") -> None:
    body = json.dumps({"data": {"value": value}}).encode()
    headers = {"content-type": "application/merge-patch+json"}
    answer = await sandbox.handle(Request("PATCH", PATH, (("fieldManager", "somebody"),), headers, body))
    assert answer.status == 200


async def value(sandbox: Sandbox) -> Any:
    answer = await sandbox.handle(Request("GET", PATH, (), {"accept": "application/json"}))
    return json.loads(answer.body)["data"]["value"]


async def started(running: VirtualDaemon) -> None:
    await running.until(lambda: running.heard(EventType.SYNC_FINISHED))


@virtual
async def test_an_edit_is_healed_within_a_tenth_of_a_second() -> None:
    sandbox = Sandbox(clock=LoopClock())
    async with daemon(sandbox.transport(), {"shop": repository()}, install="test") as running:
        await started(running)
        await edit(sandbox)
        begun = running.clock.now()
        await running.until(lambda: running.heard(EventType.HEALED))
        (healed,) = (event for event in running.events if event.type is EventType.HEALED)
        assert (healed.time - begun).total_seconds() < 0.1
        assert await value(sandbox) == "1"


@virtual
async def test_full_checks_go_on_whatever_else_happens_meanwhile() -> None:
    sandbox = Sandbox(clock=LoopClock())
    transport = Deaf(sandbox.transport())
    async with daemon(transport, {"shop": repository()}, install="test", full_check=600.0) as running:
        await started(running)
        for number in range(4):
            await edit(sandbox)
            await running.until(lambda number=number: len(running.heard(EventType.HEALED)) > number, seconds=700)  # type: ignore[misc]
            assert await value(sandbox) == "1"


@virtual
async def test_a_window_ends_though_nobody_touches_anything_then() -> None:
    sandbox = Sandbox(clock=LoopClock())
    window = MaintenanceWindow("0 0 * * *", 7200.0)  # time begins at midnight
    source = SourceConfig(name="shop", url="/srv/shop", namespace="shop", maintenance=(window,), interval=3600.0)
    transport = sandbox.transport()
    async with daemon(transport, {"shop": repository()}, sources=[source], install="test") as running:
        await started(running)
        await edit(sandbox)
        await running.clock.sleep(7200 - 60 - running.clock.monotonic())
        assert await value(sandbox) == "edited"
        await running.clock.sleep(62)
        assert await value(sandbox) == "1"


@virtual
async def test_a_fight_ends_though_nobody_touches_anything_then() -> None:
    sandbox = Sandbox(clock=LoopClock())
    async with daemon(sandbox.transport(), {"shop": repository()}, install="test") as running:
        await started(running)
        for number in range(60):
            await edit(sandbox, f"theirs {number}")
            await running.clock.sleep(1)
        assert len(running.heard(EventType.FOUGHT)) == 1
        await running.clock.sleep(1200)
        assert len(running.heard(EventType.CALMED)) == 1
        assert await value(sandbox) == "1"
