"""What a planner fills in, over the life of a workload (rules 6, 19 and 21)."""

from typing import Any

import msgspec
import pytest
from both_servers import on_both
from stated_planning import StatedPlanning
from texts import deployment, task
from world import World

from reconciler.kube.names import Identity
from reconciler.model.event import EventType
from reconciler.model.filled import Preference, Record

GENERAL = Record("", (Preference(100, {"pool": "general"}, ("a", "b")),), ("zone",), {"cpu": "250m"}, 3)
FULL = Record(
    "",
    (Preference(60, {"arch": "arm64", "pool": "general"}, ("a", "b")), Preference(40, {"pool": "batch"})),
    ("zone", "node"),
    {"cpu": "250m", "memory": "64Mi"},
    3,
    ("n1", "n2"),
    apart=True,
)
BATCH = Record("", (Preference(100, {"pool": "batch"}),), (), {"cpu": "500m"}, 4)


async def planned(w: World, record: Record | None, files: dict[str, str]) -> Any:
    w.planning = StatedPlanning(record)
    return await w.started(files)


async def live(w: World, name: str = "web") -> Any:
    found = await w.get("Deployment", name, group="apps")
    assert found is not None
    return found


def pool(obj: Any) -> str:
    """The pool that the pods prefer."""
    affinity = obj["spec"]["template"]["spec"].get("affinity") or {"nodeAffinity": {}}
    terms = affinity["nodeAffinity"].get("preferredDuringSchedulingIgnoredDuringExecution")
    return str(terms[0]["preference"]["matchExpressions"][0]["values"][0]) if terms else ""


def requested(obj: Any) -> Any:
    return obj["spec"]["template"]["spec"]["containers"][0].get("resources", {}).get("requests")


def advise(w: World, record: Record | None) -> None:
    """A newer plan, and word of it."""
    assert isinstance(w.planning, StatedPlanning)
    w.planning.record = record
    w.sources["shop"].ask()


@on_both
async def test_rule_21_a_new_workload_prefers_what_the_planner_chose(w: World) -> None:
    await planned(w, GENERAL, {"web.yaml": deployment()})
    web = await live(w)
    assert (pool(web), requested(web), web["spec"]["replicas"]) == ("general", {"cpu": "250m"}, 3)
    pod = web["spec"]["template"]["spec"]
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in pod["affinity"]["nodeAffinity"]
    assert [each["whenUnsatisfiable"] for each in pod["topologySpreadConstraints"]] == ["ScheduleAnyway"]
    assert "nodeName" not in pod


@on_both
async def test_rule_19_a_newer_plan_changes_the_number_of_pods_and_no_template(w: World) -> None:
    await planned(w, GENERAL, {"web.yaml": deployment()})
    before = await live(w)
    advise(w, BATCH)
    await w.settled()
    after = await live(w)
    assert after["spec"]["replicas"] == 4
    assert after["spec"]["template"] == before["spec"]["template"]
    assert dict(w.sources["shop"].pending) == {
        Identity("reconciler.dev", "Deployment", w.space, "web"): msgspec.structs.replace(
            BATCH, asked=next(iter(w.sources["shop"].pending.values())).asked
        )
    }


@on_both
async def test_rule_19_newer_advice_comes_with_a_change_of_the_spec(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment()})
    advise(w, BATCH)
    await w.settled()
    repository.commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    web = await live(w)
    assert (pool(web), requested(web)) == ("batch", {"cpu": "500m"})
    assert not w.sources["shop"].pending


@on_both
async def test_rule_19_what_was_filled_in_outlives_the_daemon_and_the_planner(w: World) -> None:
    await planned(w, GENERAL, {"web.yaml": deployment()})
    before = await live(w)
    for record in (None, BATCH):  # a planner that has nothing to say yet, and one that knows nothing of the last life
        w.planning = StatedPlanning(record) if record else None
        await w.restart()
        assert (await w.sync()).ok
        after = await live(w)
        assert after["spec"]["template"] == before["spec"]["template"]
    assert after["spec"]["replicas"] == 4
    assert not w.heard(EventType.DRIFTED)


@on_both
async def test_rule_19_beginning_to_plan_restarts_nobodys_pods(w: World) -> None:
    repository = await w.started({"web.yaml": deployment()})
    before = await live(w)
    w.planning = StatedPlanning(GENERAL)
    await w.restart()
    assert (await w.sync()).ok
    after = await live(w)
    assert after["spec"]["template"] == before["spec"]["template"]
    assert after["spec"]["replicas"] == 3, "the number of pods is no part of the template"
    repository.commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    assert pool(await live(w)) == "general"


@on_both
async def test_rule_19_an_unrelated_commit_takes_no_new_advice(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment()})
    before = await live(w)
    advise(w, BATCH)
    text = deployment(extra="  expose: [{port: 80, targetPort: http}]\n")
    repository.commit({"web.yaml": text, "api.yaml": deployment("api")}, "Expose it, and one more")
    assert (await w.sync()).ok
    after = await live(w)
    assert after["spec"]["template"] == before["spec"]["template"], "how it is reached restarts no pod"
    assert pool(await live(w, "api")) == "batch"


