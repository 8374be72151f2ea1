"""Passes that wait keep nobody else waiting."""

import asyncio

from intercepted import hook, refusal
from memory_repository import MemoryRepository
from texts import NAMESPACE, config, deployment
from virtual import virtual
from virtual_daemon import daemon
from world import world

from reconciler.http.transport import Request, Response
from reconciler.model.event import EventType

MAPS = "/api/v1/namespaces/shop/configmaps"
STUCK = deployment("slow", extra="  replicas: 1\n  resources: {requests: {cpu: 1000}}\n")
WAITING = deployment(extra="  dependsOn: [{name: slow}]\n")


@virtual
async def test_a_branch_that_is_reset_while_the_newer_commit_waits_goes_back() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"a.yaml": config("a")})
        first = repository._line[-1][0].commit
        slow = deployment("slow", extra="  replicas: 1\n  resources: {requests: {cpu: 1000}}\n")
        repository.commit(
            {"slow.yaml": slow, "b.yaml": config("b"), "web.yaml": deployment(extra="  dependsOn: [{name: slow}]\n")}
        )
        await w.sources["shop"].poll()
        working = asyncio.create_task(w.sources["shop"].work())
        await w.clock.sleep(5)
        assert await w.get("ConfigMap", "b")
        repository.reset(first)
        await w.sources["shop"].poll()
        await working
        assert w.sources["shop"].due


@virtual
async def test_a_commit_that_comes_during_a_failing_pass_does_not_wait_for_the_retry() -> None:
    down = False

    async def fail(request: Request) -> Response | None:
        if down and request.path.endswith("/configmaps") and request.method == "GET":
            await asyncio.sleep(3)
            return refusal(403, "Forbidden")
        return None

    async with world() as w:
        hook(w, fail)
        repository = await w.started({"a.yaml": config("a")})
        down = True
        repository.commit({"b.yaml": config("b")})
        await w.sources["shop"].poll()
        working = asyncio.create_task(w.sources["shop"].work())
        await w.clock.sleep(1)
        repository.commit({"c.yaml": config("c")})
        await w.sources["shop"].poll()
        await working
        assert w.sources["shop"].due


@virtual
async def test_rule_14_an_edit_right_after_our_write_is_noticed() -> None:
    once = True

    async with world() as w:
        inner = w.connect()

        async def edited_meanwhile(request: Request) -> Response | None:
            nonlocal once
            if request.method != "PATCH" or not request.path.endswith("/a") or not once:
                return None
            once = False
            response = await inner.send(request)
            await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
            await w.clock.sleep(0.5)  # the watch is faster than the answer
            return response

        hook(w, edited_meanwhile)
        await w.started({"a.yaml": config("a")})
        await w.clock.sleep(1)
        await w.sources["shop"].work()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "1"}


@virtual
async def test_an_edit_is_healed_while_a_pass_waits() -> None:
    async with world(controllers=True) as w:
        repository = MemoryRepository("shop")
        repository.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "slow.yaml": STUCK, "web.yaml": WAITING})
        async with daemon(w.connect(), {"shop": repository}) as running:
            await w.clock.sleep(20)
            assert await w.get("ConfigMap", "a")
            assert await w.get("Deployment", "web", group="apps") is None, "it waits"
            await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
            await w.clock.sleep(2)
            live = await w.get("ConfigMap", "a")
            assert live is not None
            assert live["data"] == {"value": "1"}
            assert running.heard(EventType.HEALED)


@virtual
async def test_rule_14_a_deleted_namespace_is_made_anew_with_all_that_was_in_it() -> None:
    async with world(controllers=True) as w:
        repository = MemoryRepository("shop")
        repository.commit(
            {"ns.yaml": NAMESPACE, "a.yaml": config("a"), "web.yaml": deployment(extra="  replicas: 1\n")}
        )
        async with daemon(w.connect(), {"shop": repository}):
            await w.clock.sleep(20)
            await w.call("DELETE", "/api/v1/namespaces/shop")
            await w.clock.sleep(45)
            assert await w.get("ConfigMap", "a")
            assert await w.get("Deployment", "web", group="apps")


@virtual
async def test_a_newer_commit_does_not_wait_for_a_finalizer() -> None:
    noted = "  annotations: {reconciler.dev/replace: 'true'}\n"
    frozen = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{noted}immutable: true\n"
    async with world() as w:
        repository = await w.started({"a.yaml": frozen + "data: {value: one}\n"})
        await w.patch(f"{MAPS}/a", {"metadata": {"finalizers": ["example.com/stuck"]}})
        repository.commit({"a.yaml": frozen + "data: {value: two}\n"})
        await w.sources["shop"].poll()
        working = asyncio.create_task(w.sources["shop"].work())
        await w.clock.sleep(5)
        repository.commit({"b.yaml": config("b")})
        start = w.clock.monotonic()
        await w.sources["shop"].poll()
        await working
        assert w.clock.monotonic() - start < 5
        await w.sync()
        assert await w.get("ConfigMap", "b")
        await w.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})
        await w.clock.sleep(1)
        await w.sources["shop"].work()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "two"}


@virtual
async def test_a_suspended_source_is_not_waited_for() -> None:
    async with world() as w:
        w.source(suspend=True).commit({"a.yaml": config("a")})
        await w.sources["shop"].poll()
        await w.sources["shop"].work()
        assert w.sources["shop"].resting
