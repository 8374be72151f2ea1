"""A Task's Job runs at most once for each hash, and never beside another of the same Task (rule 16)."""

import pytest
from both_servers import on_both
from intercepted import hook, refusal
from texts import config, task
from virtual import virtual
from world import World, world

from reconciler.errors import TransportError
from reconciler.http.transport import Request, Response
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.result import Outcome, SyncResult

JOBS = "apis/batch/v1"
NOW = "2026-01-01T00:00:00Z"
COMPLETE = {
    "startTime": NOW,
    "completionTime": NOW,
    "succeeded": 1,
    "conditions": [
        {"type": kind, "status": "True", "lastTransitionTime": NOW, "lastProbeTime": NOW}
        for kind in ("SuccessCriteriaMet", "Complete")
    ],
}


async def jobs(w: World) -> list[str]:
    """The names of the Jobs that there are."""
    return [item["metadata"]["name"] for item in (await w.call("GET", w.path("jobs", JOBS)))["items"]]


async def the_job(w: World) -> str:
    (name,) = await jobs(w)
    return name


async def end(w: World, name: str) -> None:
    """The Job succeeds."""
    await w.patch(w.path(f"jobs/{name}/status", JOBS), {"status": COMPLETE}, by="controller")


async def delete(w: World, name: str) -> None:
    await w.call("DELETE", w.path(f"jobs/{name}", JOBS), propagationPolicy="Background")


async def again(w: World) -> SyncResult:
    """One more pass over the same commit."""
    w.sources["shop"].ask()
    return await w.sync()


async def retry(w: World) -> None:
    """What `reconciler task retry` says to the daemon."""
    w.remember(lambda state: state.running_again(state.made))
    await again(w)


@virtual
async def test_rule_16_a_job_that_ends_and_is_deleted_at_once_is_not_run_again() -> None:
    async with world() as w:
        await w.started({"migrate.yaml": task()})
        name = await the_job(w)
        await end(w, name)
        await delete(w, name)
        await w.settled()
        assert await jobs(w) == []


@virtual
async def test_rule_16_a_task_that_is_broken_for_a_moment_is_not_run_again() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"migrate.yaml": task()})
        await w.clock.sleep(30)
        await w.sources["shop"].work()
        await delete(w, await the_job(w))
        await w.clock.sleep(5)
        await w.sources["shop"].work()
        repository.commit({"migrate.yaml": task(extra="  retries: many\n")})
        await w.sync()
        repository.commit({"migrate.yaml": task()})
        await w.sync()
        assert await jobs(w) == []


@on_both
async def test_rule_16_a_job_that_ended_and_went_while_nobody_looked_is_held_until_it_is_asked_for(w: World) -> None:
    await w.started({"migrate.yaml": task()})
    name = await the_job(w)
    await w.restart(meanwhile=lambda: delete(w, name))
    result = await w.sync()
    assert await jobs(w) == []
    held = result.results[Identity("batch", "Job", w.space, name)]
    assert held.outcome is Outcome.HELD
    assert "task retry" in held.hint
    assert [each.identity.name for each in (await w.state()).held] == [name]
    await retry(w)
    assert await jobs(w) == [name]
    assert (await w.state()).held == ()


@virtual
async def test_rule_16_a_job_that_is_deleted_while_it_runs_is_held() -> None:
    async with world() as w:
        await w.started({"migrate.yaml": task()})
        name = await the_job(w)
        await delete(w, name)
        await w.settled()
        await w.sources["shop"].work()
        assert await jobs(w) == []
        assert [each.identity.name for each in (await w.state()).held] == [name]


@virtual
async def test_a_job_that_was_refused_was_not_made() -> None:
    refusing = True

    async def refuse(request: Request) -> Response | None:
        making = request.method == "PATCH" and "/jobs/" in request.path
        return refusal(403, "Forbidden") if refusing and making else None

    async with world() as w:
        hook(w, refuse)
        w.source().commit({"namespace.yaml": w.namespace(), "migrate.yaml": task()})
        assert not (await w.sync()).ok
        refusing = False
        await w.restart()
        assert (await w.sync()).ok
        await the_job(w)


@virtual
@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_job_whose_answer_is_lost_is_tried_again(carried_out: bool) -> None:
    losing = True

    async def lose(request: Request) -> Response | None:
        if losing and request.method == "PATCH" and "/jobs/" in request.path:
            if carried_out:
                await w.transport.send(request)
            raise TransportError("the connection broke")
        return None

    async with world() as w:
        hook(w, lose)
        w.source().commit({"namespace.yaml": w.namespace(), "migrate.yaml": task()})
        assert not (await w.sync()).ok
        losing = False
        await again(w)
        await the_job(w)
        assert (await w.state()).held == ()


@virtual
async def test_rule_16_a_running_job_is_neither_cancelled_nor_overlapped() -> None:
    async with world() as w:
        repository = await w.started({"migrate.yaml": task(image="example.com/web:1"), "a.yaml": config("a")})
        first = await the_job(w)
        repository.commit({"migrate.yaml": task(image="example.com/web:2"), "a.yaml": config("a", "2")})
        result = await w.sync()
        assert await jobs(w) == [first]
        (held,) = [each for each in result.results.values() if each.outcome is Outcome.HELD]
        assert first in held.message
        changed = await w.get("ConfigMap", "a")
        assert changed is not None
        assert changed["data"] == {"value": "2"}  # nobody else waits
        await end(w, first)

        async def second() -> bool:
            return len(await jobs(w)) == 2

        await w.works_until(second)


@virtual
async def test_rule_16_going_back_to_what_ran_runs_nothing_again() -> None:
    async with world() as w:
        repository = await w.started({"migrate.yaml": task(image="example.com/web:1")})
        first = await the_job(w)
        await end(w, first)
        await w.settled()
        repository.commit({"migrate.yaml": task(image="example.com/web:2")})
        await w.sync()
        await delete(w, first)
        (second,) = await jobs(w)
        await end(w, second)
        await w.settled()
        repository.commit({"migrate.yaml": task(image="example.com/web:1")})
        assert (await w.sync()).ok
        assert first not in await jobs(w)


@virtual
async def test_what_a_job_left_on_record_is_known_however_old_the_record_is() -> None:
    """A daemon of before the record was kept has a Job running."""
    async with world() as w:
        await w.started({"migrate.yaml": task()})
        name = await the_job(w)
        w.remember(lambda state: state.running_again(state.made))
        await w.restart()
        await w.sync()
        assert (await w.state()).made == {Identity("batch", "Job", w.space, name)}
        assert GroupKind("batch", "Job") in (await w.state()).kinds
