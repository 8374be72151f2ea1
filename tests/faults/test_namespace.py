"""A namespace that cannot end, and a Service that never gets an address: they fail, or wait, alone."""

from kubernetes_server import KubernetesServer
from texts import config, deployment

from reconciler.model.event import EventType
from reconciler.model.result import Outcome

BALANCER = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: door}\n"
    "spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}\n"
)


def test_what_lies_in_a_namespace_that_cannot_end_fails_alone_and_comes_back_with_it(
    kubernetes: KubernetesServer,
) -> None:
    async def scenario() -> None:
        async with kubernetes.world() as w:
            stuck = w.name("stuck")
            inside = config("inside").replace("name: inside", f"name: inside\n  namespace: {stuck}")
            holder = config("holder").replace("name: holder", f"name: holder\n  namespace: {stuck}")
            repository = await w.started({"stuck.yaml": w.namespace("stuck"), "inside.yaml": inside})
            path = f"/api/v1/namespaces/{stuck}"
            await w.patch(path, {"metadata": {"finalizers": ["example.com/kept"]}})
            await w.call("DELETE", path)

            async def ending() -> bool:
                return await w.get("ConfigMap", "inside", namespace=stuck) is None

            await w.until(ending)
            repository.commit({"a.yaml": config("a"), "holder.yaml": holder})
            result = await w.sync()
            by_name = {identity.name: each for identity, each in result.results.items()}
            assert by_name["a"].outcome is Outcome.DONE
            assert by_name[stuck].outcome is Outcome.HELD
            assert by_name[stuck].message == "is being deleted; made anew when it is gone"
            assert "waits for the finalizer example.com/kept" in by_name[stuck].hint
            for name in ("inside", "holder"):
                assert by_name[name].outcome is Outcome.BLOCKED
                assert by_name[name].message.startswith(f"Namespace/{stuck} held: is being deleted")
            assert any(stuck in event.message for event in w.heard(EventType.FAILED))
            await w.patch(path, {"metadata": {"finalizers": []}})

            async def back() -> bool:
                w.sources["shop"].ask()
                await w.sources["shop"].work()
                return await w.get("ConfigMap", "holder", namespace=stuck) is not None

            await w.until(back)
            assert await w.get("ConfigMap", "inside", namespace=stuck) is not None

    kubernetes.run(scenario())


def test_a_load_balancer_without_an_address_blocks_nobody(kubernetes: KubernetesServer) -> None:
    """Nobody gives out addresses here, as in a cluster whose provider has none left."""

    async def scenario() -> None:
        async with kubernetes.world() as w:
            repository = await w.started({"door.yaml": BALANCER, "web.yaml": deployment()})
            service = await w.get("Service", "door")
            assert service is not None
            assert not service["status"]["loadBalancer"]
            repository.commit({"door.yaml": BALANCER.replace("port: 80", "port: 81"), "a.yaml": config("a")})
            assert (await w.sync()).ok
            repository.commit({"web.yaml": None})
            assert (await w.sync()).ok
            assert await w.get("Deployment", "web", group="apps") is None

    kubernetes.run(scenario())
