"""The demo's story, step by step. Everything it shows is read from the cluster's API; nothing is staged."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from git import Actor, Repo
from rich.console import Console
from rich.markup import escape

from reconciler.cli import story_planner
from reconciler.cli.demo_registry import local_registry
from reconciler.cli.embedded import embedded
from reconciler.cli.examples import copy_example
from reconciler.cli.exits import OK
from reconciler.cli.show import table
from reconciler.clock import SystemClock
from reconciler.cluster.cluster import Cluster
from reconciler.cluster.connect import connect
from reconciler.daemon.serve import keep as keep_converged
from reconciler.diff.views.summary import sentence
from reconciler.engine.preview import offline
from reconciler.engine.readiness import ready
from reconciler.errors import ConfigError
from reconciler.http.client import HttpTransport
from reconciler.http.transport import Request
from reconciler.kube.names import GroupKind, Identity
from reconciler.model.cluster_view import ZONE
from reconciler.model.config import DaemonConfig, SourceConfig
from reconciler.model.event import Event, EventType
from reconciler.model.imaging import ImagesConfig, Tags
from reconciler.model.manifest import DriftMode, Owner
from reconciler.plural import counted
from reconciler.render.render import Renderer
from reconciler.sandbox.kubeconfig import kubeconfig
from reconciler.source.directory import DirectorySource
from reconciler.specs.load import Loader

_SOURCE: Final = "shop"
_PATHS: Final = ("base", "env/prod")
_AUTHOR: Final = Actor("Ann Author", "ann@shop.example.com")
_PATIENCE: Final = 60.0  # seconds for one step; a machine that needs more has another problem
_WEB: Final = Identity("apps", "Deployment", "shop", "web")


async def tell(*, keep: bool, port: int) -> int:
    """Tell the story; returns the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    telling = asyncio.current_task()
    assert telling is not None  # noqa: S101 - for the type checker: we run
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, telling.cancel)
    with TemporaryDirectory(prefix="reconciler-demo-") as folder:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(embedded(port=port))
            story = Story(console, Path(folder), url)
            await stack.enter_async_context(story.daemon())
            registry = await stack.enter_async_context(local_registry(Path(folder) / "registry"))
            try:
                await story.plan()
                await story.first_commit()
                await story.release(registry)
                await story.hand_edit()
                await story.removal()
                await story.planner()
            except TimeoutError:
                raise ConfigError(
                    f"the demo stopped: a step took more than {_PATIENCE:.0f} s",
                    hint="is the machine very busy? `reconciler sandbox` and `reconciler apply` show more",
                ) from None
            story.summary(time.monotonic() - began, keep=keep)
            if keep:
                await story.stay()
    return OK


