"""Suspicions, first batch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from texts import NAMESPACE, config, deployment, task
from virtual import virtual
from world import World, world

from reconciler.cluster.state import StateStore
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.model.change import Action
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

MAPS = "/api/v1/namespaces/shop/configmaps"
TEN = {f"{letter}.yaml": config(letter) for letter in "abcdefghij"}

Answer = Callable[[Request], Awaitable[Response | None]]


class Hooked:
    """Asks `answer` first; None lets the request through."""

    def __init__(self, inner: Transport, answer: Answer) -> None:
        self._inner = inner
        self._answer = answer

    async def send(self, request: Request) -> Response:
        return await self._answer(request) or await self._inner.send(request)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        async with self._inner.stream(request) as stream:
            yield stream

    async def close(self) -> None:
        await self._inner.close()


def hook(w: World, answer: Answer) -> None:
    """Put `answer` between our client and the server. Before the first source."""
    inner = w.connect
    w.connect = lambda: Hooked(inner(), answer)
    w.cluster = w.new_cluster()
    w.store = StateStore(w.cluster, "default", clock=w.clock)


def refusal(status: int, reason: str) -> Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": status,
        "reason": reason,
        "message": "no",
    }
    return Response(status, {"content-type": "application/json"}, msgspec.json.encode(body))


@virtual
async def test_alert_mode_is_not_overridden_by_the_next_commit() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a", drift="alert")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
        await w.settled()
        repository.commit({"b.yaml": config("b")})
        result = await w.sync()
        assert result.ok, {str(i): r.message for i, r in result.results.items()}
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "edited"}


@virtual
async def test_alert_mode_still_applies_what_git_changes() -> None:
    async with world() as w:
        repository = await w.started({"a.yaml": config("a", drift="alert")})
        repository.commit({"a.yaml": config("a", "2", drift="alert")})
        assert (await w.sync()).ok
        live = await w.get("ConfigMap", "a")
        assert live is not None
        assert live["data"] == {"value": "2"}


@virtual
async def test_alert_mode_tells_the_same_drift_once() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a", drift="alert")})
        await w.patch(f"{MAPS}/a", {"data": {"value": "edited"}})
        for number in range(5):
            await w.patch(f"{MAPS}/a", {"metadata": {"annotations": {"x": str(number)}}})
            await w.settled()
        assert len(w.heard(EventType.DRIFTED)) == 1


@virtual
async def test_rule_11_a_trailer_approves_once() -> None:
    async with world() as w:
        repository = await w.started(TEN)
        bad = config("bad").replace("name: bad", "name: bad\n  namespace: nowhere")
        gone = dict.fromkeys(list(TEN)[:6])
        repository.commit({**gone, "bad.yaml": bad}, "Clean up\n\nReconciler-Allow-Prune: 6\n")
        assert (await w.sync()).count(Action.PRUNE) == 6
        repository.commit({f"{letter}.yaml": config(letter) for letter in "klmnop"})
        await w.sync()
        repository.commit({f"{letter}.yaml": None for letter in "klmnop"})
        assert (await w.sync()).count(Action.PRUNE) == 0, "the trailer was for other objects"


@virtual
async def test_rule_11_an_approval_by_trailer_survives_a_failure_halfway() -> None:
    broken = False

    async def fail_some(request: Request) -> Response | None:
        if broken and request.method == "DELETE" and request.path[-1] in "ab":
            return refusal(403, "Forbidden")
        return None

    async with world() as w:
        hook(w, fail_some)
        repository = await w.started(TEN)
        broken = True
        repository.commit(dict.fromkeys(list(TEN)[:6]), "Clean up\n\nReconciler-Allow-Prune: 6\n")
        assert (await w.sync()).count(Action.PRUNE) == 4
        broken = False
        await w.clock.sleep(5)
        result = await w.sources["shop"].work()
        assert result is not None
        assert result.count(Action.PRUNE) == 2


@virtual
async def test_rule_11_an_approval_by_hand_survives_a_failure() -> None:
    broken = False

    async def fail(request: Request) -> Response | None:
        return refusal(403, "Forbidden") if broken and request.method == "DELETE" else None

    async with world() as w:
        hook(w, fail)
        repository = await w.started(TEN)
        repository.commit(dict.fromkeys(list(TEN)[:6]))
        await w.sync()
        uids = frozenset(each.uid for each in (await w.state()).held)
        w.remember(lambda state: replace(state, approved=uids))
        broken = True
        w.sources["shop"].ask()
        await w.sync()
        broken = False
        w.sources["shop"].ask()
        assert (await w.sync()).count(Action.PRUNE) == 6


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
async def test_rule_2_nothing_is_pruned_before_every_source_was_read_once() -> None:
    async with world() as w:
        first = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        second = w.source("second")
        second.commit({"c.yaml": config("c")})
        await w.sync("second")
        before = await w.get("ConfigMap", "a")
        await w.restart()
        first.commit({"a.yaml": None})
        second.commit({"a.yaml": config("a", "2")})
        await w.sync("shop")
        assert await w.get("ConfigMap", "a"), "it moves to the second source"
        await w.sync("second")
        for name in ("shop", "second"):
            w.sources[name].ask()
            await w.sync(name)
        after = await w.get("ConfigMap", "a")
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]


@virtual
async def test_rule_2_a_spec_that_is_broken_for_a_moment_is_not_given_away() -> None:
    async with world() as w:
        first = await w.started({"web.yaml": deployment()})
        second = w.source("second")
        second.commit({"web.yaml": deployment(image="example.com/other:1")})
        await w.sync("second")
        first.commit({"web.yaml": deployment(extra="  replicas: three\n")})
        await w.sync("shop")
        w.sources["second"].ask()
        result = await w.sync("second")
        assert [r.action for r in result.results.values()] == [Action.REFUSE]
        live = await w.get("Deployment", "web", group="apps")
        assert live is not None
        assert live["metadata"]["labels"]["reconciler.dev/source"] == "shop"


@virtual
async def test_rule_2_what_another_source_lets_go_is_taken_without_being_asked() -> None:
    async with world() as w:
        first = await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
        second = w.source("second")
        second.commit({"a.yaml": config("a", "2")})
        await w.sync("second")
        woken: list[float] = []
        w.sources["second"].on_suspect = woken.append
        first.commit({"a.yaml": None})
        await w.sync("shop")
        assert woken
        assert w.sources["second"].due


@virtual
async def test_rule_4_adopt_does_not_force_later_commits() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a", adopt="true")})
        await w.patch(f"{MAPS}/a", {"data": {"more": "theirs"}}, by="their-tool")
        text = config("a", adopt="true").replace("data: {value: '1'}", "data: {value: '1', more: 'ours'}")
        w.repositories["shop"].commit({"a.yaml": text})
        result = await w.sync()
        (failed,) = (each for each in result.results.values() if each.outcome is Outcome.FAILED)
        assert "their-tool" in failed.message


@virtual
async def test_rule_22_a_source_with_namespaces_applies_nowhere_else() -> None:
    async with world() as w:
        await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        repository = w.source(namespaces=("shop",))
        elsewhere = config("evil").replace("name: evil", "name: evil\n  namespace: default")
        repository.commit({"a.yaml": config("a"), "evil.yaml": elsewhere})
        result = await w.sync()
        assert await w.get("ConfigMap", "a")
        assert await w.get("ConfigMap", "evil", namespace="default") is None
        (refused,) = (each for i, each in result.results.items() if i.name == "evil")
        assert "namespaces" in refused.message


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
async def test_rule_16_a_job_that_ends_and_is_deleted_at_once_is_not_run_again() -> None:
    async with world() as w:
        await w.started({"migrate.yaml": task()})
        (job,) = [i for i in w.cluster.cache.marked("shop") if i.kind == "Job"]
        path = f"/apis/batch/v1/namespaces/shop/jobs/{job.name}"
        now = "2026-01-01T00:00:00Z"
        status = {
            "startTime": now,
            "completionTime": now,
            "succeeded": 1,
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
                for kind in ("SuccessCriteriaMet", "Complete")
            ],
        }
        await w.patch(f"{path}/status", {"status": status}, by="controller")
        await w.call("DELETE", path, propagationPolicy="Background")
        await w.settled()
        assert await w.get("Job", job.name, group="batch") is None


@virtual
async def test_rule_16_a_task_that_is_broken_for_a_moment_is_not_run_again() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"migrate.yaml": task()})
        await w.clock.sleep(30)
        await w.sources["shop"].work()
        (job,) = [i for i in w.cluster.cache.marked("shop") if i.kind == "Job"]
        await w.call("DELETE", f"/apis/batch/v1/namespaces/shop/jobs/{job.name}")
        await w.clock.sleep(5)
        await w.sources["shop"].work()
        repository.commit({"migrate.yaml": task(extra="  retries: many\n")})
        await w.sync()
        repository.commit({"migrate.yaml": task()})
        await w.sync()
        assert await w.get("Job", job.name, group="batch") is None


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
