"""What fails, fails alone, and is told once."""

import asyncio

import msgspec
from intercepted import hook, refusal
from memory_repository import MemoryRepository
from texts import NAMESPACE, config, deployment
from virtual import virtual
from virtual_daemon import daemon
from world import world

from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

MAPS = "/api/v1/namespaces/shop/configmaps"


@virtual
async def test_a_kind_that_may_not_be_read_stops_no_other() -> None:
    async def fail(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if request.path.endswith("/secrets") else None

    async with world() as w:
        hook(w, fail)
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        w.source().commit({"namespace.yaml": NAMESPACE, "a.yaml": config("a"), "s.yaml": secret})
        await w.sources["shop"].poll()
        await w.sources["shop"].work()
        assert await w.get("ConfigMap", "a")
        assert any("Secret" in str(event.identity) for event in w.heard(EventType.FAILED))
        assert not w.heard(EventType.SYNC_FAILED) or w.sources["shop"].synced


@virtual
async def test_the_same_problems_are_told_once() -> None:
    async with world() as w:
        bad = config("bad").replace("name: bad", "name: bad\n  namespace: nowhere")
        w.source().commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra="  replicas: three\n"), "bad.yaml": bad})
        await w.sync()
        told = len(w.heard(EventType.INVALID))
        for _ in range(5):
            await w.clock.sleep(400)
            await w.sources["shop"].work()
        assert len(w.heard(EventType.INVALID)) == told


@virtual
async def test_a_failure_that_comes_back_is_told_again() -> None:
    async with world() as w:
        late = config("a").replace("name: a", "name: a\n  namespace: late")
        w.source().commit({"ns.yaml": NAMESPACE, "a.yaml": late})
        await w.sync()
        w.repositories["shop"].commit({"a.yaml": None})
        await w.sync()
        w.repositories["shop"].commit({"a.yaml": late})
        await w.sync()
        assert len(w.heard(EventType.FAILED)) == 2


@virtual
async def test_an_object_that_cannot_be_compared_stops_no_other() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        decider = w.sources["shop"]._decider
        original = decider._schemas.of

        def broken(gvk: object) -> object:
            if getattr(gvk, "kind", "") == "Secret":
                raise KeyError("surprise")
            return original(gvk)

        decider._schemas.of = broken
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        w.repositories["shop"].commit({"s.yaml": secret, "a.yaml": config("a", "2")})
        result = await w.sync()
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "2"}
        assert not result.ok


@virtual
async def test_what_is_remembered_is_bounded_by_what_git_states() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a")})
        for number in range(30):
            repository.commit({"x.yaml": config(f"x{number}")})
            await w.sync()
        reconciler = w.sources["shop"]
        assert len(reconciler._decider._equals) < 6
        assert len(reconciler._tell._wrong) < 6


@virtual
async def test_rule_3_what_could_not_be_listed_is_pruned_when_it_comes_to_light() -> None:
    forbidden = False

    async def fail(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if forbidden and "/secrets" in request.path else None

    async with world() as w:
        hook(w, fail)
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n"
        repository = await w.started({"a.yaml": config("a"), "s.yaml": secret})
        forbidden = True
        await w.store.close()
        await w.restart()
        repository.commit({"s.yaml": None})
        await w.sync()
        forbidden = False
        await w.clock.sleep(120)
        await w.sources["shop"].work()
        assert await w.get("Secret", "s") is None


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
async def test_a_webhook_that_takes_all_the_time_it_may_is_named_by_the_server() -> None:
    """Such a webhook may take 30 s; a deadline of ours that ends then would hide what the server knows."""

    async def slow(request: Request) -> Response | None:
        if request.method != "PATCH" or not request.path.endswith("/a"):
            return None
        try:
            async with asyncio.timeout(request.timeout):
                await asyncio.sleep(30.5)
        except TimeoutError:
            raise TransportError("no usable answer") from None
        said = refusal(500, "InternalError")
        why = 'failed calling webhook "slow.example.com": context deadline exceeded'
        return Response(500, said.headers, said.body.replace(b'"no"', msgspec.json.encode(why)))

    async with world() as w:
        hook(w, slow)
        w.source().commit({"namespace.yaml": w.namespace(), "a.yaml": config("a")})
        result = await w.sync()
        (failed,) = [each for each in result.results.values() if each.outcome is Outcome.FAILED]
        assert 'failed calling webhook "slow.example.com"' in failed.message