class Story:
    """One telling: a repository in `folder`, the API server at `url`, and a daemon between them."""

    def __init__(self, console: Console, folder: Path, url: str) -> None:
        self._console = console
        self._url = url
        self._work = folder / "shop"
        self._kubeconfig = folder / "kubeconfig"
        self._kubeconfig.write_text(kubeconfig(url))
        copy_example(self._work)
        self._repo = Repo.init(self._work, initial_branch="main")
        self._events: list[Event] = []
        self._changed = asyncio.Event()
        self._cluster: Cluster | None = None
        self._healed_ms = 0.0
        self._page = ""
        self._step = 0
        self._clock = SystemClock()
        self._config = DaemonConfig(
            sources=(SourceConfig(name=_SOURCE, url=str(self._work), paths=_PATHS, interval=0.5),),
            install="demo",
            cache_dir=str(folder / "cache"),
            listen="127.0.0.1:0",
            planner=story_planner.PLANNER,
            images=ImagesConfig(tags=Tags.AS_STATED),  # nobody serves registry.example.com
        )

    @property
    def cluster(self) -> Cluster:
        assert self._cluster is not None  # noqa: S101 - for the type checker: `daemon` runs
        return self._cluster

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        """The same daemon that `reconciler run` starts, in this process."""
        clock, random = self._clock, Random()  # noqa: S311 - jitter
        self._cluster = await connect(str(self._kubeconfig), clock=clock, random=random)
        self._cluster.cache.subscribe(self._seen)
        stop = asyncio.Event()
        running: asyncio.Task[None] | None = None

        def start() -> None:
            nonlocal running
            working = keep_converged(
                self._config, self.cluster, self._heard, stop, clock=clock, random=random, ready=self._served
            )
            running = asyncio.create_task(working)

        self._start = start
        try:
            yield
        finally:
            stop.set()
            if running is not None:
                await running
            await self._cluster.close()
            self._repo.close()

    def _served(self, url: str) -> None:
        self._page = url

    def _heard(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()

    def _seen(self, _identity: Identity, _old: object, _new: object) -> None:
        self._changed.set()

    async def _until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    # -- the steps ----------------------------------------------------------------------------------------------------

    async def plan(self) -> None:
        self._say("[bold]reconciler keeps a Kubernetes cluster as the YAML in a Git repository says.[/]")
        self._say("Here it does so with a small shop, on a cluster inside this process. Nothing else is touched.")
        self._title("A plan", "what applying the shop would do, before anything happens")
        source = DirectorySource(self._work, _PATHS, _SOURCE)
        specs = await Loader().load(await source.snapshot(), source, namespace="default")
        owner = Owner("demo", _SOURCE)
        manifests = Renderer().render(specs, owner=owner, adopt=False, drift=DriftMode.HEAL)
        changes = offline(manifests)
        width = max(len(change.identity.kind) for change in changes)
        for kind, names in _by_kind(change.identity for change in changes):
            self._say(f"   [green]+ {kind:<{width}}[/]  {', '.join(names)}")
        self._say(f"   [dim]{sentence(changes, specs.problems)}[/]")

    async def first_commit(self) -> None:
        self._title("A commit", "the daemon sees it and applies it, each object as soon as what it needs is there")
        self._commit("Open the shop")
        began = self._clock.now()
        self._start()
        await self._converged()
        applied = [event for event in self._events if event.type is EventType.APPLIED]
        width = max(len(event.identity.kind) for event in applied if event.identity)
        for kind, run in groupby(applied, key=lambda event: event.identity.kind if event.identity else ""):
            events = list(run)
            names = ", ".join(event.identity.name for event in events if event.identity)
            seconds = (events[-1].time - began).total_seconds()
            self._say(f"   [dim]{seconds:3.1f} s[/] [green]✓[/] {kind:<{width}}  {names}")
        self._say("   The catalog waited for its migration to succeed, the cart for redis to be ready. The pods now:")
        await self._pods()

    async def release(self, registry: str) -> None:
        before = self.cluster.requests.copy()
        built = "code and deployment in one commit: Image/web is built from code/web, whenever that changes"
        self._title(
            "A release", built if registry else "one line of Git: the tag of Image/web goes from 1.4.2 to 1.5.0"
        )
        images = (self._work / "base" / "images.yaml").read_text()
        if not registry:
            self._say("   [dim]Nothing is built: that needs root, buildah and docker-registry on this machine.[/]")
        if not registry or not await self._build(images, registry):
            self._commit("Release web 1.5.0", images.replace('tag: "1.4.2"', 'tag: "1.5.0"'))
            await self._converged()
        writes = sum((self.cluster.requests - before)[kind] for kind in self.cluster.requests if kind.verb == "apply")
        sent = f"{counted(writes, 'object')} {'was' if writes == 1 else 'were'} sent"
        self._say(f"   [green]✓[/] {sent}; the pods were replaced a few at a time and run {await self._images()}")

    async def hand_edit(self) -> None:
        self._title("A hand edit", "somebody runs: kubectl set image deployment/web web=evil.example.com/web:hacked")
        image = "evil.example.com/web:hacked"
        began = time.monotonic()
        await self._edit(_WEB, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
        await self._until(lambda: any(event.type is EventType.HEALED for event in self._events))
        self._healed_ms = (time.monotonic() - began) * 1000
        drift = next(event for event in self._events if event.type is EventType.DRIFTED)
        self._say(f"   [yellow]![/] {drift.identity}: {escape(drift.message)}")
        await self._until(self._all_ready)
        images = await self._images()
        self._say(f"   [green]✓[/] healed {self._healed_ms:.0f} ms after the edit; it runs {images} again")

    async def removal(self) -> None:
        self._title("A removal", "NetworkPolicy/redis goes from Git, so it goes from the cluster")
        path = self._work / "base" / "cart.yaml"
        documents = path.read_text().split("---\n")
        path.write_text("---\n".join(part for part in documents if "kind: NetworkPolicy" not in part))
        self._commit("Open redis to everybody")
        await self._until(lambda: any(event.type is EventType.PRUNED for event in self._events))
        gone = next(event for event in self._events if event.type is EventType.PRUNED)
        self._say(f"   [red]✗[/] {gone.identity}: {escape(gone.message)}")
        self._say("   A namespace, a volume, or more than five objects at once would have waited for an approval.")

    async def planner(self) -> None:
        self._title("A planner", "a Deployment that says neither how many pods, nor how large, nor where")
        story_planner.stated(self._work)
        self._commit("Search")
        await self._converged()
        search = await story_planner.explained(self._say, self.cluster, self._config.state_namespace, self._clock)
        zone = search.places[0].zone
        await story_planner.zone_lost(
            self._say, self.cluster, self._clock, server=self._url, page=self._page, zone=zone
        )
        await self._until(self._all_ready)
        self._say("   Everything is healthy again.")

    def summary(self, seconds: float, *, keep: bool) -> None:
        events = Counter(event.type for event in self._events)
        created = sum(e.type is EventType.APPLIED and e.message.startswith("create") for e in self._events)
        requests = sum(self.cluster.requests.values())
        self._say("\n[bold]That was it.[/]")
        self._say(f"   {counted(created, 'object')} created in the right order, 1 changed by a release,")
        self._say(f"   {counted(events[EventType.HEALED], 'hand edit')} healed in {self._healed_ms:.0f} ms,")
        self._say(f"   {counted(events[EventType.PRUNED], 'object')} removed because Git no longer has it.")
        left = "" if keep else " Nothing is left running."
        self._say(f"   {requests} requests to the Kubernetes API, {seconds:.1f} seconds.{left}")
        command = _command()
        self._say("\nLook further:")
        for verb, what in (
            ("demo --keep", "the same, and it stays up for kubectl"),
            ("init my-shop", "the shop's files, with a tutorial, to make your own"),
            ("--help", "all verbs"),
        ):
            self._say(f"   {command} {verb:<15}{what}")

    async def stay(self) -> None:
        self._say(f"\nStill running. In another terminal:\n   export KUBECONFIG={self._kubeconfig}")
        self._say("   kubectl -n shop get pods")
        self._say(f"   {_command()} explain deployment/search -n shop")
        self._say(f"   {self._page}/planner      shows the plan, and draws how full each node is")
        self._say(f"   {_command()} status")
        self._say(f"   cd {self._work}      edit a file and commit it: the daemon looks twice a second")
        self._say("Ctrl-c ends it and removes everything.")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._say("")

    # -- what they are made of ----------------------------------------------------------------------------------------

    def _title(self, title: str, subtitle: str) -> None:
        self._step += 1
        self._console.print(f"\n[bold cyan]{self._step}. {title}[/]  [dim]{subtitle}[/]")

    def _say(self, line: str) -> None:
        self._console.print(line)

    async def _build(self, images: str, registry: str) -> bool:
        """Have Image/web built; whether that worked here."""
        so_far = len(self._events)
        page = self._work / "code" / "web" / "pages" / "index.html"
        page.write_text(page.read_text().replace("Welcome", "Welcome, everybody"))
        stated = images.replace("registry.example.com/shop/web", f"{registry}/shop/web")
        self._commit("Welcome everybody", re.sub(r'tag: "1.4.2".*', "build: {context: ../code/web}", stated))
        ended = (EventType.BUILT, EventType.IMAGE_HELD)
        await self._until(lambda: any(event.type in ended for event in self._events[so_far:]))
        end = next(event for event in self._events[so_far:] if event.type in ended)
        if end.type is EventType.IMAGE_HELD:
            self._say(
                f"   [yellow]![/] it cannot be built here: {escape(end.message)}; so one that others built is taken"
            )
            return False
        self._say(f"   [green]✓[/] built by buildah and pushed: {_short(end.message)}")
        await self._until(lambda: any(event.identity == _WEB for event in self._events[so_far:]))
        await self._until(self._all_ready)
        return True

    def _commit(self, message: str, images: str = "") -> None:
        """Commit everything, and `images` as the Images."""
        if images:
            (self._work / "base" / "images.yaml").write_text(images)
        self._repo.git.add(all=True)
        commit = self._repo.index.commit(message, author=_AUTHOR, committer=_AUTHOR, skip_hooks=True)
        self._say(f"   [dim]git commit[/] {commit.hexsha[:8]} “{message}”")

    async def _converged(self) -> None:
        """Wait until the newest commit is applied and everything is healthy."""
        commit = self._repo.head.commit.hexsha
        await self._until(lambda: any(e.type is EventType.SYNC_FINISHED and e.revision == commit for e in self._events))
        await self._until(self._all_ready)

    def _all_ready(self) -> bool:
        return all(ready(self.cluster.cache.get(identity)).ready for identity in self.cluster.cache.marked(_SOURCE))

    async def _pods(self) -> None:
        nodes = {node.identity.name: node for node in await self.cluster.list(GroupKind("", "Node"))}
        rows = [("POD", "STATUS", "NODE", "ZONE")]
        for pod in await self.cluster.list(GroupKind("", "Pod"), "shop"):
            name = str((pod.object.get("spec") or {}).get("nodeName", ""))
            zone = nodes[name].labels.get(ZONE, "") if name in nodes else ""
            rows.append((pod.identity.name, str((pod.object.get("status") or {}).get("phase")), name, zone))
        heading, *lines = table(rows, indent="     ").splitlines()
        self._say(f"[dim]{heading}[/]")
        for line in lines:
            self._say(line)

    async def _images(self) -> str:
        pods = await self.cluster.list(GroupKind("", "Pod"), "shop", "app.kubernetes.io/name=web")
        found = {
            container["image"]
            for pod in pods
            if not pod.metadata.get("deletionTimestamp")
            for container in pod.object["spec"]["containers"]
        }
        return ", ".join(sorted(_short(image) for image in found))

    async def _edit(self, identity: Identity, patch: dict[str, object]) -> None:
        """As another person's kubectl would: another client, another field manager."""
        other = HttpTransport(self._url)
        try:
            path = f"/apis/{identity.group}/v1/namespaces/{identity.namespace}/deployments/{identity.name}"
            headers = {"content-type": "application/strategic-merge-patch+json"}
            query = (("fieldManager", "kubectl-set"),)
            await other.send(Request("PATCH", path, query, headers, json.dumps(patch).encode()))
        finally:
            await other.close()


def _command() -> str:
    """How to call us from here: by name where the PATH has it, as after `make demo` it has not."""
    beside = Path(sys.executable).with_name("reconciler")
    return "reconciler" if shutil.which("reconciler") or not beside.exists() else os.path.relpath(beside)


def _short(text: str) -> str:
    """With digests and hashes cut to twelve digits."""
    return re.sub(r"((?:sha256:|inputs-)[0-9a-f]{12})[0-9a-f]+", r"\1…", text)


def _by_kind(identities: Iterable[Identity]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for identity in identities:
        found.setdefault(identity.kind, []).append(identity.name)
    return found.items()
