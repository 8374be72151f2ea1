"""A real daemon asks a real Prometheus how many requests come, and runs so many replicas that few of them wait."""

import asyncio
from pathlib import Path

import pytest
from debian import program, required, shared
from gate import Gate, gate
from git_repository import Repository
from processes import DaemonProcess, command, until
from prometheus_server import Prometheus
from texts import NAMESPACE, deployment

from reconciler.http.transport import Request

SCALED = "  scale: {min: 1, max: 40, query: vector(132), serviceTime: 80ms, concurrency: 4, waiting: 5%}\n"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    return required(program("prometheus", "prometheus", shared(tmp_path_factory, worker_id), service=True))


def look(daemon: DaemonProcess, kubernetes: Gate, kubeconfig: Path, repository: Repository) -> None:
    """Until there are so many, and what is said of them."""

    def scaled(count: int) -> bool:
        return f'"replicas":{count},' in kubernetes.sandbox.answer(Request("GET", DEPLOYMENT)).body.decode()

    daemon.until(lambda: scaled(5), "five replicas", seconds=90)
    ask = ("explain", "deployment/shop/web", "--state-namespace", "default")
    why = " requests a second, 80ms each, 4 at once: needs 5 so that at most 5 % of requests wait"
    until(lambda: why in " ".join(command(*ask, kubeconfig=kubeconfig).split()), "it is published", seconds=90)
    repository.commit({"web.yaml": deployment(extra=SCALED.replace("80ms", "160ms"))}, "Slower")
    daemon.until(lambda: scaled(8), "eight replicas", seconds=90)


async def test_so_many_replicas_that_few_requests_wait(tmp_path: Path, prometheus: Path) -> None:
    """10.56 requests at once: with 16 places one in twelve would wait, with 20 one in 150. Of 21.12 with 28 one in
    nine, with 32 one in 54."""
    repository, kubeconfig = Repository(tmp_path / "repository"), tmp_path / "kubeconfig"
    repository.commit({"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=SCALED)})
    source = {"name": "shop", "url": str(repository.path), "namespace": "shop", "interval": "1s"}
    async with gate(kubeconfig, nodes=True) as kubernetes:
        with Prometheus(prometheus, tmp_path / "prometheus") as asked:
            planner = {"usage": {"prometheus": {"url": asked.url}, "interval": "10s"}}
            with DaemonProcess(
                tmp_path / "daemon", [source], kubeconfig, stateNamespace="default", planner=planner
            ) as daemon:
                await asyncio.to_thread(look, daemon, kubernetes, kubeconfig, repository)
