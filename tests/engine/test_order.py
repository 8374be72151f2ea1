"""Who waits for whom, and for how long."""

import asyncio

from texts import NAMESPACE, config, deployment, task
from virtual import virtual
from world import world

from reconciler.kube.names import GroupKind
from reconciler.model.change import Action
from reconciler.model.result import Outcome, SyncResult

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""
GADGET = "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {size: 3}\n"


def of(result: SyncResult, kind: str) -> "list[tuple[str, Outcome]]":
    return [(i.name, r.outcome) for i, r in sorted(result.results.items()) if i.kind == kind]


@virtual
async def test_rule_15_a_custom_resource_waits_for_its_definition_of_the_same_commit() -> None:
    async with world() as w:
        w.source().commit({"a-gadget.yaml": GADGET, "crd.yaml": CRD, "namespace.yaml": NAMESPACE})
        result = await w.sync()
        assert result.ok, result.results
        live = await w.get("Gadget", "one", group="example.com")
        assert live is not None
        assert live["spec"] == {"size": 3}


@virtual
async def test_rule_15_a_kind_that_nobody_serves_fails_alone_and_is_applied_when_it_is_served() -> None:
    async with world() as w:
        repository = w.source()
        repository.commit({"gadget.yaml": GADGET, "a.yaml": config("a"), "namespace.yaml": NAMESPACE})
        result = await w.sync()
        assert of(result, "Gadget") == [("one", Outcome.FAILED)]
        assert of(result, "ConfigMap") == [("a", Outcome.DONE)]
        repository.commit({"crd.yaml": CRD})
        assert (await w.sync()).ok
        assert await w.get("Gadget", "one", group="example.com")


@virtual
async def test_rule_15_namespaces_are_never_created_implicitly() -> None:
    async with world() as w:
        w.source().commit({"a.yaml": config("a")})
        result = await w.sync()
        assert of(result, "ConfigMap") == [("a", Outcome.FAILED)]
        assert await w.get("Namespace", "shop", namespace="") is None


@virtual
async def test_a_workload_waits_until_the_task_it_depends_on_has_succeeded() -> None:
    async with world(controllers=True) as w:
        web = deployment(extra="  dependsOn: [Task/migrate]\n")
        w.source().commit({"namespace.yaml": NAMESPACE, "web.yaml": web, "migrate.yaml": task()})
        running = asyncio.ensure_future(w.sync())
        await w.clock.sleep(0.3)
        assert await w.cluster.list(GroupKind("batch", "Job"), "shop"), "the Job runs"
        assert await w.get("Deployment", "web", group="apps") is None, "and the Deployment waits"
        assert (await running).ok
        assert await w.get("Deployment", "web", group="apps")


@virtual
async def test_what_depends_on_a_failed_task_is_blocked_and_nothing_else() -> None:
    async with world(controllers=True) as w:
        web = deployment(extra="  dependsOn: [Task/migrate]\n")
        bad = task(image="example.com/web:fail", extra="  retries: 0\n")
        files = {"web.yaml": web, "migrate.yaml": bad, "other.yaml": deployment("other")}
        w.source().commit({"namespace.yaml": NAMESPACE, **files})
        result = await w.sync()
        assert of(result, "Deployment") == [("other", Outcome.DONE), ("web", Outcome.BLOCKED)]
        (blocked,) = (
            r for r in result.results.values() if r.outcome is Outcome.BLOCKED and r.identity.kind == "Deployment"
        )
        assert "migrate" in blocked.message


@virtual
async def test_a_dependency_that_never_comes_blocks_after_the_timeout() -> None:
    async with world(controllers=True) as w:
        web = deployment(extra="  dependsOn: [Deployment/base]\n")
        base = deployment("base", image="example.com/base:never-ready")
        w.source().commit({"namespace.yaml": NAMESPACE, "web.yaml": web, "base.yaml": base})
        began = w.clock.monotonic()
        result = await w.sync()
        assert of(result, "Deployment") == [("base", Outcome.DONE), ("web", Outcome.BLOCKED)]
        assert 60 <= w.clock.monotonic() - began < 70


