"""From a stated number of replicas to an autoscaler and back: no pod is lost on the way."""

from both_servers import on_both
from texts import deployment
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
