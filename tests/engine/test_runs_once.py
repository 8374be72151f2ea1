"""A Task that ran is not run again."""

from texts import task
from virtual import virtual
from world import world


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
