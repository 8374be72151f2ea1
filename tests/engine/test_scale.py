"""From a stated number of replicas to an autoscaler and back: no pod is lost on the way."""

from both_servers import on_both
from planned import planned
from texts import deployment
from virtual import virtual
from world import World

from reconciler.model.event import EventType

REQUESTS = "  resources: {requests: {cpu: 100m}}\n"
SCALE = REQUESTS + "  scale: {min: 2, max: 9, target: {cpu: 65%}}\n"


@on_both
async def test_rule_6_stated_replicas_become_an_autoscalers(w: World) -> None:
    repository = await w.started({"web.yaml": deployment(extra=REQUESTS + "  replicas: 4\n")})
    repository.commit({"web.yaml": deployment(extra=SCALE)}, "Scale")
    assert (await w.sync()).ok
    await w.settled()
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert live["spec"]["replicas"] == 4, "not 1, which is Kubernetes' default: the autoscaler has not scaled yet"
    scaler = await w.get("HorizontalPodAutoscaler", "web", group="autoscaling")
    assert scaler is not None
    assert scaler["spec"]["minReplicas"] == 2
    assert not w.heard(EventType.DRIFTED)


@on_both
async def test_rule_6_an_autoscalers_replicas_become_stated_ones(w: World) -> None:
    repository = await w.started({"web.yaml": deployment(extra=SCALE)})
    await w.patch(
        w.path("deployments/web/scale", "apis/apps/v1"), {"spec": {"replicas": 5}}, by="kube-controller-manager"
    )
    await w.settled()
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert live["spec"]["replicas"] == 5, "an autoscaler's number is not drift"
    repository.commit({"web.yaml": deployment(extra=REQUESTS + "  replicas: 3\n")}, "Fix the number")
    result = await w.sync()
    assert result.ok, {str(i): r.message for i, r in result.results.items()}
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert await w.get("HorizontalPodAutoscaler", "web", group="autoscaling") is None
    assert live["spec"]["replicas"] == 3


@virtual
async def test_rule_6_replicas_that_were_an_autoscalers_for_long_become_stated_ones() -> None:
    """Also once it is forgotten that they were seen to change."""
    async with planned() as p:
        repository = await p.w.started({"web.yaml": deployment(extra=SCALE)})
        for _ in range(2):
            scale = p.w.path("deployments/web/scale", "apis/apps/v1")
            await p.w.patch(scale, {"spec": {"replicas": 5}}, by="kube-controller-manager")
            await p.w.clock.sleep(60)
            await p.w.settled()
        repository.commit({"web.yaml": deployment(extra=REQUESTS + "  replicas: 3\n")}, "Fix the number")
        result = await p.w.sync()
        assert result.ok, {str(i): r.message for i, r in result.results.items()}
        assert (await p.deployment())["spec"]["replicas"] == 3
        assert await p.w.get("HorizontalPodAutoscaler", "web", group="autoscaling") is None


@virtual
async def test_rule_6_what_an_autoscaler_leaves_is_not_lowered_to_its_least() -> None:
    async with planned() as p:
        repository = await p.w.started({"web.yaml": deployment(extra=SCALE)})
        scale = p.w.path("deployments/web/scale", "apis/apps/v1")
        await p.w.patch(scale, {"spec": {"replicas": 7}}, by="kube-controller-manager")
        await p.running(7)
        repository.commit({"web.yaml": deployment(extra=REQUESTS)}, "Leave it open")
        assert (await p.w.sync()).ok
        await p.w.clock.sleep(600)
        await p.w.settled()
        assert (await p.deployment())["spec"]["replicas"] == 7


@virtual
async def test_rule_6_a_number_that_is_left_open_is_no_lower_for_pods_that_wait_for_a_node() -> None:
    async with planned() as p:
        repository = await p.w.started({"web.yaml": deployment(extra=REQUESTS + "  replicas: 5\n")})
        await p.running(5)
        for node in p.nodes:
            await p.lose(node.name)
        await p.ready(0)
        await p.running(0)
        repository.commit({"web.yaml": deployment(extra=REQUESTS)}, "Leave it open")
        assert (await p.w.sync()).ok
        assert (await p.deployment())["spec"]["replicas"] == 5