@virtual
async def test_a_newer_commit_wins_over_a_pass_that_waits() -> None:
    async with world(controllers=True) as w:
        web = deployment(extra="  dependsOn: [Deployment/base]\n")
        base = deployment("base", image="example.com/base:never-ready")
        repository = w.source()
        repository.commit({"namespace.yaml": NAMESPACE, "web.yaml": web, "base.yaml": base})
        running = asyncio.ensure_future(w.sync())
        await w.clock.sleep(5)
        began = w.clock.monotonic()
        repository.commit({"base.yaml": deployment("base")})
        await w.sources["shop"].poll()
        first = await running
        assert first.superseded
        assert w.clock.monotonic() - began < 1
        second = await w.sources["shop"].work()
        assert second is not None
        assert second.ok
        assert await w.get("Deployment", "web", group="apps")


@virtual
async def test_objects_that_wait_for_each_other_fail_and_are_named() -> None:
    async with world() as w:
        one = config("one", depends_on="ConfigMap/two")
        two = config("two", depends_on="ConfigMap/one")
        w.source().commit({"namespace.yaml": NAMESPACE, "one.yaml": one, "two.yaml": two, "a.yaml": config("a")})
        result = await w.sync()
        assert await w.get("ConfigMap", "a")
        assert await w.get("ConfigMap", "one") is None
        assert "one" in "".join(map(str, result.problems)) + "".join(r.message for r in result.results.values())


@virtual
async def test_rule_16_a_new_commit_does_not_cancel_a_running_task_and_its_own_follows() -> None:
    async with world(controllers=True) as w:
        slow = "  template: {metadata: {annotations: {sandbox.reconciler.dev/duration: 60s}}}\n"
        repository = await w.started({"migrate.yaml": task(extra=slow)})
        await w.clock.sleep(5)
        repository.commit({"migrate.yaml": task(image="example.com/web:2", extra=slow)})
        await w.sync()
        assert len(await w.cluster.list(GroupKind("batch", "Job"), "shop")) == 1
        await w.clock.sleep(100)
        await w.sources["shop"].work()
        await w.clock.sleep(100)
        jobs = [job.object["status"] for job in await w.cluster.list(GroupKind("batch", "Job"), "shop")]
        assert len(jobs) == 2
        assert all(any(c["type"] == "Complete" for c in status["conditions"]) for status in jobs)
        first, second = sorted((status["startTime"], status["completionTime"]) for status in jobs)
        assert first[1] <= second[0]


@virtual
async def test_rule_16_the_same_hash_never_runs_twice() -> None:
    async with world(controllers=True) as w:
        repository = await w.started({"migrate.yaml": task()})
        await w.clock.sleep(30)
        for n in range(3):
            repository.commit({"other.yaml": config("other", str(n))})
            await w.sync()
        assert len(await w.cluster.list(GroupKind("batch", "Job"), "shop")) == 1


@virtual
async def test_rule_16_a_suspended_task_is_not_started() -> None:
    async with world(controllers=True) as w:
        repository = w.source()
        repository.commit({"namespace.yaml": NAMESPACE, "migrate.yaml": task(extra="  suspend: true\n")})
        result = await w.sync()
        assert of(result, "Job")[0][1] is Outcome.HELD
        assert not await w.cluster.list(GroupKind("batch", "Job"), "shop")
        repository.commit({"migrate.yaml": task()})
        assert (await w.sync()).count(Action.CREATE) == 1


@virtual
async def test_rule_16_finished_runs_are_kept_as_the_task_says() -> None:
    async with world(controllers=True) as w:
        keep = "  keep: {succeeded: 1, failed: 1}\n"
        repository = await w.started({"migrate.yaml": task(extra=keep)})
        await w.clock.sleep(30)
        for n in (2, 3):
            repository.commit({"migrate.yaml": task(image=f"example.com/web:{n}", extra=keep)})
            await w.sync()
            await w.clock.sleep(30)
            await w.sources["shop"].work()
        repository.commit({"other.yaml": config("other")})
        await w.sync()
        assert len(await w.cluster.list(GroupKind("batch", "Job"), "shop")) == 1
