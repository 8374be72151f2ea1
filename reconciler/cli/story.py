"""The demo's story, step by step. Everything it shows is read from the cluster's API; nothing is staged."""

import asyncio
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.markup import escape

from reconciler.cli import story_planner
from reconciler.cli.demo_metrics import made_up_demand
from reconciler.cli.demo_registry import local_registry
from reconciler.cli.embedded import embedded
from reconciler.cli.exits import OK
from reconciler.cli.stage import PATHS, PATIENCE, SOURCE, Stage
from reconciler.diff.views.summary import sentence
from reconciler.engine.preview import offline
from reconciler.errors import ConfigError
from reconciler.kube.kinds import POD
from reconciler.kube.names import Identity
from reconciler.model.event import EventType
from reconciler.model.manifest import DriftMode, Owner
from reconciler.plural import counted
from reconciler.render.render import Renderer
from reconciler.source.directory import DirectorySource
from reconciler.specs.load import Loader

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
            metrics = await stack.enter_async_context(made_up_demand(time.time()))
            story = Story(console, Path(folder), url, story_planner.configured(metrics))
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
                    f"the demo stopped: a step took more than {PATIENCE:.0f} s",
                    hint="is the machine very busy? `reconciler sandbox` and `reconciler apply` show more",
                ) from None
            story.summary(time.monotonic() - began, keep=keep)
            if keep:
                await story.stay()
    return OK


