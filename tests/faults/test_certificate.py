"""A client certificate that expires, and is renewed where it lies."""

from pathlib import Path

from kubernetes_server import KubernetesServer
from texts import config
from world import World, opened

from reconciler.clock import SystemClock
from reconciler.cluster.auth import FRESH, Credentials
from reconciler.http.client import HttpTransport
from reconciler.model.event import EventType


class Hurried(SystemClock):
    """Real time, of which some may be skipped."""

    skipped = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped


async def daemon_with(kubeconfig: Path, admin: World, clock: Hurried) -> World:
    """A world whose client is who `kubeconfig` says, as a daemon that starts now would be."""
    credentials = Credentials(str(kubeconfig), None, clock)
    endpoint = await credentials.load()

    def connect() -> HttpTransport:
        return HttpTransport(endpoint.url, ssl=credentials.tls, headers=credentials.headers)

    return World(connect, SystemClock(), admin.tag)


def test_an_expired_certificate_is_told_and_the_renewed_one_is_used_without_a_restart(
    kubernetes: KubernetesServer,
) -> None:
    first = {"a.yaml": config("a"), "b.yaml": config("b"), "c.yaml": config("c")}

    async def scenario() -> None:
        async with kubernetes.world() as admin:
            user, clock = admin.name("operator"), Hurried()
            kubeconfig = kubernetes.user(user, group="system:masters")
            async with opened(await daemon_with(kubeconfig, admin, clock)) as w:
                await w.started(first)
                await w.written()
            kubernetes.user(user, group="system:masters", days=-1)
            async with opened(await daemon_with(kubeconfig, admin, clock)) as w:
                repository = w.source()
                repository.commit(
                    {**first, "namespace.yaml": w.namespace(), "b.yaml": None, "a.yaml": config("a", "2")}
                )
                reconciler = w.sources["shop"]
                await reconciler.poll()
                assert await reconciler.work() is None
                (said,) = (event.message for event in w.heard(EventType.SYNC_FAILED))
                assert "Unauthorized" in said
                assert "has the certificate or the token expired?" in said
                assert reconciler.retry_delay
                path = admin.path("configmaps/{}").format
                assert (await admin.call("GET", path("a")))["data"] == {"value": "1"}
                assert await admin.call("GET", path("b"))

                kubernetes.user(user, group="system:masters")
                clock.skipped += FRESH
                reconciler.ask()
                assert (await w.sync()).ok
                assert (await admin.call("GET", path("a")))["data"] == {"value": "2"}

                async def pruned() -> bool:
                    await reconciler.work()
                    return await w.get("ConfigMap", "b") is None

                await w.until(pruned)
                assert await w.get("ConfigMap", "c") is not None

    kubernetes.run(scenario())
