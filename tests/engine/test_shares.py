"""A workload in shares over pools, over its life: one Deployment for each pool, and never too few pods on the way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from both_servers import on_both
from planned import Planned, document, planned, planning
from texts import config, deployment
from virtual import virtual
from world import World, world

from reconciler.kube.names import Identity
from reconciler.model.change import Action
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

SHARES = "{cheap: 30%, dear: 70%}"
REQUESTS = "  resources: {requests: {cpu: 100m, memory: 64Mi}}\n"
EXPOSED = "  expose: [{port: 80, targetPort: http}]\n"
SOON = "".join(  # gone from a node a second after that was lost, not five minutes
    f"{{key: node.kubernetes.io/{what}, operator: Exists, effect: NoExecute, tolerationSeconds: 1}}, "
    for what in ("not-ready", "unreachable")
)
SCALE = REQUESTS + "  scale: {min: 2, max: 20, target: {cpu: 65%}}\n"


def web(p: Planned, shares: str, extra: str) -> dict[str, str]:
    """The spec, with `shares` or without."""
    stated = f"shares: {shares}, " if shares else ""
    placement = p.placement.replace("placement: {", f"placement: {{{stated}", 1)
    placement = placement.replace("tolerations: [", f"tolerations: [{SOON}")
    return {"web.yaml": deployment(extra=placement + extra)}


async def replicas(w: World) -> Mapping[str, int]:
    """Of each Deployment of the namespace."""
    found = await w.call("GET", w.path("deployments", "apis/apps/v1"))
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in found["items"]}


async def exchanged(p: Planned, wanted: Mapping[str, int], least: int) -> None:
    """Work until there is what is `wanted` and no more, and never fewer than `least` ready pods on the way."""
    fewest = least

    async def done() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(await p.pods("web")))
        return await replicas(p.w) == wanted

    await p.w.works_until(done)
    assert fewest == least


@on_both
async def test_pods_run_in_the_pools_in_their_shares(w: World) -> None:
    async with planning(w) as p:
        await w.started(web(p, SHARES, REQUESTS + EXPOSED + "  replicas: 10\n"))
        assert await replicas(w) == {"web-cheap": 3, "web-dear": 7}
        nodes = await p.running(10, "web")
        assert sorted(node.partition("-")[0] for node in nodes) == ["cheap"] * 3 + ["dear"] * 7
        service = await w.get("Service", "web")
        assert service is not None
        assert service["spec"]["selector"] == {"app.kubernetes.io/name": "web"}


@on_both
async def test_from_one_deployment_to_shares_and_back_no_pod_is_missed(w: World) -> None:
    async with planning(w) as p:
        stated = REQUESTS + EXPOSED + "  replicas: 4\n"
        repository = await w.started(web(p, "", stated))
        await p.running(4, "web")
        repository.commit(web(p, SHARES, stated), "Share")
        result = await w.sync()
        assert result.ok
        assert result.count(Action.PRUNE) == 0
        kept = result.results[Identity("apps", "Deployment", w.space, "web")]
        assert (kept.action, kept.message) == (
            Action.KEEP,
            "runs until what replaces it is ready: web-cheap, web-dear",
        )
        await exchanged(p, {"web-cheap": 1, "web-dear": 3}, 4)
        repository.commit(web(p, "", stated), "Go back")
        assert (await w.sync()).ok
        await exchanged(p, {"web": 4}, 4)
        assert not w.heard(EventType.DRIFTED)


@on_both
async def test_a_daemon_that_dies_between_the_old_and_the_new_goes_on(w: World) -> None:
    async with planning(w) as p:
        stated = REQUESTS + "  replicas: 4\n"
        repository = await w.started(web(p, "", stated))
        await p.running(4, "web")
        repository.commit(web(p, SHARES, stated), "Share")
        await w.sync()
        await w.restart()
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 1, "web-dear": 3}, 4)


@on_both
async def test_another_pool_takes_over_from_one_that_goes(w: World) -> None:
    async with planning(w) as p:
        stated = REQUESTS + "  replicas: 4\n"
        repository = await w.started(web(p, "{cheap: 50%, dear: 50%}", stated))
        await p.running(4, "web")
        repository.commit(web(p, "", stated.replace("4", "3")), "Go back, to fewer")
        assert (await w.sync()).ok
        await exchanged(p, {"web": 3}, 3)


@on_both
async def test_what_never_becomes_ready_replaces_nothing(w: World) -> None:
    """There is no node here."""
    repository = await w.started({"web.yaml": deployment(extra="  replicas: 2\n")})
    shared = deployment(extra="  replicas: 2\n  placement: {shares: {a: 50%, b: 50%}}\n")
    repository.commit({"web.yaml": shared}, "Share")
    assert (await w.sync()).ok
    await w.settled()
    assert await replicas(w) == {"web": 2, "web-a": 1, "web-b": 1}
    repository.commit({"web.yaml": ""}, "Neither")
    await w.sync()
    assert await replicas(w) == {}


@on_both
async def test_many_that_are_replaced_need_no_approval(w: World) -> None:
    """Nobody removed them from Git, nor their autoscalers."""
    async with planning(w) as p:
        names = [f"web{number}" for number in range(6)]

        def all_of(shares: str) -> dict[str, str]:
            text = web(p, shares, SCALE)["web.yaml"]
            return {f"{name}.yaml": text.replace("name: web}", f"name: {name}}}") for name in names}

        repository = await w.started(all_of(""))
        await p.running(12)
        repository.commit(all_of("{cheap: 50%, dear: 50%}"), "Share all")
        result = await w.sync()
        assert result.ok
        assert not result.count(Action.HOLD)
        wanted = {f"{name}-{pool}": 1 for name in names for pool in ("cheap", "dear")}

        async def done() -> bool:
            return await replicas(w) == wanted

        await w.works_until(done)


@on_both
async def test_rule_6_an_autoscalers_number_goes_on_in_the_parts(w: World) -> None:
    """Also where what scales is not there, as here."""
    async with planning(w) as p:
        repository = await w.started(web(p, "", SCALE))
        scale = w.path("deployments/web/scale", "apis/apps/v1")
        await w.patch(scale, {"spec": {"replicas": 10}}, by="kube-controller-manager")
        await p.running(10, "web")
        repository.commit(web(p, SHARES, SCALE), "Share")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 3, "web-dear": 7}, 10)
        scalers = await w.call("GET", w.path("horizontalpodautoscalers", "apis/autoscaling/v2"))
        assert {
            each["metadata"]["name"]: (each["spec"]["minReplicas"], each["spec"]["maxReplicas"])
            for each in scalers["items"]
        } == {"web-cheap": (1, 6), "web-dear": (2, 14)}
        repository.commit(web(p, "", SCALE), "Go back")
        assert (await w.sync()).ok
        await exchanged(p, {"web": 10}, 10)
        assert not w.heard(EventType.DRIFTED)


@on_both
async def test_a_part_begins_with_a_pod_for_its_autoscaler_to_go_on_from(w: World) -> None:
    """It scales nothing up that has none."""
    async with planning(w) as p:
        repository = await w.started(web(p, "", SCALE))
        await p.running(2, "web")
        repository.commit(web(p, SHARES, SCALE), "Share")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 1, "web-dear": 2}, 2)
        repository.commit(web(p, SHARES, REQUESTS + "  replicas: 1\n"), "One is enough")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 0, "web-dear": 1}, 1)  # the autoscaler may have had a last word
        repository.commit(web(p, SHARES, SCALE), "It is not")
        assert (await w.sync()).ok
        wanted = await replicas(w)
        assert (wanted["web-cheap"], wanted["web-dear"] > 0) == (1, True)


@on_both
async def test_rule_6_a_number_that_nobody_states_any_more_is_shared(w: World) -> None:
    async with planning(w) as p:
        repository = await w.started(web(p, "", REQUESTS + "  replicas: 6\n"))
        await p.running(6, "web")
        repository.commit(web(p, SHARES, REQUESTS), "Share, and leave the number open")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 2, "web-dear": 4}, 6)
        repository.commit(web(p, "{cheap: 50%, dear: 50%}", REQUESTS), "Share otherwise")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 3, "web-dear": 3}, 6)
        repository.commit(web(p, "", REQUESTS), "Go back")
        assert (await w.sync()).ok
        await exchanged(p, {"web": 6}, 6)


@on_both
async def test_a_part_has_fewer_pods_once_the_others_have_more(w: World) -> None:
    async with planning(w) as p:
        stated = "  replicas: 6\n"
        repository = await w.started(web(p, "{cheap: 17%, dear: 83%}", REQUESTS + stated))
        await p.running(6, "web")
        repository.commit(web(p, "{cheap: 83%, dear: 17%}", REQUESTS + stated), "Turn round")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 5, "web-dear": 1}, 6)
        assert not w.heard(EventType.DRIFTED)


@on_both
async def test_rule_19_other_shares_roll_out_no_pod(w: World) -> None:
    async with planning(w) as p:
        repository = await w.started(web(p, SHARES, "  replicas: 10\n"))
        await p.running(10, "web")
        before = [(await p.deployment(name))["spec"]["template"] for name in ("web-cheap", "web-dear")]
        repository.commit(web(p, "{cheap: 60%, dear: 40%}", "  replicas: 10\n"), "Cheaper")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 6, "web-dear": 4}, 10)
        assert [(await p.deployment(name))["spec"]["template"] for name in ("web-cheap", "web-dear")] == before


@on_both
async def test_each_part_is_healed_by_itself(w: World) -> None:
    shared = deployment(extra="  replicas: 10\n  placement: {shares: {a: 30%, b: 70%}}\n")
    await w.started({"web.yaml": shared})
    await w.patch(w.path("deployments/web-a", "apis/apps/v1"), {"spec": {"replicas": 9}})
    await w.settled()
    await w.call("DELETE", w.path("deployments/web-b", "apis/apps/v1"))
    await w.settled()
    assert await replicas(w) == {"web-a": 3, "web-b": 7}
    assert {e.identity.name for e in w.heard(EventType.HEALED) if e.identity} == {"web-a", "web-b"}


@on_both
async def test_each_part_is_planned_in_its_pool(w: World) -> None:
    async with planning(w) as p:
        await w.started(web(p, SHARES, REQUESTS + "  replicas: 10\n"))
        advised = p.planning.advised
        assert advised is not None
        places: dict[str, dict[str, int]] = {}
        for name in ("web-cheap", "web-dear"):
            for share in advised.plan.placements[document(w, name)]:
                here = places.setdefault(name, {})
                here[share.place.pool] = here.get(share.place.pool, 0) + share.count
        assert places == {"web-cheap": {"cheap": 3}, "web-dear": {"dear": 7}}
        own: Any = await p.deployment("web-cheap")
        assert "nodeName" not in own["spec"]["template"]["spec"]


@on_both
async def test_the_others_do_not_take_over_from_a_pool_that_is_lost_until_git_says_so(w: World) -> None:
    async with planning(w) as p:
        stated = REQUESTS + EXPOSED + "  replicas: 10\n"
        repository = await w.started(web(p, SHARES, stated))
        await p.running(10, "web")
        before = [(await p.deployment(name))["spec"] for name in ("web-cheap", "web-dear")]
        for node in (node.name for node in p.nodes if node.name.startswith("dear")):
            await p.lose(node)
        await p.ready(3)
        await p.running(3, "web")
        dear = document(w, "web-dear")

        async def told() -> bool:
            advised = p.planning.advised
            return advised is not None and dear in advised.plan.unplaced

        await w.until(told)
        assert p.planning.advised is not None
        lack = p.planning.advised.plan.unplaced[dear]
        assert (lack.count, "3 by readiness" in lack.reason) == (7, True)
        assert lack.fix.startswith("make dear-")
        await w.settled()
        assert [(await p.deployment(name))["spec"] for name in ("web-cheap", "web-dear")] == before
        assert not w.heard(EventType.DRIFTED)
        repository.commit(web(p, "{cheap: 99%, dear: 1%}", stated), "Do without it")
        assert (await w.sync()).ok
        await exchanged(p, {"web-cheap": 10, "web-dear": 0}, 3)
        assert {node.partition("-")[0] for node in await p.running(10, "web")} == {"cheap"}


@virtual
async def test_a_pool_whose_nodes_are_removed_has_its_pods_again_once_there_are_others() -> None:
    async with planned() as p:
        w = p.w
        await w.started(web(p, SHARES, REQUESTS + "  replicas: 10\n"))
        await p.running(10, "web")
        gone = [node for node in p.nodes if node.name.startswith("dear")]
        for node in gone:
            p.simulation.kill_node(node.name)
            await w.call("DELETE", f"/api/v1/nodes/{node.name}")
        await p.running(3, "web")
        await w.clock.sleep(60)
        assert p.planning.advised is not None
        lack = p.planning.advised.plan.unplaced[document(w, "web-dear")]
        assert (lack.count, lack.fix) == (7, "label a node tier=dear")
        assert await replicas(w) == {"web-cheap": 3, "web-dear": 7}
        p.simulation.add_nodes([replace(node, name=f"{node.name}-new") for node in gone])
        await p.running(10, "web")
        assert not w.heard(EventType.DRIFTED)


@virtual
async def test_a_part_keeps_its_pods_while_the_others_do_not_get_more() -> None:
    """There is no node here."""
    async with world() as w:
        shared = deployment(extra="  replicas: 6\n  placement: {shares: {a: 83%, b: 17%}}\n")
        repository = await w.started({"web.yaml": shared, "old.yaml": config("old")})
        turned = shared.replace("a: 83%, b: 17%", "a: 17%, b: 83%")
        repository.commit({"web.yaml": turned, "old.yaml": ""}, "Turn round, and leave something out")
        began = w.clock.monotonic()
        result = await w.sync()
        assert result.ok
        assert w.clock.monotonic() - began < 1, "no pass waits for pods"
        assert result.count(Action.PRUNE) == 1, "nor does anything else of it"
        kept = result.results[Identity("apps", "Deployment", "shop", "web-a")]
        assert (kept.action, kept.outcome) == (Action.KEEP, Outcome.DONE)
        assert kept.message == "waits until these are ready: web-b"
        for _ in range(3):
            await w.settled()
            await w.sources["shop"].tend()
            await w.clock.sleep(3600)
        assert await replicas(w) == {"web-a": 5, "web-b": 5}
        assert not w.heard(EventType.DRIFTED)
