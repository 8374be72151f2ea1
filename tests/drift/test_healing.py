"""What somebody else changes is made again what Git states."""

from both_servers import on_both
from texts import config, deployment, task
from virtual import virtual
from world import World, world

from reconciler.cluster.health.assess import assess
from reconciler.model.event import EventType

APPS = "apis/apps/v1"


@on_both
async def test_rule_14_an_edit_is_healed(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    await w.settled()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "1"}
    (healed,) = w.heard(EventType.HEALED)
    assert healed.identity is not None
    assert healed.identity.name == "a"


@on_both
async def test_rule_14_a_deletion_is_healed(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.call("DELETE", w.path("configmaps/a"))
    await w.settled()
    assert await w.get("ConfigMap", "a")


@on_both
async def test_rule_14_a_removed_label_is_healed(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.patch(w.path("configmaps/a"), {"metadata": {"labels": None}})
    await w.settled()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["metadata"]["labels"]["reconciler.dev/source"] == w.name("shop")


@on_both
async def test_rule_14_a_replacement_under_the_same_name_is_noticed(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.call("DELETE", w.path("configmaps/a"))
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "theirs"}}
    await w.create(w.path("configmaps"), body)
    await w.settled()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "theirs"}, "it is somebody's now: held, not overwritten"
    w.sources["shop"].ask()
    result = await w.sync()
    assert any(each.outcome == "held" for each in result.results.values())


@on_both
async def test_rule_5_healing_takes_back_the_stated_fields_and_no_others(w: World) -> None:
    await w.started({"web.yaml": deployment(extra="  replicas: 2\n")})
    spec = {"template": {"spec": {"containers": [{"name": "web", "image": "evil.example.com/web:1"}]}}}
    body = {"spec": {**spec, "replicas": 9, "revisionHistoryLimit": 3}}
    await w.call(
        "PATCH", w.path("deployments/web", APPS), body, kind="strategic-merge-patch+json", fieldManager="kubectl-edit"
    )
    await w.settled()
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/web:1"
    assert live["spec"]["replicas"] == 2
    assert live["spec"]["revisionHistoryLimit"] == 3, "never stated, so nobody's change of it is drift"


@on_both
async def test_rule_6_scaling_what_git_does_not_state_is_not_drift(w: World) -> None:
    await w.started({"web.yaml": deployment()})
    await w.patch(w.path("deployments/web/scale", APPS), {"spec": {"replicas": 4}}, by="kubectl")
    await w.written()
    before = w.requests()
    await w.settled()
    assert w.requests() - before == {}
    assert not w.heard(EventType.DRIFTED)


@virtual
async def test_rule_13_what_is_changed_back_again_and_again_is_left_alone_with_growing_pauses() -> None:
    async with world() as w:
        await w.started({"a.yaml": config("a")})
        for _ in range(600):
            await w.patch(w.path("configmaps/a"), {"data": {"value": "theirs"}}, by="their-controller")
            await w.clock.sleep(1)
            await w.sources["shop"].work()
        applied = w.requests()["apply", "configmaps"] - 1
        assert 3 <= applied <= 10, f"healed {applied} times in ten minutes"
        (fight,) = w.heard(EventType.FOUGHT)
        assert "reconciler and their-controller change it back again and again" in fight.message
        assert len(w.heard(EventType.DRIFTED)) == len(w.heard(EventType.HEALED)) == 2, "then only the fight is told"


@on_both
async def test_an_object_in_alert_mode_is_told_and_left_alone(w: World) -> None:
    await w.started({"a.yaml": config("a", drift="alert")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    await w.settled()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "edited"}
    assert len(w.heard(EventType.DRIFTED)) == 1


@on_both
async def test_an_ignored_field_is_nobodys_business(w: World) -> None:
    await w.started({"a.yaml": config("a", ignore="/data/value")})
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    await w.settled()
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "edited"}


@on_both
async def test_a_suspended_source_heals_and_applies_nothing(w: World) -> None:
    from dataclasses import replace

    repository = await w.started({"a.yaml": config("a")})
    w.remember(lambda state: replace(state, suspended=True))
    await w.patch(w.path("configmaps/a"), {"data": {"value": "edited"}})
    repository.commit({"b.yaml": config("b")})
    await w.sources["shop"].poll()
    await w.settled()
    assert await w.get("ConfigMap", "b") is None
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "edited"}


@on_both(controllers=True)
async def test_our_own_writes_are_not_drift(w: World) -> None:
    await w.started({"web.yaml": deployment(extra="  replicas: 2\n  expose: [{port: 80, targetPort: http}]\n")})
    before = w.requests()["apply", "deployments"]

    async def rolled_out() -> bool:
        web = await w.get("Deployment", "web", group="apps")
        return web is not None and assess(web).ready

    await w.works_until(rolled_out)
    await w.settled()
    assert w.requests()["apply", "deployments"] == before
    assert not w.heard(EventType.DRIFTED)


@on_both(controllers=True)
async def test_rule_16_a_job_that_ran_is_not_run_again_because_it_was_deleted(w: World) -> None:
    await w.started({"migrate.yaml": task()})
    (job,) = [i for i in w.cluster.cache.marked(w.name("shop")) if i.kind == "Job"]

    async def ran() -> bool:
        return job in (await w.state()).ran

    async def gone() -> bool:
        return await w.get("Job", job.name, group="batch") is None

    await w.works_until(ran)
    await w.call("DELETE", w.path(f"jobs/{job.name}", "apis/batch/v1"), propagationPolicy="Background")
    await w.until(gone)
    await w.settled()
    assert await gone()
    await w.restart()
    await w.sync()
    assert await gone(), "not after a restart either"
