"""How soon drift is noticed and healed among 5,000 objects, on a real API server, by a real `reconciler run`.

    python benchmarks/drift_latency.py [--edits 120] [--storm 60]

A fresh etcd and kube-apiserver (tests/controlplane, without controllers), a Git repository of 1,250 apps of 4 objects,
and the daemon as a process. A person edits objects through other connections; another client watches them.

    edits      one at a time: from sending the edit until the daemon logs it (noticed), and until the watch shows the
               object as Git states it (healed)
    at once    1,000 objects: until all are healed; how much memory that takes, and how many messages a webhook gets
    storm      one object, 1,000 times a minute: how often we write it in the first minute, and how many messages

Beside it, in the same run, the floor: a loop that watches, and applies as soon as a value is another, of as many
ConfigMaps as were edited. The last line is JSON: {"noticed_p95_ms", "healed_p95_ms", …, "floor_p95_ms", "of_floor"}.
"""

import argparse
import asyncio
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from change import git
from first_sync import BIN, NAMESPACES, fill, on_fresh_server

APPS = 1250
AT_ONCE = 1000
EDITORS = 8  # connections of the person who edits many objects at once
STORM_PER_MINUTE = 1000
PATIENCE = 120.0
GROUPING = 75.0  # seconds in which all messages about one burst are there: groupWait and groupInterval
MERGE = {"content-type": "application/merge-patch+json"}
APPLY = {"content-type": "application/apply-patch+yaml"}
FLOOR = "floor"