@on_both
async def test_what_was_planned_goes_without_a_planner_when_the_spec_changes(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment()})
    w.planning = None
    await w.restart()
    repository.commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    web = await live(w)
    assert pool(web) == ""
    assert web["spec"]["replicas"] == 3, "what is no longer planned keeps its live value (rule 6)"


@on_both
async def test_a_planner_without_an_answer_takes_nothing_away(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment()})
    advise(w, None)
    repository.commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    web = await live(w)
    assert (pool(web), requested(web), web["spec"]["replicas"]) == ("general", {"cpu": "250m"}, 3)


@on_both
async def test_rule_6_who_scales_a_planned_workload_by_hand_has_it(w: World) -> None:
    await planned(w, GENERAL, {"web.yaml": deployment()})
    await w.patch(w.path("deployments/web/scale", "apis/apps/v1"), {"spec": {"replicas": 9}}, by="kubectl")
    await w.settled()
    assert (await live(w))["spec"]["replicas"] == 9
    assert not w.heard(EventType.DRIFTED)
    advise(w, BATCH)
    await w.settled()
    assert (await live(w))["spec"]["replicas"] == 9, "a person's number is kept against a newer plan too"


@on_both
async def test_rule_6_a_persons_number_outlives_commits_and_restarts(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment()})
    await w.patch(w.path("deployments/web/scale", "apis/apps/v1"), {"spec": {"replicas": 5}}, by="kubectl")
    await w.settled()
    repository.commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    assert (await live(w))["spec"]["replicas"] == 5
    w.planning = StatedPlanning(BATCH)
    await w.restart()
    assert (await w.sync()).ok
    await w.settled()
    assert (await live(w))["spec"]["replicas"] == 5
    assert not w.heard(EventType.DRIFTED)


@on_both
async def test_rule_6_stated_replicas_become_planned_ones_and_back(w: World) -> None:
    repository = await planned(w, GENERAL, {"web.yaml": deployment(extra="  replicas: 5\n")})
    assert (await live(w))["spec"]["replicas"] == 5
    repository.commit({"web.yaml": deployment()}, "Let the planner say")
    assert (await w.sync()).ok
    assert (await live(w))["spec"]["replicas"] == 3
    repository.commit({"web.yaml": deployment(extra="  replicas: 2\n")}, "Say it again")
    assert (await w.sync()).ok
    assert (await live(w))["spec"]["replicas"] == 2


@on_both
async def test_rule_16_a_newer_plan_runs_no_task_again(w: World) -> None:
    await planned(w, GENERAL, {"migrate.yaml": task()})
    jobs = await w.cluster.list(Identity("batch", "Job", "", "").group_kind, w.space)
    assert [pool(job.object) for job in jobs] == ["general"]
    advise(w, BATCH)
    await w.settled()
    again = await w.cluster.list(Identity("batch", "Job", "", "").group_kind, w.space)
    assert [(job.uid, job.object["spec"]) for job in again] == [(job.uid, job.object["spec"]) for job in jobs]


@on_both
async def test_a_record_that_people_wrote_is_none(w: World) -> None:
    """The annotation is healed like any other of ours, and what it says meanwhile harms nothing."""
    await planned(w, GENERAL, {"web.yaml": deployment()})
    before = await live(w)
    body = {"metadata": {"annotations": {"reconciler.dev/planned": '{"for": 3'}}}
    await w.patch(w.path("deployments/web", "apis/apps/v1"), body)
    await w.settled()
    healed = (await live(w))["metadata"]["annotations"]
    assert healed["reconciler.dev/planned"] == before["metadata"]["annotations"]["reconciler.dev/planned"]
    await w.restart()
    assert (await w.sync()).ok
    assert (await live(w))["spec"]["template"] == before["spec"]["template"]


async def annotated(w: World, written: str | None, *names: str) -> None:
    """What somebody writes where the record is, while the daemon is down."""

    async def meanwhile() -> None:
        body = {"metadata": {"annotations": {"reconciler.dev/planned": written}}}
        for name in names or ("web",):
            await w.patch(w.path(f"deployments/{name}", "apis/apps/v1"), body)

    await w.restart(meanwhile)


@on_both
async def test_rule_19_a_record_that_was_removed_while_nobody_looked_is_read_from_the_pods(w: World) -> None:
    await planned(w, FULL, {"web.yaml": deployment()})
    before = await live(w)
    w.planning = StatedPlanning(BATCH)
    for written in (None, "{"):
        await annotated(w, written)
        assert (await w.sync()).ok
        after = await live(w)
        assert after["spec"]["template"] == before["spec"]["template"], "nothing is rolled out"
        record = Record.of(after["metadata"]["annotations"]["reconciler.dev/planned"])
        assert record is not None
        assert (record.template, record.nodes, record.apart) == (FULL.template, FULL.nodes, FULL.apart)
        assert after["spec"]["replicas"] == BATCH.replicas, "that is no part of the template"


