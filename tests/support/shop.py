"""Everything that `reconciler review` works with: a real Git, the embedded cluster, a forge in memory, and a daemon."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from fault_transport import Fault, FaultTransport
from git_repository import Repository
from hooked import SECRET, delivery
from memory_forge import ACCOUNT, MemoryForge, MemoryPull
from texts import NAMESPACE, config

from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.daemon.reviews.serve import keep_reviewing
from reconciler.daemon.serve import keep
from reconciler.http.transport import Request, Response, Stream, Transport
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.forging import ForgeKind, WebhookConfig
from reconciler.model.planner_config import PlannerConfig
from reconciler.sandbox.server import Sandbox

REPO = "shop/specs"
PATIENCE = 30.0


class ReadOnly:
    """The rights of deploy/review: whoever wants to write, and be it for a dry-run, is refused as Kubernetes does."""

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.asked: list[str] = []
        self.refused: list[Request] = []
        self.may_write = False
        self.hidden = ""  # a part of paths that may not be read either

    async def send(self, request: Request) -> Response:
        self.asked.append(request.path)
        if self.may_write or (request.method == "GET" and not (self.hidden and self.hidden in request.path)):
            return await self.inner.send(request)
        self.refused.append(request)
        verb = {"PATCH": "patch", "POST": "create", "DELETE": "delete", "GET": "list"}.get(request.method, "update")
        message = (
            f'configmaps is forbidden: User "reconciler-review" cannot {verb} resource "configmaps" in API group ""'
        )
        status = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": message}
        return Response(403, {"content-type": "application/json"}, json.dumps(status).encode())

    def stream(self, request: Request) -> AbstractAsyncContextManager[Stream]:
        return self.inner.stream(request)

    async def close(self) -> None:
        await self.inner.close()


class Shop:
    """Everything: Git, the cluster, a forge, the daemon's and the reviewer's webhooks."""

    def __init__(self, folder: Path, kind: ForgeKind) -> None:
        self.folder = folder
        self.git = Repository(folder / "shop")
        self.git.commit({"ns.yaml": NAMESPACE, "a.yaml": config("a"), "old.yaml": config("old")}, "Start")
        self.forge = MemoryForge.of(kind)
        self.forge.page = 100
        self.repo = self.forge.repository(REPO)
        self.repo.clone = str(self.git.path)
        self.repo.branches["main"] = self.git.git("rev-parse", "main")
        self.sandbox = Sandbox(clock=SystemClock())
        self.read_only = ReadOnly(self.sandbox.transport())
        self.events: list[Event] = []
        (folder / "secret").write_text(SECRET)
        self.source = SourceConfig(name="shop", url=str(self.git.path), namespace="shop", interval=3600.0)
        self.fault_of: Callable[[Request], Fault | None] = lambda _request: None  # of the daemon's requests
        self.planner: PlannerConfig | None = None
        self.urls: dict[str, str] = {}

    def settings(self, name: str) -> DaemonConfig:
        return DaemonConfig(
            sources=(self.source,),
            install="prod",
            state_namespace="default",
            cache_dir=str(self.folder / name),
            listen="127.0.0.1:0",
            webhooks=(WebhookConfig(name="hub", kind=self.forge.stated, secret_file=str(self.folder / "secret")),),
            forges=(self.forge.config(self.folder, REPO),),
            planner=self.planner,
        )

    def branch(self, name: str, files: dict[str, str | bytes | None]) -> str:
        self.git.git("checkout", "--quiet", "-b", name, "main")
        commit = self.git.commit(files, f"On {name}")
        self.git.git("checkout", "--quiet", "main")
        return commit

    def merge(self, pull: MemoryPull, name: str) -> str:
        self.git.git("merge", "--quiet", "--no-ff", "-m", "Merge", name)
        commit = self.git.git("rev-parse", "main")
        self.repo.branches["main"] = commit
        pull.state, pull.merged_as = "merged", commit
        return commit

    async def tell(self, who: str, what: str, body: dict[str, Any], identifier: str) -> int:
        headers, content = delivery(self.forge.stated, what, body, identifier)
        place = {"html_url": "x", "web_url": "x", "clone_url": self.repo.clone, "git_http_url": self.repo.clone}
        for part in ("repository", "project"):
            if part in body:
                body[part] = {**body[part], **{name: value for name, value in place.items() if name in body[part]}}
        headers, content = delivery(self.forge.stated, what, body, identifier)
        async with aiohttp.ClientSession() as http:
            url = f"{self.urls[who]}/webhooks/hub"
            async with http.post(url, headers=headers, data=content) as answer:
                return answer.status

    def synced(self, commit: str = "") -> bool:
        """Whether the daemon has applied a commit, or any."""
        return any(e.type is EventType.SYNC_FINISHED and commit in ("", e.revision) for e in self.events)

    async def ready(self, name: str, replicas: int) -> None:
        """Wait for the replicas of a Deployment."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            answer = await self.sandbox.handle(Request("GET", f"/apis/apps/v1/namespaces/shop/deployments/{name}"))
            if (json.loads(answer.body).get("status") or {}).get("readyReplicas") == replicas:
                return
            assert asyncio.get_running_loop().time() < end, answer.body
            await asyncio.sleep(0.05)

    def ours(self, pull: MemoryPull) -> str:
        texts = [c["body"] for c in pull.comments if c["author"] == ACCOUNT]
        assert len(texts) <= 1
        return texts[0] if texts else ""

    def state(self, pull: MemoryPull) -> str:
        found = self.repo.statuses.get((pull.head, "reconciler/prod/main"), {}).get("state", "")
        return {"failed": "failure"}.get(found, found)

    async def reads(self) -> None:
        """Wait until the reviewer has read all pull requests once."""
        await until(lambda: "review" in self.urls, "the reviewer")
        end = asyncio.get_running_loop().time() + PATIENCE
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.urls['review']}/readyz") as answer:
                    if answer.status == 200:
                        return
                    assert asyncio.get_running_loop().time() < end, await answer.text()
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        transport = FaultTransport(self.sandbox.transport(), lambda request: self.fault_of(request))
        cluster = Cluster(transport, clock=SystemClock(), random=Random(7))

        async def run(stop: asyncio.Event) -> None:
            await keep(
                self.settings("daemon"), cluster, self.events.append, stop,
                clock=SystemClock(), random=Random(7), ready=lambda url: self.urls.update(daemon=url),
            )  # fmt: skip

        async with _running(run, cluster):
            yield

    @asynccontextmanager
    async def reviewer(self) -> AsyncIterator[None]:
        self.urls.pop("review", None)
        self.read_only.inner = self.sandbox.transport()  # that of an earlier life is closed
        cluster = Cluster(self.read_only, clock=SystemClock(), random=Random(7))

        async def run(stop: asyncio.Event) -> None:
            await keep_reviewing(
                self.settings("review"), cluster, stop,
                clock=SystemClock(), random=Random(7), connect=self.forge.connect,
                ready=lambda url: self.urls.update(review=url),
            )  # fmt: skip

        async with _running(run, cluster):
            yield


@asynccontextmanager
async def _running(run: Callable[[asyncio.Event], Any], cluster: Cluster) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(run(stop))
    try:
        yield
        assert not task.done(), task
    finally:
        stop.set()
        await task
        await cluster.close()


async def until(condition: Callable[[], object], what: str) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.01)
