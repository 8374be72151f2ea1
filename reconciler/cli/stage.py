"""What the demo plays on: a repository, a cluster, a daemon between them, and words about it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from git import Actor, Repo
from rich.console import Console
from rich.text import Text

from reconciler.cli.examples import copy_example
from reconciler.cli.show import table
from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.daemon.serve import keep as keep_converged
from reconciler.engine.readiness import ready
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request
from reconciler.kube.kinds import NODE, POD
from reconciler.kube.media import STRATEGIC_PATCH
from reconciler.kube.names import Identity
from reconciler.model.cluster_view import ZONE
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.imaging import ImagesConfig, Tags
from reconciler.model.planner_config import PlannerConfig
from reconciler.sandbox.kubeconfig import kubeconfig

SOURCE: Final = "shop"
PATHS: Final = ("base", "env/prod")
_AUTHOR: Final = Actor("Ann Author", "ann@shop.example.com")
PATIENCE: Final = 60.0  # seconds for one step; a machine that needs more has another problem


class Stage:
    """A repository in `folder`, the API server at `url`, a daemon between them, and a `console` to tell of it."""

    def __init__(self, console: Console, folder: Path, url: str, planner: PlannerConfig) -> None:
        self.url = url
        self.work = folder / "shop"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(kubeconfig(url))
        copy_example(self.work)
        self.events: list[Event] = []
        self.page = ""
        self.clock = SystemClock()
        self.config = DaemonConfig(
            sources=(SourceConfig(name=SOURCE, url=str(self.work), paths=PATHS, interval=0.5),),
            install="demo",
            cache_dir=str(folder / "cache"),
            listen="127.0.0.1:0",
            planner=planner,
            images=ImagesConfig(tags=Tags.AS_STATED),  # nobody serves registry.example.com
        )
        self._console = console
        self._step = 0
        self._repo = Repo.init(self.work, initial_branch="main")
        self._changed = asyncio.Event()
        self._cluster: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        assert self._cluster is not None  # noqa: S101 - for the type checker: `daemon` runs
        return self._cluster

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        """The same daemon that `reconciler run` starts, in this process."""
        clock, random = self.clock, Random()  # noqa: S311 - jitter
        self._cluster = await connect(str(self.kubeconfig), clock=clock, random=random)
        self._cluster.cache.subscribe(self._seen)
        stop = asyncio.Event()
        running: asyncio.Task[None] | None = None

        def start() -> None:
            nonlocal running
            working = keep_converged(
                self.config, self.cluster, self._heard, stop, clock=clock, random=random, ready=self._served
            )
            running = asyncio.create_task(working)

        self.start = start
        try:
            yield
        finally:
            stop.set()
            if running is not None:
                await running
            await self._cluster.close()
            self._repo.close()

    def _served(self, url: str) -> None:
        self.page = url

    def _heard(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def _seen(self, _identity: Identity, _old: object, _new: object) -> None:
        self._changed.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    def title(self, title: str, subtitle: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold cyan]{self._step}. {title}[/]  [dim]{subtitle}[/]")

    def say(self, line: str | Text) -> None:
        self._console.print(line)

    def commit(self, message: str, images: str = "") -> None:
        """Commit everything, and `images` as the Images."""
        if images:
            (self.work / "base" / "images.yaml").write_text(images)
        self._repo.git.add(all=True)
        commit = self._repo.index.commit(message, author=_AUTHOR, committer=_AUTHOR, skip_hooks=True)
        self.say(f"   [dim]git commit[/] {commit.hexsha[:8]} “{message}”")

    async def converged(self) -> None:
        """Wait until the newest commit is applied and everything is healthy."""
        commit = self._repo.head.commit.hexsha
        await self.until(lambda: any(e.type is EventType.SYNC_FINISHED and e.revision == commit for e in self.events))
        await self.until(self.all_ready)

    def all_ready(self) -> bool:
        return all(ready(self.cluster.cache.get(identity)).ready for identity in self.cluster.cache.marked(SOURCE))

    async def pods(self) -> None:
        nodes = {node.identity.name: node for node in await self.cluster.list(NODE)}
        rows = [("POD", "STATUS", "NODE", "ZONE")]
        for pod in await self.cluster.list(POD, "shop"):
            name = str((pod.object.get("spec") or {}).get("nodeName", ""))
            zone = nodes[name].labels.get(ZONE, "") if name in nodes else ""
            rows.append((pod.identity.name, str((pod.object.get("status") or {}).get("phase")), name, zone))
        heading, *lines = table(rows, indent="     ").splitlines()
        self.say(f"[dim]{heading}[/]")
        for line in lines:
            self.say(line)

    async def edit(self, identity: Identity, patch: dict[str, object]) -> None:
        """As another person's kubectl would: another client, another field manager."""
        other = HttpTransport(self.url)
        try:
            path = f"/apis/{identity.group}/v1/namespaces/{identity.namespace}/deployments/{identity.name}"
            headers = {"content-type": STRATEGIC_PATCH}
            query = (("fieldManager", "kubectl-set"),)
            await other.send(Request("PATCH", path, query, headers, json.dumps(patch).encode()))
        finally:
            await other.close()