@pytest.mark.parametrize("names", [("web-a",), ("web-a", "web-b")], ids=["of one part", "of all"])
@on_both
async def test_rule_19_a_removed_record_of_a_part_of_shares_is_read_from_its_pods(
    w: World, names: tuple[str, ...]
) -> None:
    """The number of all pods is counted, and goes on as it was while nothing is advised."""
    shared = deployment(extra="  placement: {shares: {a: 34%, b: 66%}}\n")
    await planned(w, FULL, {"web.yaml": shared})
    before = {name: await live(w, name) for name in ("web-a", "web-b")}
    assert [before[name]["spec"]["replicas"] for name in before] == [1, 2]
    for record in (None, BATCH):
        w.planning = StatedPlanning(record)
        await annotated(w, None, *names)
        assert (await w.sync()).ok
        for name, was in before.items():
            after = await live(w, name)
            assert after["spec"]["template"] == was["spec"]["template"], "nothing is rolled out"
            read = Record.of(after["metadata"]["annotations"]["reconciler.dev/planned"])
            assert read is not None
            assert (read.template, read.nodes) == (FULL.template, FULL.nodes)
            if record is None:
                assert after["spec"]["replicas"] == was["spec"]["replicas"]
    assert [(await live(w, name))["spec"]["replicas"] for name in before] == [1, 3]


@on_both
async def test_where_the_record_is_gone_and_the_image_is_another_newer_advice_is_taken(w: World) -> None:
    await planned(w, GENERAL, {"web.yaml": deployment()})
    w.planning = StatedPlanning(BATCH)
    await annotated(w, None)
    w.repositories["shop"].commit({"web.yaml": deployment(image="example.com/web:2")}, "Release")
    assert (await w.sync()).ok
    web = await live(w)
    assert (pool(web), requested(web)) == ("batch", {"cpu": "500m"})


@on_both
async def test_rule_19_what_others_put_into_a_template_is_no_record(w: World) -> None:
    """Beginning to plan restarts nobody's pods, whoever set their requests."""
    await planned(w, None, {"web.yaml": deployment()})
    container = {"name": "web", "image": "example.com/web:1", "resources": {"requests": {"cpu": "1"}}}
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    path = w.path("deployments/web", "apis/apps/v1")
    await w.call("PATCH", path, body, kind="strategic-merge-patch+json", fieldManager="vpa")
    before = await live(w)
    w.planning = StatedPlanning(BATCH)
    await w.restart()
    assert (await w.sync()).ok
    after = await live(w)
    assert after["spec"]["template"] == before["spec"]["template"]
    record = Record.of(after["metadata"]["annotations"]["reconciler.dev/planned"])
    assert record is not None
    assert not any(record.template)


TIERS = {"cheap": {"tier": "cheap"}, "dear": {"tier": "dear"}}
POOLED = {"web.yaml": deployment(extra="  placement: {pool: cheap}\n")}
SHARED = {"web.yaml": deployment(extra="  placement: {shares: {cheap: 34%, dear: 66%}}\n")}


@pytest.mark.parametrize(
    ("files", "names"), [(POOLED, ("web",)), (SHARED, ("web-cheap", "web-dear"))], ids=["pool", "shares"]
)
@on_both
async def test_rule_19_a_configuration_that_loses_its_pools_moves_no_pod(
    w: World, files: dict[str, str], names: tuple[str, ...]
) -> None:
    w.planning = StatedPlanning(GENERAL, TIERS)
    repository = await w.started(files)
    before = {name: (await live(w, name))["spec"]["template"] for name in names}
    assert [each["spec"]["nodeSelector"] for each in before.values()] == [TIERS["cheap"], TIERS["dear"]][: len(names)]
    w.planning = None
    await w.restart()
    result = await w.sync()
    assert result.ok
    assert {name: (await live(w, name))["spec"]["template"] for name in names} == before
    (warning,) = result.problems
    assert (warning.code, str(warning.severity)) == ("pool-unconfigured", "warning")
    assert "its pods stay until its spec changes, then go to nodes with reconciler.dev/pool=cheap" in warning.message
    assert "planner.pools" in warning.hint
    assert not w.heard(EventType.DRIFTED)
    repository.commit({"web.yaml": files["web.yaml"].replace("web:1", "web:2")}, "Release")
    result = await w.sync()
    assert not result.problems
    selectors = [(await live(w, name))["spec"]["template"]["spec"]["nodeSelector"] for name in names]
    assert selectors == [{"reconciler.dev/pool": "cheap"}, {"reconciler.dev/pool": "dear"}][: len(names)]