@asynccontextmanager
async def connected(server: Path) -> AsyncIterator[aiohttp.ClientSession]:
    admin = yaml.safe_load((server / "admin.kubeconfig").read_text())
    cluster, user = admin["clusters"][0]["cluster"], admin["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(cluster["server"], connector=connector, timeout=timeout) as session:
        yield session


class Target:
    """One object: where it is, which value Git states of it, and how another is written."""

    def __init__(self, kind: str, app: str, namespace: str) -> None:
        self.object = f"{kind}/{namespace}/{app}"
        self.app = app
        api, plural = ("apis/apps/v1", "deployments") if kind == "Deployment" else ("api/v1", "configmaps")
        self.path = f"/{api}/namespaces/{namespace}/{plural}/{app}"
        self.stated = f"registry.example.com/{app}:1.0" if kind == "Deployment" else "info"

    def edit(self, value: str) -> dict[str, Any]:
        if not self.object.startswith("Deployment"):
            return {"data": {"LOG_LEVEL": value}}
        container = {"name": self.app, "image": f"registry.example.com/{self.app}:{value}"}
        return {"spec": {"template": {"spec": {"containers": [container]}}}}


def targets() -> list[Target]:
    """Every app's Deployment and ConfigMap, in an order of no meaning."""
    found = [
        Target(kind, f"app-{number:04}", f"team-{number % NAMESPACES}")
        for number in range(APPS)
        for kind in ("ConfigMap", "Deployment")
    ]
    Random(5).shuffle(found)
    return found


def value_of(obj: dict[str, Any]) -> str:
    if "data" in obj:
        return str(obj["data"].get("LOG_LEVEL"))
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


class Watch:
    """A client of its own that notes when each object came to which value."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.seen: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
        self.news = asyncio.Condition()

    async def follow(self, kind: str, path: str, selector: str = "") -> None:
        query = {"labelSelector": selector} if selector else {}
        async with self._session.get(path, params={**query, "limit": "1"}) as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        asked = {**query, "watch": "1", "resourceVersion": version, "timeoutSeconds": "3000"}
        async with self._session.get(path, params=asked) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                now = time.perf_counter()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    obj = event["object"]
                    if event["type"] == "MODIFIED":
                        metadata = obj["metadata"]
                        name = f"{kind}/{metadata['namespace']}/{metadata['name']}"
                        self.seen[name].append((int(metadata["resourceVersion"]), value_of(obj), now))
                async with self.news:
                    self.news.notify_all()

    def when(self, target: Target, after: int) -> float | None:
        """When the object was first as Git states it, after a version."""
        states = self.seen[target.object]
        return next((at for version, value, at in states if version > after and value == target.stated), None)

    async def healed(self, target: Target, after: int) -> float:
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: self.when(target, after) is not None)
        at = self.when(target, after)
        assert at is not None
        return at


class Daemon:
    """`reconciler run`, and when it logged what."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.logged: dict[tuple[str, str], list[float]] = defaultdict(list)  # by type and object
        self.news = asyncio.Condition()
        self.ended = False
        self.attributed = 0  # drifts that were logged with the commit that wanted it otherwise

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            now = time.perf_counter()
            try:
                said = json.loads(line)
            except ValueError:
                sys.stderr.write(line.decode())
                continue
            if said["type"] in ("failed", "sync-failed", "not-ready"):
                sys.stderr.write(line.decode())
            self.attributed += said["type"] == "drifted" and any(place["commit"] for place in said.get("wanted", ()))
            async with self.news:
                self.logged[said["type"], said.get("object", "")].append(now)
                self.news.notify_all()
        self.ended = True
        async with self.news:
            self.news.notify_all()

    async def said(self, kind: str, name: str = "", count: int = 1) -> float:
        """When it said something for the `count`th time."""
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: self.ended or len(self.logged[kind, name]) >= count)
        if self.ended:
            raise SystemExit("the daemon has ended")
        return self.logged[kind, name][count - 1]

    def total(self, kind: str) -> int:
        return sum(len(times) for (said, _), times in self.logged.items() if said == kind)

    def memory(self) -> float:
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def processor(self) -> float:
        """Seconds of CPU so far, without children."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@asynccontextmanager
async def daemon(server: Path, repository: Path, hook: str) -> AsyncIterator[Daemon]:
    (server / "hook").write_text(hook)
    config = {
        "sources": [{"name": "shop", "url": str(repository)}],
        "cacheDir": str(server / "cache"),
        "stateNamespace": "default",
        "listen": f"127.0.0.1:{free_port()}",
        "kubeconfig": str(server / "admin.kubeconfig"),
        "alerts": {"receivers": [{"name": "team", "slack": {"urlFile": str(server / "hook")}}]},
    }
    (server / "config.yaml").write_text(json.dumps(config))
    command = [str(BIN / "reconciler"), "run", "--config", str(server / "config.yaml"), "--log-format", "json"]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, limit=2**24)
    running = Daemon(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


class Hook:
    """A webhook receiver: when it got a message, and the message."""

    def __init__(self) -> None:
        self.got: list[tuple[float, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((time.perf_counter(), await request.text()))
        return web.Response(text="ok")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        application = web.Application(client_max_size=2**24)
        application.router.add_post("/", self.take)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()

    def since(self, began: float) -> int:
        return sum(at >= began for at, _ in self.got)


async def edit(session: aiohttp.ClientSession, target: Target, value: str) -> int:
    """Write another value as a person would; the version that came of it."""
    kind = {"content-type": "application/strategic-merge-patch+json"}
    async with session.patch(f"{target.path}?fieldManager=person", json=target.edit(value), headers=kind) as answer:
        if answer.status != 200:
            raise SystemExit(await answer.text())
        return int((await answer.json())["metadata"]["resourceVersion"])


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] * 1000


async def one_by_one(
    session: aiohttp.ClientSession,
    some: list[Target],
    watch: Watch,
    noticed: Callable[[Target], Awaitable[float]] | None,
) -> tuple[list[float], list[float]]:
    """Edit one after the other; seconds until each was noticed, and until it was healed."""
    seen, healed = [], []
    random = Random(9)
    for target in some:
        began = time.perf_counter()
        version = await edit(session, target, "edited")
        healed.append(await watch.healed(target, version) - began)
        if noticed is not None:
            seen.append(await noticed(target) - began)
        await asyncio.sleep(random.uniform(0.05, 0.25))  # no rhythm
    return seen, healed


async def at_once(
    session: aiohttp.ClientSession, some: list[Target], watch: Watch, running: Daemon, hook: Hook
) -> dict[str, Any]:
    """Edit all of them as fast as the server takes it."""
    await asyncio.sleep(GROUPING)  # what was told of the edits before is told
    before, peak, busy = running.memory(), 0.0, running.processor()
    healed_before, attributed_before = running.total("healed"), running.attributed

    async def measure() -> None:
        nonlocal peak
        while True:
            peak = max(peak, running.memory())
            await asyncio.sleep(0.02)

    measuring = asyncio.create_task(measure())
    waiting = iter(some)
    versions: dict[str, int] = {}

    async def editor() -> None:
        for target in waiting:
            versions[target.object] = await edit(session, target, "edited")

    began = time.perf_counter()
    await asyncio.gather(*(editor() for _ in range(EDITORS)))
    edited = time.perf_counter() - began
    healed = max([await watch.healed(target, versions[target.object]) for target in some]) - began
    async with asyncio.timeout(PATIENCE), running.news:
        await running.news.wait_for(lambda: running.total("healed") - healed_before >= len(some))
    told = time.perf_counter() - began
    await asyncio.sleep(GROUPING)
    measuring.cancel()
    return {
        "at_once": len(some),
        "at_once_edited_s": round(edited, 1),
        "at_once_healed_s": round(healed, 1),
        "at_once_logged_s": round(told, 1),
        "at_once_cpu_s": round(running.processor() - busy, 1),
        "at_once_attributed": running.attributed - attributed_before,
        "at_once_messages": hook.since(began),
        "rss_mb": round(before),
        "rss_growth_mb": round(peak - before, 1),
    }


async def storm(
    session: aiohttp.ClientSession, target: Target, watch: Watch, hook: Hook, seconds: float
) -> dict[str, Any]:
    """Edit one object again and again."""
    watch.seen.pop(target.object, None)
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter()) - began < seconds:
        await edit(session, target, f"edit-{sent}")
        sent += 1
        await asyncio.sleep(max(0.0, began + sent * 60 / STORM_PER_MINUTE - now))
    writes = sum(value == target.stated and at - began < 60 for _, value, at in watch.seen[target.object])
    await asyncio.sleep(GROUPING)
    return {"storm_edits": sent, "storm_writes": writes, "storm_messages": hook.since(began)}


async def floor(server: Path, count: int) -> list[float]:
    """The least that could be: a process that watches some ConfigMaps and applies each that is another."""
    command = [sys.executable, str(Path(__file__)), "--floor", str(server)]
    some = [Target("ConfigMap", f"{FLOOR}-{number}", f"team-{number % NAMESPACES}") for number in range(count)]
    async with connected(server) as session:
        for target in some:
            await apply(session, target)
        watch = Watch(session)
        following = asyncio.create_task(watch.follow("ConfigMap", "/api/v1/configmaps", f"floor={FLOOR}"))
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            await process.stdout.readline()
            return (await one_by_one(session, some, watch, None))[1]
        finally:
            process.terminate()
            await process.wait()
            following.cancel()


async def apply(session: aiohttp.ClientSession, target: Target) -> None:
    *_, namespace, _kind, name = target.path.split("/")
    metadata = {"name": name, "namespace": namespace, "labels": {"floor": FLOOR}}
    data = {"LOG_LEVEL": target.stated, "NUMBER": "1"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    query = "fieldManager=floor&force=true"
    async with session.patch(f"{target.path}?{query}", json=body, headers=APPLY) as answer:
        if answer.status not in (200, 201):
            raise SystemExit(await answer.text())
        await answer.read()


async def be_floor(server: Path) -> None:
    """That process."""
    async with connected(server) as session:
        async with session.get("/api/v1/configmaps", params={"labelSelector": f"floor={FLOOR}"}) as answer:
            version = (await answer.json())["metadata"]["resourceVersion"]
        asked = {"labelSelector": f"floor={FLOOR}", "watch": "1", "resourceVersion": version}
        async with session.get("/api/v1/configmaps", params=asked) as answer:
            print("watching", flush=True)
            async for line in answer.content:
                obj = json.loads(line)["object"]
                if obj["data"]["LOG_LEVEL"] != "info":
                    metadata = obj["metadata"]
                    await apply(session, Target("ConfigMap", metadata["name"], metadata["namespace"]))


async def measure(server: Path, repository: Path, edits: int, seconds: float) -> dict[str, Any]:
    every = targets()
    figures: dict[str, Any] = {"objects": 4 * APPS, "edits": edits}
    hook = Hook()
    async with hook.serve() as url, connected(server) as session, daemon(server, repository, url) as running:
        await running.said("sync-finished")
        await asyncio.sleep(5)
        watch = Watch(session)
        following = [
            asyncio.create_task(watch.follow("ConfigMap", "/api/v1/configmaps")),
            asyncio.create_task(watch.follow("Deployment", "/apis/apps/v1/deployments")),
        ]
        await asyncio.sleep(1)
        noticed, healed = await one_by_one(
            session, every[:edits], watch, lambda target: running.said("drifted", target.object)
        )
        figures |= {
            "noticed_p95_ms": round(p95(noticed)),
            "noticed_median_ms": round(statistics.median(noticed) * 1000),
        }
        figures |= {"healed_p95_ms": round(p95(healed)), "healed_median_ms": round(statistics.median(healed) * 1000)}
        print(f"one by one: {json.dumps(figures)}", flush=True)
        figures |= await at_once(session, every[edits : edits + AT_ONCE], watch, running, hook)
        print(f"at once: {json.dumps(figures)}", flush=True)
        if seconds:
            figures |= await storm(session, every[-1], watch, hook, seconds)
        for task in following:
            task.cancel()
    least = await floor(server, edits)
    figures |= {"floor_p95_ms": round(p95(least)), "floor_median_ms": round(statistics.median(least) * 1000)}
    return figures | {"of_floor": round(statistics.median(healed) / statistics.median(least), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=120)
    parser.add_argument("--storm", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--floor", metavar="FOLDER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.floor:
        asyncio.run(be_floor(Path(args.floor)))
        return
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as work:
        repository = Path(work)
        fill(repository, APPS)
        git(repository, "init", "--quiet", "--initial-branch=main")
        git(repository, "add", ".")
        git(repository, "commit", "--quiet", "-m", "Start")

        def contender(server: Path) -> float:
            figures.update(asyncio.run(measure(server, repository, args.edits, args.storm)))
            return 0.0

        on_fresh_server(contender)
    print(f"noticed: 95 of 100 edits within {figures['noticed_p95_ms']} ms, in the log with the commit that wanted it")
    print(
        f"healed: 95 of 100 within {figures['healed_p95_ms']} ms, a bare watch and apply {figures['floor_p95_ms']} ms"
    )
    print(f"half of them within {figures['healed_median_ms']} ms, {figures['of_floor']} × a bare watch and apply")
    print(f"{AT_ONCE} at once: healed within {figures['at_once_healed_s']} s, {figures['at_once_messages']} messages")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
