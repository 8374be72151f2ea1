"""The planner in the engine: from a spec that leaves its place open to pods where they were planned, and on."""

from random import Random

from planned import planned
from texts import deployment, task
from virtual import virtual

from reconciler.kube.names import Identity
from reconciler.model.event import EventType
from reconciler.sandbox import nodes
from reconciler.sandbox.simulation import Simulation

WEB = Identity("apps", "Deployment", "shop", "web")
REQUESTS = "  resources: {requests: {cpu: 500m, memory: 256Mi}}\n"


@virtual
async def test_what_a_spec_leaves_open_is_planned_and_pods_run_where_it_says() -> None:
    async with planned() as p:
        await p.w.started({"web.yaml": deployment()})
        web = await p.deployment()
        container = web["spec"]["template"]["spec"]["containers"][0]
        assert container["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}
        assert web["spec"]["replicas"] == 2
        where = await p.running(2)
        assert {name.partition("-")[0] for name in where} == {"cheap"}
        assert len(set(where)) == 2, "spread"
        advised = p.planning.advised
        assert advised is not None
        assert not advised.plan.unplaced
        assert not p.woken


@virtual
async def test_what_a_spec_states_is_the_planners_too() -> None:
    async with planned() as p:
        text = deployment(extra=REQUESTS + "  replicas: 3\n  placement: {pool: dear, zones: [b]}\n")
        await p.w.started({"web.yaml": text})
        pod = (await p.deployment())["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"tier": "dear"}
        affinity = pod["affinity"]["nodeAffinity"]
        assert affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] == [
            {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b"]}]}
        ]
        (preferred,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]  # the pool need not be
        assert [each["key"] for each in preferred["preference"]["matchExpressions"]] == ["kubernetes.io/hostname"]
        assert await p.running(3) == ["dear-2", "dear-2", "dear-2"]


@virtual
async def test_a_lost_node_rolls_out_nothing() -> None:
    async with planned() as p:
        await p.w.started({"web.yaml": deployment(extra=REQUESTS)})
        where = await p.running(2)
        before = await p.deployment()
        await p.lose(where[0])
        await p.ready(5)

        async def planned_again() -> bool:
            advised = p.planning.advised
            assert advised is not None
            here = advised.plan.assignment[Identity("reconciler.dev", "Deployment", "shop", "web")]
            return where[0] not in here

        await p.w.until(planned_again, 600)
        await p.w.settled()
        after = await p.deployment()
        assert after["spec"] == before["spec"]
        assert not p.w.heard(EventType.DRIFTED)


@virtual
async def test_what_has_no_place_is_known_with_its_reason() -> None:
    async with planned() as p:
        text = deployment(extra="  replicas: 2\n  resources: {requests: {cpu: 64}}\n")
        await p.w.started({"web.yaml": text})
        assert p.planning.advised is not None
        lack = p.planning.advised.plan.unplaced[Identity("reconciler.dev", "Deployment", "shop", "web")]
        assert lack.count == 2
        assert "cpu" in lack.reason


@virtual
async def test_nodes_of_a_new_pool_are_planned_with_as_soon_as_they_are_there() -> None:
    """What waited for them has its place, and its pods come to it without a roll-out."""
    async with planned() as p:
        await p.w.started({"web.yaml": deployment(extra="  replicas: 1\n  resources: {requests: {cpu: 6}}\n")})
        before = await p.deployment()
        assert p.planning.advised is not None
        assert p.planning.advised.plan.unplaced
        new = nodes.Pool("large", 1, zones=("a",), cpu="16", labels={"tier": "large"})
        transport = p.w.connect()
        try:
            async with Simulation(
                transport,
                clock=p.w.clock,
                random=Random(4),
                nodes=nodes.nodes_of((new,)),
                controllers=(),
                scheduler=False,
            ):
                assert await p.running(1) == ["large-1"]

                async def planned_there() -> bool:
                    return p.where_planned() == {"web": {"large-1": 1}}

                await p.w.until(planned_there)
                assert not p.planning.advised.plan.unplaced
                assert (await p.deployment())["spec"]["template"] == before["spec"]["template"]
        finally:
            await transport.close()


@virtual
async def test_rule_21_another_planner_plans() -> None:
    """Nothing is said while another holds the lease; once it is ours, the pods have their number."""
    async with planned() as p:
        p.ours = False
        await p.w.started({"web.yaml": deployment()})
        assert "replicas" not in p.w.sources["shop"].desired.manifests.items[WEB].object["spec"]  # type: ignore[union-attr]
        p.ours = True
        p.planning.changed()

        async def woken() -> bool:
            return p.woken == ["shop"]

        await p.w.until(woken)
        await p.w.settled()
        assert (await p.deployment())["spec"]["replicas"] == 2


@virtual
async def test_rule_6_who_scaled_before_there_was_a_planner_has_his_number() -> None:
    """No server notes who scaled what nobody owned: it is told by the pods that run."""
    async with planned() as p:
        p.ours = False
        await p.w.started({"web.yaml": deployment()})
        scale = p.w.path("deployments/web/scale", "apis/apps/v1")
        await p.w.patch(scale, {"spec": {"replicas": 5}}, by="kubectl")
        await p.running(5)
        p.ours = True
        p.planning.changed()
        await p.w.clock.sleep(30)
        await p.w.settled()
        web = await p.deployment()
        assert "reconciler.dev/planned" in web["metadata"]["annotations"]
        assert web["spec"]["replicas"] == 5


@virtual
async def test_a_second_source_takes_no_room_that_the_first_was_given() -> None:
    """One planner for all sources: what is planned and does not run yet takes its room too."""
    one = (nodes.Pool("cheap", 2, zones=("a", "b"), labels={"tier": "cheap"}),)
    async with planned(one) as p:
        w = p.w
        big = "  replicas: 1\n  resources: {requests: {cpu: 3}}\n"
        first, second = w.source("one"), w.source("two")
        first.commit({"namespace.yaml": w.namespace(), "web.yaml": deployment(extra=big)})
        second.commit({"api.yaml": deployment("api", extra=big)})
        assert (await w.sync("one")).ok
        assert (await w.sync("two")).ok
        assert p.planning.advised is not None
        taken = [set(nodes_) for nodes_ in p.planning.advised.plan.assignment.values()]
        assert len(taken) == 2
        assert not taken[0] & taken[1]


@virtual
async def test_rule_22_what_a_source_may_not_apply_takes_nobodys_room() -> None:
    """It is refused, so nothing is planned for it, however urgent it says that it is."""
    async with planned() as p:
        w = p.w
        await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bank"}})
        repository = w.source(namespaces=(w.space,))
        elsewhere = deployment("evil", extra=REQUESTS).replace("name: evil", "name: evil, namespace: bank", 1)
        repository.commit(
            {"namespace.yaml": w.namespace(), "web.yaml": deployment(extra=REQUESTS), "evil.yaml": elsewhere}
        )
        result = await w.sync()
        assert {i.name for i, each in result.results.items() if "outside of the source" in each.message} == {"evil"}
        assert p.planning.advised is not None
        assert [need.identity.name for need in p.planning.advised.needs] == ["web"]


@virtual
async def test_rule_22_who_names_a_priority_that_is_not_its_sources_is_neither_planned_nor_applied() -> None:
    """Documents of ours and objects of Kubernetes alike; and what was applied before stays as it was."""
    async with planned() as p:
        w = p.w
        repository = w.source(priorities=("usual",))
        for name, value in (("usual", 5), ("urgent", 1000)):
            body = {"metadata": {"name": name}, "value": value}
            await w.create("/apis/scheduling.k8s.io/v1/priorityclasses", body)

        def of(name: str, priority: str) -> str:
            return deployment(name, extra=f"{REQUESTS}  placement: {{priorityClassName: {priority}}}\n")

        plain = (
            "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: plain}\nspec:\n"
            "  selector: {matchLabels: {app: plain}}\n  template:\n    metadata: {labels: {app: plain}}\n"
            "    spec: {priorityClassName: urgent, containers: [{name: plain, image: example.com/plain:1}]}\n"
        )
        files = {"namespace.yaml": w.namespace(), "plain.yaml": plain, "none.yaml": deployment("none", extra=REQUESTS)}
        repository.commit({**files, "web.yaml": of("web", "usual"), "evil.yaml": of("evil", "urgent")})
        result = await w.sync()
        refused = {i.name for i, each in result.results.items() if "may not be of priority urgent" in each.message}
        assert refused == {"evil", "plain"}
        assert await w.get("Deployment", "evil", group="apps") is None
        assert p.planning.advised is not None
        assert [need.identity.name for need in p.planning.advised.needs] == ["none", "web"]
        before = await p.deployment()
        repository.commit({"web.yaml": of("web", "urgent")}, "Go first")
        await w.sync()
        assert (await p.deployment())["spec"] == before["spec"]


@virtual
async def test_a_quota_of_the_namespace_bounds_what_is_placed_until_it_is_raised() -> None:
    async with planned() as p:
        w = p.w
        repository = await w.started({"web.yaml": deployment(extra=REQUESTS)})
        await p.running(2)
        await w.create(w.path("resourcequotas"), {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "3"}}})

        async def bounded() -> bool:
            return p.roster.view({}).around.quotas != ()

        await w.until(bounded)
        repository.commit({"api.yaml": deployment("api", extra=f"{REQUESTS}  replicas: 2\n")}, "Add the interface")
        await w.sync()
        api = Identity("reconciler.dev", "Deployment", w.space, "api")
        assert p.planning.advised is not None
        lack = p.planning.advised.plan.unplaced[api]
        assert (lack.count, lack.fix) == (1, f"raise pods in ResourceQuota/{w.space}/few")

        async def placed() -> bool:
            return p.planning.advised is not None and not p.planning.advised.plan.unplaced

        await w.call("PATCH", w.path("resourcequotas/few"), {"spec": {"hard": {"pods": "4"}}}, kind="merge-patch+json")
        await w.until(placed)


@virtual
async def test_a_task_that_has_ended_leaves_its_room_before_the_next_pass() -> None:
    """It was not made yet when the pass asked what is planned for it."""
    async with planned() as p:
        big = "  resources: {requests: {cpu: 3}}\n"
        await p.w.started({"migrate.yaml": task(extra=big)})
        migrate = Identity("reconciler.dev", "Task", "shop", "migrate")
        assert p.planning.advised is not None
        assert p.planning.advised.plan.assignment[migrate]

        async def left() -> bool:
            advised = p.planning.advised
            return advised is not None and migrate not in advised.plan.assignment

        await p.w.until(left, 600)
        assert not p.woken
