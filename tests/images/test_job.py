"""Builds as Jobs: the object on both API servers, its exact commands on this machine, its life in the sandbox."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any

import pytest
from both_servers import on_both
from fault_transport import FaultTransport
from job_containers import run_containers
from memory_registry import MemoryRegistries
from memory_tree import MemoryTree
from registry_server import PASSWORD, USER, RegistryServer
from virtual import virtual
from world import World, world

from reconciler.clock import LoopClock
from reconciler.errors import BuildFailed, ImageError, ImageMissing, TransportError
from reconciler.http.transport import Request
from reconciler.images import artifact
from reconciler.images.builder import LEFT, Work
from reconciler.images.inputs import Gatherer
from reconciler.images.job import LABEL, job, name_of
from reconciler.images.jobs import JobBuilder, sweep
from reconciler.images.push import Pusher
from reconciler.images.reference import Reference
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.model.image import Build, JobSettings, JobTool, Registries

SHA = "sha256:" + "0" * 64
TARGET = "registry.example.com/shop/web:inputs-1"
CONTEXT = Reference.parse(f"registry.example.com/shop/web:inputs-1-context@{SHA}")
EVERYTHING = Build(".", target="app", args={"A": "1 $x", "B": ""}, platforms=("linux/arm64", "linux/amd64"))


def settings(tool: JobTool, **more: Any) -> JobSettings:
    return JobSettings(
        fetch_image="registry.example.com/reconciler:1",
        tool=tool,
        tool_image="registry.example.com/tool:1",
        **{"namespace": "default", **more},
    )


def everything(tool: JobTool) -> JobSettings:
    return settings(
        tool,
        service_account="builder",
        credentials_secret="registry",
        ca_config_map="authorities",
        node_selector={"pool": "builds"},
        tolerations=({"key": "builds", "operator": "Exists"},),
    )


async def work_of(files: dict[str, Any], target: str = TARGET, build: Build | None = None, **more: Any):
    memory = MemoryTree(files)
    inputs = await Gatherer().gather(build or Build("."), "image.yaml", memory.tree, memory)
    return Work(Reference.parse(target), inputs, **more), memory


@pytest.mark.parametrize("tool", JobTool)
async def test_the_job_as_people_see_it(tool: JobTool) -> None:
    """RECONCILER_GOLDEN=write writes the files anew."""
    work, _ = await work_of({"Containerfile": "FROM scratch AS app\n"}, build=EVERYTHING, timeout=600.5, quota=10**9)
    made = job(work, CONTEXT, everything(tool), {"registry.example.com"})
    text = json.dumps(made, indent=2) + "\n"
    file = Path(__file__).parent / "golden" / f"job-{tool}.json"
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        await asyncio.to_thread(file.write_text, text)
    assert text == await asyncio.to_thread(file.read_text)


@on_both
async def test_both_servers_take_the_job(world: World) -> None:
    """Strictly: a field that the server does not know would be refused."""
    for tool in JobTool:
        for stated in (settings(tool), everything(tool)):
            work, _ = await work_of({"Containerfile": "FROM scratch AS app\n"}, build=EVERYTHING)
            made = job(work, CONTEXT, stated, {"registry.example.com"})
            path = "/apis/batch/v1/namespaces/default/jobs"
            answer = await world.call("POST", path, made, dryRun="All", fieldValidation="Strict")
            spec = answer["spec"]["template"]["spec"]
            containers = [*spec["initContainers"], *spec["containers"]]
            assert [one["command"] for one in containers] == [
                one["command"]
                for part in ("initContainers", "containers")
                for one in made["spec"]["template"]["spec"][part]
            ]
            assert answer["spec"]["backoffLimit"] == 0
            assert spec["automountServiceAccountToken"] is False


async def test_the_same_build_is_the_same_job() -> None:
    first, _ = await work_of({"Containerfile": "FROM scratch\n"})
    assert name_of(first.target) == name_of(Reference.parse(TARGET))
    assert name_of(first.target) != name_of(Reference.parse(TARGET + "2"))
    assert len(name_of(first.target)) <= 63 - 6  # its pods get five letters more


@pytest.mark.parametrize("platforms", [(), ("linux/amd64", "linux/arm64")])
async def test_the_buildah_job_builds_on_this_machine(
    platforms: tuple[str, ...], builders: Path, open_registry: RegistryServer, session: Any, tmp_path: Path
) -> None:
    connected = session()
    pusher, registry = Pusher(connected), Registry(connected)
    base = Reference.parse(open_registry.name(f"job/base{len(platforms)}:1"))
    files = {"Containerfile": "FROM scratch\nCOPY . /base\n", "data": "x" * 1000}
    log: list[str] = []
    for target, more in (
        (base, {}),
        (
            Reference.parse(open_registry.name(f"job/web{len(platforms)}:inputs-1")),
            {"ignored": "", ".dockerignore": "ign*\n"},
        ),
    ):
        bases = {}
        if more:
            bases = {str(base): base.pinned((await registry.head(base)).digest)}
            files = {**files, **more, "Containerfile": f'FROM {base}\nARG X\nLABEL x="$X"\nCOPY . /web\n'}
        build = Build(".", args={"X": "a $(HOME) $$ b"}, platforms=platforms)
        work, memory = await work_of(files, str(target), build, bases=bases)
        folder = tmp_path / target.repository.path.replace("/", "-")
        context = await artifact.push(work, memory, pusher)
        made = job(work, context, settings(JobTool.BUILDAH), {open_registry.host}, folder=PurePosixPath(folder))
        await asyncio.to_thread(run_containers, made, log)
        assert sorted(path.name for path in (folder / "context").iterdir()) == sorted(
            {name for name in files if name != "ignored"}
        )
        found = (await registry.manifest(target)).json()
        assert len(found.get("manifests", ())) == len(platforms)
        for image in found.get("manifests", ()):
            found = (await registry.manifest(target.repository.at(digest=image["digest"]))).json()
        config = json.loads(await registry.blob(target.repository, found["config"]["digest"], 10**6))
        assert config["config"].get("Labels", {}).get("x") == ("a $(HOME) $$ b" if bases else None)


async def test_the_context_is_compared_with_its_digest(
    locked_registry: RegistryServer, session: Any, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {locked_registry.host: {"username": USER, "password": PASSWORD}}}))
    connected = session(config_file=config)
    work, memory = await work_of({"Containerfile": "FROM scratch\n"}, locked_registry.name("job/context:inputs-1"))
    context = await artifact.push(work, memory, Pusher(connected))
    assert await artifact.push(work, memory, Pusher(connected)) == context  # the same inputs, the same artifact
    await artifact.fetch(Registry(connected), context, tmp_path / "work")
    assert (tmp_path / "work/Containerfile").read_text() == "FROM scratch\n"
    with pytest.raises(ImageMissing):
        await artifact.fetch(Registry(connected), context.pinned(SHA), tmp_path / "other")
    with pytest.raises(ImageError, match="by its digest"):
        await artifact.fetch(Registry(connected), work.target, tmp_path / "other")


def test_the_program_that_fetches_says_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "reconciler.images.fetch", f"--from=r.io/x@{SHA}x", f"--work={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "is not a digest" in done.stderr
    assert "Traceback" not in done.stderr


class Cluster:
    """A JobBuilder in a sandbox with simulated nodes, and a registry in memory."""

    def __init__(self, made: World, tool_image: str = "r.example.com/tool:1") -> None:
        self.world = made
        self.registries = MemoryRegistries()
        self.registry = self.registries.at("r.example.com")
        session = Session(Registries(), LoopClock(), Random(1), connect=self.registries.connect)
        self.transport = FaultTransport(made.connect())
        stated = JobSettings(fetch_image="r.example.com/us:1", tool_image=tool_image, namespace="default", keep=600)
        self.builder = JobBuilder(session, Pusher(session), self.transport, stated)
        self.log: list[str] = []

    async def build(self, **more: Any) -> str:
        work, memory = await work_of({"Containerfile": "FROM scratch\n"}, "r.example.com/web:inputs-1", **more)
        return await self.builder.build(work, memory, self.log.append)

    async def jobs(self) -> list[dict[str, Any]]:
        return (await self.world.call("GET", "/apis/batch/v1/namespaces/default/jobs"))["items"]

    async def pods(self) -> list[dict[str, Any]]:
        return (await self.world.call("GET", "/api/v1/namespaces/default/pods"))["items"]


@virtual
async def test_a_job_that_succeeds() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made)
        digest = cluster.registry.put("web", "inputs-1", b"{}")  # what the Job would push
        assert await cluster.build() == digest
        assert "context: started, image r.example.com/us:1" in cluster.log
        assert "build: started, image r.example.com/tool:1" in cluster.log
        await made.until(lambda: nothing_of(cluster))
        assert cluster.registry.tags["web"] == {"inputs-1": digest}  # the context is gone


@virtual
async def test_who_cannot_ask_the_api_server_says_what_helps() -> None:
    def away(_request: Request) -> None:
        raise TransportError("no usable answer", why="TLS failed", hint="is its certificate trusted here?")

    async with world(controllers=True) as made:
        cluster = Cluster(made)
        cluster.transport.fault_of = away
        with pytest.raises(BuildFailed) as caught:
            await cluster.build()
        assert (caught.value.why, caught.value.hint) == ("TLS failed", "is its certificate trusted here?")


async def nothing_of(cluster: Cluster) -> bool:
    return not await cluster.jobs() and not await cluster.pods()


@virtual
async def test_a_job_that_fails_stays_to_be_looked_at_and_is_tried_anew() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:fail")
        with pytest.raises(BuildFailed) as caught:
            await cluster.build()
        [left] = await cluster.jobs()
        assert caught.value.what == "the build failed"
        assert caught.value.where == "r.example.com/web:inputs-1"
        assert any("exiting with 1" in line for line in caught.value.log)
        assert f"{LABEL}={left['metadata']['name']}" in caught.value.hint
        with pytest.raises(BuildFailed):
            await cluster.build()
        [again] = await cluster.jobs()
        assert again["metadata"]["uid"] != left["metadata"]["uid"]


@virtual
async def test_a_job_that_hangs() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:broken")  # its image cannot be pulled
        with pytest.raises(BuildFailed, match=r"did not finish within 300 s: .*ImagePull") as caught:
            await cluster.build(timeout=300.0)
        assert asyncio.get_running_loop().time() < 400
        assert caught.value.where


@virtual
async def test_a_cancelled_build_takes_its_job_along() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:pending")
        building = asyncio.create_task(cluster.build())
        await asyncio.sleep(20)
        assert len(await cluster.jobs()) == 1
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        await made.until(lambda: nothing_of(cluster))


async def left(cluster: Cluster) -> None:
    """A build begins, and its daemon ends."""
    building = asyncio.create_task(cluster.build())
    await asyncio.sleep(1)
    building.cancel(LEFT)
    with pytest.raises(asyncio.CancelledError):
        await building
    assert len(await cluster.jobs()) == 1


async def cleared(cluster: Cluster, keep: float = 60.0) -> int:
    return await sweep(cluster.transport, settings(JobTool.BUILDKIT, keep=keep), cluster.world.clock)


@virtual
async def test_the_job_of_a_daemon_that_ends_goes_on() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:pending")
        await left(cluster)
        await asyncio.sleep(100)
        assert await cleared(cluster) == 0
        assert len(await cluster.jobs()) == 1


@virtual
async def test_what_ended_while_no_daemon_was_there_is_cleared_away() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made)
        await left(cluster)
        await asyncio.sleep(100)
        assert await cleared(cluster) == 1
        assert await cluster.jobs() == []


@virtual
async def test_what_failed_is_kept_for_a_while() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:fail")
        with pytest.raises(BuildFailed):
            await cluster.build()
        assert await cleared(cluster) == 0
        await asyncio.sleep(70)
        assert await cleared(cluster) == 1
        assert await cluster.jobs() == []


@virtual
async def test_a_restart_goes_on_with_the_job_of_the_life_before() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made)
        digest = cluster.registry.put("web", "inputs-1", b"{}")
        first = asyncio.create_task(cluster.build())
        await asyncio.sleep(0.5)
        assert len(await cluster.jobs()) == 1
        assert await cluster.build() == digest
        assert await first == digest
        assert len([seen for seen in cluster.transport.seen if seen.request.method == "POST"]) == 1


@virtual
async def test_a_job_that_pushed_nothing() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made)
        with pytest.raises(ImageMissing, match=r"web:inputs-1"):
            await cluster.build()


@virtual
async def test_somebody_deletes_the_job() -> None:
    async with world(controllers=True) as made:
        cluster = Cluster(made, "r.example.com/tool:pending")
        building = asyncio.create_task(cluster.build())
        await asyncio.sleep(20)
        [found] = await cluster.jobs()
        await made.call("DELETE", f"/apis/batch/v1/namespaces/default/jobs/{found['metadata']['name']}")
        with pytest.raises(BuildFailed, match="somebody deleted the Job"):
            await building