class Story(Stage):
    """One telling, chapter by chapter."""

    _healed_ms = 0.0

    async def plan(self) -> None:
        self.say("[bold]reconciler keeps a Kubernetes cluster as the YAML in a Git repository says.[/]")
        self.say("Here it does so with a small shop, on a cluster inside this process. Nothing else is touched.")
        self.title("A plan", "what applying the shop would do, before anything happens")
        source = DirectorySource(self.work, PATHS, SOURCE)
        specs = await Loader().load(await source.snapshot(), source, namespace="default")
        owner = Owner("demo", SOURCE)
        manifests = Renderer().render(specs, owner=owner, adopt=False, drift=DriftMode.HEAL)
        changes = offline(manifests)
        width = max(len(change.identity.kind) for change in changes)
        for kind, names in _by_kind(change.identity for change in changes):
            self.say(f"   [green]+ {kind:<{width}}[/]  {', '.join(names)}")
        self.say(f"   [dim]{sentence(changes, specs.problems)}[/]")

    async def first_commit(self) -> None:
        self.title("A commit", "the daemon sees it and applies it, each object as soon as what it needs is there")
        self.commit("Open the shop")
        began = self.clock.now()
        self.start()
        await self.converged()
        applied = [event for event in self.events if event.type is EventType.APPLIED]
        width = max(len(event.identity.kind) for event in applied if event.identity)
        for kind, run in groupby(applied, key=lambda event: event.identity.kind if event.identity else ""):
            events = list(run)
            names = ", ".join(event.identity.name for event in events if event.identity)
            seconds = (events[-1].time - began).total_seconds()
            self.say(f"   [dim]{seconds:3.1f} s[/] [green]✓[/] {kind:<{width}}  {names}")
        self.say("   The catalog waited for its migration to succeed, the cart for redis to be ready. The pods now:")
        await self.pods()

    async def release(self, registry: str) -> None:
        before = self.cluster.requests.copy()
        built = "code and deployment in one commit: Image/web is built from code/web, whenever that changes"
        self.title("A release", built if registry else "one line of Git: the tag of Image/web goes from 1.4.2 to 1.5.0")
        images = (self.work / "base" / "images.yaml").read_text()
        if not registry:
            self.say("   [dim]Nothing is built: that needs root, buildah and docker-registry on this machine.[/]")
        if not registry or not await self._build(images, registry):
            self.commit("Release web 1.5.0", images.replace('tag: "1.4.2"', 'tag: "1.5.0"'))
            await self.converged()
        writes = sum((self.cluster.requests - before)[kind] for kind in self.cluster.requests if kind.verb == "apply")
        sent = f"{counted(writes, 'object')} {'was' if writes == 1 else 'were'} sent"
        self.say(f"   [green]✓[/] {sent}; the pods were replaced a few at a time and run {await self._images()}")

    async def hand_edit(self) -> None:
        self.title("A hand edit", "somebody runs: kubectl set image deployment/web web=evil.example.com/web:hacked")
        image = "evil.example.com/web:hacked"
        began = time.monotonic()
        await self.edit(_WEB, {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
        await self.until(lambda: any(event.type is EventType.HEALED for event in self.events))
        self._healed_ms = (time.monotonic() - began) * 1000
        drift = next(event for event in self.events if event.type is EventType.DRIFTED)
        self.say(f"   [yellow]![/] {drift.identity}: {escape(drift.message)}")
        await self.until(self.all_ready)
        images = await self._images()
        self.say(f"   [green]✓[/] healed {self._healed_ms:.0f} ms after the edit; it runs {images} again")

    async def removal(self) -> None:
        self.title("A removal", "NetworkPolicy/redis goes from Git, so it goes from the cluster")
        path = self.work / "base" / "cart.yaml"
        documents = path.read_text().split("---\n")
        path.write_text("---\n".join(part for part in documents if "kind: NetworkPolicy" not in part))
        self.commit("Open redis to everybody")
        await self.until(lambda: any(event.type is EventType.PRUNED for event in self.events))
        gone = next(event for event in self.events if event.type is EventType.PRUNED)
        self.say(f"   [red]✗[/] {gone.identity}: {escape(gone.message)}")
        self.say("   A namespace, a volume, or more than five objects at once would have waited for an approval.")

    async def planner(self) -> None:
        self.title("A planner", "a Deployment that says what one pod can do, but not how many, how large, nor where")
        story_planner.stated(self.work)
        self.commit("Search")
        await self.converged()
        before = await story_planner.explained(self)
        await story_planner.zone_lost(self, before)
        await self.until(self.all_ready)
        self.say("   Everything is healthy again.")

    def summary(self, seconds: float, *, keep: bool) -> None:
        events = Counter(event.type for event in self.events)
        created = sum(e.type is EventType.APPLIED and e.message.startswith("create") for e in self.events)
        requests = sum(self.cluster.requests.values())
        self.say("\n[bold]That was it.[/]")
        self.say(f"   {counted(created, 'object')} created in the right order, 1 changed by a release,")
        self.say(f"   {counted(events[EventType.HEALED], 'hand edit')} healed in {self._healed_ms:.0f} ms,")
        self.say(f"   {counted(events[EventType.PRUNED], 'object')} removed because Git no longer has it.")
        left = "" if keep else " Nothing is left running."
        self.say(f"   {requests} requests to the Kubernetes API, {seconds:.1f} seconds.{left}")
        command = _command()
        self.say("\nLook further:")
        for verb, what in (
            ("demo --keep", "the same, and it stays up for kubectl"),
            ("init my-shop", "the shop's files, with a tutorial, to make your own"),
            ("--help", "all verbs"),
        ):
            self.say(f"   {command} {verb:<15}{what}")

    async def stay(self) -> None:
        self.say(f"\nStill running. In another terminal:\n   export KUBECONFIG={self.kubeconfig}")
        self.say("   kubectl -n shop get pods")
        self.say(f"   {_command()} explain deployment/search -n shop")
        self.say(f"   {self.page}/planner      shows the plan, and draws how full each node is")
        self.say(f"   {_command()} status")
        self.say(f"   cd {self.work}      edit a file and commit it: the daemon looks twice a second")
        self.say("Ctrl-c ends it and removes everything.")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.say("")

    async def _build(self, images: str, registry: str) -> bool:
        """Have Image/web built; whether that worked here."""
        so_far = len(self.events)
        page = self.work / "code" / "web" / "pages" / "index.html"
        page.write_text(page.read_text().replace("Welcome", "Welcome, everybody"))
        stated = images.replace("registry.example.com/shop/web", f"{registry}/shop/web")
        self.commit("Welcome everybody", re.sub(r'tag: "1.4.2".*', "build: {context: ../code/web}", stated))
        ended = (EventType.BUILT, EventType.IMAGE_HELD)
        await self.until(lambda: any(event.type in ended for event in self.events[so_far:]))
        end = next(event for event in self.events[so_far:] if event.type in ended)
        if end.type is EventType.IMAGE_HELD:
            self.say(
                f"   [yellow]![/] it cannot be built here: {escape(end.message)}; so one that others built is taken"
            )
            return False
        self.say(f"   [green]✓[/] built by buildah and pushed: {_short(end.message)}")
        await self.until(lambda: any(event.identity == _WEB for event in self.events[so_far:]))
        await self.until(self.all_ready)
        return True

    async def _images(self) -> str:
        pods = await self.cluster.list(POD, "shop", "app.kubernetes.io/name=web")
        found = {
            container["image"]
            for pod in pods
            if not pod.metadata.get("deletionTimestamp")
            for container in pod.object["spec"]["containers"]
        }
        return ", ".join(sorted(_short(image) for image in found))


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
